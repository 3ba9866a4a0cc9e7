//! SockJS frames: the form in which `sockjs-client`, the transport of Meteor's browser client, carries DDP messages.
//!
//! A server sends [`Frame`]s: first `o`, then `a["…"]` with messages and `h` as a heartbeat, and last
//! `c[code,"reason"]`. A client sends a [`Payload`]: a JSON array of strings, or a single string over WebSocket.

use bytestring::ByteString;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::ejson::surrogate::mend_lone_surrogates;

/// The error for text that is not a SockJS frame or payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Broken framing.")]
pub struct BrokenFraming;

/// A frame from a server.
///
/// ```
/// use bolide_protocol::sockjs::Frame;
///
/// let frame = Frame::Messages(vec![r#"{"msg":"ping"}"#.to_owned()]);
/// assert_eq!(frame.to_text(), r#"a["{\"msg\":\"ping\"}"]"#);
/// assert_eq!(Frame::parse(&frame.to_text()), Ok(frame));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `o`: the session is open.
    Open,
    /// `h`: a heartbeat, which keeps proxies from closing an idle connection.
    Heartbeat,
    /// `a["…"]`: messages, in order.
    Messages(Vec<String>),
    /// `c[code,"reason"]`: the session is closed.
    Close {
        /// A WebSocket close code, or one of SockJS's own codes from 2000 up.
        code: u16,
        /// The reason, for people.
        reason: String,
    },
}

impl Frame {
    /// Returns the frame as it is sent. Over HTTP it is followed by a newline.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Open => OPEN.to_owned(),
            Self::Heartbeat => HEARTBEAT.to_owned(),
            Self::Messages(messages) => {
                let mut frame = MessagesFrame::new();
                for message in messages {
                    frame.push(message);
                }
                frame.finish()
            }
            Self::Close { code, reason } => close(*code, reason),
        }
    }

    /// Parses a frame, as a client does.
    ///
    /// # Errors
    /// Returns [`BrokenFraming`] if the text is not one of the four kinds of frame.
    pub fn parse(text: &str) -> Result<Self, BrokenFraming> {
        match text {
            OPEN => return Ok(Self::Open),
            HEARTBEAT => return Ok(Self::Heartbeat),
            _ => {}
        }
        if let Some(messages) = text.strip_prefix('a') {
            return read(messages).map(Self::Messages);
        }
        let (code, reason) = read(text.strip_prefix('c').ok_or(BrokenFraming)?)?;
        Ok(Self::Close { code, reason })
    }
}

fn read<'text, T: Deserialize<'text>>(json: &'text str) -> Result<T, BrokenFraming> {
    serde_json::from_str(json).map_err(|_| BrokenFraming)
}

/// The frame that opens a session.
pub const OPEN: &str = "o";

/// The heartbeat frame.
pub const HEARTBEAT: &str = "h";

/// Returns the frame that closes a session.
///
/// ```
/// let frame = bolide_protocol::sockjs::close(2010, "Another connection still open");
/// assert_eq!(frame, r#"c[2010,"Another connection still open"]"#);
/// ```
#[must_use]
pub fn close(code: u16, reason: &str) -> String {
    let mut frame = format!("c[{code},");
    push_quoted(&mut frame, reason);
    frame.push(']');
    frame
}

/// Builds a frame of messages.
///
/// ```
/// use bolide_protocol::sockjs::MessagesFrame;
///
/// let mut frame = MessagesFrame::new();
/// frame.push("one");
/// frame.push("two");
/// assert_eq!(frame.finish(), r#"a["one","two"]"#);
/// ```
#[derive(Clone, Debug)]
pub struct MessagesFrame {
    text: String,
}

impl MessagesFrame {
    /// Creates a frame without messages.
    #[must_use]
    pub fn new() -> Self {
        Self { text: "a[".to_owned() }
    }

    /// Appends a message.
    pub fn push(&mut self, message: &str) {
        if !self.is_empty() {
            self.text.push(',');
        }
        push_quoted(&mut self.text, message);
    }

