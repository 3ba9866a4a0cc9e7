//! A DDP client that waits for its answers, but not for ever.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Failure;
use crate::network::Route;
use crate::websocket::{ReadBuffer, WebSocket};

const CONNECT: &str = r#"{"msg":"connect","version":"1","support":["1","pre2","pre1"]}"#;

pub(crate) struct Client {
    socket: WebSocket,
    buffer: ReadBuffer,
    patience: Duration,
    /// The number of calls and subscriptions so far, which makes their ids.
    sent: usize,
}

/// The answer to a call.
#[derive(Deserialize)]
struct Answer<'text> {
    id: &'text str,
    #[serde(borrow)]
    result: Option<&'text RawValue>,
    #[serde(borrow)]
    error: Option<&'text RawValue>,
}

impl Client {
    /// Opens a connection and a session.
    pub(crate) fn connect(route: Route) -> Result<Self, Failure> {
        let socket = WebSocket::start(route.dial()?, route.to)?;
        let mut client = Self { socket, buffer: ReadBuffer::new(), patience: route.patience, sent: 0 };
        let deadline = Instant::now() + route.patience;
        while !client.socket.is_upgraded() {
            client.read(deadline, |_| Ok(()))?;
        }
        client.socket.queue_text(CONNECT);
        let mut connected = false;
        while !connected {
            client.read(deadline, |text| {
                connected = text.starts_with(br#"{"msg":"connected""#);
                if connected { Ok(()) } else { Err(unexpected(text)) }
            })?;
        }
        Ok(client)
    }

    /// Calls a method and returns its result as JSON. `parameters` is a JSON array.
    pub(crate) fn call(&mut self, method: &str, parameters: &str) -> Result<String, Failure> {
        let id = self.queue_call(method, parameters);
        let deadline = Instant::now() + self.patience;
        let mut answer = None;
        while answer.is_none() {
            self.read(deadline, |text| {
                answer = answer.take().or(answer_to(&id, text)?);
                Ok(())
            })?;
        }
        answer.ok_or("unreachable: the loop ends with an answer")?
    }

    /// Makes the same call several times in one write, waits for all answers, and says how many were errors.
    pub(crate) fn call_repeatedly(&mut self, method: &str, parameters: &str, count: usize) -> Result<usize, Failure> {
        for _ in 0..count {
            self.queue_call(method, parameters);
        }
        let deadline = Instant::now() + self.patience;
        let (mut answers, mut errors) = (0, 0);
        while answers < count {
            self.read(deadline, |text| {
                if let Some(answer) = parse_answer(text)? {
                    answers += 1;
                    errors += usize::from(answer.error.is_some());
                }
                Ok(())
            })?;
        }
        Ok(errors)
    }

    /// Subscribes without waiting for the documents.
    pub(crate) fn queue_subscription(&mut self, name: &str) {
        self.sent += 1;
        self.socket.queue_text(&format!(r#"{{"msg":"sub","id":"{}","name":"{name}","params":[]}}"#, self.sent));
    }

    /// Leaves as a Meteor 3.5 client does, so that the server keeps nothing for a resumption.
    pub(crate) fn leave(mut self) -> Result<(), Failure> {
        self.socket.queue_text(r#"{"msg":"disconnect"}"#);
        self.socket.queue_close();
        self.socket.flush()
    }

    fn queue_call(&mut self, method: &str, parameters: &str) -> String {
        self.sent += 1;
        let id = self.sent.to_string();
        self.socket.queue_text(&format!(r#"{{"msg":"method","method":"{method}","id":"{id}","params":{parameters}}}"#));
        id
    }

    /// Sends what waits, and reads once. Pings are answered.
    fn read(
        &mut self,
        deadline: Instant,
        mut on_message: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Self { socket, buffer, .. } = self;
        let mut pings = 0;
        socket.poll(buffer, |text| {
            if text.starts_with(br#"{"msg":"ping""#) {
                pings += 1;
                return Ok(());
            }
            on_message(text)
        })?;
        (0..pings).for_each(|_| socket.queue_text(r#"{"msg":"pong"}"#));
        if socket.is_closed() {
            return Err("the server closed the connection".into());
        }
        if Instant::now() > deadline {
            return Err("no answer in time".into());
        }
        Ok(())
    }
}

/// The outcome of the call with this id, if the message is its answer.
pub(crate) fn answer_to(id: &str, text: &[u8]) -> Result<Option<Result<String, Failure>>, Failure> {
    let Some(answer) = parse_answer(text)?.filter(|answer| answer.id == id) else { return Ok(None) };
    let json = |raw: &RawValue| raw.get().to_owned();
    Ok(Some(match answer.error {
        Some(error) => Err(json(error).into()),
        None => Ok(answer.result.map(json).unwrap_or_default()),
    }))
}

/// Other messages are not parsed: they may be large.
fn parse_answer(text: &[u8]) -> Result<Option<Answer<'_>>, Failure> {
    if !text.starts_with(br#"{"msg":"result""#) {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(text)?))
}

fn unexpected(text: &[u8]) -> Failure {
    format!("unexpected message: {}", String::from_utf8_lossy(text)).into()
}
