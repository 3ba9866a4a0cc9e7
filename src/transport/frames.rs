//! [`Frames`]: reads the frames of a WebSocket client. It keeps only what is incomplete, so an idle connection has no
//! buffer.

use bytes::{Buf as _, Bytes};
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Result};

use crate::outbox::{EIGHT_BYTES, TWO_BYTES};
use crate::session::Received;

/// The parts of the first byte of a header (RFC 6455 § 5.2).
const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;

/// The bit of the second byte that announces a mask.
const MASKED: u8 = 0x80;

/// The maximum length of the payload of a control frame.
const LONGEST_CONTROL: u64 = 125;

/// The maximum number of bytes for which room is made when a header has announced them.
const RESERVED_AT_ONCE: usize = 1 << 20;

/// The frames of a client that have not been read.
pub(super) struct Frames {
    input: Vec<u8>,
    /// The beginning of the next frame in the input.
    next: usize,
    /// The message of which only some fragments have arrived.
    fragments: Option<Box<Fragments>>,
    /// The maximum length of a message.
    limit: usize,
}

/// A message, or a control frame.
pub(super) enum Incoming {
    Message(Received),
    Ping(Bytes),
    Pong,
    Close(Option<CloseFrame>),
}

/// The header of a frame.
struct Header {
    opcode: OpCode,
    is_final: bool,
    has_reserved_bits: bool,
    payload_length: u64,
    mask: Option<[u8; 4]>,
    own_length: usize,
}

struct Fragments {
    kind: Data,
    content: Vec<u8>,
    /// The length of the beginning that was found to be UTF-8.
    valid: usize,
}

impl Frames {
    /// Begins with bytes that were read already.
    pub(super) fn new(read: &[u8], limit: usize) -> Self {
        Self { input: read.to_vec(), next: 0, fragments: None, limit }
    }

    /// Adds bytes that the client has sent.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Returns the next message or control frame, or `None` if more bytes are needed.
    ///
    /// # Errors
    /// Fails if the bytes are not a client's frames, and if a message is too long or not UTF-8. Afterwards, the boundaries
    /// of the frames are unknown.
    pub(super) fn next(&mut self) -> Result<Option<Incoming>> {
        while let Some((header, payload)) = self.next_frame()? {
            let incoming = match header.opcode {
                OpCode::Data(kind) => self.take_data(kind, header.is_final, payload)?,
                OpCode::Control(Control::Ping) => Some(Incoming::Ping(payload)),
                OpCode::Control(Control::Pong) => Some(Incoming::Pong),
                OpCode::Control(Control::Close) => Some(Incoming::Close(to_close_frame(&payload)?)),
                OpCode::Control(Control::Reserved(code)) => return Err(ProtocolError::InvalidOpcode(code).into()),
            };
            if incoming.is_some() {
                return Ok(incoming);
            }
        }
        Ok(None)
    }

    /// Returns the number of bytes in memory.
    pub(super) fn held(&self) -> usize {
        self.input.len() + self.fragments.as_ref().map_or(0, |fragments| fragments.content.len())
    }

