//! A small HTTP client that reads an answer as it arrives. Everything that it waits for has a short timeout.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::waiting::soon;

/// An answer whose head has arrived. Dropping it closes the connection, even if the body is incomplete.
pub(crate) struct Answer {
    /// The status line and the header lines, names in lower case.
    head: Vec<String>,
    socket: BufReader<TcpStream>,
    /// The number of bytes missing from a body of known length.
    missing: usize,
}

/// Sends a request. `headers` are complete lines.
pub(crate) async fn request(address: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let mut socket = TcpStream::connect(address).await.expect("a listening server");
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    let length = body.len();
    let request = format!("{head}content-length: {length}\r\n\r\n{body}");
    socket.write_all(request.as_bytes()).await.expect("an open socket");
    let mut answer = Answer { head: Vec::new(), socket: BufReader::new(socket), missing: 0 };
    answer.read_head().await;
    answer
}

impl Answer {
    async fn read_head(&mut self) {
        loop {
            let line = self.read_line().await;
            if line.is_empty() {
                break;
            }
            self.head.push(line);
        }
        self.missing = self.header("content-length").map_or(0, |length| length.parse().expect("a number"));
    }

    async fn read_line(&mut self) -> String {
        let mut line = String::new();
        soon(self.socket.read_line(&mut line)).await.expect("a line");
        line.trim_end().to_owned()
    }

    pub(crate) fn status(&self) -> u16 {
        self.head[0].split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head[1..].iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Returns the next part of the body as the server sent it, or `None` at its end.
    pub(crate) async fn next_part(&mut self) -> Option<String> {
        let length = if self.header("transfer-encoding") == Some("chunked") {
            usize::from_str_radix(&self.read_line().await, 16).expect("the length of a chunk")
        } else {
            std::mem::take(&mut self.missing)
        };
        if length == 0 {
            return None;
        }
        let mut part = vec![0; length];
        soon(self.socket.read_exact(&mut part)).await.expect("a part of the body");
        if self.header("transfer-encoding").is_some() {
            self.read_line().await;
        }
        Some(String::from_utf8(part).expect("text"))
    }

    /// Returns the rest of the body.
    pub(crate) async fn body(mut self) -> String {
        let mut body = String::new();
        while let Some(part) = self.next_part().await {
            body.push_str(&part);
        }
        body
    }
}
