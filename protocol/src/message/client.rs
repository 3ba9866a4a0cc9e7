//! Messages from clients: `connect`, `ping`, `pong`, `sub`, `unsub`, `method`, `disconnect`.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use bytestring::ByteString;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::envelope::{Envelope, Key, is_falsy, write_kind_and_id, write_raw_member, write_string_member};
use crate::ejson::ser::write_string;
use crate::ejson::{self, CustomTypes, Ejson};
use crate::scan;
use crate::{Elements, RawJson};

/// A message from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// Opens a session. It is the first message of a connection.
    Connect(ConnectRequest),
    /// Asks for a `pong` with the same id.
    Ping {
        /// Returned in the `pong`, if present.
        id: Option<RawJson>,
    },
    /// Answers a `ping`.
    Pong,
    /// Subscribes to a publication.
    Sub(Subscribe),
    /// Ends a subscription. As in Meteor, the id is not checked: any id is answered.
    Unsub {
        /// The id of the subscription, as the client sent it.
        id: Option<RawJson>,
    },
    /// Calls a method.
    Method(MethodCall),
    /// Announces that the session will not be resumed (Meteor 3.5).
    Disconnect,
}

/// The members of `connect`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConnectRequest {
    /// The requested version, or `None` if `version` or `support` is invalid.
    pub version: Option<String>,
    /// The client's versions, preferred version first.
    pub support: Vec<String>,
    /// The id of the session to resume.
    pub session: Option<String>,
    /// The number of messages that the client received in that session, without `ping` and `pong` (Meteor 3.5).
    pub received_count: Option<u64>,
}

/// The members of `sub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// The client's id for this subscription.
    pub id: String,
    /// The name of the publication.
    pub name: String,
    /// The parameters, an array if present.
    pub params: Option<RawJson>,
}

/// The members of `method`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodCall {
    /// The client's id for this call.
    pub id: String,
    /// The name of the method.
    pub method: String,
    /// The parameters, an array if present.
    pub params: Option<RawJson>,
    /// The seed of the random streams, from which client and server draw the same document ids.
    pub random_seed: Option<String>,
}

/// A message from a client, as [`ClientMessage::read`] returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadMessage<'frame> {
    /// Calls a method.
    Method(MethodInFrame<'frame>),
    /// Any other message; never [`ClientMessage::Method`].
    Other(ClientMessage),
}

/// The members of `method`, which are still in the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodInFrame<'frame> {
    frame: &'frame ByteString,
    /// The client's id for this call.
    pub id: Cow<'frame, str>,
    /// The name of the method.
    pub method: Cow<'frame, str>,
    /// The parameters, an array if present.
    pub params: Option<ParamsInFrame>,
    /// The seed of the random streams.
    pub random_seed: Option<Cow<'frame, str>>,
}

/// The parameters of a call, which are still in the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamsInFrame {
    place: Range<usize>,
    elements: Elements,
}

/// Why a frame is not a valid message, and Meteor's answer to it. The answers differ in `reason` and in whether they
/// quote the frame as `offendingMessage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedMessage {
    /// Not JSON, or JSON that is neither an object nor an array. The answer does not quote the frame.
    #[error("Bad request")]
    NoMessage,
    /// Nested deeper than [`ClientMessage::NESTING_LIMIT`]. The answer does not quote the frame.
    #[error("Message nested too deeply")]
    NestedTooDeeply,
    /// JSON that is not valid EJSON. The answer does not quote the frame.
    #[error("Parse error")]
    NoEjson,
    /// The member `msg` is missing. The answer quotes the frame and is sent at once.
    #[error("Bad request")]
    NoKind,
    /// The value of `msg` is unknown. The answer quotes the frame and is sent in the order of the queue.
    #[error("Bad request")]
    UnknownKind,
    /// A `method` with a member of the wrong type. The answer quotes the frame and is sent in the order of the queue.
    #[error("Malformed method invocation")]
    Method,
    /// A `sub` with a member of the wrong type. The answer quotes the frame and is sent in the order of the queue.
    #[error("Malformed subscription")]
    Subscription,
}

