//! The routes of a server: `/websocket`, `/health`, `/ready`, and SockJS.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use http::{Response, StatusCode};

use super::ready::ready;
use super::server::Server;
use super::sockjs;
use super::upgrade::{Framing, plain, websocket};

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
        .route(&format!("{prefix}/websocket"), websocket.clone())
        .route(&format!("{prefix}/websocket/"), websocket)
        .route(&format!("{prefix}/health"), get(async || health()))
        .route(&format!("{prefix}/ready"), ready);
    match &server.http.sockjs {
        Some(sessions) => router.merge(sockjs::router(server, sessions)),
        None => router,
    }
}

/// Answers who watches the process: 200 as long as it runs. It must not be ended because its store or its bus is away.
fn health() -> Response<Body> {
    plain(StatusCode::OK, "ok")
}
