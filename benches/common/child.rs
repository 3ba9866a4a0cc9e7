//! Child processes: started on a core of their own, and asked where they listen.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

use crate::Failure;
use crate::process::Process;

const READY_LINE: &str = "listening on http://";

/// Which cores the two sides run on, if there are enough of them.
#[derive(Clone, Copy)]
pub(crate) struct Placement {
    pub(crate) server: Option<usize>,
    pub(crate) load: Option<usize>,
}

impl Placement {
    /// The server on core 0, the load on core 1.
    pub(crate) fn apart() -> Self {
        let enough = thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2);
        if enough && has_taskset() {
            Self { server: Some(0), load: Some(1) }
        } else {
            Self { server: None, load: None }
        }
    }

    pub(crate) fn is_apart(self) -> bool {
        self.server.is_some()
    }
}

fn has_taskset() -> bool {
    Command::new("taskset").arg("-V").stdout(Stdio::null()).status().is_ok()
}

/// How many files a program may open, as a command of the shell.
#[derive(Clone, Copy)]
pub(crate) struct OpenFiles(pub(crate) &'static str);

impl OpenFiles {
    /// As many as the system allows.
    pub(crate) const ALL: Self = Self(r#"ulimit -n "$(ulimit -Hn)""#);
}

/// A command on one core. The shell that limits its files replaces itself, so that the child's process id is the
/// program's.
pub(crate) fn pinned<Word: AsRef<OsStr>>(
    core: Option<usize>,
    files: OpenFiles,
    program: &OsStr,
    arguments: impl IntoIterator<Item = Word>,
) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!(r#"{}; exec "$@""#, files.0), "sh"]);
    if let Some(core) = core {
        command.args(["taskset", "-c", &core.to_string()]);
    }
    command.arg(program).args(arguments);
    command
}

/// A server that listens. It ends when this is dropped.
pub(crate) struct RunningServer {
    child: Child,
    address: SocketAddr,
    /// Held, so that the server can go on writing to it.
    _output: BufReader<ChildStdout>,
}

impl RunningServer {
    pub(crate) fn start(mut command: Command) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("the server has no output")?);
        match read_address(&mut output) {
            Ok(address) => Ok(Self { child, address, _output: output }),
            Err(error) => {
                end(&mut child);
                Err(error)
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

pub(crate) fn end(child: &mut Child) {
    // Both fail only if the child has ended already.
    child.kill().ok();
    child.wait().ok();
}

/// Reads where a server listens; it may print other lines before.
fn read_address(output: &mut impl BufRead) -> Result<SocketAddr, Failure> {
    let mut last = String::new();
    for line in output.lines() {
        last = line?;
        if let Some(address) = last.strip_prefix(READY_LINE) {
            return Ok(address.trim().parse()?);
        }
    }
    Err(format!("the server ended and did not say `{READY_LINE}ADDRESS:PORT`; its last line: `{last}`").into())
}
