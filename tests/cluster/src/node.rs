//! [`Node`]: the conformance server as a process of its own.

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bolide_test_servers::Programs;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// How long a node may take to end in order: the default of `Limits::shutdown_timeout`, and some time for its own end.
const END: Duration = Duration::from_secs(15);

/// What all nodes of a cluster have in common, and what is different for this one.
#[derive(Clone, Debug)]
pub(crate) struct NodeOptions {
    pub(crate) program: PathBuf,
    pub(crate) database: String,
    pub(crate) nats: Option<String>,
    pub(crate) smtp: String,
    pub(crate) keys: String,
    /// What it is called in `programs`, where its log is.
    pub(crate) name: String,
    pub(crate) programs: Arc<Programs>,
}

impl NodeOptions {
    fn log(&self) -> PathBuf {
        self.programs.directory(&self.name).join("log")
    }
}

/// A node, which runs unless it was killed. It always listens on the same port.
#[derive(Debug)]
pub(crate) struct Node {
    options: NodeOptions,
    port: u16,
    running: Option<Child>,
    /// Whether it was ready since it was started.
    was_ready: bool,
}

impl Node {
    /// Starts a node and waits until it is ready.
    pub(crate) async fn start(options: NodeOptions) -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut node = Self { options, port, running: None, was_ready: false };
        node.run()?;
        node.wait_until_ready(Duration::from_secs(30)).await?;
        Ok(node)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the id of the process. 0 if it does not run.
    pub(crate) fn process(&self) -> u32 {
        self.running.as_ref().and_then(Child::id).unwrap_or_default()
    }

    /// Ends the process at once (SIGKILL).
    pub(crate) async fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ended_already = running.kill().await;
        }
    }

    /// Ends the process in order (SIGTERM).
    ///
    /// # Errors
    /// Fails if it does not end well, or within [`END`].
    pub(crate) async fn end(&mut self) -> anyhow::Result<()> {
        self.signal("TERM").await;
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let status = timeout(END, running.wait()).await.context("it does not end")??;
        anyhow::ensure!(status.success(), "it has ended with {status}:\n{}", self.log_tail());
        Ok(())
    }

    /// Starts the process unless it runs. It may take a while until it is ready.
    pub(crate) fn run(&mut self) -> anyhow::Result<()> {
        if self.running.is_some() {
            return Ok(());
        }
        let log = File::options().create(true).append(true).open(self.options.log())?;
        let NodeOptions { program, database, nats, smtp, keys, .. } = &self.options;
        let mut command = Command::new(program);
        command.args(["--listen", &format!("127.0.0.1:{}", self.port), "--database", database, "--stored-items"]);
        command.args(["--smtp", smtp]);
        if let Some(nats) = nats {
            command.args(["--nats", nats]);
        }
        command
            .env("BOLIDE_KEYS", keys)
            .env("RUST_LOG", "info")
            .env("RUST_BACKTRACE", "0")
            .env("RUST_LIB_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command.kill_on_drop(true);
        let running = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        self.options.programs.note(&self.options.name, running.id());
        self.running = Some(running);
        self.was_ready = false;
        Ok(())
    }

    /// Pauses the process (SIGSTOP): its connections stay open and are not answered.
    pub(crate) async fn pause(&self) {
        self.signal("STOP").await;
    }

    /// Lets a paused process continue.
    pub(crate) async fn resume(&self) {
        self.signal("CONT").await;
    }

    /// Waits until `/ready` answers 200. A node that has ended because it could not reach its database when it was started is
    /// started again, as a supervisor does; any other end is an error.
    pub(crate) async fn wait_until_ready(&mut self, patience: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            if self.ready().await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                self.was_ready = true;
                return Ok(());
            }
            if let Some(status) = self.ended()? {
                anyhow::ensure!(!self.was_ready, "the node has ended with {status}:\n{}", self.log_tail());
                self.running = None;
                self.run()?;
            }
            if start.elapsed() > patience {
                anyhow::bail!("the node is not ready: {:?}\n{}", self.ready().await, self.log_tail());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(match &mut self.running {
            Some(running) => running.try_wait()?,
            None => None,
        })
    }

    /// Returns what `/ready` answers, or `None` if it does not.
    pub(crate) async fn ready(&self) -> Option<String> {
        timeout(Duration::from_secs(1), get(self.port, "/ready")).await.ok()?.ok()
    }

    /// Returns the last lines of the log.
    pub(crate) fn log_tail(&self) -> String {
        tail(&self.options.log(), 40)
    }

    async fn signal(&self, name: &str) {
        if let Some(process) = self.running.as_ref().and_then(Child::id) {
            let _ended_already = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status().await;
        }
    }
}

/// Returns the last lines of a file.
fn tail(path: &Path, lines: usize) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let skipped = text.lines().count().saturating_sub(lines);
    text.lines().skip(skipped).fold(String::new(), |tail, line| tail + "    " + line + "\n")
}

async fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Returns a port for a server that is started again on it: outside of the range of outgoing connections.
fn free_port() -> anyhow::Result<u16> {
    let chance = RandomState::new();
    (0..100_u32)
        .map(|attempt| 10_000 + u16::try_from(chance.hash_one(attempt) % 20_000).unwrap_or_default())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no port between 10000 and 30000 is free")
}