    /// Returns the rest of the input after an error, from the beginning of the faulty frame.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        self.fragments = None;
        let mut rest = std::mem::take(&mut self.input);
        rest.drain(..std::mem::take(&mut self.next));
        rest
    }

    fn next_frame(&mut self) -> Result<Option<(Header, Bytes)>> {
        let Some(header) = Header::read(&self.input[self.next..]) else {
            self.make_room(0);
            return Ok(None);
        };
        let start = self.next + header.own_length;
        let end = start.saturating_add(self.check(&header)?);
        if end > self.input.len() {
            self.make_room(end - self.next);
            return Ok(None);
        }
        unmask(&mut self.input[start..end], header.mask.unwrap_or_default());
        Ok(Some((header, self.take_payload(start, end))))
    }

    /// Makes room for a frame that is not complete. Earlier frames are removed from memory.
    fn make_room(&mut self, length: usize) {
        if self.next > 0 {
            self.input = self.input.split_off(self.next);
            self.next = 0;
        }
        let missing = length.saturating_sub(self.input.len());
        self.input.reserve(missing.min(RESERVED_AT_ONCE));
    }

    /// Checks what a header says, and returns the length of the payload.
    fn check(&self, header: &Header) -> Result<usize> {
        let size = usize::try_from(header.payload_length).unwrap_or(usize::MAX);
        let is_control = matches!(header.opcode, OpCode::Control(_));
        match (header.opcode, header.mask) {
            (OpCode::Data(Data::Reserved(code)) | OpCode::Control(Control::Reserved(code)), _) => {
                Err(ProtocolError::InvalidOpcode(code).into())
            }
            _ if size > self.limit => Err(self.too_long(size)),
            _ if header.has_reserved_bits => Err(ProtocolError::NonZeroReservedBits.into()),
            (_, None) => Err(ProtocolError::UnmaskedFrameFromClient.into()),
            _ if is_control && !header.is_final => Err(ProtocolError::FragmentedControlFrame.into()),
            _ if is_control && header.payload_length > LONGEST_CONTROL => Err(ProtocolError::ControlFrameTooBig.into()),
            _ => Ok(size),
        }
    }

    /// Takes the payload of the next frame: the input itself, or a copy that does not keep other frames in memory.
    fn take_payload(&mut self, start: usize, end: usize) -> Bytes {
        if self.next == 0 && end == self.input.len() {
            let mut frame = Bytes::from(std::mem::take(&mut self.input));
            frame.advance(start);
            return frame;
        }
        self.next = end;
        Bytes::copy_from_slice(&self.input[start..end])
    }

    /// Returns the message that ends with a frame.
    fn take_data(&mut self, kind: Data, is_final: bool, payload: Bytes) -> Result<Option<Incoming>> {
        match (kind, self.fragments.take()) {
            (Data::Continue, None) => Err(ProtocolError::UnexpectedContinueFrame.into()),
            (Data::Continue, Some(fragments)) => self.add_fragment(fragments, is_final, &payload),
            (_, Some(_)) => Err(ProtocolError::ExpectedFragment(kind).into()),
            (_, None) if is_final => to_message(kind, payload).map(Some),
            (_, None) => {
                let first = Box::new(Fragments { kind, content: Vec::new(), valid: 0 });
                self.add_fragment(first, false, &payload)
            }
        }
    }

    fn add_fragment(
        &mut self,
        mut fragments: Box<Fragments>,
        is_final: bool,
        payload: &[u8],
    ) -> Result<Option<Incoming>> {
        let size = fragments.content.len().saturating_add(payload.len());
        if size > self.limit {
            return Err(self.too_long(size));
        }
        fragments.add(payload)?;
        if is_final {
            return to_message(fragments.kind, fragments.content.into()).map(Some);
        }
        self.fragments = Some(fragments);
        Ok(None)
    }

    fn too_long(&self, size: usize) -> Error {
        CapacityError::MessageTooLong { size, max_size: self.limit }.into()
    }
}

impl Header {
    /// Reads the header at the beginning of the input. Returns `None` if it is not complete.
    fn read(input: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = input else { return None };
        let (length, rest) = match second & !MASKED {
            TWO_BYTES => rest.split_first_chunk().map(|(length, rest)| (u16::from_be_bytes(*length).into(), rest))?,
            EIGHT_BYTES => rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length), rest))?,
            short => (short.into(), rest),
        };
        let (mask, rest) = match second & MASKED {
            0 => (None, rest),
            _ => rest.split_first_chunk().map(|(mask, rest)| (Some(*mask), rest))?,
        };
        Some(Self {
            opcode: (first & OPCODE).into(),
            is_final: first & FINAL != 0,
            has_reserved_bits: first & RESERVED != 0,
            payload_length: length,
            mask,
            own_length: input.len() - rest.len(),
        })
    }
}

impl Fragments {
    /// Adds a fragment. A text that cannot become UTF-8 fails now, before the client sends the rest.
    fn add(&mut self, payload: &[u8]) -> Result<()> {
        self.content.extend_from_slice(payload);
        if self.kind != Data::Text {
            return Ok(());
        }
        match std::str::from_utf8(&self.content[self.valid..]) {
            Ok(_) => self.valid = self.content.len(),
            Err(error) if error.error_len().is_some() => return Err(no_utf8()),
            Err(error) => self.valid += error.valid_up_to(),
        }
        Ok(())
    }
}

fn to_message(kind: Data, content: Bytes) -> Result<Incoming> {
    match Received::from_bytes(content) {
        Received::Garbage if kind == Data::Text => Err(no_utf8()),
        received => Ok(Incoming::Message(received)),
    }
}

fn to_close_frame(payload: &[u8]) -> Result<Option<CloseFrame>> {
    match payload {
        [] => Ok(None),
        [_] => Err(ProtocolError::InvalidCloseSequence.into()),
        [high, low, reason @ ..] => {
            let reason = std::str::from_utf8(reason).map_err(|_| no_utf8())?;
            Ok(Some(CloseFrame { code: u16::from_be_bytes([*high, *low]).into(), reason: Utf8Bytes::from(reason) }))
        }
    }
}

