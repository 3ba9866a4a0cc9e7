//! A WebSocket client that the caller polls: as fast as it can on a non-blocking socket, or waiting on one with a read
//! timeout.
//!
//! It speaks just what a load generator needs: the upgrade, masked text frames out, whole text
//! frames in, pings answered, and the closing handshake. Reading goes through one [`ReadBuffer`]
//! that all sockets of a process share, so that a thousand of them stay in the processor's cache.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::Failure;

/// The example of RFC 6455 §1.3: with a fixed key the right answer is a constant.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Masks hinder web pages from fooling proxies. There is neither here, so a constant one will do.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const FINAL_FRAGMENT: u8 = 0x80;
const MASKED: u8 = 0x80;
/// What stands in the place of a length that needs two or eight bytes of its own.
const TWO_BYTES: u8 = 126;
const EIGHT_BYTES: u8 = 127;

const OPCODE_TEXT: u8 = 0x1;
const OPCODE_CLOSE: u8 = 0x8;
const OPCODE_PING: u8 = 0x9;
const OPCODE_PONG: u8 = 0xa;
const NORMAL_CLOSURE: [u8; 2] = 1000_u16.to_be_bytes();

/// What one `read` fills. One serves all sockets of a process.
pub(crate) struct ReadBuffer(Box<[u8]>);

impl ReadBuffer {
    pub(crate) fn new() -> Self {
        Self(vec![0; 256 * 1024].into_boxed_slice())
    }
}

pub(crate) struct WebSocket {
    stream: TcpStream,
    /// The beginning of an answer whose end has not come yet; empty most of the time.
    incomplete: Vec<u8>,
    /// What is to be written at the next [`WebSocket::flush`], or did not fit into the socket.
    unsent: Vec<u8>,
    upgraded: bool,
    closed: bool,
}

impl WebSocket {
    /// Asks for the upgrade of a connection. The answer is found by polling.
    pub(crate) fn start(stream: TcpStream, address: SocketAddr) -> Result<Self, Failure> {
        let mut socket = Self { stream, incomplete: vec![], unsent: vec![], upgraded: false, closed: false };
        write!(
            socket.unsent,
            "GET /websocket HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        )?;
        socket.flush()?;
        Ok(socket)
    }

    pub(crate) fn is_upgraded(&self) -> bool {
        self.upgraded
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Puts a message behind those that wait. [`WebSocket::flush`] sends them all in one write.
    pub(crate) fn queue_text(&mut self, text: &str) {
        self.queue_frame(OPCODE_TEXT, text.as_bytes());
    }

    pub(crate) fn queue_close(&mut self) {
        self.queue_frame(OPCODE_CLOSE, &NORMAL_CLOSURE);
    }

    fn queue_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.unsent.push(FINAL_FRAGMENT | opcode);
        match payload.len() {
            length @ 0..=125 => self.unsent.push(MASKED | length as u8),
            length @ 126..=0xffff => {
                self.unsent.push(MASKED | TWO_BYTES);
                self.unsent.extend((length as u16).to_be_bytes());
            }
            length => {
                self.unsent.push(MASKED | EIGHT_BYTES);
                self.unsent.extend((length as u64).to_be_bytes());
            }
        }
        self.unsent.extend(MASK);
        self.unsent.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }

    /// Writes what waits, as far as the socket takes it.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(written) if written == self.unsent.len() => self.unsent.clear(),
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads once, waiting as long as the socket does, and hands over every whole message. Gives the number of bytes
    /// read.
    pub(crate) fn poll(
        &mut self,
        buffer: &mut ReadBuffer,
        on_text: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        self.flush()?;
        if self.closed {
            return Ok(0);
        }
        let length = match self.stream.read(&mut buffer.0) {
            Ok(0) => return self.on_end(),
            Ok(length) => length,
            Err(error) if would_try_again(&error) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        self.take_in(&buffer.0[..length], on_text)?;
        self.flush()?;
        Ok(length)
    }

    fn on_end(&mut self) -> Result<usize, Failure> {
        if !self.upgraded || !self.incomplete.is_empty() {
            return Err("the server closed the socket in the middle of an answer".into());
        }
        self.closed = true;
        Ok(0)
    }

    fn take_in(&mut self, bytes: &[u8], on_text: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        if self.incomplete.is_empty() {
            let used = self.take_answers(bytes, on_text)?;
            self.incomplete.extend_from_slice(&bytes[used..]);
        } else {
            let mut all = std::mem::take(&mut self.incomplete);
            all.extend_from_slice(bytes);
            let used = self.take_answers(&all, on_text)?;
            all.drain(..used);
            self.incomplete = all;
        }
        Ok(())
    }

    /// Takes every whole answer from the beginning of `bytes` and says how many bytes those were.
    fn take_answers(
        &mut self,
        bytes: &[u8],
        mut on_text: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        let mut used = 0;
        if !self.upgraded {
            let Some(length) = upgrade_answer_length(bytes)? else {
                return Ok(0);
            };
            self.upgraded = true;
            used = length;
        }
        while let Some((frame, length)) = Frame::parse(&bytes[used..])? {
            used += length;
            match frame.opcode {
                OPCODE_TEXT => on_text(frame.payload)?,
                OPCODE_PING => self.queue_frame(OPCODE_PONG, frame.payload),
                OPCODE_PONG => {}
                OPCODE_CLOSE => self.closed = true,
                other => return Err(format!("unexpected frame with opcode {other}").into()),
            }
        }
        Ok(used)
    }
}

fn would_try_again(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// The length of the answer to the upgrade once it is complete, an error if it is anything but
/// agreement.
fn upgrade_answer_length(bytes: &[u8]) -> Result<Option<usize>, Failure> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(length) = bytes.windows(END.len()).position(|window| window == END) else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..length])?;
    if !head.starts_with("HTTP/1.1 101") || !head.contains(ACCEPT) {
        return Err(format!("the upgrade was answered with: {head}").into());
    }
    Ok(Some(length + END.len()))
}

struct Frame<'bytes> {
    opcode: u8,
    payload: &'bytes [u8],
}

impl<'bytes> Frame<'bytes> {
    /// The first frame of `bytes` and its length, or nothing if its end has not come yet.
    fn parse(bytes: &'bytes [u8]) -> Result<Option<(Self, usize)>, Failure> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & FINAL_FRAGMENT == 0 || second & MASKED != 0 || first & 0x70 != 0 {
            return Err("a frame from the server is fragmented, masked or compressed".into());
        }
        let (length, start) = match second {
            &TWO_BYTES => match rest.first_chunk() {
                Some(length) => (usize::from(u16::from_be_bytes(*length)), 4),
                None => return Ok(None),
            },
            &EIGHT_BYTES => match rest.first_chunk() {
                Some(length) => (usize::try_from(u64::from_be_bytes(*length))?, 10),
                None => return Ok(None),
            },
            short => (usize::from(*short), 2),
        };
        let Some(payload) = bytes.get(start..start + length) else {
            return Ok(None);
        };
        Ok(Some((Self { opcode: first & 0x0f, payload }, start + length)))
    }
}
