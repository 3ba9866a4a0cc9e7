//! [`Postgres`]: a PostgreSQL server of the tests. One is shared by a test run; a test that breaks its server has its own.
//!
//! - `version`: which installations there are;
//! - `cluster`: how a server is made, started and stopped;
//! - `private`: a server that a test may restart and pause.

mod cluster;
mod private;
mod version;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::directory::ServerDirectory;
use crate::process;
use cluster::{Cluster, Durability};
pub use private::PrivatePostgres;
pub use version::PostgresVersion;

/// A running server.
#[derive(Clone, Debug)]
pub struct Postgres {
    version: PostgresVersion,
    port: u16,
}

/// The directory of the shared servers. It is held until the process ends.
static SHARED: LazyLock<ServerDirectory> = LazyLock::new(|| ServerDirectory::shared("postgres"));

impl Postgres {
    /// Returns every version that is installed, the oldest first: those of the variable `TEST_POSTGRES`, which is a
    /// list of directories of programs separated by `:`, or else what is in the usual places.
    ///
    /// # Panics
    ///
    /// If there is none, or one of the list is missing; the message says what to install.
    #[must_use]
    pub fn versions() -> Vec<PostgresVersion> {
        version::all()
    }

    /// Returns the newest version's server that all tests of a run share. It does not survive a crash of the machine
    /// (`fsync=off`), which makes it faster than any server that may be used for measurements.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn shared() -> Self {
        PostgresVersion::newest().shared()
    }

    /// Starts a server of the newest version for one test. It ends when it is dropped.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn private() -> PrivatePostgres {
        PostgresVersion::newest().private()
    }

    /// Makes an empty database and returns its URL. It ends with the server.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn database(&self) -> String {
        let name = fresh_name();
        self.create(&name, "template0");
        self.url(&name)
    }

    /// Makes a copy of a database and returns its URL. The first test of a run that asks for the template gets the URL of an
    /// empty one to prepare, and must close its connections to it. Several tests may ask at once.
    ///
    /// # Panics
    ///
    /// If the databases cannot be made.
    #[must_use]
    pub fn database_like(&self, template: &str, prepare: impl FnOnce(&str)) -> String {
        let directory = SHARED.path().join(format!("{}-{template}", self.port));
        SHARED.exclusively(&format!("template-{}-{template}", self.port), || {
            if directory.exists() {
                return;
            }
            // What an interrupted test has left.
            self.drop_database(template);
            self.create(template, "template0");
            prepare(&self.url(template));
            std::fs::create_dir(&directory).expect("a directory can be made among the servers");
        });
        let name = fresh_name();
        self.create(&name, template);
        self.url(&name)
    }

    /// Returns the URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://bolide@127.0.0.1:{}/{database}", self.port)
    }

    /// Returns the port on 127.0.0.1 on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns its version.
    #[must_use]
    pub fn version(&self) -> &PostgresVersion {
        &self.version
    }

    /// Returns one of its programs, which connects to it.
    #[must_use]
    pub fn program(&self, name: &str) -> Command {
        let mut program = Command::new(self.version.program(name));
        program.args(["-h", "127.0.0.1", "-U", "bolide", "-p"]).arg(self.port.to_string());
        program
    }

    fn create(&self, name: &str, template: &str) {
        process::run(self.program("createdb").args(["--template", template, name]));
    }

    fn drop_database(&self, name: &str) {
        process::run(self.program("dropdb").args(["--if-exists", "--force", name]));
    }
}

impl PostgresVersion {
    /// Returns this version's server that all tests of a run share.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn shared(&self) -> Postgres {
        static RUNNING: Mutex<BTreeMap<u32, u16>> = Mutex::new(BTreeMap::new());
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let port = *running.entry(self.major()).or_insert_with(|| self.shared_port());
        Postgres { version: self.clone(), port }
    }

    /// Starts a server of this version for one test. It ends when it is dropped.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn private(&self) -> PrivatePostgres {
        PrivatePostgres::start_new(self)
    }

    /// Starts the shared server, unless another process has started it, and returns its port.
    fn shared_port(&self) -> u16 {
        let path = SHARED.path().join(self.major().to_string());
        let ready = path.join("port");
        SHARED.exclusively(&format!("{}.lock", self.major()), || {
            if let Ok(port) = std::fs::read_to_string(&ready) {
                return port.parse().expect("the file holds a port");
            }
            let cluster = Cluster::make(self, path, Durability::UntilTheMachineStops);
            std::fs::write(&ready, cluster.port().to_string())
                .expect("a file can be written among those of the server");
            cluster.port()
        })
    }
}

fn fresh_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
