//! The hand-made floor: a server that reads and writes frames by itself and knows nothing but the answers that the load
//! generator asks for.
//!
//! It has no WebSocket library and parses no JSON: it finds what it needs at fixed places of the text. All connections share one
//! buffer to read into and one to write from, so an idle connection is a task and a socket. What this server costs is little more
//! than the system calls.

mod answers;
mod frames;

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::Failure;
use answers::{Feed, Numbered, Then, answer};
use frames::{Frame, push_close};

const READ_BUFFER: usize = 64 * 1024;
/// The number of bytes of initial documents that share a write.
const PIECE: usize = 16 * 1024;

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers { read: vec![0; READ_BUFFER], write: vec![] });
}

/// What all connections share.
struct Buffers {
    read: Vec<u8>,
    write: Vec<u8>,
}

/// Serves until the process is ended.
pub(crate) fn serve() -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(accept())
}

async fn accept() -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let feed = Arc::new(Feed::default());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection =
            Connection { stream: Arc::new(stream), incomplete: vec![], upgraded: false, feed: Arc::clone(&feed) };
        tokio::spawn(connection.serve());
    }
}

struct Connection {
    stream: Arc<TcpStream>,
    /// The beginning of a frame whose end has not arrived.
    incomplete: Vec<u8>,
    upgraded: bool,
    feed: Arc<Feed>,
}

/// What follows after what was read has been answered.
enum Next {
    Read,
    /// The socket did not take all of the answer at once.
    Write(Vec<u8>),
    Documents(Numbered),
    Leave,
}

impl Connection {
    /// Clients leave as they like; the load generator notices if they had to.
    async fn serve(mut self) {
        while self.stream.readable().await.is_ok() {
            let served = match BUFFERS.with_borrow_mut(|buffers| self.read_and_answer(buffers)) {
                Ok(Next::Read) => Ok(()),
                Ok(Next::Write(rest)) => self.write_all(&rest).await,
                Ok(Next::Documents(documents)) => self.send(documents).await,
                Ok(Next::Leave) | Err(_) => return,
            };
            if served.is_err() {
                return;
            }
        }
    }

    fn read_and_answer(&mut self, buffers: &mut Buffers) -> io::Result<Next> {
        let length = match self.stream.try_read(&mut buffers.read) {
            Ok(0) => return Ok(Next::Leave),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Next::Read),
            Err(error) => return Err(error),
        };
        buffers.write.clear();
        let mut next = Next::Read;
        if self.incomplete.is_empty() {
            let used = self.answer_all(&mut buffers.read[..length], &mut buffers.write, &mut next)?;
            self.incomplete.extend_from_slice(&buffers.read[used..length]);
        } else {
            let mut all = std::mem::take(&mut self.incomplete);
            all.extend_from_slice(&buffers.read[..length]);
            let used = self.answer_all(&mut all, &mut buffers.write, &mut next)?;
            all.drain(..used);
            self.incomplete = all;
        }
        let written = if buffers.write.is_empty() { 0 } else { try_write(&self.stream, &buffers.write)? };
        match buffers.write.get(written..) {
            None | Some([]) => Ok(next),
            Some(rest) => Ok(Next::Write(rest.to_vec())),
        }
    }

    /// Answers all whole frames, and returns how many bytes those were.
    fn answer_all(&mut self, bytes: &mut [u8], out: &mut Vec<u8>, next: &mut Next) -> io::Result<usize> {
        if !self.upgraded {
            let Some(length) = upgrade(bytes, out)? else {
                return Ok(0);
            };
            self.upgraded = true;
            return Ok(length);
        }
        let mut used = 0;
        let mut deliver = false;
        while let Some((frame, length)) = Frame::unmask(&mut bytes[used..])? {
            used += length;
            match frame {
                Frame::Text(text) => match answer(text, out, &self.feed, &self.stream)? {
                    Then::Nothing => {}
                    Then::Deliver => deliver = true,
                    Then::Send(documents) => *next = Next::Documents(documents),
                },
                Frame::Close(code) => {
                    push_close(out, code);
                    *next = Next::Leave;
                }
                Frame::Other => {}
            }
        }
        if deliver {
            self.feed.deliver();
        }
        Ok(used)
    }

    async fn send(&self, mut documents: Numbered) -> io::Result<()> {
        let mut piece = Vec::with_capacity(PIECE + 1024);
        while documents.push_until(&mut piece, PIECE) {
            self.write_all(&piece).await?;
            piece.clear();
        }
        Ok(())
    }

    async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = try_write(&self.stream, bytes)?;
            bytes = &bytes[written..];
            if !bytes.is_empty() {
                self.stream.writable().await?;
            }
        }
        Ok(())
    }
}

/// Returns how many bytes the socket took.
fn try_write(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match stream.try_write(bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}

/// Answers a request for an upgrade, and returns its length once it is complete.
fn upgrade(bytes: &[u8], out: &mut Vec<u8>) -> io::Result<Option<usize>> {
    const KEY: &str = "Sec-WebSocket-Key: ";
    const END: &str = "\r\n\r\n";
    let head = std::str::from_utf8(bytes).map_err(io::Error::other)?;
    let Some(end) = head.find(END) else {
        return Ok(None);
    };
    let key = head.split_once(KEY).and_then(|(_, rest)| rest.split_once("\r\n"));
    let (key, _) = key.ok_or_else(|| io::Error::other("the upgrade has no key"))?;
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ",
    );
    out.extend_from_slice(derive_accept_key(key.as_bytes()).as_bytes());
    out.extend_from_slice(END.as_bytes());
    Ok(Some(end + END.len()))
}