impl ClientMessage {
    /// The maximum nesting depth of arrays and objects in a frame.
    pub const NESTING_LIMIT: usize = 128;

    /// Parses a frame. `types` are the application's custom EJSON types.
    ///
    /// # Errors
    /// Returns a [`MalformedMessage`], which determines the answer to the client.
    ///
    /// ```
    /// use bolide_protocol::ClientMessage;
    /// use bolide_protocol::ejson::CustomTypes;
    ///
    /// let frame = r#"{"msg":"method","id":"1","method":"add","params":[1,2]}"#.into();
    /// let ClientMessage::Method(call) = ClientMessage::parse(&frame, &CustomTypes::default())? else { panic!() };
    /// assert_eq!(call.params.unwrap().get(), "[1,2]");
    /// # Ok::<(), bolide_protocol::message::MalformedMessage>(())
    /// ```
    pub fn parse(frame: &ByteString, types: &CustomTypes) -> Result<Self, MalformedMessage> {
        Ok(match Self::read(frame, types)? {
            ReadMessage::Method(call) => Self::Method(call.into_call()),
            ReadMessage::Other(message) => message,
        })
    }

    /// Parses a frame like [`parse`](Self::parse), but does not copy the members of a `method`: a server that starts the
    /// call at once keeps few of them.
    ///
    /// # Errors
    /// The same as those of [`parse`](Self::parse).
    ///
    /// ```
    /// use bolide_protocol::ClientMessage;
    /// use bolide_protocol::ejson::CustomTypes;
    /// use bolide_protocol::message::ReadMessage;
    ///
    /// let frame = r#"{"msg":"method","id":"1","method":"add","params":[1,2]}"#.into();
    /// let ReadMessage::Method(call) = ClientMessage::read(&frame, &CustomTypes::default())? else { panic!() };
    /// let second = call.params.unwrap().into_elements().get(1).unwrap();
    /// assert_eq!((&*call.method, &frame[second]), ("add", "2"));
    /// # Ok::<(), bolide_protocol::message::MalformedMessage>(())
    /// ```
    pub fn read<'frame>(
        frame: &'frame ByteString,
        types: &CustomTypes,
    ) -> Result<ReadMessage<'frame>, MalformedMessage> {
        if super::is_nested_deeper_than(frame, Self::NESTING_LIMIT) {
            return Err(MalformedMessage::NestedTooDeeply);
        }
        let mut envelope = Envelope::default();
        read_envelope(&mut envelope, frame)?;
        check_ejson(&envelope, types)?;
        Ok(ReadMessage::Other(match envelope.string(envelope.msg).as_deref() {
            Some("method") => {
                return read_method(frame, &mut envelope).map(ReadMessage::Method).ok_or(MalformedMessage::Method);
            }
            Some("connect") => Self::Connect(read_connect(&envelope)),
            Some("ping") => Self::Ping { id: raw(frame, envelope.id.place()) },
            Some("pong") => Self::Pong,
            Some("sub") => read_sub(frame, &envelope).ok_or(MalformedMessage::Subscription)?,
            Some("unsub") => Self::Unsub { id: raw(frame, envelope.id.place()) },
            Some("disconnect") => Self::Disconnect,
            _ if envelope.text(envelope.msg).is_none_or(is_falsy) => return Err(MalformedMessage::NoKind),
            _ => return Err(MalformedMessage::UnknownKind),
        }))
    }

    /// Serialises the message as a frame.
    ///
    /// ```
    /// use bolide_protocol::ClientMessage;
    ///
    /// assert_eq!(ClientMessage::Pong.to_frame(), r#"{"msg":"pong"}"#);
    /// ```
    #[must_use]
    pub fn to_frame(&self) -> String {
        let mut frame = String::with_capacity(96);
        match self {
            Self::Connect(request) => write_connect(&mut frame, request),
            Self::Ping { id } => write_kind_and_id(&mut frame, "ping", id.as_ref()),
            Self::Pong => frame.push_str(r#"{"msg":"pong""#),
            Self::Unsub { id } => write_kind_and_id(&mut frame, "unsub", id.as_ref()),
            Self::Disconnect => frame.push_str(r#"{"msg":"disconnect""#),
            Self::Sub(Subscribe { id, name, params }) => {
                frame.push_str(r#"{"msg":"sub""#);
                write_string_member(&mut frame, "id", id);
                write_string_member(&mut frame, "name", name);
                write_raw_member(&mut frame, "params", params.as_ref());
            }
            Self::Method(MethodCall { id, method, params, random_seed }) => {
                frame.push_str(r#"{"msg":"method""#);
                write_string_member(&mut frame, "id", id);
                write_string_member(&mut frame, "method", method);
                write_raw_member(&mut frame, "params", params.as_ref());
                if let Some(seed) = random_seed {
                    write_string_member(&mut frame, "randomSeed", seed);
                }
            }
        }
        frame.push('}');
        frame
    }
}

impl MalformedMessage {
    /// Returns whether the answer quotes the frame as `offendingMessage`.
    #[must_use]
    pub const fn quotes_the_frame(self) -> bool {
        matches!(self, Self::NoKind | Self::UnknownKind | Self::Method | Self::Subscription)
    }
}

/// Returns the frame as Meteor's `error` message quotes it: EJSON in `fields`, `params` and `result` is decoded and not
/// encoded again, so a date becomes ISO text.
///
/// Returns `None` for a frame that is not a JSON object or array.
#[must_use]
pub fn offending_message(frame: &str, types: &CustomTypes) -> Option<RawJson> {
    let Ok(Members(members)) = serde_json::from_str(frame) else {
        return RawJson::parse(frame).ok().filter(|raw| raw.get().starts_with('['));
    };
    let mut json = String::with_capacity(frame.len());
    json.push('{');
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        write_string(&mut json, name);
        json.push(':');
        match name.as_str() {
            "fields" | "params" | "result" => {
                json.push_str(&Ejson::parse(value.get(), types).ok()?.to_plain_json());
            }
            _ => json.push_str(value.get()),
        }
    }
    json.push('}');
    Some(RawJson::from_written(json))
}

/// The members of an object, in order. The last member with a name replaces the first.
struct Members<'frame>(Vec<(String, &'frame RawValue)>);

