//! The listener: accepts sockets, serves HTTP on them, and shuts down gracefully.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::pin::pin;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host};
use tokio::time::{sleep, timeout};
use tower_service::Service as _;

use super::outage::Outage;
use super::peer;
use super::server::Server;
use super::socket::Socket;
use super::upgrade::no_more_connections;
use crate::shares::{Share, Source};

/// The size of hyper's read buffer; the minimum that it accepts.
const HTTP_BUFFER: usize = 8 << 10;

/// The answer to a connection for which there is no place. Its request is not read.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 37\r\nconnection: close\r\n\r\nThis server takes no more connections";

/// The maximum number of connections that wait to be accepted. The default of 128 is exceeded by a burst, and a client
/// whose packet is dropped tries again after a second. The system may allow fewer.
const BACKLOG: u32 = 4_096;

/// Listens on an address, such as `127.0.0.1:3000`, with room for bursts of new connections: for
/// [`App::serve_on`](crate::App::serve_on).
///
/// # Errors
/// Returns the error of the system for the last address that the text stands for.
pub async fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut outcome = Err(io::Error::new(io::ErrorKind::InvalidInput, "the name stands for no address"));
    for address in lookup_host(address).await? {
        outcome = bind_one(address);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As tokio's listener does: an address can be used again right after a restart.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `router` until `shutdown` is ready, and for [`Limits::drain_delay`](crate::Limits::drain_delay) after it. Then ends
/// all sessions gracefully.
pub(crate) async fn serve(server: Server, router: Router, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let announced = async {
        shutdown.await;
        server.host.announce_shutdown(server.limits()).await;
    };
    tokio::select! {
        () = accept_all(&server, &router, &listener) => {}
        () = announced => {}
    }
    drop(listener);
    server.host.shut_down(server.limits()).await;
}

async fn accept_all(server: &Server, router: &Router, listener: &TcpListener) {
    let mut outage = Outage::default();
    loop {
        match listener.accept().await {
            Ok((socket, address)) => {
                outage.end();
                admit(server, router, socket, address);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => sleep(outage.note(&error)).await,
        }
    }
}

/// Serves a connection if there is a place for it.
fn admit(server: &Server, router: &Router, socket: TcpStream, address: SocketAddr) {
    let source = server.http.proxies.source_of_socket(address.ip());
    let Some(share) = server.http.sockets.take(source, server.core.clock.now()) else { return refuse(socket) };
    // Small packets are better than messages that wait for an acknowledgement.
    let _as_it_is = socket.set_nodelay(true);
    let socket = Socket::new(socket, share, server.limits().write_timeout);
    server.host.tasks.spawn(serve_http(server.clone(), router.clone(), socket, address, source));
}

/// Answers a connection without reading from it, and closes it.
fn refuse(socket: TcpStream) {
    if let Ok(mut socket) = socket.into_std() {
        let _gone = socket.write(FULL);
    }
}

async fn serve_http(server: Server, router: Router, socket: Socket, address: SocketAddr, source: Source) {
    let own = server.clone();
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(address));
        let place = RequestPlace::take(&own, source, address, request.headers());
        let mut router = router.clone();
        async move {
            if matches!(place, RequestPlace::None) {
                return Ok(no_more_connections());
            }
            let answer = router.call(request.map(axum::body::Body::new)).await;
            drop(place);
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.limits().request_timeout)
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

/// What a request counts for while it is answered.
enum RequestPlace {
    /// Its connection has been counted.
    OfConnection,
    /// The client of a proxy.
    OfClient { _share: Share },
    /// There is no place for it.
    None,
}

impl RequestPlace {
    fn take(server: &Server, source: Source, address: SocketAddr, headers: &http::HeaderMap) -> Self {
        if source != Source::Proxy {
            return Self::OfConnection;
        }
        let client = peer::source(Some(address), headers, &server.http.proxies);
        match server.http.requests.take(client, server.core.clock.now()) {
            Some(share) => Self::OfClient { _share: share },
            None => Self::None,
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
