//! `bolide bench URL`: puts load on a DDP server and reports its throughput and latencies.

use std::sync::Arc;
use std::time::Duration;

use bolide::chance::{Chance as _, SystemChance};
use bolide::client::{Address, CallError, Client, Reconnect};
use bolide::protocol::RawJson;
use hdrhistogram::{CreationError, Histogram};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::output::{EXIT_CODES, Failure, print_line};
use crate::progress::Progress;

/// The number of significant decimal digits of latencies: they are exact to 1 %.
const LATENCY_DIGITS: u8 = 2;

/// One hour. A longer latency counts as one hour.
const LONGEST_LATENCY_MICROS: u64 = 3_600_000_000;

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// The server, such as `ws://localhost:3000/websocket`.
    url: Address,

    /// Number of connections.
    #[arg(long, default_value_t = 8)]
    connections: usize,

    /// Maximum number of calls of each connection that wait for a result.
    #[arg(long, default_value_t = 16)]
    window: usize,

    /// Calls per second of all connections together; default: as many as possible. With a rate, latency is measured
    /// from the time at which a call was due.
    #[arg(long)]
    rate: Option<u32>,

    /// Duration of the load in seconds.
    #[arg(long, default_value_t = 10)]
    duration: u64,

    /// Method to call with its parameters as JSON: 'add 1 2'. Repeat it for a mix of calls; '3*add 1 2' is made three
    /// times as often as the others.
    #[arg(long = "call", value_name = "CALL", default_value = "add 1 2", value_parser = read_call)]
    calls: Vec<MixedCall>,
}

/// A call of the mix, and how often it is made in relation to the others.
#[derive(Clone, Debug)]
struct MixedCall {
    weight: usize,
    method: String,
    params: Vec<RawJson>,
}

fn read_call(text: &str) -> Result<MixedCall, String> {
    let (weight, call) = match text.split_once('*') {
        Some((weight, call)) if weight.bytes().all(|byte| byte.is_ascii_digit()) => {
            (weight.parse().map_err(|_| format!("`{weight}` is not a valid weight"))?, call)
        }
        _ => (1, text),
    };
    let (method, params) = call.trim().split_once(' ').unwrap_or_else(|| (call.trim(), ""));
    let params: Result<Vec<RawJson>, _> = serde_json::Deserializer::from_str(params).into_iter().collect();
    let params = params.map_err(|error| format!("the parameters of `{method}` are not JSON: {error}"))?;
    Ok(MixedCall { weight, method: method.to_owned(), params })
}

/// The measurements of one or more workers.
#[derive(Debug)]
struct Measured {
    /// The latencies of successful calls, in microseconds.
    latencies: Histogram<u64>,
    errors: u64,
    first_error: Option<CallError>,
}

impl Measured {
    fn new() -> Result<Self, CreationError> {
        let latencies = Histogram::new_with_bounds(1, LONGEST_LATENCY_MICROS, LATENCY_DIGITS)?;
        Ok(Self { latencies, errors: 0, first_error: None })
    }

    fn record(&mut self, latency: Duration) {
        self.latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    fn add(&mut self, other: Self) {
        self.latencies += other.latencies;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }
}

/// The load that all workers make.
struct Plan {
    mix: Vec<MixedCall>,
    end: Instant,
    /// The time between two calls of a worker, or `None` to make the next call at once.
    pace: Option<Duration>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let mix: Vec<MixedCall> =
        arguments.calls.iter().flat_map(|call| std::iter::repeat_n(call.clone(), call.weight)).collect();
    if mix.is_empty() || arguments.connections == 0 || arguments.window == 0 {
        return Err(Failure::Usage("--connections, --window and the weight of a --call must be at least 1".to_owned()));
    }
    let progress = Progress::of(format!("opening {} connections to {}", arguments.connections, arguments.url));
    let mut clients = Vec::with_capacity(arguments.connections);
    for _ in 0..arguments.connections {
        clients.push(Client::builder(&arguments.url.to_string()).reconnect(Reconnect::never()).connect().await?);
    }
    drop(progress);
    let progress = Progress::of(format!("calling for {} s", arguments.duration));
    let workers = u32::try_from(arguments.connections.saturating_mul(arguments.window)).unwrap_or(u32::MAX);
    let since = Instant::now();
    let plan = Arc::new(Plan {
        mix,
        end: since + Duration::from_secs(arguments.duration),
        pace: arguments.rate.map(|rate| Duration::from_secs(1).saturating_mul(workers) / rate.max(1)),
    });
    let new_measured = || Measured::new().map_err(|error| Failure::Load(error.to_string()));
    let mut measured = new_measured()?;
    let mut working = JoinSet::new();
    for (connection, client) in clients.iter().enumerate() {
        for worker in 0..arguments.window {
            let place = connection * arguments.window + worker;
            working.spawn(work(client.clone(), Arc::clone(&plan), place, workers, new_measured()?));
        }
    }
    while let Some(worker) = working.join_next().await {
        // A panic was already printed to standard error.
        let Ok(by_worker) = worker else { continue };
        measured.add(by_worker);
    }
    let took = since.elapsed();
    drop(progress);
    report(measured, took)
}

/// Makes one call after another until the end of the load.
async fn work(client: Client, plan: Arc<Plan>, place: usize, workers: u32, mut measured: Measured) -> Measured {
    let mut next = first_of_the_mix(&plan.mix);
    let mut due = Instant::now();
    if let Some(pace) = plan.pace {
        // Workers start one after another, so that calls are evenly spread.
        due += pace.mul_f64(f64::from(u32::try_from(place).unwrap_or_default()) / f64::from(workers));
    }
    while due < plan.end {
        if plan.pace.is_some() {
            sleep_until(due).await;
        }
        let call = &plan.mix[next];
        next = (next + 1) % plan.mix.len();
        match client.call::<()>(&call.method, &call.params).outcome().await {
            Ok(_) => measured.record(due.elapsed()),
            Err(error) => {
                let is_the_end = !matches!(error, CallError::Server(_));
                measured.errors += 1;
                measured.first_error.get_or_insert(error);
                if is_the_end {
                    break;
                }
            }
        }
        due = plan.pace.map_or_else(Instant::now, |pace| due + pace);
    }
    measured
}

/// Returns a random place in the mix, so that workers start with different calls.
fn first_of_the_mix(mix: &[MixedCall]) -> usize {
    let mut bytes = [0; 4];
    SystemChance.fill(&mut bytes);
    u32::from_le_bytes(bytes) as usize % mix.len()
}

fn report(measured: Measured, took: Duration) -> Result<(), Failure> {
    let Measured { latencies, errors, first_error } = measured;
    let per_second = u128::from(latencies.len()) * 1000 / took.as_millis().max(1);
    print_line(&format!("calls       {}", latencies.len()));
    print_line(&format!("per second  {per_second}"));
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        let latency = Duration::from_micros(latencies.value_at_quantile(share));
        print_line(&format!("{name:<10}  {latency:?}"));
    }
    print_line(&format!("errors      {errors}"));
    match first_error {
        Some(error) => Err(Failure::Load(error.to_string())),
        None => Ok(()),
    }
}
