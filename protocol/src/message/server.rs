//! Messages from servers: `connected`, `failed`, `ping`, `pong`, data, `ready`, `nosub`, `result`, `updated`, `error`.

use std::ops::Range;

use bytestring::ByteString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::envelope::{
    Envelope, Member, string_to_raw, write_kind_and_id, write_name, write_raw_member, write_string_member,
};
use crate::ejson::ser::write_string;
use crate::ejson::{self, EncodeError};
use crate::scratch::with_scratch;
use crate::{DdpError, RawJson};

/// The length of an `updated` and a `result` without their values, with some room for an error.
const ANSWER_BYTES: usize = 96;

/// A message from a server. Members are written in Meteor's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerMessage {
    /// The session is open.
    Connected {
        /// The id of the session, 17 characters.
        session: String,
    },
    /// The server does not speak the client's version. It closes the connection after this message.
    Failed {
        /// The version that the client should use.
        version: String,
    },
    /// Asks for a `pong`.
    Ping {
        /// The id to return. Meteor's server does not send one.
        id: Option<RawJson>,
    },
    /// Answers a `ping`.
    Pong {
        /// The id of the `ping`, if it had one.
        id: Option<RawJson>,
    },
    /// Adds a document.
    Added {
        /// The name of the collection.
        collection: String,
        /// The id, as [`DocumentId::to_wire`](crate::DocumentId::to_wire) writes it.
        id: String,
        /// The fields as EJSON; absent if the document has no fields.
        fields: Option<RawJson>,
    },
    /// Changes the fields of a document that the client has.
    Changed {
        /// The name of the collection.
        collection: String,
        /// The id, as [`DocumentId::to_wire`](crate::DocumentId::to_wire) writes it.
        id: String,
        /// The changed fields as EJSON; absent if only fields are cleared.
        fields: Option<RawJson>,
        /// The names of the fields to clear.
        cleared: Vec<String>,
    },
    /// Removes a document.
    Removed {
        /// The name of the collection.
        collection: String,
        /// The id, as [`DocumentId::to_wire`](crate::DocumentId::to_wire) writes it.
        id: String,
    },
    /// Announces that subscriptions have sent their initial data.
    Ready {
        /// The ids of the subscriptions.
        subs: Vec<String>,
    },
    /// Ends a subscription.
    Nosub {
        /// The id as the client sent it; absent for a universal publication.
        id: Option<RawJson>,
        /// The error; absent if the subscription ended without one.
        error: Option<DdpError>,
    },
    /// Returns the result of a method.
    Result {
        /// The id of the call.
        id: String,
        /// The result as EJSON, `None` if the method returned no value, or the error.
        outcome: Result<Option<RawJson>, DdpError>,
    },
    /// Announces that all data written by a method has been sent.
    Updated {
        /// The ids of the calls.
        methods: Vec<String>,
    },
    /// Reports a frame that the server could not process.
    Error {
        /// The description.
        reason: String,
        /// The frame, if it can be quoted.
        offending_message: Option<RawJson>,
    },
}

/// The error for a frame that is not a valid message from a DDP server.
#[derive(Debug, thiserror::Error)]
pub enum InvalidServerMessage {
    /// The frame is not a JSON object.
    #[error("not a JSON object: {0}")]
    NoObject(#[from] serde_json::Error),
    /// The member `msg` is missing. Older servers send `{"server_id":"0"}` first.
    #[error("no member `msg`")]
    NoKind,
    /// The value of `msg` is unknown, for example from a newer server.
    #[error("unknown message `{0}`")]
    UnknownKind(String),
    /// A member is missing or has the wrong type.
    #[error("`{kind}` without a valid `{member}`")]
    Member {
        /// The value of `msg`.
        kind: &'static str,
        /// The name of the member.
        member: &'static str,
    },
}

impl ServerMessage {
    /// Writes the `added` message of a document. Returns the frame and its fields, which share the frame's text: a
    /// server that sends a document and keeps it stores one copy.
    ///
    /// # Errors
    /// Fails like [`ejson::to_raw`], and if `fields` is neither a struct nor a map.
    ///
    /// ```
    /// use bolide_protocol::ServerMessage;
    /// use std::collections::BTreeMap;
    ///
    /// let (frame, fields) = ServerMessage::encode_added("c", "1", &BTreeMap::from([("a", 2.0)]))?;
    /// assert_eq!(frame, r#"{"msg":"added","collection":"c","id":"1","fields":{"a":2}}"#);
    /// assert_eq!(fields.get(), r#"{"a":2}"#);
    /// # Ok::<(), bolide_protocol::ejson::EncodeError>(())
    /// ```
    pub fn encode_added(
        collection: &str,
        id: &str,
        fields: &(impl Serialize + ?Sized),
    ) -> Result<(ByteString, RawJson), EncodeError> {
        with_scratch(|text| {
            let fields = write_added(text, collection, id, fields)?;
            let frame = ByteString::from(text.as_str());
            let fields = fields.map_or_else(RawJson::empty_object, |place| RawJson::part_of(&frame, place));
            Ok((frame, fields))
        })
    }

