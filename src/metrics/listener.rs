//! The listener of the metrics: `GET /metrics`, and 404 for everything else.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower_service::Service as _;

use super::page::CONTENT_TYPE as OPEN_METRICS;
use super::render;
use crate::call::AppCore;

/// The maximum number of open connections. Further ones wait to be accepted.
const CONNECTIONS: usize = 16;

/// The maximum time for which a connection is served. A program that asks for metrics opens another one.
const LONGEST: Duration = Duration::from_mins(5);

/// The pause after a connection could not be accepted, such as when the process has no more file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Returns the route of the metrics.
pub(crate) fn router(core: &Arc<AppCore>) -> Router {
    let core = Arc::clone(core);
    Router::new().route("/metrics", get(async move || answer(render(&core).await)))
}

/// Serves the metrics until `stopped` is ready.
pub(crate) async fn serve(core: Arc<AppCore>, listener: TcpListener, stopped: impl Future<Output = ()>) {
    tokio::select! {
        () = accept_all(&core, &listener) => {}
        () = stopped => {}
    }
}

async fn accept_all(core: &Arc<AppCore>, listener: &TcpListener) {
    let (places, router) = (Arc::new(Semaphore::new(CONNECTIONS)), router(core));
    let patience = core.limits.request_timeout;
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, _)) => {
                let serving = serve_one(router.clone(), socket, patience);
                tokio::spawn(async move {
                    let _late = timeout(LONGEST, serving).await;
                    drop(place);
                });
            }
            Err(error) => {
                if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn serve_one(router: Router, socket: TcpStream, patience: Duration) {
    let service =
        service_fn(move |request: http::Request<hyper::body::Incoming>| router.clone().call(request.map(Body::new)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .serve_connection(TokioIo::new(socket), service);
    // hyper has already answered malformed requests.
    let _broken = connection.await;
}

fn answer(text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
