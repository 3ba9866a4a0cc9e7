//! The visitor's own process: a client that does what clients do, and notes how long it takes.
//!
//! Calls, connections, logins and requests are attempted side by side, each at a pace of its own, so that one that waits
//! does not hold up the others.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Failure;
use crate::client::Client;
use crate::http;
use crate::latencies::Latencies;
use crate::network::{Route, other_visitor};

const USERNAME: &str = "visitor";
const PASSWORD: &str = "a password of the visitor";

/// A method that everybody may call.
pub(crate) const OPEN_METHOD: &str = "public-settings/get";
/// The same as a REST endpoint.
const OPEN_ENDPOINT: &str = "/api/v1/settings.public";

pub(crate) struct Plan {
    pub(crate) server: SocketAddr,
    pub(crate) duration: Duration,
}

/// How the visitor fared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Visit {
    /// Calls of an open method in a session that stays open.
    pub(crate) call: Attempts,
    /// From TCP connect to `connected`.
    pub(crate) connect: Attempts,
    /// Logins by password, each in a session of its own; from `login` to its result.
    pub(crate) login: Attempts,
    /// REST requests, each over a connection of its own and from another address, like other visitors' first requests.
    pub(crate) rest: Attempts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempts {
    pub(crate) count: usize,
    /// How many were answered with an error or not in time.
    pub(crate) refused: usize,
    /// How long these took. Many attempts succeed in the time in which one waits in vain.
    pub(crate) denied: Duration,
    /// Of those that were not refused.
    pub(crate) latency: Option<Latency>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

impl Visit {
    pub(crate) fn kinds(&self) -> [(&'static str, &Attempts); 4] {
        [("call", &self.call), ("connect", &self.connect), ("login", &self.login), ("REST", &self.rest)]
    }
}

/// Creates the visitor's user.
pub(crate) fn sign_up(server: SocketAddr) -> Result<(), Failure> {
    let mut client = Client::connect(Route::of_visitor(server))?;
    client.call("createUser", &json!([{ "username": USERNAME, "password": PASSWORD }]).to_string())?;
    client.leave()
}

impl Plan {
    /// Visits the server for the time given, and prints the report.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        println!("{}", serde_json::to_string(&self.visit()?)?);
        Ok(())
    }

    fn visit(&self) -> Result<Visit, Failure> {
        let until = Instant::now() + self.duration;
        let route = Route::of_visitor(self.server);
        let mut open = None;
        let mut number = 0;
        let lost = |_| Failure::from("a part of the visit panicked");
        thread::scope(|scope| {
            let call = scope.spawn(|| repeat(until, Duration::from_millis(20), || call(route, &mut open)));
            let connect = scope.spawn(|| repeat(until, Duration::from_millis(50), || connect(route)));
            let login = scope.spawn(|| repeat(until, Duration::from_millis(250), || log_in(route)));
            let rest = scope.spawn(|| {
                repeat(until, Duration::from_millis(100), || {
                    number += 1;
                    request(Route { from: other_visitor(number), ..route })
                })
            });
            Ok(Visit {
                call: call.join().map_err(lost)?,
                connect: connect.join().map_err(lost)?,
                login: login.join().map_err(lost)?,
                rest: rest.join().map_err(lost)?,
            })
        })
    }
}

/// Attempts something at a steady pace.
pub(crate) fn repeat(
    until: Instant,
    pace: Duration,
    mut attempt: impl FnMut() -> Result<Duration, Failure>,
) -> Attempts {
    let mut latencies = Latencies::default();
    let (mut count, mut refused, mut denied) = (0, 0, Duration::ZERO);
    let mut next = Instant::now();
    while next < until {
        count += 1;
        let started = Instant::now();
        match attempt() {
            Ok(latency) => latencies.record(latency),
            Err(_refusal) => {
                refused += 1;
                denied += started.elapsed();
            }
        }
        let now = Instant::now();
        next = (next + pace).max(now);
        thread::sleep(next - now);
    }
    Attempts { count, refused, denied, latency: summary(latencies) }
}

pub(crate) fn summary(mut latencies: Latencies) -> Option<Latency> {
    Some(Latency { p50: latencies.quantile(0.5)?, p99: latencies.quantile(0.99)?, max: latencies.quantile(1.0)? })
}

/// Calls in the session that is open. One that was lost is opened again, before the time is taken.
fn call(route: Route, open: &mut Option<Client>) -> Result<Duration, Failure> {
    let mut client = match open.take() {
        Some(client) => client,
        None => Client::connect(route)?,
    };
    let started = Instant::now();
    client.call(OPEN_METHOD, "[]")?;
    *open = Some(client);
    Ok(started.elapsed())
}

fn connect(route: Route) -> Result<Duration, Failure> {
    let started = Instant::now();
    let client = Client::connect(route)?;
    let latency = started.elapsed();
    client.leave()?;
    Ok(latency)
}

fn log_in(route: Route) -> Result<Duration, Failure> {
    let mut client = Client::connect(route)?;
    let parameters = json!([{ "user": { "username": USERNAME }, "password": PASSWORD }]).to_string();
    let started = Instant::now();
    client.call("login", &parameters)?;
    let latency = started.elapsed();
    client.leave()?;
    Ok(latency)
}

fn request(route: Route) -> Result<Duration, Failure> {
    let started = Instant::now();
    let status = http::exchange(route, "GET", OPEN_ENDPOINT, "")?;
    if !http::is_success(status) {
        return Err(format!("the request was answered with {status}").into());
    }
    Ok(started.elapsed())
}