    /// Returns whether the frame contains no messages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.ends_with('[')
    }

    /// Returns the current length of the frame in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.text.len()
    }

    /// Returns the frame as it is sent.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.text.push(']');
        self.text
    }
}

impl Default for MessagesFrame {
    fn default() -> Self {
        Self::new()
    }
}

/// Data from a client: the text of a WebSocket frame, or the body of an `xhr_send`. It is validated as a whole and then
/// read message by message, so that many small messages do not need more memory than the payload.
///
/// ```
/// use bolide_protocol::sockjs::{Payload, Sent};
///
/// let payload = Payload::parse(&r#"["{\"msg\":\"ping\"}"]"#.into())?;
/// let sent: Vec<Sent> = payload.collect();
/// assert_eq!(sent, [Sent::Text(r#"{"msg":"ping"}"#.into())]);
/// # Ok::<(), bolide_protocol::sockjs::BrokenFraming>(())
/// ```
#[derive(Clone, Debug)]
pub struct Payload {
    /// The part that has not been read yet.
    rest: ByteString,
    is_list: bool,
}

/// One element of a [`Payload`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A message.
    Text(ByteString),
    /// A JSON value that is not a string, and therefore not a message.
    NoText,
}

impl Payload {
    /// Validates a payload.
    ///
    /// # Errors
    /// Returns [`BrokenFraming`] if the text is not JSON.
    pub fn parse(text: &ByteString) -> Result<Self, BrokenFraming> {
        let _checked: IgnoredAny = read(text)?;
        let elements = text.trim_start_matches(WHITESPACE).strip_prefix('[');
        Ok(Self { rest: text.slice_ref(elements.unwrap_or(text)), is_list: elements.is_some() })
    }

    /// Returns the payload that a client sends: a list of messages.
    ///
    /// ```
    /// use bolide_protocol::sockjs::Payload;
    ///
    /// assert_eq!(Payload::write(["a", "b"]), r#"["a","b"]"#);
    /// ```
    pub fn write<'message>(messages: impl IntoIterator<Item = &'message str>) -> String {
        let mut frame = MessagesFrame { text: "[".to_owned() };
        for message in messages {
            frame.push(message);
        }
        frame.finish()
    }

    /// Returns the number of bytes that have not been read yet.
    #[must_use]
    pub fn remaining_bytes(&self) -> usize {
        self.rest.len()
    }

    /// Returns whether the payload is an array. The body of an `xhr_send` must be one.
    #[must_use]
    pub const fn is_list(&self) -> bool {
        self.is_list
    }
}

impl Iterator for Payload {
    type Item = Sent;

    fn next(&mut self) -> Option<Sent> {
        let rest = self.rest.trim_start_matches(WHITESPACE);
        let rest = rest.strip_prefix(',').unwrap_or(rest);
        let mut elements = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        // At the end of the list, `]` is not an element.
        let element = elements.next()?.ok()?;
        let sent = Sent::read(element.get());
        self.rest = self.rest.slice_ref(&rest[elements.byte_offset()..]);
        Some(sent)
    }
}

impl Sent {
    fn read(json: &str) -> Self {
        if !json.starts_with('"') {
            return Self::NoText;
        }
        let text: Result<String, BrokenFraming> = read(json).or_else(|_| read(&mend_lone_surrogates(json)));
        text.map_or(Self::NoText, |text| Self::Text(text.into()))
    }
}

/// The whitespace of JSON.
const WHITESPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Appends a quoted string as `sockjs-node` does: characters that browsers corrupt are escaped.
fn push_quoted(json: &mut String, text: &str) {
    json.push('"');
    let mut copied = 0;
    for (index, character) in text.char_indices() {
        if !needs_escape(character) {
            continue;
        }
        json.push_str(&text[copied..index]);
        push_escaped(json, character);
        copied = index + character.len_utf8();
    }
    json.push_str(&text[copied..]);
    json.push('"');
}

const fn needs_escape(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '"'
            | '\\'
            | '\u{200c}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff0}'..='\u{10ffff}'
    )
}

fn push_escaped(json: &mut String, character: char) {
    let short = match character {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\u{8}' => "\\b",
        '\u{c}' => "\\f",
        _ => return push_code_units(json, character),
    };
    json.push_str(short);
}

