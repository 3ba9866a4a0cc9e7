//! The listener: accepts sockets, serves HTTP on them, and shuts down gracefully.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use futures::future::{Either, ready};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, ToSocketAddrs, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_service::Service as _;

use super::http::is_websocket;
use super::listening::{Accepted, Listener};
use super::outage::Outage;
use super::peer;
use super::remote::Remote;
use super::server::Server;
use super::socket::Socket;
use super::upgrade::{Framing, Opening, no_more_connections};
use crate::session::Driving;
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

/// What all connections need.
struct Serving {
    server: Server,
    router: Router,
    http: http1::Builder,
}

impl Serving {
    fn new(server: Server, router: Router) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(server.limits().request_timeout).max_buf_size(HTTP_BUFFER);
        Self { server, router, http }
    }
}

/// Serves `router` until `shutdown` is ready, and for [`Limits::drain_delay`](crate::Limits::drain_delay) after it. Then ends
/// all sessions gracefully.
pub(crate) async fn serve(
    server: Server,
    router: Router,
    listeners: Vec<Listener>,
    shutdown: impl Future<Output = ()>,
) {
    let serving = Arc::new(Serving::new(server, router));
    let server = &serving.server;
    let announced = async {
        shutdown.await;
        server.host.announce_shutdown(server.limits()).await;
    };
    // In tasks, so that a connection begins on the thread that has accepted it. The caller may run outside the threads of
    // the runtime, where each would wake another thread.
    let accepting = listeners.into_iter().map(|listener| accept_all(Arc::clone(&serving), listener));
    let mut accepting: JoinSet<()> = accepting.collect();
    tokio::select! {
        () = async { while accepting.join_next().await.is_some() {} } => {}
        () = announced => {}
    }
    accepting.shutdown().await;
    server.host.shut_down(server.limits()).await;
}

async fn accept_all(serving: Arc<Serving>, listener: Listener) {
    #[cfg(feature = "tls")]
    if let Some(tls) = listener.tls() {
        tokio::select! {
            () = accept_from(&serving, &listener) => return,
            () = tls.watch() => return,
        }
    }
    accept_from(&serving, &listener).await;
}

async fn accept_from(serving: &Arc<Serving>, listener: &Listener) {
    let mut outage = Outage::default();
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                outage.end();
                admit(serving, accepted, listener);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => sleep(outage.note(&error)).await,
        }
    }
}

/// Serves a connection if there is a place for it.
fn admit(serving: &Arc<Serving>, accepted: Accepted, listener: &Listener) {
    let server = &serving.server;
    let remote = accepted.remote();
    let source = server.http.proxies.load().source_of_socket(remote);
    let Some(share) = server.http.sockets.take(source, server.core.clock.now()) else {
        return refuse(accepted, listener);
    };
    let own = Arc::clone(serving);
    let timeout = server.limits().write_timeout;
    match accepted {
        Accepted::Tcp(socket, _) => {
            // Small packets are better than messages that wait for an acknowledgement.
            let _as_it_is = socket.set_nodelay(true);
            #[cfg(feature = "tls")]
            if let Some(tls) = listener.tls().cloned() {
                return spawn(serving, async move {
                    let server = &own.server;
                    let handshake = tls.accept(socket, source, server.core.clock.now());
                    let socket = server.host.stopping.run_until_cancelled(handshake).await??;
                    serve_requests(own, Socket::new(socket, share, timeout), remote, source).await
                });
            }
            spawn(serving, serve_requests(own, Socket::new(socket, share, timeout), remote, source));
        }
        #[cfg(unix)]
        Accepted::Unix(socket) => {
            spawn(serving, serve_requests(own, Socket::new(socket, share, timeout), remote, source));
        }
    }
}

/// Serves the requests of a connection, and then its session if one of them has opened a WebSocket.
fn spawn(serving: &Serving, requests: impl Future<Output = Option<Driving>> + Send + 'static) {
    // Boxed before the task has it, so that a session does not keep the memory of it.
    let requests = Box::pin(requests);
    serving.server.host.tasks.spawn(async move {
        if let Some(session) = requests.await {
            session.await;
        }
    });
}

/// Answers a connection without reading from it, and closes it. Before a handshake, it is only closed.
#[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "without TLS, all listeners are alike"))]
fn refuse(accepted: Accepted, listener: &Listener) {
    #[cfg(feature = "tls")]
    if listener.tls().is_some() {
        return;
    }
    let _gone = match accepted {
        Accepted::Tcp(socket, _) => socket.into_std().and_then(|mut socket| socket.write(FULL)),
        #[cfg(unix)]
        Accepted::Unix(socket) => socket.into_std().and_then(|mut socket| socket.write(FULL)),
    };
}

/// Serves requests until the connection is lost, or one of them opens a WebSocket. Returns its session.
async fn serve_requests<Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    serving: Arc<Serving>,
    socket: Socket<Stream>,
    remote: Remote,
    source: Source,
) -> Option<Driving> {
    let Serving { server, router, http } = &*serving;
    let opening: Mutex<Option<Opening>> = Mutex::default();
    let service = service_fn(|mut request: http::Request<hyper::body::Incoming>| {
        let place = RequestPlace::take(server, source, remote, request.headers());
        if matches!(place, RequestPlace::None) {
            return Either::Left(ready(Ok(no_more_connections())));
        }
        if is_websocket(server, &request) {
            let answer = match Opening::accept(server, remote, &mut request, Framing::Raw) {
                Ok((accepted, answer)) => {
                    *opening.lock() = Some(accepted);
                    answer
                }
                Err(refusal) => refusal.answer(),
            };
            return Either::Left(ready(Ok(answer)));
        }
        remote.note(request.extensions_mut());
        let mut router = router.clone();
        Either::Right(async move {
            let answer = router.call(request.map(Body::new)).await;
            drop(place);
            answer
        })
    });
    {
        let mut connection = pin!(http.serve_connection(TokioIo::new(socket), service).with_upgrades());
        // hyper has already answered malformed requests.
        tokio::select! {
            _ = connection.as_mut() => {}
            () = server.host.stopping.cancelled() => {
                // Requests that wait for SockJS frames receive a closing frame.
                connection.as_mut().graceful_shutdown();
                let _late = timeout(server.limits().shutdown_timeout, connection).await;
            }
        }
    }
    opening.into_inner()?.open(server).await
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
    fn take(server: &Server, source: Source, remote: Remote, headers: &http::HeaderMap) -> Self {
        if source != Source::Proxy {
            return Self::OfConnection;
        }
        let client = peer::source(remote, headers, &server.http.proxies.load());
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
