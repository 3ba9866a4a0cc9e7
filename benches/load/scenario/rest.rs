//! `method.call/echo` over REST: keep-alive connections of a logged-in user, each with one pending request.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use super::{Load, Target};
use crate::Failure;
use crate::http::HttpConnection;
use crate::latencies::Latencies;
use crate::measurement::Work;
use crate::session::Silence;

const CONNECTIONS: usize = 32;
const USER: &str = "alice";
const PASSWORD: &str = "correct horse";

pub(super) fn rest(target: &Target) -> Result<Box<dyn Load>, Failure> {
    let headers = log_in(target)?;
    let open = |_| Ok(Caller { connection: HttpConnection::open(target.address)?, number: 0, sent_at: None });
    let callers = (0..CONNECTIONS).map(open).collect::<Result<_, Failure>>()?;
    Ok(Box::new(Requests { callers, headers }))
}

/// Logs in, and gives the headers that say so.
fn log_in(target: &Target) -> Result<String, Failure> {
    let mut connection = HttpConnection::open(target.address)?;
    let body = serde_json::json!({ "user": USER, "password": PASSWORD }).to_string();
    connection.post("/api/v1/login", "", &body)?;
    let silence = Silence::begins();
    let mut headers = String::new();
    while !connection.poll(|body| {
        let login: Value = serde_json::from_slice(body)?;
        let text = |name: &str| login["data"][name].as_str().map(str::to_owned).ok_or("a login without a token");
        write!(headers, "x-auth-token: {}\r\nx-user-id: {}\r\n", text("authToken")?, text("userId")?)?;
        Ok(())
    })? {
        silence.check("the login failed")?;
    }
    Ok(headers)
}

struct Requests {
    callers: Vec<Caller>,
    headers: String,
}

impl Load for Requests {
    fn run(&mut self, duration: Duration) -> Result<Work, Failure> {
        let Self { callers, headers } = self;
        let mut latencies = Latencies::default();
        let end = Instant::now() + duration;
        let mut silence = Silence::begins();
        for caller in &mut *callers {
            caller.send(headers)?;
        }
        while callers.iter().any(|caller| caller.sent_at.is_some()) {
            for caller in &mut *callers {
                if let Some(latency) = caller.poll()? {
                    latencies.record(latency);
                    silence = Silence::begins();
                    if Instant::now() < end {
                        caller.send(headers)?;
                    }
                }
            }
            silence.check("a request was not answered")?;
        }
        Ok(Work { units: latencies.count(), latencies, ..Work::default() })
    }
}

struct Caller {
    connection: HttpConnection,
    /// Differs from call to call, so that an answer to another call is noticed.
    number: usize,
    sent_at: Option<Instant>,
}

#[derive(Deserialize)]
struct Answer {
    message: String,
    success: bool,
}

impl Caller {
    fn send(&mut self, headers: &str) -> Result<(), Failure> {
        self.number += 1;
        let number = self.number;
        let body = format!(
            r#"{{"message":"{{\"msg\":\"method\",\"id\":\"{number}\",\"method\":\"echo\",\"params\":[{{\"number\":{number},\"text\":\"some words to be sent back\"}}]}}"}}"#
        );
        self.connection.post("/api/v1/method.call/echo", headers, &body)?;
        self.sent_at = Some(Instant::now());
        Ok(())
    }

    /// Takes an answer, if it has come, and says how long that took.
    fn poll(&mut self) -> Result<Option<Duration>, Failure> {
        let number = self.number;
        if self.sent_at.is_none() || !self.connection.poll(|body| check(body, number))? {
            return Ok(None);
        }
        Ok(self.sent_at.take().map(|sent_at| sent_at.elapsed()))
    }
}

fn check(body: &[u8], number: usize) -> Result<(), Failure> {
    let answer: Answer = serde_json::from_slice(body)?;
    let frame: Value = serde_json::from_str(&answer.message)?;
    let is_right =
        answer.success && frame["id"].as_str() == Some(&*number.to_string()) && frame["result"]["number"] == number;
    if is_right { Ok(()) } else { Err(format!("unexpected answer: {}", String::from_utf8_lossy(body)).into()) }
}
