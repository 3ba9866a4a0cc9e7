//! [`PrivatePostgres`]: a server of one test, which may restart and pause it.

use std::ops::Deref;

use super::cluster::{Cluster, Durability};
use super::{Postgres, PostgresVersion};
use crate::directory::ServerDirectory;
use crate::process;

/// A server of one test. It survives what PostgreSQL survives; it ends when this is dropped.
#[derive(Debug)]
pub struct PrivatePostgres {
    server: Postgres,
    cluster: Cluster,
    directory: ServerDirectory,
}

impl PrivatePostgres {
    pub(super) fn start_new(version: &PostgresVersion) -> Self {
        let directory = ServerDirectory::private("postgres");
        let cluster = Cluster::make(version, directory.path().join("private"), Durability::Full);
        Self { server: Postgres { version: version.clone(), port: cluster.port() }, cluster, directory }
    }

    /// Ends the server as if it had crashed, and starts it again on the same port.
    ///
    /// # Panics
    ///
    /// If it does not stop or start.
    pub fn restart_immediately(&self) {
        self.stop_immediately();
        self.start();
    }

    /// Ends the server as if it had crashed.
    ///
    /// # Panics
    ///
    /// If it does not stop.
    pub fn stop_immediately(&self) {
        self.cluster.stop("immediate");
    }

    /// Ends all processes of the server at once (`SIGKILL`), even if it is paused.
    pub fn kill(&self) {
        self.cluster.kill();
    }

    /// Stops the server: it ends its connections, and what was not committed.
    ///
    /// # Panics
    ///
    /// If it does not stop.
    pub fn stop(&self) {
        self.cluster.stop("fast");
    }

    /// Starts the server again on the same port.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start(&self) {
        self.cluster.start();
    }

    /// Makes the server hang until it is [resumed](Self::resume): connections stay open and are not answered.
    pub fn pause(&self) {
        let processes = self.cluster.processes();
        process::signal("STOP", &processes);
        // Those that were started while the first one was not stopped yet.
        process::signal("STOP", &self.cluster.processes());
    }

    /// Lets a paused server continue.
    pub fn resume(&self) {
        process::signal("CONT", &self.cluster.processes());
    }
}

impl Deref for PrivatePostgres {
    type Target = Postgres;

    fn deref(&self) -> &Postgres {
        &self.server
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        let processes = self.cluster.processes();
        if let Some(first) = processes.first() {
            process::signal("QUIT", &[*first]);
            process::signal("CONT", &processes);
            process::wait_for_end(&processes);
        }
        let _removed_later = std::fs::remove_dir_all(self.directory.path());
    }
}
