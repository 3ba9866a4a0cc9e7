//! The routes of a server: `/websocket`, `/health`, and SockJS.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use http::{Response, StatusCode};

use super::server::Server;
use super::sockjs;
use super::upgrade::{Framing, plain, websocket};
use crate::session::Host;

/// Returns the routes, below the app's path prefix.
pub(crate) fn router(server: &Server) -> Router {
    let prefix = &server.http.path_prefix;
    let websocket = {
        let server = server.clone();
        get(move |request: Request| std::future::ready(websocket(&server, request, Framing::Raw)))
    };
    let health = {
        let host = Arc::clone(&server.host);
        get(move || std::future::ready(health(&host)))
    };
    let router = Router::new()
        .route(&format!("{prefix}/websocket"), websocket.clone())
        .route(&format!("{prefix}/websocket/"), websocket)
        .route(&format!("{prefix}/health"), health);
    match &server.http.sockjs {
        Some(sessions) => router.merge(sockjs::router(server, sessions)),
        None => router,
    }
}

/// Answers load balancers: 200 while new clients are accepted, 503 during shutdown.
fn health(host: &Host) -> Response<Body> {
    if host.is_shutting_down() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "shutting down");
    }
    plain(StatusCode::OK, "ok")
}
