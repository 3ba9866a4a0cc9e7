//! The connections of one case by name, and a transcript of their frames.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use http::{Request, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::http::{shown_answer, shown_request};
use super::reading::Reading;
use super::step::{Binary, Opening};
use super::transport::{Connection, Received, Transport};

/// The maximum number of frames in the transcript.
const TRANSCRIPT_LENGTH: usize = 12;

/// The open connections of a case.
pub(crate) struct Lines<'run, T: Transport> {
    transport: &'run T,
    answers_pings: bool,
    reading: Reading,
    /// The collections whose messages are skipped.
    ignored: BTreeSet<String>,
    patience: Duration,
    open: BTreeMap<String, Line<T::Connection>>,
    transcript: VecDeque<String>,
}

struct Line<C> {
    connection: C,
    has_spoken: bool,
    /// A message that was received, but not expected yet.
    put_back: Option<(String, Value)>,
    is_asked_at_the_end: bool,
}

/// Why a step failed.
#[derive(Debug)]
pub(crate) struct Problem {
    /// What was expected and received.
    pub(crate) reason: String,
    /// Where they differ, in words that do not depend on the values of the case.
    pub(crate) difference: String,
}

impl Problem {
    /// Creates a problem whose difference is the last line of `reason`.
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let difference = shortened(reason.lines().last().unwrap_or_default());
        Self { reason, difference }
    }

    /// Sets where the received differs from the expected.
    pub(crate) fn differing(self, difference: impl Into<String>) -> Self {
        Self { difference: difference.into(), ..self }
    }
}

/// What was received on a connection.
pub(crate) enum Heard {
    Message { text: String, value: Value },
    Closed(Option<u16>),
    Nothing,
}

impl From<String> for Problem {
    fn from(reason: String) -> Self {
        Self::new(reason)
    }
}

impl<'run, T: Transport> Lines<'run, T> {
    pub(crate) fn new(transport: &'run T, answers_pings: bool, reading: Reading, patience: Duration) -> Self {
        let (open, ignored, transcript) = (BTreeMap::new(), BTreeSet::new(), VecDeque::new());
        Self { transport, answers_pings, reading, ignored, patience, open, transcript }
    }

    /// Skips the documents of these collections from now on.
    pub(crate) fn ignore(&mut self, collections: BTreeSet<String>) {
        self.ignored = collections;
    }

    /// Opens a connection. A connection that has the name already is cut.
    pub(crate) async fn open(&mut self, on: &str, opening: &Opening) -> Result<(), Problem> {
        let opened = timeout_at(self.limit(), self.transport.open(opening)).await;
        let connection = opened
            .map_err(|_| Problem::new("the server does not answer the upgrade request"))?
            .map_err(|error| Problem::new(error.to_string()))?;
        self.note(&format!("{on}   (opened)"));
        let line = Line { connection, has_spoken: false, put_back: None, is_asked_at_the_end: false };
        self.open.insert(on.to_owned(), line);
        Ok(())
    }

    /// Sends an HTTP request.
    pub(crate) async fn request(
        &mut self,
        request: Request<String>,
        limit: Instant,
    ) -> Result<Response<String>, Problem> {
        self.note(&format!("http → {}", shown_request(&request)));
        let answer = timeout_at(limit, self.transport.request(request))
            .await
            .map_err(|_| Problem::new("the server does not answer the request"))?
            .map_err(|error| Problem::new(error.to_string()))?;
        self.note(&format!("http ← {}", shown_answer(&answer)));
        Ok(answer)
    }

    pub(crate) async fn send_text(&mut self, on: &str, text: String) -> Result<(), Problem> {
        self.note(&format!("{on} → {text}"));
        let limit = self.limit();
        let line = self.line(on)?;
        taken_in_time(timeout_at(limit, line.connection.send_text(text)).await)
    }

    pub(crate) async fn send_binary(&mut self, on: &str, binary: &Binary) -> Result<(), Problem> {
        let bytes = match binary {
            Binary::Text(text) => text.clone().into_bytes(),
            Binary::Bytes(bytes) => bytes.clone(),
        };
        self.note(&format!("{on} → (binary) {}", String::from_utf8_lossy(&bytes)));
        let limit = self.limit();
        let line = self.line(on)?;
        taken_in_time(timeout_at(limit, line.connection.send_binary(bytes)).await)
    }

