//! What the runner asks of a way to a server. [`WebSocket`](super::WebSocket) is one; a test can bring another.

use std::future::Future;

use http::{Request, Response};

use super::step::Opening;

/// A way to a server.
pub trait Transport: Sync {
    /// What it opens.
    type Connection: Connection;

    /// Opens a connection.
    fn open(&self, opening: &Opening) -> impl Future<Output = Result<Self::Connection, TransportError>> + Send;

    /// Sends an HTTP request to the same server; its address is a path with a query.
    fn request(
        &self,
        request: Request<String>,
    ) -> impl Future<Output = Result<Response<String>, TransportError>> + Send;
}

/// One connection to a server. To drop it cuts it: without a farewell.
///
/// To send to a connection that is gone is no error: what [`Connection::receive`] says next decides.
pub trait Connection: Send {
    /// Sends a text message.
    fn send_text(&mut self, text: String) -> impl Future<Output = ()> + Send;

    /// Sends a binary message.
    fn send_binary(&mut self, bytes: Vec<u8>) -> impl Future<Output = ()> + Send;

    /// Waits for what comes next. The runner stops waiting by dropping this future, which must lose nothing.
    fn receive(&mut self) -> impl Future<Output = Received> + Send;

    /// Sends a close frame. What the server says to it can still be received.
    fn close(&mut self, code: u16) -> impl Future<Output = ()> + Send;
}

/// What came from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A message.
    Text(String),
    /// A message that is no text, so no DDP.
    Binary(Vec<u8>),
    /// The end, with the code of the close frame if there was one.
    Closed(Option<u16>),
}

/// A connection could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach the server: {0}")]
pub struct TransportError(pub String);
