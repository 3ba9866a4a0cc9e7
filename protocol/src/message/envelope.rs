//! The members of a message, still as raw JSON. As in `JSON.parse`, the last of several members with one name wins.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use memchr::memchr2;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use crate::RawJson;
use crate::ejson::needs_decoding;
use crate::ejson::ser::write_string;
use crate::elements::{Elements, LONGEST_TEXT};
use crate::scan::{self, Unread};

/// The members of all messages; other members are ignored.
#[derive(Default)]
pub(super) struct Envelope<'frame> {
    frame: &'frame str,
    pub(super) msg: Member,
    pub(super) id: Member,
    pub(super) name: Member,
    pub(super) method: Member,
    pub(super) params: Member,
    pub(super) random_seed: Member,
    pub(super) version: Member,
    pub(super) support: Member,
    pub(super) session: Member,
    pub(super) received_count: Member,
    pub(super) collection: Member,
    pub(super) fields: Member,
    pub(super) cleared: Member,
    pub(super) subs: Member,
    pub(super) methods: Member,
    pub(super) result: Member,
    pub(super) error: Member,
    pub(super) reason: Member,
    pub(super) offending_message: Member,
    /// The elements of the parameters, if these are an array.
    pub(super) elements: Elements,
    /// Whether a backslash is in the frame, so that strings may have escapes.
    has_escapes: bool,
    /// Whether EJSON in it may need decoding.
    pub(super) may_be_ejson: bool,
}

/// The place of a member's value in the frame. Empty if the member is absent.
#[derive(Clone, Copy, Default)]
pub(super) struct Member {
    start: usize,
    end: usize,
}

impl<'frame> Envelope<'frame> {
    /// Reads a message into an empty envelope, which is too large to be returned. Returns `None` if it is not a JSON object, or
    /// too long to have elements.
    pub(super) fn read(&mut self, frame: &'frame str) -> Option<()> {
        if frame.len() > LONGEST_TEXT {
            return None;
        }
        scan::object(frame, |name, value| {
            if name.has_escapes {
                self.read_member(name.decode()?.as_bytes(), value)
            } else {
                self.read_member(name.bytes, value)
            }
        })?;
        self.frame = frame;
        if memchr2(b'$', b'\\', frame.as_bytes()).is_some() {
            self.has_escapes = frame.contains('\\');
            self.may_be_ejson = needs_decoding(frame);
        }
        Some(())
    }

    /// Returns the JSON text of a member, if present.
    pub(super) fn text(&self, member: Member) -> Option<&'frame str> {
        self.frame.get(member.place()?)
    }

    /// Returns the string that a member is, or `None` if it is not a string.
    pub(super) fn string(&self, member: Member) -> Option<Cow<'frame, str>> {
        let Range { start, end } = member.place()?;
        if !matches!(self.frame.as_bytes().get(start), Some(b'"')) {
            return None;
        }
        if self.has_escapes {
            return serde_json::from_str(self.frame.get(start..end)?).ok().map(Cow::Owned);
        }
        self.frame.get(start + 1..end - 1).map(Cow::Borrowed)
    }

    fn read_member(&mut self, name: &[u8], value: Unread<'_>) -> Option<Range<usize>> {
        let place = if name == b"params" {
            self.elements = Elements::default();
            value.read_elements(|place| self.elements.push(place))?
        } else {
            value.read()?
        };
        if let Some(member) = self.member(name) {
            *member = Member { start: place.start, end: place.end };
        }
        Some(place)
    }

    fn member(&mut self, name: &[u8]) -> Option<&mut Member> {
        Some(match name {
            b"msg" => &mut self.msg,
            b"id" => &mut self.id,
            b"name" => &mut self.name,
            b"method" => &mut self.method,
            b"params" => &mut self.params,
            b"randomSeed" => &mut self.random_seed,
            b"version" => &mut self.version,
            b"support" => &mut self.support,
            b"session" => &mut self.session,
            b"receivedCount" => &mut self.received_count,
            b"collection" => &mut self.collection,
            b"fields" => &mut self.fields,
            b"cleared" => &mut self.cleared,
            b"subs" => &mut self.subs,
            b"methods" => &mut self.methods,
            b"result" => &mut self.result,
            b"error" => &mut self.error,
            b"reason" => &mut self.reason,
            b"offendingMessage" => &mut self.offending_message,
            _ => return None,
        })
    }
}

impl Member {
    pub(super) fn place(self) -> Option<Range<usize>> {
        (self.end > 0).then_some(self.start..self.end)
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
