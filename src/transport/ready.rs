//! `/ready`: whether a load balancer should send clients to this node.
//!
//! 200 with what is impaired, as `{"status":"ready","degraded":["nats"]}`; 503 with the reason, as
//! `{"status":"unavailable","reason":"…"}`.

use std::pin::Pin;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Response, StatusCode};
use serde_json::json;

use super::server::Server;
use crate::call::AppCore;
use crate::session::Host;

/// Whether a node should be sent clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// It should.
    Ready {
        /// What is away, while the node goes on without it.
        degraded: Vec<&'static str>,
    },
    /// It should not.
    Unavailable {
        /// Why not, for operators.
        reason: &'static str,
    },
}

/// Decides whether a node should be sent clients. The assembly, which knows store and bus, implements it.
pub(crate) trait ReadyCheck: Send + Sync + 'static {
    fn check(&self) -> Pin<Box<dyn Future<Output = Readiness> + Send + '_>>;
}

/// The check of an app, stored in one of its slots.
pub(crate) struct Ready(Box<dyn ReadyCheck>);

impl Ready {
    pub(crate) fn new(check: impl ReadyCheck) -> Self {
        Self(Box::new(check))
    }
}

/// Checks whether this node should be sent clients.
pub(crate) async fn readiness(core: &AppCore) -> Readiness {
    if core.slot::<Host>().is_some_and(|host| host.is_draining()) {
        return Readiness::Unavailable { reason: "the server is shutting down" };
    }
    match core.slot::<Ready>() {
        Some(ready) => ready.0.check().await,
        None => Readiness::Ready { degraded: Vec::new() },
    }
}

/// Answers load balancers.
pub(super) async fn ready(server: &Server) -> Response<Body> {
    let (status, body) = match readiness(&server.core).await {
        Readiness::Ready { degraded } => (StatusCode::OK, json!({ "status": "ready", "degraded": degraded })),
        Readiness::Unavailable { reason } => {
            (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "unavailable", "reason": reason }))
        }
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}
