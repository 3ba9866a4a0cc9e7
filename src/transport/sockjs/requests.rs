//! The requests of a session: `xhr` and `xhr_streaming` receive frames, `xhr_send` sends messages.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use bolide_protocol::sockjs::{Payload, Sent};
use bytestring::ByteString;
use futures::StreamExt as _;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response, StatusCode};
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::timeout;

use super::poll_request::{Kind, PollRequest};
use super::registry::{Ended, XhrSession, XhrSessions};
use super::response::response;
use super::xhr::XhrTransport;
use super::{headers, plain};
use crate::outbox::Link;
use crate::session::{Goodbye, NoShare, Received};
use crate::shares::Source;
use crate::transport::peer;
use crate::transport::remote::Remote;
use crate::transport::server::Server;
use crate::transport::upgrade::no_more_connections;

/// The maximum ratio of the length of a body to its messages, because every character can be escaped.
const ESCAPED: usize = 2;

/// The number of messages of maximum length that fit in one body.
const MESSAGES_A_BODY: usize = 2;

/// The content types that `sockjs-node` accepts. An HTML form can send only `text/plain` of them.
const CONTENT_TYPES: [&str; 6] = ["text/plain", "T", "application/json", "application/xml", "text/xml", ""];

/// Answers a request for frames. The first one creates the session.
pub(super) fn poll(server: &Server, sessions: &XhrSessions, id: &str, kind: Kind, request: &Request) -> Response<Body> {
    let (writer, body) = response();
    if let Err(Full) = attach(server, sessions, id, PollRequest::new(writer, kind), request) {
        return no_more_connections();
    }
    let mut response = Response::new(Body::from_stream(body));
    let answer = response.headers_mut();
    decorate(answer, request.headers());
    headers::set_content_type(answer, "application/javascript; charset=UTF-8");
    response
}

/// The error for a client for whose session there is no place.
struct Full;

/// Passes a poll to its session. If the session has just ended, the second attempt creates a new one.
fn attach(
    server: &Server,
    sessions: &XhrSessions,
    id: &str,
    mut poll: PollRequest,
    request: &Request,
) -> Result<(), Full> {
    for _ in 0..2 {
        let session = match sessions.find(id) {
            Some(session) => session,
            None => start(server, sessions, id, request)?,
        };
        match session.polls.try_send(poll) {
            Ok(()) => break,
            Err(TrySendError::Full(poll)) => {
                poll.refuse();
                break;
            }
            Err(TrySendError::Closed(unanswered)) => poll = unanswered,
        }
    }
    Ok(())
}

/// Creates a session, unless another request has just done so.
fn start(server: &Server, sessions: &XhrSessions, id: &str, request: &Request) -> Result<Arc<XhrSession>, Full> {
    let peer = peer::describe(Remote::of(request.extensions()), request.headers(), &server.http.proxies.load());
    let places = server.admit(&peer).ok_or(Full)?;
    let (session, new) = sessions.find_or_add(id);
    if let Some(new) = new {
        server.spawn(server.new_session(peer, Link::Driver), places, Box::new(XhrTransport::new(new)));
    }
    Ok(session)
}

/// Receives messages, in the order of the requests.
pub(super) async fn send(server: &Server, sessions: &XhrSessions, id: &str, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let source = peer::source(Remote::of(&parts.extensions), &parts.headers, &server.http.proxies.load());
    let mut response = match take_messages(server, sessions, id, source, &parts.headers, body).await {
        Ok(()) => accepted(),
        Err(refusal) => refusal.answer(),
    };
    decorate(response.headers_mut(), &parts.headers);
    response
}

/// Why messages are not taken.
enum Refusal {
    NoSession,
    NoPayload,
    BrokenJson,
    TooLong,
    TooSlow,
    /// The server holds too much for the client's network.
    NoShare,
    /// The client has closed the connection.
    Gone,
}

