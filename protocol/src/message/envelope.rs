//! The members of a message, still as raw JSON. As in `JSON.parse`, the last of several members with one name wins.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use crate::RawJson;
use crate::ejson::ser::write_string;
use crate::scan::Scanner;

/// The members of all messages; other members are ignored.
#[derive(Default)]
pub(super) struct Envelope<'frame> {
    pub(super) msg: Option<&'frame str>,
    pub(super) id: Option<&'frame str>,
    pub(super) name: Option<&'frame str>,
    pub(super) method: Option<&'frame str>,
    pub(super) params: Option<&'frame str>,
    pub(super) random_seed: Option<&'frame str>,
    pub(super) version: Option<&'frame str>,
    pub(super) support: Option<&'frame str>,
    pub(super) session: Option<&'frame str>,
    pub(super) received_count: Option<&'frame str>,
    pub(super) collection: Option<&'frame str>,
    pub(super) fields: Option<&'frame str>,
    pub(super) cleared: Option<&'frame str>,
    pub(super) subs: Option<&'frame str>,
    pub(super) methods: Option<&'frame str>,
    pub(super) result: Option<&'frame str>,
    pub(super) error: Option<&'frame str>,
    pub(super) reason: Option<&'frame str>,
    pub(super) offending_message: Option<&'frame str>,
    /// Whether EJSON in it may need decoding.
    pub(super) may_be_ejson: bool,
}

impl<'frame> Envelope<'frame> {
    /// Reads a message. Returns `None` if it is not a JSON object.
    pub(super) fn read(frame: &'frame str) -> Option<Self> {
        let mut envelope = Self::default();
        let mut scanner = Scanner::new(frame);
        scanner.object(|name, value| {
            let member = match name.plain() {
                Some(name) => envelope.member(name),
                None => envelope.member(&name.decode()?),
            };
            if let Some(member) = member {
                *member = Some(value);
            }
            Some(())
        })?;
        envelope.may_be_ejson = scanner.may_be_ejson();
        Some(envelope)
    }

    fn member(&mut self, name: &str) -> Option<&mut Option<&'frame str>> {
        Some(match name {
            "msg" => &mut self.msg,
            "id" => &mut self.id,
            "name" => &mut self.name,
            "method" => &mut self.method,
            "params" => &mut self.params,
            "randomSeed" => &mut self.random_seed,
            "version" => &mut self.version,
            "support" => &mut self.support,
            "session" => &mut self.session,
            "receivedCount" => &mut self.received_count,
            "collection" => &mut self.collection,
            "fields" => &mut self.fields,
            "cleared" => &mut self.cleared,
            "subs" => &mut self.subs,
            "methods" => &mut self.methods,
            "result" => &mut self.result,
            "error" => &mut self.error,
            "reason" => &mut self.reason,
            "offendingMessage" => &mut self.offending_message,
            _ => return None,
        })
    }
}

/// The name of a member; borrowed if it has no escapes.
pub(super) struct Key<'frame>(pub(super) Cow<'frame, str>);

impl<'de: 'frame, 'frame> Deserialize<'de> for Key<'frame> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a member's name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Returns the string that the JSON text contains, or `None` if it is not a string.
pub(super) fn as_string(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(text).ok().map(Cow::Owned)
}

/// Returns whether JavaScript treats the value as false in a condition.
pub(super) fn is_falsy(text: &str) -> bool {
    match text {
        "null" | "false" | "\"\"" => true,
        // A string is not a number.
        text => !text.starts_with('"') && text.parse::<f64>().is_ok_and(|number| number == 0.0),
    }
}

/// Returns a string as JSON.
pub(super) fn string_to_raw(text: &str) -> RawJson {
    let mut json = String::with_capacity(text.len() + 2);
    write_string(&mut json, text);
    RawJson::from_written(json)
}

/// Starts a message with its kind and, if present, its id.
pub(super) fn write_kind_and_id(frame: &mut String, kind: &str, id: Option<&RawJson>) {
    frame.push_str(r#"{"msg":""#);
    frame.push_str(kind);
    frame.push('"');
    write_raw_member(frame, "id", id);
}

pub(super) fn write_string_member(frame: &mut String, name: &str, value: &str) {
    write_name(frame, name);
    write_string(frame, value);
}

pub(super) fn write_raw_member(frame: &mut String, name: &str, value: Option<&RawJson>) {
    let Some(value) = value else { return };
    write_name(frame, name);
    frame.push_str(value.get());
}

pub(super) fn write_name(frame: &mut String, name: &str) {
    frame.push_str(",\"");
    frame.push_str(name);
    frame.push_str("\":");
}
