//! The answers, found at fixed places of the messages that the load generator sends.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpStream;

use super::frames::push_text;
use crate::tick::Added;

/// What follows after a message has been answered.
pub(super) enum Then {
    Nothing,
    Deliver,
    Send(Numbered),
}

/// Appends the answer to a message.
pub(super) fn answer(text: &str, out: &mut Vec<u8>, feed: &Feed, stream: &Arc<TcpStream>) -> io::Result<Then> {
    if let Some(call) = text.strip_prefix(r#"{"msg":"method","method":"add","params":["#) {
        add(call, out)?;
    } else if text.starts_with(r#"{"msg":"connect""#) {
        push(out, r#"{"msg":"connected","session":"23456789ABCDEFGHJ"}"#)?;
    } else if let Some(rest) = text.strip_prefix(r#"{"msg":"ping","id":""#) {
        let id = until(rest, "\"")?;
        push_text(out, |out| write!(out, r#"{{"msg":"pong","id":"{id}"}}"#))?;
    } else if let Some(rest) = text.strip_prefix(r#"{"id":""#) {
        broadcast(rest, out, feed)?;
        return Ok(Then::Deliver);
    } else if let Some(rest) = text.strip_prefix(r#"{"msg":"sub","id":""#) {
        return subscribe(rest, out, feed, stream);
    }
    Ok(Then::Nothing)
}

/// The rest of the message is `A,B],"id":"ID"}`.
fn add(call: &str, out: &mut Vec<u8>) -> io::Result<()> {
    let (a, rest) = call.split_once(',').ok_or_else(unknown)?;
    let (b, rest) = rest.split_once(']').ok_or_else(unknown)?;
    let id = until(rest.strip_prefix(r#","id":""#).ok_or_else(unknown)?, "\"")?;
    let sum = number(a)? + number(b)?;
    push_text(out, |out| write!(out, r#"{{"msg":"updated","methods":["{id}"]}}"#))?;
    push_text(out, |out| write!(out, r#"{{"msg":"result","id":"{id}","result":{sum}}}"#))
}

/// The rest of the message is `ID","method":"broadcast","msg":"method","params":[PAYLOAD]}`.
fn broadcast(rest: &str, out: &mut Vec<u8>, feed: &Feed) -> io::Result<()> {
    let id = until(rest, "\"")?;
    let (_, payload) = rest.split_once(r#""params":["#).ok_or_else(unknown)?;
    let payload = payload.strip_suffix("]}").ok_or_else(unknown)?;
    let reached = feed.broadcast(payload)?;
    push_text(out, |out| write!(out, r#"{{"msg":"updated","methods":["{id}"]}}"#))?;
    push_text(out, |out| write!(out, r#"{{"msg":"result","id":"{id}","result":{reached}}}"#))
}

/// The rest of the message is `ID","name":"NAME","params":[…]}`.
fn subscribe(rest: &str, out: &mut Vec<u8>, feed: &Feed, stream: &Arc<TcpStream>) -> io::Result<Then> {
    let id = until(rest, "\"")?;
    let (_, rest) = rest.split_once(r#""name":""#).ok_or_else(unknown)?;
    if rest.starts_with("feed") {
        push(out, r#"{"msg":"added","collection":"feed","id":"x","fields":{"p":null}}"#)?;
        feed.subscribe(stream);
        push_ready(out, id)?;
        return Ok(Then::Nothing);
    }
    let count = rest.strip_prefix(r#"tick","params":["#).ok_or_else(unknown)?;
    let count = number(until(count, "]")?)?;
    Ok(Then::Send(Numbered { subscription: id.to_owned(), next: 0, count, is_ready: false }))
}

fn push(out: &mut Vec<u8>, text: &str) -> io::Result<()> {
    push_text(out, |out| out.write_all(text.as_bytes()))
}

fn push_ready(out: &mut Vec<u8>, subscription: &str) -> io::Result<()> {
    push_text(out, |out| write!(out, r#"{{"msg":"ready","subs":["{subscription}"]}}"#))
}

fn until<'text>(text: &'text str, end: &str) -> io::Result<&'text str> {
    text.split_once(end).map(|(before, _)| before).ok_or_else(unknown)
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(io::Error::other)
}

fn unknown() -> io::Error {
    io::Error::other("the load generator does not send this")
}

/// The subscribers of `feed`.
#[derive(Default)]
pub(super) struct Feed(Mutex<Vec<Subscriber>>);

struct Subscriber {
    stream: Arc<TcpStream>,
    unsent: Vec<u8>,
}

impl Feed {
    fn subscribers(&self) -> MutexGuard<'_, Vec<Subscriber>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribe(&self, stream: &Arc<TcpStream>) {
        self.subscribers().push(Subscriber { stream: Arc::clone(stream), unsent: vec![] });
    }

    /// Encodes the message once for all subscribers, and returns how many there are.
    fn broadcast(&self, payload: &str) -> io::Result<usize> {
        let mut frame = vec![];
        push_text(&mut frame, |out| {
            write!(out, r#"{{"msg":"changed","collection":"feed","id":"x","fields":{{"p":{payload}}}}}"#)
        })?;
        let mut subscribers = self.subscribers();
        subscribers.iter_mut().for_each(|subscriber| subscriber.unsent.extend_from_slice(&frame));
        Ok(subscribers.len())
    }

    /// Writes what was broadcast since the last time. A subscriber whose socket does not take all of it loses its subscription,
    /// which the load generator notices.
    pub(super) fn deliver(&self) {
        self.subscribers().retain_mut(|Subscriber { stream, unsent }| {
            let written = if unsent.is_empty() { 0 } else { stream.try_write(unsent).unwrap_or_default() };
            let all = written == unsent.len();
            unsent.clear();
            all
        });
    }
}

/// The documents of `tick`, and `ready` after them.
pub(super) struct Numbered {
    subscription: String,
    next: u64,
    count: u64,
    is_ready: bool,
}

impl Numbered {
    /// Appends messages until `length` is reached. Returns whether there were any.
    pub(super) fn push_until(&mut self, out: &mut Vec<u8>, length: usize) -> bool {
        while self.next < self.count && out.len() < length {
            if push_text(out, |out| Ok(serde_json::to_writer(out, &Added::numbered(self.next))?)).is_err() {
                return false;
            }
            self.next += 1;
        }
        if self.next == self.count && !self.is_ready {
            self.is_ready = push_ready(out, &self.subscription).is_ok();
        }
        !out.is_empty()
    }
}
