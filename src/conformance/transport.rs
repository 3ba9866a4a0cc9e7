//! [`Transport`]: how the runner connects to a server, such as with [`WebSocket`](super::WebSocket). Tests can
//! implement their own.

use std::future::Future;

use http::{Request, Response};

use super::step::Opening;

/// Connects to a server.
pub trait Transport: Sync {
    /// The type of its connections.
    type Connection: Connection;

    /// Opens a connection.
    fn open(&self, opening: &Opening) -> impl Future<Output = Result<Self::Connection, TransportError>> + Send;

    /// Sends an HTTP request to the same server; its URI is a path with a query.
    fn request(
        &self,
        request: Request<String>,
    ) -> impl Future<Output = Result<Response<String>, TransportError>> + Send;
}

/// One connection to a server. Dropping it cuts it without a closing handshake.
///
/// Sending on a lost connection is not an error: [`Connection::receive`] returns how it ended.
pub trait Connection: Send {
    /// Sends a text message.
    fn send_text(&mut self, text: String) -> impl Future<Output = ()> + Send;

    /// Sends a binary message.
    fn send_binary(&mut self, bytes: Vec<u8>) -> impl Future<Output = ()> + Send;

    /// Waits for the next message. The runner stops waiting by dropping this future, which must not lose messages.
    fn receive(&mut self) -> impl Future<Output = Received> + Send;

    /// Sends a close frame. The server's messages can still be received.
    fn close(&mut self, code: u16) -> impl Future<Output = ()> + Send;
}

/// What was received from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A text message.
    Text(String),
    /// A binary message, which is not DDP.
    Binary(Vec<u8>),
    /// The connection ended, with the code of the close frame if there was one.
    Closed(Option<u16>),
}

/// The error if a connection cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach the server: {0}")]
pub struct TransportError(pub String);
