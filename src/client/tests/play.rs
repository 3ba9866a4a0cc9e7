//! Plays a script with clients, and compares the documents that they have at the end with those that they were sent.

use std::collections::BTreeMap;
use std::time::Duration;

use bolide_protocol::{DdpError, RawJson};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::peer::Peer;
use super::script::{Line, Script, What};
use crate::client::{CallError, Client, Reconnect, Subscription, SubscriptionStatus};

type Problem = String;
type Outcome = Result<Option<RawJson>, CallError>;

const SOON: Duration = Duration::from_secs(10);

pub(super) async fn play(script: &Script) -> Result<(), Problem> {
    let mut connections: BTreeMap<&str, Connection> = BTreeMap::new();
    for Line { on, what } in &script.0 {
        match (what, connections.get_mut(on.as_str())) {
            (What::Connects(message), None) => {
                connections.insert(on, Connection::open(message).await?);
            }
            (What::Connects(message), Some(connection)) => connection.is_opened_again(message).await?,
            (What::Hears(message), Some(connection)) => connection.hears(message).await?,
            (What::Says(message), Some(connection)) => connection.says(message).await?,
            (What::Cuts, Some(connection)) => connection.peer = None,
            (_, None) => return Err(format!("`{on}` is not connected")),
        }
    }
    for connection in connections.into_values() {
        connection.ends().await?;
    }
    Ok(())
}

/// A client, its server, and what the server has sent.
struct Connection {
    listener: TcpListener,
    /// `None` while the connection is cut.
    peer: Option<Peer>,
    client: Opening,
    /// By the ids of the case.
    calls: BTreeMap<String, Called>,
    subscriptions: BTreeMap<String, Subscribed>,
    /// By collection and id.
    documents: BTreeMap<(String, String), Map<String, Value>>,
}

enum Opening {
    /// The client waits for `connected`.
    Pending(JoinHandle<Client>),
    Open(Client),
}

struct Called {
    clients_id: Value,
    answer: JoinHandle<Outcome>,
    expected: Option<Value>,
}

struct Subscribed {
    clients_id: Value,
    /// `None` if the client has ended it.
    subscription: Option<Subscription>,
    expected: SubscriptionStatus,
}

