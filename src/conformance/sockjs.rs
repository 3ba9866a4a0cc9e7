//! [`SockJs`]: a transport over SockJS in a WebSocket, as browsers use it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use bolide_protocol::sockjs::{Frame, Payload};
use http::{Request, Response};

use super::step::Opening;
use super::transport::{Connection, Received, Transport, TransportError};
use super::websocket::{WebSocket, WebSocketConnection};

/// A server's SockJS endpoint.
#[derive(Debug)]
pub struct SockJs {
    address: String,
    /// Sends the HTTP requests.
    requests: WebSocket,
    sessions: AtomicU64,
}

/// An open SockJS connection.
#[derive(Debug)]
pub struct SockJsConnection {
    socket: WebSocketConnection,
    arrived: VecDeque<String>,
}

impl SockJs {
    /// Creates a transport to an address such as `ws://127.0.0.1:3000/sockjs`.
    ///
    /// # Errors
    /// Returns an error if the address is malformed or does not begin with `ws://`.
    pub fn new(address: &str) -> Result<Self, TransportError> {
        let address = address.trim_end_matches('/').to_owned();
        let requests = WebSocket::new(&address)?;
        Ok(Self { address, requests, sessions: AtomicU64::new(0) })
    }
}

impl Transport for SockJs {
    type Connection = SockJsConnection;

    async fn open(&self, opening: &Opening) -> Result<SockJsConnection, TransportError> {
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        let mut socket = WebSocket::new(&format!("{}/000/{session:08}/websocket", self.address))?.open(opening).await?;
        match socket.receive().await {
            Received::Text(text) if text == Frame::Open.to_text() => {
                Ok(SockJsConnection { socket, arrived: VecDeque::new() })
            }
            other => Err(TransportError(format!("{}: expected the frame `o`, not {other:?}", self.address))),
        }
    }

    async fn request(&self, request: Request<String>) -> Result<Response<String>, TransportError> {
        self.requests.request(request).await
    }
}

impl Connection for SockJsConnection {
    async fn send_text(&mut self, text: String) {
        self.socket.send_text(Payload::write([text.as_str()])).await;
    }

    /// SockJS does not have binary messages; invalid UTF-8 cannot be sent.
    async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.send_text(String::from_utf8_lossy(&bytes).into_owned()).await;
    }

    async fn receive(&mut self) -> Received {
        loop {
            if let Some(message) = self.arrived.pop_front() {
                return Received::Text(message);
            }
            let text = match self.socket.receive().await {
                Received::Text(text) => text,
                other => return other,
            };
            match Frame::parse(&text) {
                Ok(Frame::Messages(messages)) => self.arrived.extend(messages),
                // The close frame of the WebSocket follows.
                Ok(Frame::Open | Frame::Heartbeat | Frame::Close { .. }) => {}
                Err(_) => return Received::Text(text),
            }
        }
    }

    async fn close(&mut self, code: u16) {
        self.socket.close(code).await;
    }
}
