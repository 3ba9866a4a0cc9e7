//! [`Script`]: a case as a server plays it. The values that the server chooses are chosen in advance.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::conformance::matching::{ArrayForm, Form, MORE};
use crate::conformance::memory::{FreshValues, Memory};
use crate::conformance::placeholder::{Kind, Placeholder};
use crate::conformance::{Action, Call, Case, Opening, Step};

/// The messages of both sides, in order.
pub(super) struct Script(pub(super) Vec<Line>);

pub(super) struct Line {
    /// The connection. Each connection has its own client.
    pub(super) on: String,
    pub(super) what: What,
}

pub(super) enum What {
    /// The client opens a connection and a session, with this message.
    Connects(Value),
    /// The client sends this; the ids are those of the case.
    Hears(Value),
    /// The server sends this.
    Says(Value),
    /// The server cuts the connection.
    Cuts,
}

/// A case that this client cannot play.
pub(super) struct NotForClients;

impl From<String> for NotForClients {
    fn from(_: String) -> Self {
        Self
    }
}

impl Script {
    pub(super) fn of(case: &Case, fresh_values: &FreshValues) -> Result<Self, NotForClients> {
        let mut writer = Writer { lines: Vec::new(), memory: Memory::new(fresh_values), lives: BTreeMap::new() };
        writer.write_all(&case.steps)?;
        Ok(Self(writer.lines))
    }
}

struct Writer<'run> {
    lines: Vec<Line>,
    memory: Memory<'run>,
    lives: BTreeMap<String, Life>,
}

/// What a client knows about its connection.
#[derive(Default)]
struct Life {
    socket: Socket,
    session: Option<Value>,
    /// The number of messages that it has received in its session, without pings and pongs.
    received: u64,
    calls: BTreeSet<String>,
    subscriptions: BTreeSet<String>,
    /// Ended, and not confirmed.
    leaving: BTreeSet<String>,
    /// The pings that the client has not answered.
    pings: Vec<Value>,
}

#[derive(Default, PartialEq)]
enum Socket {
    #[default]
    Closed,
    Open,
    /// The client has asked for a session.
    Asked,
    Connected,
    Cut,
}

impl Writer<'_> {
    fn write_all(&mut self, steps: &[Step]) -> Result<(), NotForClients> {
        steps.iter().try_for_each(|step| self.write(step))
    }

    fn write(&mut self, step: &Step) -> Result<(), NotForClients> {
        let on = step.on.as_str();
        match &step.action {
            Action::Connect => {
                self.open(on)?;
                self.hear(on, &json!({"msg": "connect", "version": "1", "support": ["1", "pre2", "pre1"]}))?;
                self.say(on, &json!({"msg": "connected", "session": "<id>"}))
            }
            Action::Open(opening) if *opening == Opening::default() => self.open(on),
            Action::Send(messages) => messages.iter().try_for_each(|message| self.hear(on, message)),
            Action::Call(call) => self.call(on, call),
            Action::Expect(messages) => self.say_all(on, messages),
            Action::ExpectUnordered(lists) => lists.iter().try_for_each(|messages| self.say_all(on, messages)),
            Action::ExpectText(text) => {
                let message = serde_json::from_str(text).map_err(|_| NotForClients)?;
                self.say(on, &message)
            }
            Action::SkipTo(message) => self.say(on, message),
            Action::ExpectNothing(_) | Action::Wait(_) => Ok(()),
            Action::Drop => self.cut(on),
            Action::Repeat(times, steps) => (0..*times).try_for_each(|round| {
                self.memory.set_round(Some(round));
                self.write_all(steps)
            }),
            // This client does not do it, or it does not go over its connection.
            _ => Err(NotForClients),
        }
    }

    fn open(&mut self, on: &str) -> Result<(), NotForClients> {
        let life = self.lives.entry(on.to_owned()).or_default();
        match life.socket {
            Socket::Closed | Socket::Cut => life.socket = Socket::Open,
            // A client does not open a second connection in addition to the first.
            Socket::Open | Socket::Asked | Socket::Connected => return Err(NotForClients),
        }
        Ok(())
    }

    fn cut(&mut self, on: &str) -> Result<(), NotForClients> {
        let life = self.lives.entry(on.to_owned()).or_default();
        // Calls without a result are sent again, which the case does not show.
        let is_idle = life.calls.is_empty() && life.subscriptions.is_empty() && life.leaving.is_empty();
        if life.socket != Socket::Connected || !is_idle {
            return Err(NotForClients);
        }
        life.socket = Socket::Cut;
        self.push(on, What::Cuts);
        Ok(())
    }

    fn call(&mut self, on: &str, call: &Call) -> Result<(), NotForClients> {
        let id = self.memory.next_call();
        self.hear(on, &json!({"msg": "method", "id": id, "method": call.method, "params": call.params}))?;
        self.say_all(on, &call.data)?;
        self.say_all(on, &call.around)?;
        self.say(on, &json!({"msg": "updated", "methods": [id]}))?;
        let mut result = json!({"msg": "result", "id": id});
        if let Some((key, value)) = &call.answer {
            result[key] = value.clone();
        }
        self.say(on, &result)
    }

    fn hear(&mut self, on: &str, message: &Value) -> Result<(), NotForClients> {
        let message = self.memory.fill(message)?;
        let life = self.lives.entry(on.to_owned()).or_default();
        if message["msg"] == "connect" {
            if life.socket != Socket::Open || message != life.connect() {
                return Err(NotForClients);
            }
            life.socket = Socket::Asked;
            self.push(on, What::Connects(message));
            return Ok(());
        }
        if life.socket != Socket::Connected || !life.would_send(&message) {
            return Err(NotForClients);
        }
        self.push(on, What::Hears(message));
        Ok(())
    }

    fn say_all(&mut self, on: &str, messages: &[Value]) -> Result<(), NotForClients> {
        messages.iter().try_for_each(|message| self.say(on, message))
    }

    fn say(&mut self, on: &str, expected: &Value) -> Result<(), NotForClients> {
        let mut message = made_up(expected, &mut self.memory)?;
        if message["error"].is_object() && message["error"].get("error").is_none() {
            message["error"] =
                json!({"isClientSafe": true, "error": 500, "message": "[500]", "errorType": "Meteor.Error"});
        }
        let is_data = matches!(message["msg"].as_str(), Some("added" | "changed" | "removed"));
        if is_data && !(message["collection"].is_string() && message["id"].is_string()) {
            return Err(NotForClients);
        }
        let life = self.lives.entry(on.to_owned()).or_default();
        life.is_told(&message);
        if life.socket == Socket::Closed || life.socket == Socket::Cut || message["msg"] == "failed" {
            return Err(NotForClients);
        }
        self.push(on, What::Says(message));
        Ok(())
    }

    fn push(&mut self, on: &str, what: What) {
        self.lines.push(Line { on: on.to_owned(), what });
    }
}

