//! [`InProcess`]: a transport to an app in the same process, without a socket.

use axum::body::{Body, to_bytes};
use http::{Request, Response};
use tower_service::Service as _;

use super::step::Opening;
use super::transport::{Connection, Received, Transport, TransportError};
use crate::{App, FromServer, MemoryConnection};

/// Connects to an app in this process.
#[derive(Debug, Clone)]
pub struct InProcess(App);

impl InProcess {
    /// Creates a transport to `app`.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self(app)
    }
}

impl Transport for InProcess {
    type Connection = InProcessConnection;

    async fn open(&self, _: &Opening) -> Result<InProcessConnection, TransportError> {
        Ok(InProcessConnection(End::Open(self.0.connect())))
    }

    async fn request(&self, request: Request<String>) -> Result<Response<String>, TransportError> {
        let Ok(answer) = self.0.router().call(request.map(Body::from)).await;
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.map_err(|error| TransportError(error.to_string()))?;
        Ok(Response::from_parts(head, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// A connection to an app in the same process.
#[derive(Debug)]
pub struct InProcessConnection(End);

#[derive(Debug)]
enum End {
    Open(MemoryConnection),
    /// This side has closed it, with this code. There is no closing handshake.
    Closed(u16),
}

impl Connection for InProcessConnection {
    async fn send_text(&mut self, text: String) {
        self.send_binary(text.into_bytes()).await;
    }

    async fn send_binary(&mut self, bytes: Vec<u8>) {
        if let End::Open(connection) = &self.0 {
            connection.send_bytes(bytes).await;
        }
    }

    async fn receive(&mut self) -> Received {
        let connection = match &mut self.0 {
            End::Open(connection) => connection,
            End::Closed(code) => return Received::Closed(Some(*code)),
        };
        match connection.receive().await {
            Some(FromServer::Frame(text)) => Received::Text(text),
            Some(FromServer::Closed(code)) => Received::Closed(Some(code)),
            None => Received::Closed(None),
        }
    }

    async fn close(&mut self, code: u16) {
        self.0 = End::Closed(code);
    }
}