impl<'de: 'frame, 'frame> Deserialize<'de> for Members<'frame> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = indexmap::IndexMap<String, &'de RawValue>;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = indexmap::IndexMap::new();
                while let Some(Key(name)) = map.next_key()? {
                    members.insert(name.into_owned(), map.next_value()?);
                }
                Ok(members)
            }
        }
        let members = deserializer.deserialize_map(MembersVisitor)?;
        Ok(Self(members.into_iter().collect()))
    }
}

fn read_envelope<'frame>(envelope: &mut Envelope<'frame>, frame: &'frame str) -> Result<(), MalformedMessage> {
    let first = frame.bytes().find(|byte| !byte.is_ascii_whitespace());
    match first {
        Some(b'{') => envelope.read(frame).ok_or(MalformedMessage::NoMessage),
        Some(b'[') => match scan::only_value(frame) {
            Some(_) => Err(MalformedMessage::NoKind),
            None => Err(MalformedMessage::NoMessage),
        },
        _ => Err(MalformedMessage::NoMessage),
    }
}

fn check_ejson(envelope: &Envelope<'_>, types: &CustomTypes) -> Result<(), MalformedMessage> {
    if envelope.text(envelope.cleared).is_some_and(|cleared| !is_falsy(cleared) && !cleared.starts_with('[')) {
        return Err(MalformedMessage::NoEjson);
    }
    if !envelope.may_be_ejson {
        return Ok(());
    }
    [envelope.fields, envelope.params, envelope.result]
        .into_iter()
        .filter_map(|member| envelope.text(member))
        .try_for_each(|part| ejson::validate(part, types))
        .map_err(|_| MalformedMessage::NoEjson)
}