    /// Waits until `limit` for the next message. Pings are answered and skipped, unless the case shows them.
    pub(crate) async fn hear(&mut self, on: &str, limit: Instant) -> Result<Heard, Problem> {
        loop {
            let reading = self.reading;
            let line = self.line(on)?;
            if let Some((text, value)) = line.put_back.take() {
                return Ok(Heard::Message { text, value });
            }
            let Ok(received) = timeout_at(limit, line.connection.receive()).await else {
                return Ok(Heard::Nothing);
            };
            let text = match received {
                Received::Text(text) => text,
                Received::Binary(bytes) => {
                    let text = String::from_utf8_lossy(&bytes);
                    let reason = format!("received a binary frame: {}", shortened(&text));
                    return Err(Problem::new(reason).differing("received a binary frame"));
                }
                Received::Closed(code) => {
                    self.note(&format!("{on} ← (ended {})", shown(code)));
                    self.open.remove(on);
                    return Ok(Heard::Closed(code));
                }
            };
            let is_first = !line.has_spoken;
            let value = read(&text).map(|value| {
                line.has_spoken |= value.get("msg").is_some();
                reading.of(value, is_first)
            });
            self.note(&format!("{on} ← {text}"));
            let Some(value) = value?.filter(|value| !self.ignores(value)) else {
                continue;
            };
            match pong_for(&value) {
                Some(pong) if self.answers_pings => self.send_text(on, pong.to_string()).await?,
                _ => return Ok(Heard::Message { text, value }),
            }
        }
    }

    /// Lets the next [`hear`](Self::hear) return this message again.
    pub(crate) fn put_back(&mut self, on: &str, text: String, value: Value) -> Result<(), Problem> {
        self.line(on)?.put_back = Some((text, value));
        Ok(())
    }

    pub(crate) async fn close(&mut self, on: &str, code: u16) -> Result<(), Problem> {
        self.note(&format!("{on} → (close {code})"));
        let limit = self.limit();
        let line = self.line(on)?;
        line.is_asked_at_the_end = false;
        taken_in_time(timeout_at(limit, line.connection.close(code)).await)
    }

    pub(crate) fn cut(&mut self, on: &str) -> Result<(), Problem> {
        self.note(&format!("{on}   (cut)"));
        self.open.remove(on).map(drop).ok_or_else(|| not_open(on))
    }

    pub(crate) fn ask_at_the_end(&mut self, on: &str) -> Result<(), Problem> {
        self.line(on)?.is_asked_at_the_end = true;
        Ok(())
    }

    /// Returns the connections that are checked for unexpected messages at the end of the case.
    pub(crate) fn asked_at_the_end(&self) -> Vec<String> {
        let asked = self.open.iter().filter(|(_, line)| line.is_asked_at_the_end);
        asked.map(|(name, _)| name.clone()).collect()
    }

    /// Closes the open connections, so that the server does not keep their sessions for resumption. Returns the last
    /// frames of the case.
    pub(crate) async fn say_goodbye(self) -> Vec<String> {
        let limit = self.limit();
        for (_, mut line) in self.open {
            let goodbye = async {
                line.connection.send_text(json!({"msg": "disconnect"}).to_string()).await;
                line.connection.close(1000).await;
            };
            // If the server does not read any more, its connection is cut.
            timeout_at(limit, goodbye).await.unwrap_or_default();
        }
        self.transcript.into()
    }

    fn ignores(&self, message: &Value) -> bool {
        let is_data = matches!(message["msg"].as_str(), Some("added" | "changed" | "removed"));
        is_data && message["collection"].as_str().is_some_and(|name| self.ignored.contains(name))
    }

    fn line(&mut self, on: &str) -> Result<&mut Line<T::Connection>, Problem> {
        self.open.get_mut(on).ok_or_else(|| not_open(on))
    }

    fn limit(&self) -> Instant {
        Instant::now() + self.patience
    }

    fn note(&mut self, what: &str) {
        if self.transcript.len() == TRANSCRIPT_LENGTH {
            self.transcript.pop_front();
        }
        self.transcript.push_back(shortened(what));
    }
}

/// Formats the end of a connection for a failure.
pub(crate) fn shown(code: Option<u16>) -> String {
    match code {
        Some(code) => format!("with code {code}"),
        None => "without a close code".into(),
    }
}

/// Shortens a long frame for a failure.
pub(crate) fn shortened(text: &str) -> String {
    const LONGEST: usize = 600;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
    }
}

fn read(text: &str) -> Result<Value, Problem> {
    serde_json::from_str(text).map_err(|error| {
        let reason = format!("received {}\nwhich is not JSON: {error}", shortened(text));
        Problem::new(reason).differing("received a frame that is not JSON")
    })
}

fn pong_for(message: &Value) -> Option<Value> {
    if message["msg"] != "ping" {
        return None;
    }
    let mut pong = json!({"msg": "pong"});
    if let Some(id) = message.get("id") {
        pong["id"] = id.clone();
    }
    Some(pong)
}

fn taken_in_time<E>(sent: Result<(), E>) -> Result<(), Problem> {
    sent.map_err(|_| Problem::new("the server does not read messages"))
}

fn not_open(on: &str) -> Problem {
    Problem::new(format!("there is no open connection `{on}`"))
}
