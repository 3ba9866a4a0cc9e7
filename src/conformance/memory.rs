//! [`Memory`]: the values that a case has remembered, and the messages that are filled with them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value};

use super::computed::Computed;
use super::placeholder::Placeholder;

/// Generates unique strings: a counter distinguishes those of one run, and the salt those of different runs.
#[derive(Debug)]
pub(crate) struct FreshValues {
    salt: String,
    made: AtomicU64,
}

impl FreshValues {
    pub(crate) fn new(salt: &str) -> Self {
        Self { salt: salt.to_owned(), made: AtomicU64::new(0) }
    }

    fn make(&self) -> String {
        format!("fresh-{}-{}", self.salt, self.made.fetch_add(1, Ordering::Relaxed))
    }
}

/// The values that a case has remembered.
#[derive(Debug, Clone)]
pub(crate) struct Memory<'run> {
    fresh_values: &'run FreshValues,
    fresh: BTreeMap<String, String>,
    remembered: BTreeMap<String, Value>,
    round: Option<u32>,
    calls: u32,
    departures: Vec<String>,
}

impl<'run> Memory<'run> {
    pub(crate) fn new(fresh_values: &'run FreshValues) -> Self {
        let (fresh, remembered, departures) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { fresh_values, fresh, remembered, round: None, calls: 0, departures }
    }

    pub(crate) fn remember(&mut self, name: &str, value: &Value) {
        self.remembered.insert(name.to_owned(), value.clone());
    }

    pub(crate) fn remembered(&self, name: &str) -> Result<Value, String> {
        self.remembered.get(name).cloned().ok_or_else(|| format!("there is no remembered value `{name}`"))
    }

    pub(crate) fn fresh(&mut self, name: &str) -> Value {
        let values = self.fresh_values;
        self.fresh.entry(name.to_owned()).or_insert_with(|| values.make()).clone().into()
    }

    /// Notes that the server does what the case allows but does not recommend.
    pub(crate) fn note_departure(&mut self, what: String) {
        self.departures.push(what);
    }

    pub(crate) fn into_departures(self) -> Vec<String> {
        self.departures
    }

    pub(crate) fn round(&self) -> Result<Value, String> {
        self.round.map(|round| round.to_string().into()).ok_or_else(|| "`<round>` outside of `repeat`".to_owned())
    }

    pub(crate) fn set_round(&mut self, round: Option<u32>) -> Option<u32> {
        std::mem::replace(&mut self.round, round)
    }

    /// Returns the id of the next call.
    pub(crate) fn next_call(&mut self) -> String {
        self.calls += 1;
        format!("call-{}", self.calls)
    }

    /// Returns `message` with its placeholders replaced.
    pub(crate) fn fill(&mut self, message: &Value) -> Result<Value, String> {
        match message {
            Value::String(text) => self.fill_text(text),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(members) => match Computed::read(members)? {
                Some(computed) => {
                    let argument = self.fill(computed.argument())?;
                    computed.value(&argument)
                }
                None => members
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.fill(value)?)))
                    .collect::<Result<Map<_, _>, String>>()
                    .map(Value::Object),
            },
            other => Ok(other.clone()),
        }
    }

    fn fill_text(&mut self, text: &str) -> Result<Value, String> {
        match Placeholder::read(text)? {
            None => Ok(text.into()),
            Some(Placeholder::Text(given)) => Ok(given.into()),
            Some(Placeholder::Remembered(name)) => self.remembered(&name),
            Some(Placeholder::Fresh(name)) => Ok(self.fresh(&name)),
            Some(Placeholder::Round) => self.round(),
            Some(Placeholder::Kind(..) | Placeholder::Other(_)) => {
                Err(format!("`{text}` can be expected but not sent"))
            }
        }
    }
}

/// Checks that all placeholders of a message can be sent.
pub(crate) fn check_sent(message: &Value) -> Result<(), String> {
    match message {
        Value::String(text) => match Placeholder::read(text)? {
            Some(Placeholder::Kind(..) | Placeholder::Other(_)) => {
                Err(format!("`{text}` can be expected but not sent"))
            }
            _ => Ok(()),
        },
        Value::Array(items) => items.iter().try_for_each(check_sent),
        Value::Object(members) => match Computed::read(members)? {
            Some(computed) => check_sent(computed.argument()),
            None => members.values().try_for_each(check_sent),
        },
        _ => Ok(()),
    }
}
