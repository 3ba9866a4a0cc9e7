//! Raw bytes on a socket, for frames that client libraries cannot send.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::waiting::soon;

/// The first byte of a frame: complete, or the first of several fragments.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const FIRST_TEXT: u8 = 0x01;
pub(crate) const FURTHER: u8 = 0x00;
pub(crate) const LAST: u8 = 0x80;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;

/// Returns a request for a WebSocket with additional header lines.
pub(crate) fn upgrade_request(path: &str, more_headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n{more_headers}\r\n"
    )
}

/// A socket to a server, byte by byte.
pub(crate) struct Raw {
    socket: TcpStream,
}

impl Raw {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.expect("a listening server");
        socket.set_nodelay(true).expect("a socket");
        Self { socket }
    }

    /// Opens a WebSocket without sending messages.
    pub(crate) async fn upgraded(address: SocketAddr) -> Self {
        Self::upgraded_at(address, "/websocket").await
    }

    /// Opens a WebSocket at a path, such as one of SockJS.
    pub(crate) async fn upgraded_at(address: SocketAddr, path: &str) -> Self {
        let mut raw = Self::open(address).await;
        raw.send(upgrade_request(path, "").as_bytes()).await;
        let head = raw.read_head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        raw
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.expect("an open socket");
    }

    /// Reads a response up to the empty line.
    pub(crate) async fn read_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(self.socket.read_u8()).await.expect("a response"));
        }
        String::from_utf8(head).expect("text")
    }

    /// Reads this number of bytes as text.
    pub(crate) async fn read_exactly(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        soon(self.socket.read_exact(&mut bytes)).await.expect("an answer");
        String::from_utf8(bytes).expect("text")
    }

    /// Reads until the server closes the socket.
    pub(crate) async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        // A reset counts as the end, too.
        let _reset = soon(self.socket.read_to_end(&mut bytes)).await;
        String::from_utf8(bytes).expect("text")
    }

    /// Reads the next frame. Returns its first byte and its payload.
    pub(crate) async fn read_frame(&mut self) -> (u8, Vec<u8>) {
        soon(self.read_short_frame()).await.expect("a frame")
    }

    async fn read_short_frame(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let first = self.socket.read_u8().await?;
        let length = match self.socket.read_u8().await? {
            126 => usize::from(self.socket.read_u16().await?),
            length @ 0..126 => usize::from(length),
            length => panic!("a frame that is masked or too long for these tests: {length}"),
        };
        let mut payload = vec![0; length];
        self.socket.read_exact(&mut payload).await?;
        Ok((first, payload))
    }

    /// Reads the next frame, which must be text.
    pub(crate) async fn read_text(&mut self) -> String {
        let (first, payload) = self.read_frame().await;
        assert_eq!(first, TEXT, "{payload:?}");
        String::from_utf8(payload).expect("text")
    }

    /// Answers a close with its code, and expects the end of the socket.
    pub(crate) async fn answers_and_ends(&mut self, code: u16) {
        self.send(&frame(CLOSE, &code.to_be_bytes())).await;
        self.ends().await;
    }

    /// Expects the end of the socket long before the server's timeout of 5 s.
    pub(crate) async fn ends(&mut self) {
        let end =
            timeout(Duration::from_secs(2), self.socket.read_u8()).await.expect("the server ends the socket at once");
        assert_eq!(end.expect_err("no further bytes").kind(), ErrorKind::UnexpectedEof);
    }

    /// Reads the next frame, which must be a close, and returns its code.
    pub(crate) async fn read_close_code(&mut self) -> u16 {
        match self.read_frame().await {
            (CLOSE, payload) => u16::from_be_bytes([payload[0], payload[1]]),
            other => panic!("a close was expected, not {other:?}"),
        }
    }
}

/// Returns a short client frame. The mask is zero, which leaves the payload unchanged.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = unmasked_frame(first, payload);
    frame[1] |= 0x80;
    frame.splice(2..2, [0; 4]);
    frame
}

/// Returns a short unmasked frame, which only servers may send.
pub(crate) fn unmasked_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126);
    let mut frame = vec![first, length.expect("a short frame")];
    frame.extend_from_slice(payload);
    frame
}
