//! An in-process DDP client that stores the documents it receives. It is strict: a known document must not be
//! added, an unknown one must not be changed or removed, and a change must change something.

use std::collections::BTreeMap;

use bolide::{App, FromServer, MemoryConnection};
use serde_json::{Map, Value, json};

use crate::client::{call, connect, resume};
use crate::waiting::soon;

/// Documents by id.
pub(crate) type Documents = BTreeMap<String, Value>;

/// A client. Dropping it is like losing the socket.
pub(crate) struct Subscriber {
    connection: MemoryConnection,
    session: String,
    /// The number of messages received, without heartbeats.
    received: u64,
    documents: BTreeMap<String, Documents>,
}

impl Subscriber {
    /// Opens a session.
    pub(crate) async fn connect(app: &App) -> Self {
        let mut subscriber =
            Self { connection: app.connect(), session: String::new(), received: 0, documents: BTreeMap::new() };
        subscriber.send(connect()).await;
        subscriber.expect_connected().await;
        subscriber
    }

    /// Loses the socket without a close.
    pub(crate) fn cut(self) -> Away {
        let Self { session, received, documents, .. } = self;
        Away { session, received, documents }
    }

    /// Disconnects for good.
    pub(crate) async fn leave(self) {
        self.send(json!({"msg": "disconnect"})).await;
    }

    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    pub(crate) async fn send(&self, message: Value) {
        self.connection.send(message.to_string()).await;
    }

    /// Requests a subscription. [`ready`](Self::ready) and [`nosub`](Self::nosub) read the outcome.
    pub(crate) async fn ask(&self, id: &str, publication: &str, params: Value) {
        self.send(json!({"msg": "sub", "id": id, "name": publication, "params": params})).await;
    }

    pub(crate) async fn unsubscribe(&self, id: &str) {
        self.send(json!({"msg": "unsub", "id": id})).await;
    }

    /// Subscribes and waits until it is ready. The id is the publication's name.
    pub(crate) async fn subscribe(&mut self, publication: &str, params: Value) {
        self.ask(publication, publication, params).await;
        self.ready(publication).await;
    }

    /// Waits until a subscription is ready.
    pub(crate) async fn ready(&mut self, id: &str) {
        let ready = self.next_of(&["ready", "nosub"]).await;
        assert_eq!(ready, json!({"msg": "ready", "subs": [id]}));
    }

    /// Waits until a subscription has ended. Returns its error, or null.
    pub(crate) async fn nosub(&mut self, id: &str) -> Value {
        let mut nosub = self.next_of(&["ready", "nosub"]).await;
        assert_eq!((&nosub["msg"], &nosub["id"]), (&json!("nosub"), &json!(id)), "{nosub}");
        nosub["error"].take()
    }

    /// Calls a method and waits for its `updated` and `result`, skipping other messages. Returns the result.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(call("called", method, params)).await;
        let updated = self.next_of(&["updated"]).await;
        assert_eq!(updated["methods"], json!(["called"]));
        self.next_of(&["result"]).await
    }

    /// Returns the next message of one of these kinds. Earlier documents are applied, other messages skipped.
    pub(crate) async fn next_of(&mut self, kinds: &[&str]) -> Value {
        loop {
            let message = self.next().await;
            if kinds.iter().any(|kind| message["msg"] == *kind) {
                return message;
            }
        }
    }

    /// Returns the next message.
    pub(crate) async fn next(&mut self) -> Value {
        match soon(self.connection.receive()).await {
            Some(FromServer::Frame(frame)) => {
                let message: Value = serde_json::from_str(&frame).expect("JSON");
                self.take(&message);
                message
            }
            other => panic!("a message was expected, not {other:?}"),
        }
    }

    /// Returns all messages that have arrived so far.
    pub(crate) async fn heard(&mut self) -> Vec<Value> {
        self.send(json!({"msg": "ping", "id": "heard"})).await;
        let mut messages = Vec::new();
        loop {
            let message = self.next().await;
            if message == json!({"msg": "pong", "id": "heard"}) {
                return messages;
            }
            messages.push(message);
        }
    }

    /// Returns the code with which the server closes the connection, after applying earlier messages.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            match soon(self.connection.receive()).await {
                Some(FromServer::Frame(frame)) => self.take(&serde_json::from_str(&frame).expect("JSON")),
                Some(FromServer::Closed(code)) => return code,
                None => panic!("the connection ended without a code"),
            }
        }
    }

    /// Returns the documents of a collection.
    pub(crate) fn documents(&self, collection: &str) -> Documents {
        self.documents.get(collection).cloned().unwrap_or_default()
    }

    /// Returns the ids of the documents of a collection.
    pub(crate) fn ids(&self, collection: &str) -> Vec<String> {
        self.documents(collection).into_keys().collect()
    }

    async fn expect_connected(&mut self) {
        let connected = self.next_of(&["connected"]).await;
        let session = connected["session"].as_str().expect("a session's id");
        if session != self.session {
            // A new session starts without documents.
            session.clone_into(&mut self.session);
            self.received = 1;
            self.documents = BTreeMap::new();
        }
    }

    fn take(&mut self, message: &Value) {
        let kind = message["msg"].as_str().expect("a kind");
        if !matches!(kind, "ping" | "pong") {
            self.received += 1;
        }
        let collection = message["collection"].as_str().unwrap_or_default();
        if collection.starts_with("stream-") {
            return;
        }
        let id = message["id"].as_str().unwrap_or_default();
        let documents = self.documents.entry(collection.to_owned()).or_default();
        match kind {
            "added" => {
                let old = documents.insert(id.to_owned(), fields_of(message).into());
                assert_eq!(old, None, "it has the document already: {message}");
            }
            "changed" => change(documents.get_mut(id), message),
            "removed" => {
                let old = documents.remove(id);
                assert!(old.is_some(), "it has no such document: {message}");
            }
            _ => {}
        }
    }
}

/// A client without a socket.
pub(crate) struct Away {
    session: String,
    received: u64,
    documents: BTreeMap<String, Documents>,
}

impl Away {
    /// Reconnects with another socket. It resumes its session if the server agrees, otherwise it gets a new one.
    pub(crate) async fn come_back(self, app: &App) -> Subscriber {
        let Self { session, received, documents } = self;
        let mut subscriber = Subscriber { connection: app.connect(), session, received, documents };
        subscriber.send(resume(&subscriber.session, received)).await;
        subscriber.expect_connected().await;
        subscriber
    }

    pub(crate) fn session(&self) -> &str {
        &self.session
    }
}

fn change(document: Option<&mut Value>, message: &Value) {
    let document =
        document.and_then(Value::as_object_mut).unwrap_or_else(|| panic!("it has no such document: {message}"));
    let before = document.clone();
    for name in message["cleared"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(document.remove(name).is_some(), "there is no such field: {message}");
    }
    document.extend(fields_of(message));
    assert_ne!(before, *document, "nothing changes: {message}");
}

fn fields_of(message: &Value) -> Map<String, Value> {
    message["fields"].as_object().cloned().unwrap_or_default()
}