    /// Appends the `updated` and the `result` of a method call to `text`. Returns the byte offset in `text` at
    /// which the first one ends.
    ///
    /// ```
    /// use bolide_protocol::ServerMessage;
    ///
    /// let mut text = String::new();
    /// let end = ServerMessage::write_answer(&mut text, "1", Ok(None));
    /// assert_eq!(&text[..end], r#"{"msg":"updated","methods":["1"]}"#);
    /// assert_eq!(&text[end..], r#"{"msg":"result","id":"1"}"#);
    /// ```
    pub fn write_answer(text: &mut String, id: &str, outcome: Result<Option<&RawJson>, &DdpError>) -> usize {
        let length = outcome.map_or(0, |result| result.map_or(0, |result| result.get().len()));
        text.reserve(ANSWER_BYTES + 2 * id.len() + length);
        text.push_str(r#"{"msg":"updated","methods":["#);
        let start_of_id = text.len();
        write_string(text, id);
        let quoted_id = start_of_id..text.len();
        text.push_str("]}");
        let end = text.len();
        text.push_str(r#"{"msg":"result","id":"#);
        text.extend_from_within(quoted_id);
        write_outcome(text, outcome);
        text.push('}');
        end
    }

    /// Returns a `nosub` for a subscription whose id is a string, as every valid one is.
    #[must_use]
    pub fn nosub(id: &str, error: Option<DdpError>) -> Self {
        Self::Nosub { id: Some(string_to_raw(id)), error }
    }

    /// Serialises the message as a frame.
    ///
    /// ```
    /// use bolide_protocol::ServerMessage;
    ///
    /// let frame = ServerMessage::Result { id: "1".into(), outcome: Ok(None) }.to_frame();
    /// assert_eq!(frame, r#"{"msg":"result","id":"1"}"#);
    /// ```
    #[must_use]
    pub fn to_frame(&self) -> String {
        let mut frame = String::with_capacity(128);
        self.write(&mut frame);
        frame
    }

    /// Appends the serialised message to `frame`.
    pub fn write(&self, frame: &mut String) {
        match self {
            Self::Connected { session } => {
                frame.push_str(r#"{"msg":"connected""#);
                write_string_member(frame, "session", session);
            }
            Self::Failed { version } => {
                frame.push_str(r#"{"msg":"failed""#);
                write_string_member(frame, "version", version);
            }
            Self::Ping { id } => write_kind_and_id(frame, "ping", id.as_ref()),
            Self::Pong { id } => write_kind_and_id(frame, "pong", id.as_ref()),
            Self::Added { collection, id, fields } => {
                write_document(frame, "added", collection, id);
                write_raw_member(frame, "fields", fields.as_ref());
            }
            Self::Changed { collection, id, fields, cleared } => {
                write_document(frame, "changed", collection, id);
                write_raw_member(frame, "fields", fields.as_ref());
                if !cleared.is_empty() {
                    write_list(frame, "cleared", cleared);
                }
            }
            Self::Removed { collection, id } => write_document(frame, "removed", collection, id),
            Self::Ready { subs } => {
                frame.push_str(r#"{"msg":"ready""#);
                write_list(frame, "subs", subs);
            }
            Self::Nosub { id, error } => {
                write_kind_and_id(frame, "nosub", id.as_ref());
                if let Some(error) = error {
                    write_error(frame, error);
                }
            }
            Self::Result { id, outcome } => write_result(frame, id, outcome),
            Self::Updated { methods } => {
                frame.push_str(r#"{"msg":"updated""#);
                write_list(frame, "methods", methods);
            }
            Self::Error { reason, offending_message } => {
                frame.push_str(r#"{"msg":"error""#);
                write_string_member(frame, "reason", reason);
                write_raw_member(frame, "offendingMessage", offending_message.as_ref());
            }
        }
        frame.push('}');
    }

    /// Parses a frame, as a client does.
    ///
    /// # Errors
    /// Returns an [`InvalidServerMessage`]. Clients ignore such frames.
    ///
    /// ```
    /// use bolide_protocol::ServerMessage;
    ///
    /// let message = ServerMessage::parse(r#"{"msg":"updated","methods":["1"]}"#)?;
    /// assert_eq!(message, ServerMessage::Updated { methods: vec!["1".into()] });
    /// # Ok::<(), bolide_protocol::message::InvalidServerMessage>(())
    /// ```
    pub fn parse(frame: &str) -> Result<Self, InvalidServerMessage> {
        let mut envelope = Envelope::default();
        envelope.read(frame).ok_or_else(|| no_object(frame))?;
        let kind = envelope.string(envelope.msg).ok_or(InvalidServerMessage::NoKind)?;
        Ok(match &*kind {
            "connected" => Self::Connected { session: string("connected", "session", &envelope, envelope.session)? },
            "failed" => Self::Failed { version: string("failed", "version", &envelope, envelope.version)? },
            "ping" => Self::Ping { id: raw(envelope.text(envelope.id)) },
            "pong" => Self::Pong { id: raw(envelope.text(envelope.id)) },
            "added" => Self::Added {
                collection: string("added", "collection", &envelope, envelope.collection)?,
                id: string("added", "id", &envelope, envelope.id)?,
                fields: raw(envelope.text(envelope.fields)),
            },
            "changed" => Self::Changed {
                collection: string("changed", "collection", &envelope, envelope.collection)?,
                id: string("changed", "id", &envelope, envelope.id)?,
                fields: raw(envelope.text(envelope.fields)),
                cleared: match envelope.text(envelope.cleared) {
                    Some(cleared) => typed("changed", "cleared", Some(cleared))?,
                    None => Vec::new(),
                },
            },
            "removed" => Self::Removed {
                collection: string("removed", "collection", &envelope, envelope.collection)?,
                id: string("removed", "id", &envelope, envelope.id)?,
            },
            "ready" => Self::Ready { subs: typed("ready", "subs", envelope.text(envelope.subs))? },
            "nosub" => Self::Nosub {
                id: raw(envelope.text(envelope.id)),
                error: error("nosub", envelope.text(envelope.error))?,
            },
            "result" => Self::Result {
                id: string("result", "id", &envelope, envelope.id)?,
                outcome: match error("result", envelope.text(envelope.error))? {
                    Some(error) => Err(error),
                    None => Ok(raw(envelope.text(envelope.result))),
                },
            },
            "updated" => Self::Updated { methods: typed("updated", "methods", envelope.text(envelope.methods))? },
            "error" => Self::Error {
                reason: string("error", "reason", &envelope, envelope.reason)?,
                offending_message: raw(envelope.text(envelope.offending_message)),
            },
            unknown => return Err(InvalidServerMessage::UnknownKind(unknown.to_owned())),
        })
    }
}

/// Writes an `added` message. Returns the place of its fields, or `None` if there are none.
fn write_added(
    frame: &mut String,
    collection: &str,
    id: &str,
    fields: &(impl Serialize + ?Sized),
) -> Result<Option<Range<usize>>, EncodeError> {
    write_document(frame, "added", collection, id);
    let end_of_id = frame.len();
    write_name(frame, "fields");
    let start = frame.len();
    ejson::write(frame, fields)?;
    let written = &frame[start..];
    if !written.starts_with('{') {
        return Err(serde::ser::Error::custom("the fields of a document must be a struct or a map"));
    }
    let fields = (written != "{}").then_some(start..frame.len());
    if fields.is_none() {
        frame.truncate(end_of_id);
    }
    frame.push('}');
    Ok(fields)
}

fn write_document(frame: &mut String, kind: &str, collection: &str, id: &str) {
    frame.push_str(r#"{"msg":""#);
    frame.push_str(kind);
    frame.push('"');
    write_string_member(frame, "collection", collection);
    write_string_member(frame, "id", id);
}

fn write_result(frame: &mut String, id: &str, outcome: &Result<Option<RawJson>, DdpError>) {
    frame.push_str(r#"{"msg":"result""#);
    write_string_member(frame, "id", id);
    write_outcome(frame, outcome.as_ref().map(Option::as_ref));
}

fn write_outcome(frame: &mut String, outcome: Result<Option<&RawJson>, &DdpError>) {
    match outcome {
        Ok(result) => write_raw_member(frame, "result", result),
        Err(error) => write_error(frame, error),
    }
}

fn write_error(frame: &mut String, error: &DdpError) {
    write_name(frame, "error");
    // An error consists of strings, numbers and valid JSON, so serialising it cannot fail.
    frame.push_str(&serde_json::to_string(error).unwrap_or_default());
}

fn write_list(frame: &mut String, name: &str, texts: &[String]) {
    write_name(frame, name);
    frame.push('[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            frame.push(',');
        }
        write_string(frame, text);
    }
    frame.push(']');
}

/// Returns what is wrong with a frame that is not a JSON object.
fn no_object(frame: &str) -> serde_json::Error {
    let read: Result<Map<String, Value>, _> = serde_json::from_str(frame);
    read.err().unwrap_or_else(|| serde::de::Error::custom("a name that is not Unicode"))
}

fn raw(member: Option<&str>) -> Option<RawJson> {
    member.map(RawJson::copy_of)
}

fn string(
    kind: &'static str,
    member: &'static str,
    envelope: &Envelope<'_>,
    value: Member,
) -> Result<String, InvalidServerMessage> {
    envelope.string(value).map(String::from).ok_or(InvalidServerMessage::Member { kind, member })
}

fn typed<T: DeserializeOwned>(
    kind: &'static str,
    member: &'static str,
    value: Option<&str>,
) -> Result<T, InvalidServerMessage> {
    value.and_then(|value| serde_json::from_str(value).ok()).ok_or(InvalidServerMessage::Member { kind, member })
}

fn error(kind: &'static str, value: Option<&str>) -> Result<Option<DdpError>, InvalidServerMessage> {
    match value {
        // Meteor does not send `"error":null`, but some compatible servers do.
        None | Some("null") => Ok(None),
        Some(value) => typed(kind, "error", Some(value)).map(Some),
    }
}