impl Life {
    /// Returns the message with which this client asks for a session.
    fn connect(&self) -> Value {
        let mut connect = json!({"msg": "connect", "version": "1", "support": ["1", "pre2", "pre1"]});
        if let Some(session) = &self.session {
            connect["session"] = session.clone();
            connect["receivedCount"] = self.received.into();
        }
        connect
    }

    /// Returns whether this client would send this now.
    fn would_send(&mut self, message: &Value) -> bool {
        let keys: BTreeSet<&str> = message.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let id = message["id"].as_str().unwrap_or_default().to_owned();
        let has_array = message.get("params").is_none_or(Value::is_array);
        match message["msg"].as_str() {
            Some("method") => {
                let has_these = keys == BTreeSet::from(["msg", "id", "method", "params"]);
                has_these && has_array && message["method"].is_string() && !id.is_empty() && self.calls.insert(id)
            }
            Some("sub") => {
                let has_these = keys.is_subset(&BTreeSet::from(["msg", "id", "name", "params"]));
                let is_whole = has_these && has_array && message["name"].is_string() && !id.is_empty();
                is_whole && !self.leaving.contains(&id) && self.subscriptions.insert(id)
            }
            Some("unsub") => self.subscriptions.remove(&id) && self.leaving.insert(id),
            Some("pong") => self.answers_ping(message),
            _ => false,
        }
    }

    fn answers_ping(&mut self, pong: &Value) -> bool {
        let answered = self.pings.iter().position(|ping| ping.get("id") == pong.get("id"));
        answered.map(|ping| self.pings.remove(ping)).is_some()
    }

    fn is_told(&mut self, message: &Value) {
        let id = message["id"].as_str().unwrap_or_default();
        match message["msg"].as_str() {
            Some("ping") => return self.pings.push(message.clone()),
            Some("pong") => return,
            Some("connected") => {
                self.socket = Socket::Connected;
                if self.session.replace(message["session"].clone()).as_ref() != Some(&message["session"]) {
                    self.received = 0;
                }
            }
            Some("result") => drop(self.calls.remove(id)),
            Some("nosub") => {
                self.subscriptions.remove(id);
                self.leaving.remove(id);
            }
            _ => {}
        }
        self.received += 1;
    }
}

/// Makes up a message that is as expected.
fn made_up(expected: &Value, memory: &mut Memory<'_>) -> Result<Value, String> {
    match expected {
        Value::String(text) => made_up_text(text, memory),
        Value::Array(items) => ArrayForm::read(items).items().iter().map(|item| made_up(item, memory)).collect(),
        Value::Object(members) => match Form::read(members)? {
            Form::Error(error) => made_up(&error, memory),
            Form::Members { .. } => {
                let members = members.iter().filter(|(key, value)| *key != MORE && **value != "<absent>");
                members.map(|(key, value)| Ok((key.clone(), made_up(value, memory)?))).collect()
            }
            Form::Json(inner) => Ok(made_up(inner, memory)?.to_string().into()),
            Form::Contains(text) => Ok(text.clone()),
            Form::Either(choices) => made_up(&choices[0], memory),
            Form::Begins(text, rest) => {
                Ok(format!("{text}{}", made_up(rest, memory)?.as_str().unwrap_or_default()).into())
            }
            Form::Computed(_) | Form::Near(_) => Err("a server that computes this is beyond a script".to_owned()),
        },
        other => Ok(other.clone()),
    }
}

fn made_up_text(text: &str, memory: &mut Memory<'_>) -> Result<Value, String> {
    let (kind, name) = match Placeholder::read(text)? {
        Some(Placeholder::Kind(kind, name)) => (kind, name),
        Some(Placeholder::Other(_)) => return Ok("another".into()),
        _ => return memory.fill(&text.into()),
    };
    let value = match kind {
        Kind::Any | Kind::String | Kind::Secret => "a text".into(),
        Kind::Number => 1.into(),
        Kind::Boolean => true.into(),
        Kind::Object => json!({}),
        Kind::Array => json!([]),
        Kind::Id => made_up_id(memory),
        Kind::Absent => return Err("an absent value is the value of a key".to_owned()),
    };
    if let Some(name) = name {
        memory.remember(&name, &value);
    }
    Ok(value)
}

/// Makes up an id: seventeen characters that were not used before.
fn made_up_id(memory: &mut Memory<'_>) -> Value {
    let number = memory.next_call();
    format!("{number:x>17}").into()
}