impl Refusal {
    fn answer(self) -> Response<Body> {
        let (status, text) = match self {
            Self::NoSession => return plain::not_found(),
            Self::NoShare => return no_more_connections(),
            Self::NoPayload => (StatusCode::INTERNAL_SERVER_ERROR, "Payload expected."),
            Self::BrokenJson => (StatusCode::INTERNAL_SERVER_ERROR, "Broken JSON encoding."),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "The message is too long"),
            Self::TooSlow | Self::Gone => (StatusCode::REQUEST_TIMEOUT, "The rest is missing"),
        };
        let mut response = plain::empty(status);
        *response.body_mut() = Body::from(text);
        response
    }
}

/// Accepts messages. The content type avoids warnings in browsers, although the answer has no content.
fn accepted() -> Response<Body> {
    let mut response = plain::empty(StatusCode::NO_CONTENT);
    headers::set_content_type(response.headers_mut(), plain::TEXT);
    response
}

async fn take_messages(
    server: &Server,
    sessions: &XhrSessions,
    id: &str,
    source: Source,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), Refusal> {
    let session = sessions.find(id).ok_or(Refusal::NoSession)?;
    let _turn = session.turn.lock().await;
    let _held = server.hold_body(source, &body, body_limit(server)).map_err(|NoShare| Refusal::NoShare)?;
    let outcome = match read_payload(server, headers, body).await {
        Ok(payload) => hand_over(&session, payload, server.limits().message_bytes).await,
        Err(refusal) => Err(refusal),
    };
    if matches!(outcome, Err(Refusal::TooLong)) {
        // As over a WebSocket.
        let refused = Received::Refused(Goodbye::too_long());
        let _ended = session.post(refused).await;
    }
    outcome
}

async fn read_payload(server: &Server, headers: &HeaderMap, body: Body) -> Result<Payload, Refusal> {
    let body = read_body(server, body).await?;
    if body.is_empty() || !is_taken(headers) {
        return Err(Refusal::NoPayload);
    }
    let text = ByteString::try_from(body).map_err(|_| Refusal::BrokenJson)?;
    let payload = Payload::parse(&text).map_err(|_| Refusal::BrokenJson)?;
    if payload.is_list() { Ok(payload) } else { Err(Refusal::NoPayload) }
}

fn is_taken(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map_or(Ok(""), |value| value.to_str());
    let kind = content_type.ok().and_then(|content_type| content_type.split(';').next());
    kind.is_some_and(|kind| CONTENT_TYPES.contains(&kind))
}

fn body_limit(server: &Server) -> usize {
    server.limits().message_bytes.saturating_mul(MESSAGES_A_BODY * ESCAPED)
}

/// Reads a body. A client collects the messages for it during its previous request.
async fn read_body(server: &Server, body: Body) -> Result<Vec<u8>, Refusal> {
    let read = read_chunks(body, body_limit(server));
    timeout(server.limits().request_timeout, read).await.map_err(|_| Refusal::TooSlow)?
}

async fn read_chunks(body: Body, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    loop {
        match chunks.next().await {
            Some(Ok(chunk)) if chunk.len() > limit - bytes.len() => return Err(Refusal::TooLong),
            Some(Ok(chunk)) => bytes.extend_from_slice(&chunk),
            Some(Err(_)) => return Err(Refusal::Gone),
            None => return Ok(bytes),
        }
    }
}

/// Passes messages to the session. Waits while its queue is full.
async fn hand_over(session: &XhrSession, payload: Payload, limit: usize) -> Result<(), Refusal> {
    for sent in payload {
        let received = match sent {
            Sent::Text(text) if text.len() > limit => return Err(Refusal::TooLong),
            Sent::Text(text) => Received::Frame(text),
            Sent::NoText => Received::Garbage,
        };
        session.post(received).await.map_err(|Ended| Refusal::NoSession)?;
    }
    Ok(())
}

/// Adds the common headers of the answers.
fn decorate(answer: &mut HeaderMap, request: &HeaderMap) {
    headers::allow_origin(answer, request);
    headers::forbid_caching(answer);
}