fn read_connect(envelope: &Envelope<'_>) -> ConnectRequest {
    let version = envelope.string(envelope.version).map(String::from);
    let support = envelope.text(envelope.support).and_then(|raw| serde_json::from_str::<Vec<String>>(raw).ok());
    ConnectRequest {
        // A `support` that is not a list of strings makes the whole request invalid.
        version: version.filter(|_| support.is_some()),
        support: support.unwrap_or_default(),
        session: envelope.string(envelope.session).map(String::from),
        received_count: envelope.text(envelope.received_count).and_then(|raw| raw.parse().ok()),
    }
}

fn read_sub(frame: &ByteString, envelope: &Envelope<'_>) -> Option<ClientMessage> {
    let params = read_params(envelope)?;
    Some(ClientMessage::Sub(Subscribe {
        id: envelope.string(envelope.id)?.into_owned(),
        name: envelope.string(envelope.name)?.into_owned(),
        params: raw(frame, params),
    }))
}

fn read_method<'frame>(frame: &'frame ByteString, envelope: &mut Envelope<'frame>) -> Option<MethodInFrame<'frame>> {
    let random_seed = match envelope.random_seed.place() {
        Some(_) => Some(envelope.string(envelope.random_seed)?),
        None => None,
    };
    Some(MethodInFrame {
        frame,
        id: envelope.string(envelope.id)?,
        method: envelope.string(envelope.method)?,
        params: read_params(envelope)?
            .map(|place| ParamsInFrame { place, elements: std::mem::take(&mut envelope.elements) }),
        random_seed,
    })
}

/// Returns the place of the parameters, if present; `None` if they are not an array.
#[expect(clippy::option_option, reason = "the outer one is for `?`: malformed; the inner one: absent")]
fn read_params(envelope: &Envelope<'_>) -> Option<Option<Range<usize>>> {
    match envelope.text(envelope.params) {
        Some(params) if !params.starts_with('[') => None,
        _ => Some(envelope.params.place()),
    }
}

impl MethodInFrame<'_> {
    /// Copies the members, except for the parameters, which remain a slice of the frame.
    ///
    /// ```
    /// use bolide_protocol::ClientMessage;
    /// use bolide_protocol::ejson::CustomTypes;
    /// use bolide_protocol::message::ReadMessage;
    ///
    /// let frame = r#"{"msg":"method","id":"1","method":"add","params":[1,2]}"#.into();
    /// let ReadMessage::Method(call) = ClientMessage::read(&frame, &CustomTypes::default())? else { panic!() };
    /// assert_eq!(call.into_call().params.unwrap().get(), "[1,2]");
    /// # Ok::<(), bolide_protocol::message::MalformedMessage>(())
    /// ```
    #[must_use]
    pub fn into_call(self) -> MethodCall {
        MethodCall {
            id: self.id.into_owned(),
            method: self.method.into_owned(),
            params: raw(self.frame, self.params.map(|params| params.place)),
            random_seed: self.random_seed.map(Cow::into_owned),
        }
    }
}

impl ParamsInFrame {
    /// Returns the places of the single parameters in the frame.
    #[must_use]
    pub fn into_elements(self) -> Elements {
        self.elements
    }
}

fn raw(frame: &ByteString, member: Option<Range<usize>>) -> Option<RawJson> {
    member.map(|place| RawJson::part_of(frame, place))
}

fn write_connect(frame: &mut String, request: &ConnectRequest) {
    frame.push_str(r#"{"msg":"connect""#);
    if let Some(session) = &request.session {
        write_string_member(frame, "session", session);
    }
    if let Some(version) = &request.version {
        write_string_member(frame, "version", version);
    }
    frame.push_str(r#","support":["#);
    for (index, version) in request.support.iter().enumerate() {
        if index > 0 {
            frame.push(',');
        }
        write_string(frame, version);
    }
    frame.push(']');
    if let Some(count) = request.received_count {
        // Writing to a string never fails.
        let _written = write!(frame, r#","receivedCount":{count}"#);
    }
}
