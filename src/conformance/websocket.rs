//! [`WebSocket`]: a transport over a raw WebSocket, as most clients outside of browsers use it.

use std::sync::Arc;

use futures::{SinkExt, StreamExt};
use http::{Request as HttpRequest, Response};
use rustls::ClientConfig;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::header::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::http::uri::{PathAndQuery, Uri};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::http::exchange;
use super::step::Opening;
use super::transport::{Connection, Received, Transport, TransportError};
use crate::client::http::HttpClient;
use crate::client::stream::Stream;
use crate::client::{Address, ConnectError, InvalidAddress};

/// The raw WebSocket endpoint of a server.
#[derive(Debug, Clone)]
pub struct WebSocket {
    address: Address,
    tls: Option<Arc<ClientConfig>>,
    http: HttpClient,
}

/// An open WebSocket.
#[derive(Debug)]
pub struct WebSocketConnection {
    socket: WebSocketStream<Stream>,
}

impl WebSocket {
    /// Creates a transport to an address such as `ws://127.0.0.1:3000/websocket` or `wss://chat.example.com`. Encrypted
    /// connections trust the certificates that browsers trust.
    ///
    /// # Errors
    /// Returns an error if the address is malformed.
    pub fn new(address: &str) -> Result<Self, InvalidAddress> {
        Ok(Self { address: address.parse()?, tls: None, http: HttpClient::new(None) })
    }

    /// Sets which certificates are trusted. Default: those that browsers trust.
    #[must_use]
    pub fn tls(self, config: Arc<ClientConfig>) -> Self {
        Self { http: HttpClient::new(Some(Arc::clone(&config))), tls: Some(config), ..self }
    }

    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    pub(super) const fn http(&self) -> &HttpClient {
        &self.http
    }

    /// Returns the path of the address.
    pub(super) fn path(&self) -> &str {
        self.address.uri().path()
    }

    /// Returns the address of another path of the same server, for HTTP.
    pub(super) fn http_address(&self, path: &str) -> String {
        let scheme = if self.address.is_encrypted() { "https" } else { "http" };
        let authority = self.address.uri().authority().map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}{path}")
    }

    fn without_stream(&self, error: &ConnectError) -> TransportError {
        match error {
            ConnectError::Unreachable { reason, .. } => failed(&self.address, reason),
            other => failed(&self.address, other),
        }
    }

    fn request(&self, opening: &Opening) -> Result<Request, String> {
        let mut parts = self.address.uri().clone().into_parts();
        if let Some(path) = &opening.path {
            let path: PathAndQuery = path.parse().map_err(as_text)?;
            parts.path_and_query = Some(path);
        }
        let address = Uri::from_parts(parts).map_err(as_text)?;
        let mut request = address.into_client_request().map_err(as_text)?;
        for (name, value) in &opening.headers {
            let name: HeaderName = name.parse().map_err(as_text)?;
            let value: HeaderValue = value.parse().map_err(as_text)?;
            request.headers_mut().insert(name, value);
        }
        Ok(request)
    }
}

impl Transport for WebSocket {
    type Connection = WebSocketConnection;

    async fn open(&self, opening: &Opening) -> Result<WebSocketConnection, TransportError> {
        let request = self.request(opening).map_err(|reason| failed(&self.address, &reason))?;
        let stream = Stream::open(&self.address, self.tls.as_ref()).await;
        let stream = stream.map_err(|error| self.without_stream(&error))?;
        let (socket, _) = client_async(request, stream).await.map_err(|error| failed(&self.address, &error))?;
        Ok(WebSocketConnection { socket })
    }

    async fn request(&self, request: HttpRequest<String>) -> Result<Response<String>, TransportError> {
        let address = self.http_address(&request.uri().to_string());
        exchange(&self.http, &address, request).await.map_err(|reason| failed(&self.address, &reason))
    }
}

// Errors of sending are ignored: `receive` then returns how the connection ended.
impl Connection for WebSocketConnection {
    async fn send_text(&mut self, text: String) {
        self.socket.send(Message::text(text)).await.unwrap_or_default();
    }

    async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.socket.send(Message::binary(bytes)).await.unwrap_or_default();
    }

    async fn receive(&mut self) -> Received {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Received::Text(text.as_str().to_owned()),
                Some(Ok(Message::Binary(bytes))) => return Received::Binary(bytes.to_vec()),
                Some(Ok(Message::Close(frame))) => {
                    return Received::Closed(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(_)) | None => return Received::Closed(None),
            }
        }
    }

    async fn close(&mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        self.socket.send(Message::Close(Some(frame))).await.unwrap_or_default();
    }
}

fn failed(address: &dyn std::fmt::Display, reason: &dyn std::fmt::Display) -> TransportError {
    TransportError(format!("{address}: {reason}"))
}

fn as_text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
