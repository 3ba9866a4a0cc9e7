//! Signals, free ports, and the user that PostgreSQL runs as: it refuses root.

use std::ffi::OsStr;
use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

/// Runs a command to its end.
///
/// # Panics
///
/// If it cannot be started, or fails; the message has its output.
pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?} has failed:\n{}", text(&output));
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Sends a signal to processes. One that has ended is skipped.
pub(crate) fn signal(name: &str, processes: &[u32]) {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{name}")).args(processes.iter().map(u32::to_string));
    let _ended_already = kill.output().expect("`kill` can be run");
}

/// Returns the processes that a process has started.
pub(crate) fn children(process: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Whether a process is there and has not ended.
pub(crate) fn is_running(process: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/stat")) else { return false };
    // The state follows the name, which is in parentheses.
    status.rsplit(") ").next().is_some_and(|rest| !rest.starts_with(['Z', 'X']))
}

/// Waits until processes have ended, at most ten seconds; those that have not are killed.
pub(crate) fn wait_for_end(processes: &[u32]) {
    for _ in 0..1_000 {
        if !processes.iter().any(|process| is_running(*process)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    signal("KILL", processes);
}

/// Returns a port on which nothing listens. It is outside of the range from which outgoing connections take theirs, so
/// that it is still free when a server starts again.
pub(crate) fn free_port() -> u16 {
    let chance = RandomState::new();
    let port = |attempt: u32| 10_000 + u16::try_from(chance.hash_one(attempt) % 20_000).unwrap_or_default();
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (0..100).map(port).find(is_free).expect("a port between 10000 and 30000 is free")
}

/// The user that servers run as.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Runner {
    /// The user of the tests.
    Own,
    /// Another one, because the tests run as root.
    Other {
        /// The number of the user.
        user: u32,
        /// The number of the user's group.
        group: u32,
    },
}

impl Runner {
    pub(crate) fn find() -> Self {
        let own = std::fs::metadata("/proc/self").expect("/proc is mounted").uid();
        if own != 0 {
            return Self::Own;
        }
        let users = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
        let (user, group) = ["postgres", "nobody"]
            .iter()
            .find_map(|name| numbers(&users, name))
            .expect("one of the users `postgres` and `nobody` exists: PostgreSQL refuses to run as root");
        Self::Other { user, group }
    }

    /// Returns a command that this user runs.
    pub(crate) fn command(self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Self::Own => Command::new(program),
            Self::Other { user, group } => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
                command.arg("--").arg(program);
                command
            }
        }
    }

    /// Makes a directory that belongs to this user.
    pub(crate) fn make_directory(self, path: &Path) {
        std::fs::create_dir_all(path).unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
        if let Self::Other { user, group } = self {
            std::os::unix::fs::chown(path, Some(user), Some(group)).expect("root may give a directory away");
        }
    }

    /// Whether this user can run a program, which may be in a directory that only root can read.
    pub(crate) fn can_run(self, program: &Path) -> bool {
        self.command("test").arg("-x").arg(program).status().is_ok_and(|status| status.success())
    }
}

/// The numbers of a user and of its group in the text of `/etc/passwd`.
fn numbers(users: &str, name: &str) -> Option<(u32, u32)> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