impl Connection {
    async fn open(connect: &Value) -> Result<Self, Problem> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let url = format!("ws://{}", listener.local_addr().map_err(|error| error.to_string())?);
        let reconnect = Reconnect { first_delay: Duration::from_millis(1), ..Reconnect::default() };
        let client =
            tokio::spawn(async move { Client::builder(&url).reconnect(reconnect).connect().await.expect("a session") });
        let mut connection = Self {
            peer: None,
            listener,
            client: Opening::Pending(client),
            calls: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            documents: BTreeMap::new(),
        };
        connection.is_opened_again(connect).await?;
        Ok(connection)
    }

    async fn is_opened_again(&mut self, connect: &Value) -> Result<(), Problem> {
        let mut peer = Peer::accept(&self.listener).await?;
        let said = peer.hear().await?;
        self.peer = Some(peer);
        same("the client's connect", connect, &said)
    }

    fn peer(&mut self) -> Result<&mut Peer, Problem> {
        self.peer.as_mut().ok_or_else(|| "the connection is cut".to_owned())
    }

    async fn client(&mut self) -> Result<Client, Problem> {
        if let Opening::Pending(client) = &mut self.client {
            let client = timeout(SOON, client).await.map_err(|_| "no session".to_owned())?;
            self.client = Opening::Open(client.map_err(|error| error.to_string())?);
        }
        match &self.client {
            Opening::Open(client) => Ok(client.clone()),
            Opening::Pending(_) => Err("no session".to_owned()),
        }
    }

    /// Checks that the client sends this.
    async fn hears(&mut self, message: &Value) -> Result<(), Problem> {
        let id = message["id"].as_str().unwrap_or_default().to_owned();
        let client = self.client().await?;
        let params = message.get("params").cloned().unwrap_or_else(|| json!([]));
        match message["msg"].as_str() {
            Some("method") => {
                let call = client.call::<()>(text(&message["method"]), &as_raw(&params)?);
                let answer = tokio::spawn(call.outcome());
                let clients_id = self.hears_with_id(message, &params).await?;
                self.calls.insert(id, Called { clients_id, answer, expected: None });
            }
            Some("sub") => {
                let subscription = client.subscribe(text(&message["name"]), &as_raw(&params)?);
                let subscription = Some(subscription.map_err(|error| error.to_string())?);
                let clients_id = self.hears_with_id(message, &params).await?;
                let expected = SubscriptionStatus::Pending;
                self.subscriptions.insert(id, Subscribed { clients_id, subscription, expected });
            }
            Some("unsub") => {
                let left = self.subscriptions.get_mut(&id).ok_or("no such subscription")?;
                drop(left.subscription.take());
                let expected = json!({"msg": "unsub", "id": left.clients_id});
                same("the client's unsub", &expected, &self.hears_no_pong().await?)?;
            }
            _ => {
                let said = self.peer()?.hear().await?;
                same("the client's pong", message, &said)?;
            }
        }
        Ok(())
    }

    /// Receives a call or a subscription, and returns the id that the client has chosen.
    async fn hears_with_id(&mut self, message: &Value, params: &Value) -> Result<Value, Problem> {
        let said = self.hears_no_pong().await?;
        let clients_id = said["id"].clone();
        let is_used = self.calls.values().any(|call| call.clients_id == clients_id)
            || self.subscriptions.values().any(|subscription| subscription.clients_id == clients_id);
        if !clients_id.is_string() || is_used {
            return Err(format!("{clients_id} is not a new id"));
        }
        let mut expected = message.clone();
        expected["id"] = clients_id.clone();
        expected["params"] = params.clone();
        same("the client's message", &expected, &said)?;
        Ok(clients_id)
    }

    /// Skips the answers to pings: a case that does not show pings does not show these either.
    async fn hears_no_pong(&mut self) -> Result<Value, Problem> {
        loop {
            let said = self.peer()?.hear().await?;
            if said["msg"] != "pong" {
                return Ok(said);
            }
        }
    }

    async fn says(&mut self, message: &Value) -> Result<(), Problem> {
        let mut said = message.clone();
        match message["msg"].as_str() {
            Some("result") => said["id"] = self.call_of(&message["id"], message),
            Some("nosub") => said["id"] = self.ended(&message["id"], message.get("error"))?,
            Some("ready") => said["subs"] = self.ready(&message["subs"]),
            Some("updated") => {
                let ids = message["methods"].as_array().into_iter().flatten();
                let ids = ids.map(|id| self.calls.get(text(id)).map_or(id, |call| &call.clients_id).clone());
                said["methods"] = ids.collect();
            }
            Some("added" | "changed" | "removed") => self.publishes(message),
            _ => {}
        }
        self.peer()?.say(&said).await
    }

    /// Stores the answer to a call, and returns the client's id of the call.
    fn call_of(&mut self, id: &Value, answer: &Value) -> Value {
        match self.calls.get_mut(text(id)) {
            Some(call) => {
                call.expected.get_or_insert_with(|| answer.clone());
                call.clients_id.clone()
            }
            None => id.clone(),
        }
    }

    fn ended(&mut self, id: &Value, error: Option<&Value>) -> Result<Value, Problem> {
        let Some(subscription) = self.subscriptions.get_mut(text(id)) else { return Ok(id.clone()) };
        let error = error.map(|error| serde_json::from_value::<DdpError>(error.clone())).transpose();
        subscription.expected = SubscriptionStatus::Stopped(error.map_err(|error| error.to_string())?);
        Ok(subscription.clients_id.clone())
    }

    fn ready(&mut self, ids: &Value) -> Value {
        let ids = ids.as_array().into_iter().flatten();
        ids.map(|id| match self.subscriptions.get_mut(text(id)) {
            Some(subscription) => {
                subscription.expected = SubscriptionStatus::Ready;
                subscription.clients_id.clone()
            }
            None => id.clone(),
        })
        .collect()
    }

    fn publishes(&mut self, message: &Value) {
        let key = (text(&message["collection"]).to_owned(), text(&message["id"]).to_owned());
        let fields = message["fields"].as_object().cloned().unwrap_or_default();
        match message["msg"].as_str() {
            Some("added") => drop(self.documents.insert(key, fields)),
            Some("removed") => drop(self.documents.remove(&key)),
            _ => {
                let Some(document) = self.documents.get_mut(&key) else { return };
                for cleared in message["cleared"].as_array().into_iter().flatten() {
                    document.remove(text(cleared));
                }
                document.extend(fields);
            }
        }
    }

    /// Checks, after the client has handled all messages, that it has what it was sent.
    async fn ends(mut self) -> Result<(), Problem> {
        if self.peer.is_none() {
            return Ok(());
        }
        let client = self.client().await?;
        let last = json!({"msg": "ping", "id": "the end"});
        self.peer()?.say(&last).await?;
        while self.peer()?.hear().await? != json!({"msg": "pong", "id": "the end"}) {}
        self.documents_are_those_of(&client)?;
        for (id, subscribed) in &self.subscriptions {
            let Some(subscription) = &subscribed.subscription else { continue };
            if subscription.status() != subscribed.expected {
                return Err(format!("subscription {id} is {:?}", subscription.status()));
            }
        }
        for (id, call) in self.calls {
            call.ends().await.map_err(|problem| format!("call {id}: {problem}"))?;
        }
        Ok(())
    }

    fn documents_are_those_of(&self, client: &Client) -> Result<(), Problem> {
        let mut held: BTreeMap<(String, String), Map<String, Value>> = BTreeMap::new();
        for collection in client.collections() {
            for document in client.documents(&collection) {
                let fields = serde_json::to_value(document.fields()).map_err(|error| error.to_string())?;
                let fields = fields.as_object().cloned().unwrap_or_default();
                held.insert((collection.clone(), document.id().to_wire().into_owned()), fields);
            }
        }
        if held == self.documents {
            return Ok(());
        }
        Err(format!("the client has the documents {held:?}, and was told {:?}", self.documents))
    }
}

