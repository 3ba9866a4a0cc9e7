//! The routes of a server: `/websocket`, `/health`, `/ready`, and SockJS.

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::routing::get;
use http::{Method, Response, StatusCode};

use super::ready::ready;
use super::server::Server;
use super::sockjs;
use super::upgrade::{Framing, plain, websocket};

/// The path of the raw WebSocket.
const WEBSOCKET: &str = "/websocket";

/// Returns the routes, below the app's path prefix.
pub(crate) fn router(server: &Server) -> Router {
    let prefix = &server.http.path_prefix;
    let websocket = {
        let server = server.clone();
        get(move |request: Request| std::future::ready(websocket(&server, request, Framing::Raw)))
    };
    let ready = {
        let server = server.clone();
        get(async move || ready(&server).await)
    };
    let router = Router::new()
        .route(&format!("{prefix}{WEBSOCKET}"), websocket.clone())
        .route(&format!("{prefix}{WEBSOCKET}/"), websocket)
        .route(&format!("{prefix}/health"), get(async || health()))
        .route(&format!("{prefix}/ready"), ready);
    match &server.http.sockjs {
        Some(sessions) => router.merge(sockjs::router(server, sessions)),
        None => router,
    }
}

/// Returns whether the router would have [`websocket`] answer a request, with raw frames. The listener looks here first, since
/// a route costs about as much as the rest of an upgrade. A request with a body is left to the router.
pub(super) fn is_websocket(server: &Server, request: &http::Request<impl HttpBody>) -> bool {
    let path = request.uri().path();
    request.method() == Method::GET
        && path.strip_prefix(&*server.http.path_prefix) == Some(WEBSOCKET)
        && request.body().is_end_stream()
}

/// Answers who watches the process: 200 as long as it runs. It must not be ended because its store or its bus is away.
fn health() -> Response<Body> {
    plain(StatusCode::OK, "ok")
}
