//! [`SockJs`]: a transport over SockJS, as browsers use it: in a WebSocket, or over HTTP where WebSockets are blocked.

mod xhr;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bolide_protocol::sockjs::{Frame, Payload};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use rustls::ClientConfig;
use serde_json::Value;

use self::xhr::{Receiving, Session, Xhr};
use super::step::Opening;
use super::transport::{Connection, Received, Transport, TransportError};
use super::websocket::{WebSocket, WebSocketConnection};
use crate::client::InvalidAddress;

/// A server's SockJS endpoint.
#[derive(Debug)]
pub struct SockJs {
    /// Opens the WebSockets and sends the HTTP requests.
    server: WebSocket,
    path: String,
    over: SockJsTransport,
    salt: String,
    sessions: AtomicU64,
}

/// How SockJS carries messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SockJsTransport {
    /// In a WebSocket.
    WebSocket,
    /// In the answers to requests, one after another.
    XhrPolling,
    /// In an answer that does not end.
    XhrStreaming,
}

/// An open SockJS connection.
#[derive(Debug)]
pub struct SockJsConnection {
    carrier: Carrier,
    arrived: VecDeque<Received>,
}

#[derive(Debug)]
enum Carrier {
    WebSocket(Box<WebSocketConnection>),
    Xhr(Box<Xhr>),
}

impl SockJs {
    /// Creates a transport to an address such as `ws://127.0.0.1:3000/sockjs`. Names of sessions begin with `salt`,
    /// which must be different in every run against the same server.
    ///
    /// # Errors
    /// Returns an error if the address is malformed.
    pub fn new(address: &str, salt: &str) -> Result<Self, InvalidAddress> {
        let server = WebSocket::new(address)?;
        let path = server.path().trim_end_matches('/').to_owned();
        let (salt, over) = (salt.to_owned(), SockJsTransport::WebSocket);
        Ok(Self { server, path, over, salt, sessions: AtomicU64::new(0) })
    }

    /// Sets how messages are carried. Default: in a WebSocket.
    #[must_use]
    pub fn over(self, over: SockJsTransport) -> Self {
        Self { over, ..self }
    }

    /// Sets which certificates are trusted. Default: those that browsers trust.
    #[must_use]
    pub fn tls(self, config: Arc<ClientConfig>) -> Self {
        Self { server: self.server.tls(config), ..self }
    }

    /// Asks the server what it offers, as every client does first.
    async fn check_info(&self) -> Result<(), String> {
        let request = Request::get(format!("{}/info", self.path)).body(String::new()).map_err(as_text)?;
        let answer = self.server.request(request).await.map_err(|TransportError(reason)| reason)?;
        if answer.status() != 200 {
            return Err(format!("{}/info is answered with {}, not with 200", self.path, answer.status()));
        }
        let info: Value = serde_json::from_str(answer.body())
            .map_err(|error| format!("{}/info is answered with what is not JSON: {error}", self.path))?;
        let offers_websocket = info["websocket"].as_bool().ok_or("`websocket` in /info is not a boolean")?;
        if !info["entropy"].is_number() {
            return Err("`entropy` in /info is not a number".into());
        }
        if self.over == SockJsTransport::WebSocket && !offers_websocket {
            return Err("/info says that the server does not offer WebSockets".into());
        }
        Ok(())
    }

    async fn carrier(&self, opening: &Opening) -> Result<Carrier, TransportError> {
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        let path = format!("{}/000/{}-{session}", self.path, self.salt);
        let receiving = match self.over {
            SockJsTransport::XhrPolling => Receiving::Polling,
            SockJsTransport::XhrStreaming => Receiving::Streaming,
            SockJsTransport::WebSocket => {
                let path = opening.path.clone().unwrap_or_else(|| format!("{path}/websocket"));
                let opening = Opening { path: Some(path), headers: opening.headers.clone() };
                return Ok(Carrier::WebSocket(Box::new(self.server.open(&opening).await?)));
            }
        };
        let session = Session {
            http: self.server.http().clone(),
            address: self.server.http_address(&path),
            headers: headers(opening).map_err(TransportError)?,
        };
        Ok(Carrier::Xhr(Box::new(Xhr::open(session, receiving))))
    }
}

impl Transport for SockJs {
    type Connection = SockJsConnection;

    async fn open(&self, opening: &Opening) -> Result<SockJsConnection, TransportError> {
        let broken = |reason: String| TransportError(format!("{}: {reason}", self.server.address()));
        self.check_info().await.map_err(broken)?;
        let mut carrier = self.carrier(opening).await?;
        match carrier.receive().await {
            Received::Text(text) if text == Frame::Open.to_text() => {
                Ok(SockJsConnection { carrier, arrived: VecDeque::new() })
            }
            other => Err(broken(format!("expected the frame `o`, not {other:?}"))),
        }
    }

    async fn request(&self, request: Request<String>) -> Result<Response<String>, TransportError> {
        self.server.request(request).await
    }
}

impl Carrier {
    /// Waits for a frame.
    async fn receive(&mut self) -> Received {
        match self {
            Self::WebSocket(socket) => socket.receive().await,
            Self::Xhr(xhr) => xhr.frame().await.map_or(Received::Closed(None), Received::Text),
        }
    }
}

impl Connection for SockJsConnection {
    async fn send_text(&mut self, text: String) {
        let payload = Payload::write([text.as_str()]);
        match &mut self.carrier {
            Carrier::WebSocket(socket) => socket.send_text(payload).await,
            Carrier::Xhr(xhr) => {
                // What breaks the protocol is received as a text that is not JSON, which fails the case.
                let sent = xhr.send(payload).await;
                self.arrived.extend(sent.err().map(Received::Text));
            }
        }
    }

    /// SockJS does not have binary messages; invalid UTF-8 cannot be sent.
    async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.send_text(String::from_utf8_lossy(&bytes).into_owned()).await;
    }

    async fn receive(&mut self) -> Received {
        loop {
            if let Some(received) = self.arrived.pop_front() {
                return received;
            }
            let text = match self.carrier.receive().await {
                Received::Text(text) => text,
                other => return other,
            };
            match (Frame::parse(&text), &self.carrier) {
                (Ok(Frame::Messages(messages)), _) => self.arrived.extend(messages.into_iter().map(Received::Text)),
                (Ok(Frame::Close { code, .. }), Carrier::Xhr(_)) => return Received::Closed(Some(code)),
                // The close frame of the WebSocket follows.
                (Ok(Frame::Open | Frame::Heartbeat | Frame::Close { .. }), _) => {}
                (Err(_), _) => return Received::Text(text),
            }
        }
    }

    /// Over HTTP, a client closes a session by not asking for frames any more, and takes it as closed with its own code.
    async fn close(&mut self, code: u16) {
        match &mut self.carrier {
            Carrier::WebSocket(socket) => socket.close(code).await,
            Carrier::Xhr(xhr) => {
                xhr.close();
                self.arrived.push_back(Received::Closed(Some(code)));
            }
        }
    }
}

fn headers(opening: &Opening) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &opening.headers {
        let name: HeaderName = name.parse().map_err(as_text)?;
        let value: HeaderValue = value.parse().map_err(as_text)?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn as_text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
