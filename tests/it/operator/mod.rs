//! `bolide serve`, `bolide user` and `bolide token` as processes, with files and an environment.

#![expect(clippy::unwrap_used, reason = "what a test prepares works, or the test fails")]

mod backup;
mod check;
mod commands;
mod configuration;
mod crashes;
mod documents;
mod drain;
mod logs;
mod metrics;
mod migrate;
mod nats;
mod nodes;
mod open_files;
mod postgres;
mod refusals;
mod reload;
mod systemd;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A temporary data directory, and a PostgreSQL database if that is used instead of a file.
struct Data {
    directory: PathBuf,
    postgres: Option<String>,
}

impl Data {
    fn new(name: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Self { directory, postgres: None }
    }

    fn in_postgres(name: &str, url: String) -> Self {
        let mut data = Self::new(name);
        data.postgres = Some(url);
        data
    }

    /// Returns the address of the database.
    fn address(&self) -> String {
        self.postgres.clone().unwrap_or_else(|| format!("sqlite:{}", self.database().display()))
    }

    fn database(&self) -> PathBuf {
        self.directory.join("bolide.db")
    }

    fn bolide(&self, arguments: &[&str]) -> Command {
        let mut command = bolide(arguments);
        command.env("BOLIDE_DATA_DIR", &self.directory);
        if let Some(url) = &self.postgres {
            command.env("BOLIDE_DATABASE", url);
        }
        command
    }

    /// Runs a command to its end, with this standard input.
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        run(self.bolide(arguments), input)
    }

    /// Runs a command that must succeed, and returns its output.
    fn succeed(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", complaint(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn serve(&self) -> Serving {
        Serving::start(self.bolide(&["serve", "--listen", "127.0.0.1:0"]))
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

/// The program, without the variables of the tests' own environment.
fn bolide(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bolide"));
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    for name in [
        "BOLIDE_TOKEN",
        "BOLIDE_DATA_DIR",
        "BOLIDE_DATABASE",
        "BOLIDE_LISTEN",
        "BOLIDE_METRICS_LISTEN",
        "MAIL_URL",
        "MAIL_FROM",
        "HTTP_FORWARDED_COUNT",
    ] {
        command.env_remove(name);
    }
    command
}

fn run(mut command: Command, input: &str) -> Output {
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    // A program that rejects its arguments does not read its input.
    let _closed = process.stdin.take().unwrap().write_all(input.as_bytes());
    process.wait_with_output().unwrap()
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A server that runs until it is dropped or killed.
struct Serving {
    process: Child,
    address: SocketAddr,
    /// The output before the server was ready.
    greeting: String,
}

impl Serving {
    fn start(mut command: Command) -> Self {
        // What it complains about is shown with a test that fails.
        command.stderr(Stdio::inherit());
        Self::start_as(command)
    }

    /// Starts a server whose standard error goes where the command says.
    fn start_as(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the program");
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (mut greeting, mut address) = (String::new(), None);
        for line in lines.map_while(Result::ok) {
            let url = line.strip_prefix("listening on ").and_then(|url| url.split_once("://"));
            address = url.and_then(|(_, address)| address.parse().ok());
            if address.is_some() {
                break;
            }
            greeting.push_str(&line);
            greeting.push('\n');
        }
        let Some(address) = address else {
            panic!("it ended with {:?} before it listened", process.wait());
        };
        Self { process, address, greeting }
    }

    /// Kills the server with `kill -9`, without a graceful shutdown.
    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks the server to stop, as an init system does. Returns whether it succeeded.
    fn terminate(mut self) -> bool {
        self.signal(rustix::process::Signal::TERM);
        self.process.wait().unwrap().success()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.process), signal).unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have stopped already.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}
