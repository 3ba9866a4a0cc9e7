//! [`Conversation`]: what a rewrite knows of its connection.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::mutation::Out;

/// What was said on a connection.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// The last `connect` of the client.
    pub(crate) connect: Value,
    /// The calls by their ids.
    pub(crate) calls: BTreeMap<String, Value>,
    /// The number of calls without a result.
    pub(crate) running: usize,
    /// The subscriptions by their ids.
    pub(crate) subscriptions: BTreeMap<String, Value>,
    /// The ids that the client has unsubscribed.
    pub(crate) unsubscribed: Vec<String>,
    /// The documents that the client has, by collection and id.
    pub(crate) documents: BTreeMap<(String, String), Map<String, Value>>,
    /// Whether the server has said `failed`.
    pub(crate) failed: bool,
    /// Whether the session was resumed and the client has said nothing since.
    pub(crate) just_resumed: bool,
    /// The number of messages that a rewrite has counted.
    pub(crate) count: usize,
    /// The messages that a rewrite holds back.
    pub(crate) held: Vec<Out>,
}

impl Conversation {
    /// Remembers a message of the client, before it is rewritten.
    pub(crate) fn note_client(&mut self, message: &Value) {
        self.just_resumed = false;
        let id = text(message, "id");
        match text(message, "msg").as_str() {
            "connect" => self.connect = message.clone(),
            "method" => {
                self.running += 1;
                self.calls.insert(id, message.clone());
            }
            "sub" => drop(self.subscriptions.insert(id, message.clone())),
            "unsub" => self.unsubscribed.push(id),
            _ => {}
        }
    }

    /// Remembers a message of the server, after it was rewritten.
    pub(crate) fn note_server(&mut self, message: &Value) {
        let key = (text(message, "collection"), text(message, "id"));
        match text(message, "msg").as_str() {
            "connected" => self.just_resumed = message["session"] == self.connect["session"],
            "failed" => self.failed = true,
            "result" => self.running = self.running.saturating_sub(1),
            "added" => drop(self.documents.insert(key, fields(message))),
            "changed" => self.documents.entry(key).or_default().extend(fields(message)),
            "removed" => drop(self.documents.remove(&key)),
            _ => {}
        }
    }

    /// Returns the name of the method whose call a `result` answers.
    pub(crate) fn method_of(&self, result: &Value) -> &str {
        self.calls.get(&text(result, "id")).and_then(|call| call["method"].as_str()).unwrap_or_default()
    }
}

/// Returns a member as a text; one that is missing or not a string is empty.
pub(crate) fn text(message: &Value, key: &str) -> String {
    message[key].as_str().unwrap_or_default().to_owned()
}

fn fields(message: &Value) -> Map<String, Value> {
    message["fields"].as_object().cloned().unwrap_or_default()
}
