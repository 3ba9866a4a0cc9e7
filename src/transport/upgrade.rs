//! The upgrade of a request to a WebSocket. It is implemented here, to get the socket itself after the upgrade.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::direct::DirectWebSocket;
use super::peer;
use super::remote::Remote;
use super::server::Server;
use super::socket::Socket;
use super::sockjs::pace::Pace;
use super::sockjs::websocket::SockJsWebSocket;
use super::websocket::QueuedWebSocket;
use crate::outbox::Link;
use crate::peer::Peer;
use crate::session::{Driving, Places, Session, Transport, drive};
use crate::shares::Share;

/// The content of the messages of a WebSocket.
#[derive(Clone, Copy)]
pub(super) enum Framing {
    /// One DDP message each.
    Raw,
    /// SockJS frames.
    SockJs,
}

/// A session whose request was accepted. It begins when the answer has been sent.
pub(super) struct Opening {
    upgrade: OnUpgrade,
    peer: Peer,
    places: Places,
    framing: Framing,
}

/// Why a request is not upgraded.
pub(super) enum Refusal {
    Origin,
    Malformed(&'static str),
    Full,
}

/// Answers a request for a WebSocket that came by a route. Its session gets a task of its own.
pub(super) fn websocket(server: &Server, mut request: Request, framing: Framing) -> Response<Body> {
    match Opening::accept(server, Remote::of(request.extensions()), &mut request, framing) {
        Ok((opening, answer)) => {
            let own = server.clone();
            server.host.tasks.spawn(async move {
                // Boxed, so that the task does not keep the memory of it.
                if let Some(session) = Box::pin(opening.open(&own)).await {
                    session.await;
                }
            });
            answer
        }
        Err(refusal) => refusal.answer(),
    }
}

impl Opening {
    /// Accepts a request. Also returns its answer.
    pub(super) fn accept<Content>(
        server: &Server,
        remote: Remote,
        request: &mut http::Request<Content>,
        framing: Framing,
    ) -> Result<(Self, Response<Body>), Refusal> {
        let headers = request.headers();
        if !server.http.origins.load().allow(headers) {
            return Err(Refusal::Origin);
        }
        if !has_token(headers, &UPGRADE, "websocket") || !has_token(headers, &CONNECTION, "upgrade") {
            return Err(Refusal::NOT_A_WEBSOCKET);
        }
        let version = headers.get(SEC_WEBSOCKET_VERSION).and_then(|value| value.to_str().ok());
        if !matches!(version, Some("8" | "13")) {
            return Err(Refusal::Malformed("Only supported WebSocket protocol is RFC 6455."));
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(Refusal::NOT_A_WEBSOCKET)?;
        let answer = switching_protocols(&derive_accept_key(key.as_bytes()));
        let upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or(Refusal::NOT_A_WEBSOCKET)?;
        let peer = peer::describe(remote, request.headers(), &server.http.proxies.load());
        let places = server.admit(&peer).ok_or(Refusal::Full)?;
        Ok((Self { upgrade, peer, places, framing }, answer))
    }

    /// Creates the session when the answer has been sent. Returns `None` if the connection is lost before.
    pub(super) async fn open(self, server: &Server) -> Option<Driving> {
        let Self { upgrade, peer, places, framing } = self;
        let upgraded = upgrade.await.ok()?;
        let (session, transport) = match framing {
            Framing::Raw => open(server, upgraded, peer).await,
            Framing::SockJs => open_sockjs(server, upgraded, peer).await,
        };
        Some(drive(Arc::clone(&server.core), Arc::clone(&server.host), session, places, transport))
    }
}

impl Refusal {
    const NOT_A_WEBSOCKET: Self = Self::Malformed("Not a valid websocket request");

    pub(super) fn answer(self) -> Response<Body> {
        match self {
            Self::Origin => wrong_origin(),
            Self::Malformed(reason) => plain(StatusCode::BAD_REQUEST, reason),
            Self::Full => no_more_connections(),
        }
    }
}

pub(super) fn wrong_origin() -> Response<Body> {
    plain(StatusCode::FORBIDDEN, "Pages of this origin may not open sessions here")
}

pub(super) fn no_more_connections() -> Response<Body> {
    plain(StatusCode::SERVICE_UNAVAILABLE, "This server takes no more connections")
}

/// Takes the socket from hyper and creates a session on it.
async fn open(server: &Server, upgraded: Upgraded, peer: Peer) -> (Arc<Session>, Box<dyn Transport>) {
    let limit = server.limits().message_bytes;
    match into_socket(upgraded) {
        Ok(Taken { socket, share, read }) => {
            let (reading, writing) = socket.into_split();
            let session = server.new_session(peer, Link::Direct(writing));
            let transport = DirectWebSocket::new(reading, share, Arc::clone(session.outbox()), &read, limit);
            (session, Box::new(transport))
        }
        Err(upgraded) => {
            let session = server.new_session(peer, Link::Driver);
            let transport = QueuedWebSocket::new(TokioIo::new(upgraded), Bytes::new(), limit).await;
            (session, Box::new(transport))
        }
    }
}

async fn open_sockjs(server: &Server, upgraded: Upgraded, peer: Peer) -> (Arc<Session>, Box<dyn Transport>) {
    let limit = server.limits().message_bytes;
    let session = server.new_session(peer, Link::Driver);
    match upgraded.downcast::<TokioIo<Socket>>() {
        // Not taken apart, so that the timeout for writes stays.
        Ok(parts) => {
            let socket = parts.io.into_inner();
            (session, Box::new(SockJsWebSocket::new(socket, parts.read_buf, limit, Pace::METEOR).await))
        }
        Err(upgraded) => match into_socket(upgraded) {
            Ok(Taken { socket, read, .. }) => {
                (session, Box::new(SockJsWebSocket::new(socket, read, limit, Pace::METEOR).await))
            }
            Err(upgraded) => {
                let io = TokioIo::new(upgraded);
                (session, Box::new(SockJsWebSocket::new(io, Bytes::new(), limit, Pace::METEOR).await))
            }
        },
    }
}

/// A TCP socket on which HTTP ran directly.
struct Taken {
    socket: TcpStream,
    /// `None` if another server has accepted it.
    share: Option<Share>,
    /// The bytes that were already read from it.
    read: Bytes,
}

/// Returns the TCP socket, if HTTP runs directly on it.
fn into_socket(upgraded: Upgraded) -> Result<Taken, Upgraded> {
    let upgraded = match upgraded.downcast::<TokioIo<Socket>>() {
        Ok(parts) => {
            let (socket, share) = parts.io.into_inner().into_parts();
            return Ok(Taken { socket, share: Some(share), read: parts.read_buf });
        }
        Err(upgraded) => upgraded,
    };
    let taken = |socket: TokioIo<TcpStream>, read| Taken { socket: socket.into_inner(), share: None, read };
    match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => Ok(taken(parts.io, parts.read_buf)),
        Err(upgraded) => upgraded.downcast::<TokioIo<TcpStream>>().map(|parts| taken(parts.io, parts.read_buf)),
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}

/// Accepts the upgrade. Offered extensions such as `permessage-deflate` are declined by leaving them out.
fn switching_protocols(accept: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