impl Called {
    async fn ends(self) -> Result<(), Problem> {
        let Some(expected) = self.expected else {
            if self.answer.is_finished() {
                return Err("the call has a result that the server did not send".to_owned());
            }
            self.answer.abort();
            return Ok(());
        };
        let answer = timeout(SOON, self.answer).await.map_err(|_| "the call has no result".to_owned())?;
        let mut told = match answer.map_err(|error| error.to_string())? {
            Ok(None) => json!({}),
            Ok(Some(result)) => json!({"result": as_value(&result)?}),
            Err(CallError::Server(error)) => json!({"error": error}),
            Err(other) => return Err(other.to_string()),
        };
        let mut expected = expected;
        if let Some(members) = expected.as_object_mut() {
            members.retain(|key, _| key == "result" || key == "error");
        }
        for error in
            [&mut expected, &mut told].into_iter().filter_map(|outcome| outcome.get_mut("error")?.as_object_mut())
        {
            // The other members follow from these.
            error.retain(|key, _| ["error", "reason", "details"].contains(&key.as_str()));
        }
        same("the answer", &expected, &told)
    }
}

fn same(what: &str, expected: &Value, actual: &Value) -> Result<(), Problem> {
    if expected == actual {
        return Ok(());
    }
    Err(format!("{what} is {actual}\nexpected {expected}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn as_value(raw: &RawJson) -> Result<Value, Problem> {
    serde_json::from_str(raw.get()).map_err(|error| error.to_string())
}

fn as_raw(params: &Value) -> Result<Vec<RawJson>, Problem> {
    let params = params.as_array().into_iter().flatten();
    params.map(|param| RawJson::parse(&param.to_string()).map_err(|error| error.to_string())).collect()
}