fn push_code_units(json: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        json.push_str("\\u");
        for shift in [12, 8, 4, 0] {
            let digit = u32::from((*unit >> shift) & 0xf);
            json.extend(char::from_digit(digit, 16));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(payload: &str) -> Vec<Sent> {
        Payload::parse(&payload.into()).unwrap().collect()
    }

    fn text(text: &str) -> Sent {
        Sent::Text(text.into())
    }

    #[test]
    fn frames_are_written_as_sockjs_node_writes_them() {
        assert_eq!(Frame::Open.to_text(), "o");
        assert_eq!(Frame::Heartbeat.to_text(), "h");
        assert_eq!(Frame::Messages(vec![]).to_text(), "a[]");
        let reason = "Go \"away\"!".to_owned();
        let close = Frame::Close { code: 3000, reason };
        assert_eq!(close.to_text(), r#"c[3000,"Go \"away\"!"]"#);
    }

    #[test]
    fn characters_that_browsers_corrupt_are_escaped() {
        let cases = [
            ("\"\\/", r#"a["\"\\/"]"#),
            ("\u{8}\t\n\u{c}\r\0\u{1f}\u{7f}", "a[\"\\b\\t\\n\\f\\r\\u0000\\u001f\u{7f}\"]"),
            ("ü\u{200b}\u{200c}\u{2028}\u{202f}", "a[\"ü\u{200b}\\u200c\\u2028\\u202f\"]"),
            ("\u{2060}\u{206f}\u{2070}", "a[\"\\u2060\\u206f\u{2070}\"]"),
            ("\u{ffef}\u{fff0}\u{ffff}", "a[\"\u{ffef}\\ufff0\\uffff\"]"),
            ("😀\u{10ffff}", r#"a["\ud83d\ude00\udbff\udfff"]"#),
        ];
        for (message, frame) in cases {
            assert_eq!(Frame::Messages(vec![message.to_owned()]).to_text(), frame);
        }
    }

    #[test]
    fn clients_reject_text_that_is_not_one_of_the_four_frames() {
        for text in ["", "x", "a", "a{}", "a[1]", "c", "c[]", "c[\"1\",\"\"]", "o ", "h\n"] {
            assert_eq!(Frame::parse(text), Err(BrokenFraming), "{text}");
        }
        let frame = Frame::parse(r#"a[ "a" , "\u0062" ]"#);
        assert_eq!(frame, Ok(Frame::Messages(vec!["a".to_owned(), "b".to_owned()])));
    }

    #[test]
    fn a_payload_is_a_list_or_a_single_string() {
        assert_eq!(sent(r#"["a","b"]"#), [text("a"), text("b")]);
        assert_eq!(sent(" [ \"a\" ,\n\t\"\" ]\r"), [text("a"), text("")]);
        assert_eq!(sent(r#" "a" "#), [text("a")]);
        assert_eq!(sent("[]"), []);
        assert!(!Payload::parse(&r#""[]""#.into()).unwrap().is_list());
    }

    #[test]
    fn values_that_are_not_strings_are_not_messages() {
        let payload = r#"[1,true,null,-1.5e3,{"a":["]"]},["b","c"],"d"]"#;
        let mut expected = vec![Sent::NoText; 6];
        expected.push(text("d"));
        assert_eq!(sent(payload), expected);
        assert_eq!(sent(r#"{"msg":"ping"}"#), [Sent::NoText]);
    }

    #[test]
    fn invalid_json_is_broken_framing() {
        for payload in ["", " ", "[", "[\"a", "[\"a\",]", "[,]", "[\"a\"]]", "{", "a", "\"\n\""] {
            assert_eq!(Payload::parse(&payload.into()).err(), Some(BrokenFraming), "{payload}");
        }
    }

    #[test]
    fn unpaired_surrogates_are_replaced() {
        assert_eq!(sent(r#"["\ud83d","\ud83d\ude00"]"#), [text("\u{fffd}"), text("😀")]);
    }

    #[test]
    fn deeply_nested_payloads_are_accepted() {
        let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(sent(&deep), [Sent::NoText]);
    }
}
