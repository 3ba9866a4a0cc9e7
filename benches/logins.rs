//! Log-ins: how many a core bears, and whether other clients notice.
//!
//! `cargo bench --bench logins` starts the conformance server and speaks with it over real sockets. A client calls `echo` at
//! a steady pace, now alone, now while fifty others log in again and again by password; the table sets the two beside each
//! other, round by round. It exits with 1 if an answer was wrong.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command-line program")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and times are far below 2^52"
)]

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Failure = Box<dyn Error + Send + Sync>;

const CLIENTS: usize = 50;
const ROUNDS: usize = 5;
const PHASE: Duration = Duration::from_secs(3);

/// How often `echo` is called: a client that is not in a hurry, so that the queue it measures is the server's.
const PACE: Duration = Duration::from_millis(2);

/// With fifty logins under way, the maximum factor by which `echo` may take longer at the 99th percentile.
const BUDGET: f64 = 2.0;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let server = match arguments.next().as_deref() {
        Some("--bench") => None,
        Some("--server") => arguments.next().map(PathBuf::from),
        // `cargo test --benches` gives no argument, nextest asks for a list: neither wants a measurement.
        _ => return ExitCode::SUCCESS,
    };
    match run(server).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("logins: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(server: Option<PathBuf>) -> Result<(), Failure> {
    let program = server.map_or_else(build_server, Ok)?;
    let server = Server::start(&program)?;
    let clients = sign_up(&server).await?;
    let mut echoing = Client::connect(&server.address).await?;
    println!(
        "{:>5}  {:>18}  {:>24}  {:>8}  {:>10}  {:>12}",
        "round", "echo alone p50/p99", "during logins p50/p99", "ratio", "log-ins/s", "CPU ms each"
    );
    let mut ratios = Vec::new();
    let mut costs = Vec::new();
    for round in 1..=ROUNDS {
        let alone = echo_for(&mut echoing, PHASE).await?;
        let logins = Logins::start(&clients);
        let (cpu, started) = (server.cpu_time()?, Instant::now());
        let during = echo_for(&mut echoing, PHASE).await?;
        let (cpu, elapsed) = (server.cpu_time()?.saturating_sub(cpu), started.elapsed());
        let count = logins.stop().await? as f64;
        let cost = cpu.as_secs_f64() / count;
        let ratio = during.p99.as_secs_f64() / alone.p99.as_secs_f64();
        println!(
            "{round:>5}  {:>18}  {:>24}  {ratio:>8.2}  {:>10.1}  {:>12.1}",
            alone.to_string(),
            during.to_string(),
            count / elapsed.as_secs_f64(),
            cost * 1e3
        );
        ratios.push(ratio);
        costs.push(cost);
    }
    let (ratio, cost) = (median(ratios), median(costs));
    let verdict = if ratio <= BUDGET { "ok" } else { "OVER" };
    println!(
        "{verdict}: echo takes {ratio:.2} × as long at p99 (budget {BUDGET}); one core bears {:.0} logins a second",
        1.0 / cost
    );
    Ok(())
}

fn build_server() -> Result<PathBuf, Failure> {
    let build = ["build", "--release", "--package", "conformance-server", "--example", "conformance_server"];
    if !Command::new(env!("CARGO")).args(build).status()?.success() {
        return Err("the conformance server cannot be built".into());
    }
    let target = std::env::current_exe()?.ancestors().nth(3).map(PathBuf::from).ok_or("where is target/?")?;
    Ok(target.join("release/examples/conformance_server"))
}

/// The server under test. It ends when this is dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(program: &PathBuf) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        let mut process = command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://").ok_or("the server does not listen")?;
        Ok(Self { address: address.to_owned(), process })
    }

    /// User and system time of all of its threads.
    fn cpu_time(&self) -> Result<Duration, Failure> {
        let mut all = Duration::ZERO;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            all += Duration::from_nanos(text.split(' ').next().ok_or("no time")?.parse()?);
        }
        Ok(all)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// A DDP client with one call under way.
struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(address: &str) -> Result<Self, Failure> {
        let (socket, _) = tokio_tungstenite::connect_async(format!("ws://{address}/websocket")).await?;
        let mut client = Self(socket);
        client.send(&json!({ "msg": "connect", "version": "1", "support": ["1"] })).await?;
        Ok(client)
    }

    async fn send(&mut self, message: &Value) -> Result<(), Failure> {
        Ok(self.0.send(Message::text(message.to_string())).await?)
    }

    async fn call(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        self.send(&json!({ "msg": "method", "id": "1", "method": method, "params": params })).await?;
        loop {
            let frame = self.0.next().await.ok_or("the server is gone")??;
            let Message::Text(text) = frame else { continue };
            let message: Value = serde_json::from_str(&text)?;
            if message["msg"] == "ping" {
                self.send(&json!({ "msg": "pong" })).await?;
            }
            if message["msg"] == "result" {
                return match message.get("error") {
                    Some(error) => Err(format!("{method}: {error}").into()),
                    None => Ok(message["result"].clone()),
                };
            }
        }
    }
}

/// Clients, each signed up as a user of its own.
async fn sign_up(server: &Server) -> Result<Vec<Arc<tokio::sync::Mutex<Client>>>, Failure> {
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let mut client = Client::connect(&server.address).await?;
        client.call("createUser", &json!([{ "username": name(number), "password": "secret" }])).await?;
        clients.push(Arc::new(tokio::sync::Mutex::new(client)));
    }
    Ok(clients)
}

fn name(number: usize) -> String {
    format!("user{number}")
}

/// Log-ins that go on until they are stopped.
struct Logins {
    is_over: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<Result<(), Failure>>>,
}

impl Logins {
    fn start(clients: &[Arc<tokio::sync::Mutex<Client>>]) -> Self {
        let (is_over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let start = |(number, client): (usize, &Arc<tokio::sync::Mutex<Client>>)| {
            let (client, is_over, count) = (Arc::clone(client), Arc::clone(&is_over), Arc::clone(&count));
            tokio::spawn(async move {
                let login = json!([{ "user": { "username": name(number) }, "password": "secret" }]);
                let mut client = client.lock().await;
                while !is_over.load(Ordering::Relaxed) {
                    let answer = client.call("login", &login).await?;
                    if answer["token"].as_str().is_none_or(|token| token.len() != 43) {
                        return Err(format!("a strange login: {answer}").into());
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        };
        let tasks = clients.iter().enumerate().map(start).collect();
        Self { is_over, count, tasks }
    }

    /// Says how many there were until now, and waits for those that are under way.
    async fn stop(self) -> Result<usize, Failure> {
        let count = self.count.load(Ordering::Relaxed);
        self.is_over.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await??;
        }
        Ok(count)
    }
}

#[derive(Clone, Copy)]
struct Quantiles {
    p50: Duration,
    p99: Duration,
}

impl std::fmt::Display for Quantiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} / {} µs", self.p50.as_micros(), self.p99.as_micros())
    }
}

async fn echo_for(client: &mut Client, duration: Duration) -> Result<Quantiles, Failure> {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (end, mut latencies) = (Instant::now() + duration, Vec::new());
    while Instant::now() < end {
        pace.tick().await;
        let sent = Instant::now();
        let word = json!(latencies.len());
        if client.call("echo", &json!([word])).await? != word {
            return Err("a wrong echo".into());
        }
        latencies.push(sent.elapsed());
    }
    latencies.sort();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    Ok(Quantiles { p50: at(0.50), p99: at(0.99) })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
