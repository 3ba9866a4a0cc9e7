//! SockJS: the protocol of `sockjs-client`, which Meteor's browser client uses. It is a WebSocket with additional
//! framing, or, where WebSockets are blocked, a series of HTTP requests.
//!
//! - [`route`] parses the paths below `/sockjs`;
//! - [`headers`] and [`plain`] produce the answers without a session: `/info`, the greeting, errors;
//! - [`websocket`] is the transport with SockJS frames over a WebSocket;
//! - [`requests`] answers `xhr`, `xhr_streaming` and `xhr_send`, and [`registry`] finds their sessions;
//! - [`poll_request`] is a request that waits for frames;
//! - [`xhr`] is the transport of such a session, which writes to one [`response`] after another.
//!
//! The iframe page, `jsonp`, `eventsource` and `htmlfile` are not implemented, because current Meteor clients do not
//! use them.

mod headers;
mod messages;
pub(super) mod pace;
mod plain;
mod poll_request;
pub(super) mod registry;
mod requests;
mod response;
mod route;
#[cfg(test)]
mod tests;
pub(super) mod websocket;
mod xhr;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::any;
use http::{Method, Response};

use super::server::Server;
use super::upgrade::{Framing, websocket, wrong_origin};
use poll_request::Kind;
use route::{Endpoint, Route};

pub(crate) use registry::XhrSessions;

/// Returns the routes for all paths below `/sockjs`.
pub(super) fn router(server: &Server, sessions: &XhrSessions) -> Router {
    let root = format!("{}/sockjs", server.http.path_prefix);
    let (server, sessions, prefix) = (server.clone(), sessions.clone(), root.clone());
    let answers = any(move |request: Request| {
        let (server, sessions, prefix) = (server.clone(), sessions.clone(), prefix.clone());
        async move { answer(&server, &sessions, &prefix, request).await }
    });
    Router::new()
        .route(&root, answers.clone())
        .route(&format!("{root}/"), answers.clone())
        .route(&format!("{root}/{{*rest}}"), answers)
}

async fn answer(server: &Server, sessions: &XhrSessions, prefix: &str, request: Request) -> Response<Body> {
    if !server.http.origins.load().allow(request.headers()) {
        return wrong_origin();
    }
    let path = request.uri().path();
    let Some(Route { endpoint, session }) = Route::find(path.strip_prefix(prefix).unwrap_or(path)) else {
        return plain::not_found();
    };
    if !endpoint.methods().contains(request.method()) {
        return plain::wrong_method(endpoint.methods());
    }
    let session = session.to_owned();
    if request.method() == Method::OPTIONS {
        return plain::preflight(&*server.core.clock, request.headers(), endpoint.methods());
    }
    match endpoint {
        Endpoint::Greeting => plain::greeting(),
        Endpoint::Info => plain::info(&*server.core.chance, request.headers()),
        Endpoint::RawWebSocket => websocket(server, request, Framing::Raw),
        Endpoint::WebSocket => websocket(server, request, Framing::SockJs),
        Endpoint::Xhr => requests::poll(server, sessions, &session, Kind::Polling, &request),
        Endpoint::XhrStreaming => requests::poll(server, sessions, &session, Kind::Streaming, &request),
        Endpoint::XhrSend => requests::send(server, sessions, &session, request).await,
    }
}
