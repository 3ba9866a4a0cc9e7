//! Child processes: started on a core of their own, asked where they listen, and what the kernel
//! knows of them.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::Failure;
use crate::floor::Variant;

const READY_LINE: &str = "listening on http://";

/// `getconf CLK_TCK`, which Linux has fixed for programs.
const NANOSECONDS_PER_TICK: u64 = 10_000_000;

/// Which cores the two sides run on, if there are enough of them.
#[derive(Clone, Copy)]
pub(crate) struct Placement {
    server: Option<usize>,
    load: Option<usize>,
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

/// A server to be measured.
#[derive(Clone)]
pub(crate) enum Server {
    Floor(Variant),
    Bolide(PathBuf),
}

impl Server {
    fn command(&self, core: Option<usize>) -> Result<Command, Failure> {
        let this = env::current_exe()?;
        let command = match self {
            Self::Floor(variant) => pinned(core, &this, [variant.name()]),
            Self::Bolide(program) => pinned(core, program, ["--listen", "127.0.0.1:0"]),
        };
        Ok(command)
    }
}

/// Gives a program as many open files as the system allows. The shell replaces itself, so that the
/// child's process id is the program's.
const PREPARATION: &str = r#"ulimit -n "$(ulimit -Hn)"; exec "$@""#;

/// A command on one core.
fn pinned<'a>(core: Option<usize>, program: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", PREPARATION, "sh"]);
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
    pub(crate) fn start(server: &Server, placement: Placement) -> Result<Self, Failure> {
        let mut child = server
            .command(placement.server)?
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
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

fn end(child: &mut Child) {
    // Both fail only if the child has ended already.
    child.kill().ok();
    child.wait().ok();
}

fn read_address(output: &mut BufReader<ChildStdout>) -> Result<SocketAddr, Failure> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    let address = line
        .trim()
        .strip_prefix(READY_LINE)
        .ok_or_else(|| format!("the server said `{}` instead of `{READY_LINE}ADDRESS:PORT`", line.trim()))?;
    Ok(address.parse()?)
}

/// Runs this program again as a load generator, and gives what it printed.
pub(crate) fn run_generator(placement: Placement, arguments: &[String]) -> Result<String, Failure> {
    let this = env::current_exe()?;
    let output = pinned(placement.load, &this, arguments.iter().map(String::as_str))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the load generator ended with {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Builds the conformance server beside this program and says where it is.
pub(crate) fn build_conformance_server() -> Result<PathBuf, Failure> {
    // Benches are in `TARGET/release/deps`, examples in `TARGET/release/examples`.
    let this = env::current_exe()?;
    let mut ancestors = this.ancestors().skip(2);
    let outside = "this program is in no target directory; use --server";
    let release = ancestors.next().ok_or(outside)?;
    let target = ancestors.next().ok_or(outside)?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--package",
            "conformance-server",
            "--example",
            "conformance_server",
            "--target-dir",
        ])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    if !built.success() {
        return Err("the conformance server could not be built".into());
    }
    Ok(release.join("examples").join("conformance_server"))
}

/// What a process has had of the processor.
#[derive(Clone, Copy, Default)]
pub(crate) struct CpuTime {
    /// User and system time.
    pub(crate) used: Duration,
    /// Time in which it could have run, but something else did.
    pub(crate) waited: Duration,
}

impl CpuTime {
    pub(crate) fn since(self, before: Self) -> Self {
        Self { used: self.used.saturating_sub(before.used), waited: self.waited.saturating_sub(before.waited) }
    }
}

/// A process as `/proc` shows it.
#[derive(Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    pub(crate) fn this() -> Self {
        Self(std::process::id())
    }

    /// What all threads have used, exact but for the time slice that is running. Threads that
    /// have ended are not in it.
    pub(crate) fn cpu_time(self) -> Result<CpuTime, Failure> {
        let mut sum = CpuTime::default();
        for task in fs::read_dir(format!("/proc/{}/task", self.0))? {
            // A thread may end between the listing and the reading.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            let mut fields = text.split(' ');
            sum.used += Duration::from_nanos(number(fields.next())?);
            sum.waited += Duration::from_nanos(number(fields.next())?);
        }
        Ok(sum)
    }

    /// The same in whole clock ticks, with threads that have ended: coarse, and what `top` shows.
    pub(crate) fn cpu_time_in_ticks(self) -> Result<Duration, Failure> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The program's name may hold anything, but nothing after it holds a bracket.
        let (_, rest) = text.rsplit_once(')').ok_or("/proc/PID/stat has no name")?;
        let mut fields = rest.split_whitespace().skip(11);
        let user = number(fields.next())?;
        let system = number(fields.next())?;
        Ok(Duration::from_nanos((user + system) * NANOSECONDS_PER_TICK))
    }

    /// Bytes of memory that are resident.
    pub(crate) fn resident_memory(self) -> Result<u64, Failure> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = number(line.and_then(|line| line.split_whitespace().next()))?;
        Ok(kilobytes * 1024)
    }
}

fn number(text: Option<&str>) -> Result<u64, Failure> {
    Ok(text.ok_or("a number is missing in /proc")?.trim().parse()?)
}
