//! A server in memory that sends what a test tells it to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use serde_json::{Value, json};

use crate::conformance::{Connection, Opening, Received, Transport, TransportError};

/// Answers a message with any number of messages, or with the end of the connection.
type Answer = Box<dyn Fn(&Value) -> Vec<Received> + Send + Sync>;

/// The messages that the server has received on all connections, in order.
pub(super) type Seen = Arc<Mutex<Vec<Value>>>;

/// Answers an HTTP request.
type HttpAnswer = Box<dyn Fn(&Request<String>) -> Response<String> + Send + Sync>;

pub(super) struct Server {
    answer: Arc<Answer>,
    answer_http: HttpAnswer,
    pub(super) seen: Seen,
}

pub(super) struct ServerConnection {
    answer: Arc<Answer>,
    seen: Seen,
    waiting: VecDeque<Received>,
}

impl Server {
    /// Answers `connect` and `ping` correctly, and other messages with `answer`.
    pub(super) fn new(answer: impl Fn(&Value) -> Vec<Received> + Send + Sync + 'static) -> Self {
        let with_basics = move |message: &Value| match message["msg"].as_str() {
            Some("connect") => vec![text(&json!({"msg": "connected", "session": "dRsgAEsdpRvETpxNp"}))],
            Some("ping") => vec![text(&json!({"msg": "pong", "id": message["id"]}))],
            _ => answer(message),
        };
        let answer_http = Box::new(|_: &_| Response::new(String::new()));
        Self { answer: Arc::new(Box::new(with_basics)), answer_http, seen: Seen::default() }
    }

    /// Answers `connect`, and each ping with a pong that `late` follows.
    pub(super) fn late(late: Received) -> Self {
        let server = Self::new(|_| Vec::new());
        let basics = Arc::clone(&server.answer);
        let with_late = move |message: &Value| {
            let mut answers = basics(message);
            answers.extend((message["msg"] == "ping").then(|| late.clone()));
            answers
        };
        Self { answer: Arc::new(Box::new(with_late)), ..server }
    }

    /// Answers HTTP requests with `answer`.
    pub(super) fn http(answer: impl Fn(&Request<String>) -> Response<String> + Send + Sync + 'static) -> Self {
        Self { answer_http: Box::new(answer), ..Self::new(|_| Vec::new()) }
    }
}

pub(super) fn text(message: &Value) -> Received {
    Received::Text(message.to_string())
}

impl Transport for Server {
    type Connection = ServerConnection;

    async fn open(&self, _: &Opening) -> Result<ServerConnection, TransportError> {
        let (answer, seen) = (Arc::clone(&self.answer), Arc::clone(&self.seen));
        Ok(ServerConnection { answer, seen, waiting: VecDeque::new() })
    }

    async fn request(&self, request: Request<String>) -> Result<Response<String>, TransportError> {
        Ok((self.answer_http)(&request))
    }
}

impl Connection for ServerConnection {
    async fn send_text(&mut self, text: String) {
        let message = serde_json::from_str(&text).unwrap_or_default();
        self.waiting.extend((self.answer)(&message));
        self.seen.lock().unwrap().push(message);
    }

    async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.send_text(String::from_utf8_lossy(&bytes).into_owned()).await;
    }

    async fn receive(&mut self) -> Received {
        match self.waiting.pop_front() {
            Some(received) => received,
            None => std::future::pending().await,
        }
    }

    async fn close(&mut self, code: u16) {
        self.waiting.push_back(Received::Closed(Some(code)));
    }
}
