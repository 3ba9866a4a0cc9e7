//! Accounts over HTTP: answers, the order of checks, and attacks.

mod addresses;
mod calls;
mod challenges;
mod cors;
mod description;
mod input;
mod limits;
mod order;
mod own_account;
mod profile;
mod settings;
mod tokens;
mod users;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Bank;

/// An answer over HTTP.
#[derive(Debug)]
pub(in crate::accounts) struct Reply {
    pub(in crate::accounts) status: u16,
    /// The status line and the headers, in lower case.
    pub(super) head: String,
    /// Null if it is not JSON.
    pub(in crate::accounts) body: Value,
}

/// A request that is being built.
pub(in crate::accounts) struct Call<'bank> {
    bank: &'bank Bank,
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Reply {
    /// Returns the value of a header, or `None` if it is missing.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Returns the code of the error.
    pub(in crate::accounts) fn error(&self) -> &Value {
        &self.body["errorType"]
    }
}

impl Bank {
    pub(in crate::accounts) fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", &format!("/api/v1/{path}"))
    }

    pub(in crate::accounts) fn post(&self, path: &str) -> Call<'_> {
        self.call("POST", &format!("/api/v1/{path}"))
    }

    pub(super) fn call(&self, verb: &str, path: &str) -> Call<'_> {
        let head = format!("{verb} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n").into_bytes();
        Call { bank: self, head, body: Vec::new() }
    }

    /// Creates a login token for a user without a login.
    pub(in crate::accounts) async fn token(&self, name: &str) -> String {
        self.app.accounts().unwrap().issue_token(name).await.unwrap()
    }
}

impl Call<'_> {
    pub(in crate::accounts) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.head.extend_from_slice(name.as_bytes());
        self.head.extend_from_slice(b": ");
        self.head.extend_from_slice(value.as_ref());
        self.head.extend_from_slice(b"\r\n");
        self
    }

    /// Adds a token of this user.
    pub(in crate::accounts) fn by(self, name: &str, token: &str) -> Self {
        self.header("x-auth-token", token).header("x-user-id", format!("user-{name}"))
    }

    /// Adds a two-factor code.
    pub(in crate::accounts) fn code(self, code: &str, method: &str) -> Self {
        self.header("x-2fa-code", code).header("x-2fa-method", method)
    }

    pub(in crate::accounts) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").text(&body.to_string())
    }

    pub(super) fn text(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self
    }

    pub(in crate::accounts) async fn send(self) -> Reply {
        let length = self.body.len();
        self.send_with_length(length).await
    }

    /// Announces a body of this length, and sends the actual body.
    pub(super) async fn send_with_length(self, length: usize) -> Reply {
        let mut stream = TcpStream::connect(self.bank.server.address).await.unwrap();
        let mut bytes = self.head;
        bytes.extend_from_slice(format!("content-length: {length}\r\n\r\n").as_bytes());
        let is_whole = length == self.body.len();
        bytes.extend_from_slice(&self.body);
        stream.write_all(&bytes).await.unwrap();
        if !is_whole {
            stream.shutdown().await.unwrap();
        }
        let mut answer = Vec::new();
        // A server that has rejected the request may close while it is still being sent.
        let _closed = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Reply { status, head: head.to_lowercase(), body: serde_json::from_str(body).unwrap_or_default() }
    }
}