fn no_utf8() -> Error {
    Error::Utf8("from a client".to_owned())
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let half = u64::from(u32::from_ne_bytes(mask));
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ (half << 32 | half)).to_ne_bytes();
    }
    rest.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor};

    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

    use super::*;

    const LIMIT: usize = 70_000;

    const FIRST_TEXT: u8 = 0x01;
    const FIRST_BINARY: u8 = 0x02;
    const FURTHER: u8 = 0x00;
    const LAST: u8 = 0x80;
    const TEXT: u8 = 0x81;
    const BINARY: u8 = 0x82;
    const CLOSE: u8 = 0x88;
    const PING: u8 = 0x89;
    const PONG: u8 = 0x8A;

    /// Returns a masked frame.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x11, 0xA2, 0x33, 0xC4];
        let masked = payload.iter().zip(mask.into_iter().cycle()).map(|(byte, mask)| byte ^ mask);
        header(first, 0x80, payload.len()).into_iter().chain(mask).chain(masked).collect()
    }

    fn header(first: u8, masked: u8, length: usize) -> Vec<u8> {
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..=125), _) => vec![first, masked | short],
            (_, Ok(length)) => [&[first, masked | 0x7E], length.to_be_bytes().as_slice()].concat(),
            _ => [&[first, masked | 0x7F], (length as u64).to_be_bytes().as_slice()].concat(),
        }
    }

    /// Inputs of one or several frames, some of them faulty.
    fn inputs() -> Vec<Vec<u8>> {
        let long = "ü".repeat(100);
        let very_long = "x".repeat(LIMIT);
        vec![
            frame(TEXT, b"hello"),
            [frame(TEXT, b""), frame(BINARY, b"{}"), frame(PING, b"now"), frame(PONG, b"")].concat(),
            [frame(TEXT, long.as_bytes()), frame(PING, &[b'x'; 125]), frame(TEXT, b"next")].concat(),
            [frame(TEXT, very_long.as_bytes()), frame(TEXT, b"next")].concat(),
            [frame(FIRST_TEXT, b"a\xC3"), frame(PING, b""), frame(FURTHER, b"\xBC"), frame(LAST, b"b")].concat(),
            [frame(FIRST_BINARY, b"\xFF"), frame(LAST, b"\xFE"), frame(BINARY, b"\xFF")].concat(),
            [frame(FIRST_TEXT, very_long.as_bytes()), frame(LAST, b"y")].concat(),
            [frame(FIRST_TEXT, b"a\xFF"), frame(LAST, b"b")].concat(),
            [frame(FIRST_TEXT, b"a\xC3"), frame(LAST, b"")].concat(),
            frame(TEXT, b"\xFF"),
            frame(CLOSE, b""),
            frame(CLOSE, &[3, 0xE9, b'o', b'k']),
            frame(CLOSE, &[3]),
            frame(CLOSE, &[3, 0xE9, 0xFF]),
            [frame(TEXT, b"last"), frame(LAST, b"further without first")].concat(),
            [frame(FIRST_TEXT, b""), frame(TEXT, b"another")].concat(),
            [header(TEXT, 0, 5), b"hello".to_vec()].concat(),
            [header(TEXT, 0x80, LIMIT + 1), vec![0; 4]].concat(),
            frame(PING, &[b'x'; 126]),
            frame(PING & 0x7F, b"fragment"),
            frame(TEXT | 0x40, b"compressed"),
            frame(0x83, b"unknown data"),
            frame(0x8B, b"unknown control"),
            [header(0x83, 0x80, LIMIT + 1), vec![0; 4]].concat(),
        ]
    }

    /// Describes what comes of input that arrives in parts.
    fn read(parts: &[&[u8]]) -> Vec<String> {
        let mut frames = Frames::new(&[], LIMIT);
        let mut read = Vec::new();
        for part in parts {
            frames.push(part);
            loop {
                match frames.next() {
                    Ok(Some(incoming)) => read.push(describe(incoming)),
                    Ok(None) => break,
                    Err(error) => {
                        read.push(kind_of(&error));
                        return read;
                    }
                }
            }
        }
        assert!(
            frames.fragments.is_some() || frames.input.capacity() == 0,
            "complete messages leave nothing in memory"
        );
        read
    }

    fn describe(incoming: Incoming) -> String {
        match incoming {
            Incoming::Message(Received::Frame(text)) => format!("message {text}"),
            Incoming::Message(_) => "message that is not text".to_owned(),
            Incoming::Ping(payload) => format!("ping {payload:?}"),
            Incoming::Pong => "pong".to_owned(),
            Incoming::Close(frame) => format!("close {frame:?}"),
        }
    }

    fn kind_of(error: &Error) -> String {
        match error {
            Error::Capacity(_) => "too long".to_owned(),
            Error::Utf8(_) => "not UTF-8".to_owned(),
            Error::Protocol(_) => "not a client's frames".to_owned(),
            other => other.to_string(),
        }
    }

    /// Describes what tungstenite makes of the input.
    fn read_by_tungstenite(input: &[u8]) -> Vec<String> {
        struct Stream<'input>(Cursor<&'input [u8]>);
        impl io::Read for Stream<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                match self.0.read(buffer)? {
                    0 => Err(io::ErrorKind::WouldBlock.into()),
                    count => Ok(count),
                }
            }
        }
        impl io::Write for Stream<'_> {
            fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
                Ok(buffer.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let config = WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
        let mut websocket = WebSocketContext::new(Role::Server, Some(config));
        let mut stream = Stream(Cursor::new(input));
        let mut read = Vec::new();
        loop {
            let incoming = match websocket.read(&mut stream) {
                Ok(Message::Text(text)) => Incoming::Message(Received::from_bytes(text.into())),
                Ok(Message::Binary(bytes)) => Incoming::Message(Received::from_bytes(bytes)),
                Ok(Message::Ping(payload)) => Incoming::Ping(payload),
                Ok(Message::Pong(_)) => Incoming::Pong,
                Ok(Message::Close(frame)) => Incoming::Close(frame),
                Ok(Message::Frame(_)) => continue,
                Err(Error::Io(_) | Error::ConnectionClosed) => return read,
                Err(error) => {
                    read.push(kind_of(&error));
                    return read;
                }
            };
            read.push(describe(incoming));
        }
    }

    #[test]
    fn frames_are_read_as_tungstenite_reads_them() {
        for input in inputs() {
            assert_eq!(read(&[&input]), read_by_tungstenite(&input), "{:?}", &input[..input.len().min(20)]);
        }
    }

    #[test]
    fn payloads_of_each_length_are_unmasked() {
        for length in 0..=70 {
            let text: String = ('0'..='z').cycle().take(length).collect();
            assert_eq!(read(&[&frame(TEXT, text.as_bytes())]), [format!("message {text}")]);
        }
    }

    #[test]
    fn it_does_not_matter_in_which_parts_frames_arrive() {
        for input in inputs() {
            let whole = read(&[&input]);
            let splits = (0..=input.len()).filter(|split| *split < 300 || input.len() - split < 30);
            for split in splits {
                let (first, rest) = input.split_at(split);
                assert_eq!(read(&[first, rest]), whole, "split at {split}");
            }
        }
    }

    #[test]
    fn an_incomplete_frame_does_not_keep_earlier_ones_in_memory() {
        let mut frames = Frames::new(&[], LIMIT);
        let rest = frame(TEXT, b"rest");
        frames.push(&[frame(TEXT, &[b'x'; 10_000]), rest[..3].to_vec()].concat());
        assert!(matches!(frames.next(), Ok(Some(Incoming::Message(_)))));
        assert!(matches!(frames.next(), Ok(None)));
        assert_eq!((frames.held(), frames.input.capacity()), (3, 3));
    }

    #[test]
    fn a_message_does_not_keep_others_in_memory() {
        let mut frames = Frames::new(&[], LIMIT);
        frames.push(&[frame(TEXT, b"short"), frame(TEXT, &[b'x'; 10_000])].concat());
        let Ok(Some(Incoming::Message(Received::Frame(short)))) = frames.next() else { panic!("a message") };
        let bytes = short.into_bytes();
        assert!(!frames.input.as_ptr_range().contains(&bytes.as_ptr()), "it is a copy");
        assert_eq!(bytes, "short");
    }

    #[test]
    fn an_announced_length_reserves_little() {
        let mut frames = Frames::new(&[], usize::MAX);
        frames.push(&[header(TEXT, 0x80, usize::MAX / 4), vec![0; 4]].concat());
        assert!(matches!(frames.next(), Ok(None)));
        assert!(frames.input.capacity() <= 2 * RESERVED_AT_ONCE);
    }
}
