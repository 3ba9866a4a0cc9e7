//! The listener: accepts sockets, serves HTTP on them, and shuts down gracefully.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tower_service::Service as _;

use super::server::Server;

/// The size of hyper's read buffer; the minimum that it accepts.
const HTTP_BUFFER: usize = 8 << 10;

/// The delay after the system has no more file descriptors.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

/// Serves `router` until `shutdown` is ready, and then ends all sessions gracefully.
pub(crate) async fn serve(server: Server, router: Router, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    tokio::select! {
        () = accept_all(&server, &router, &listener) => {}
        () = shutdown => {}
    }
    drop(listener);
    server.host.shut_down(server.limits()).await;
}

async fn accept_all(server: &Server, router: &Router, listener: &TcpListener) {
    loop {
        match listener.accept().await {
            Ok((socket, address)) => {
                // Small packets are better than messages that wait for an acknowledgement.
                let _as_it_is = socket.set_nodelay(true);
                server.host.tasks.spawn(serve_http(server.clone(), router.clone(), socket, address));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept; is the limit of open files (ulimit -n) too low?");
                sleep(ACCEPT_BACK_OFF).await;
            }
        }
    }
}

async fn serve_http(server: Server, router: Router, socket: TcpStream, address: SocketAddr) {
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(address));
        router.clone().call(request.map(axum::body::Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.limits().connect_timeout)
        .max_buf_size(HTTP_BUFFER)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // hyper has already answered malformed requests.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = server.host.stopping.cancelled() => {}
    }
    // Requests that wait for SockJS frames receive a closing frame.
    connection.as_mut().graceful_shutdown();
    let _late = timeout(server.limits().shutdown_timeout, connection).await;
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
