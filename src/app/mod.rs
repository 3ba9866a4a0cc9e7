//! The assembly: [`AppBuilder`] puts an app together, and here is what connects an [`App`] to the world. The only room that
//! knows all others.

mod builder;
mod bus;
mod changes;
mod ready;
mod rules;
#[cfg(feature = "accounts")]
mod store_check;

use std::sync::Arc;
#[cfg(unix)]
use std::task::Poll;

use axum::Router;
use tokio::net::TcpListener;

#[cfg(feature = "accounts")]
use crate::accounts::{AccountsCore, AccountsHandle};
use crate::bus::{BusMember, BusReport};
use crate::call::App;
use crate::error::Error;
use crate::outbox::Link;
use crate::peer::Peer;
#[cfg(feature = "accounts")]
use crate::rest::Endpoints;
use crate::session::{Host, Places};
use crate::transport::listening::Listener;
use crate::transport::memory::{self, MemoryConnection};
use crate::transport::server::Server;
use crate::transport::{http, listener};
#[cfg(feature = "accounts")]
use crate::web::WebPages;

pub use builder::AppBuilder;

impl App {
    /// Begins an app.
    pub fn builder() -> AppBuilder {
        AppBuilder::new()
    }

    /// Returns the accounts. `None` if the app has none.
    #[cfg(feature = "accounts")]
    #[must_use]
    pub fn accounts(&self) -> Option<AccountsHandle> {
        self.core().slot::<AccountsCore>().cloned().map(AccountsHandle::new)
    }

    /// Returns the number of sessions with an open connection. Clients that are away do not count.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.host().map_or(0, |host| host.sessions.connected_len())
    }

    /// Returns the number of sessions, including those whose client is away: it has lost its connection, and may resume its
    /// session within [`Limits::resume_grace`](crate::Limits::resume_grace).
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.host().map_or(0, |host| host.sessions.len())
    }

    /// Returns the number of subscriptions of all sessions, including universal ones and those of clients that are away.
    #[must_use]
    pub fn subscription_count(&self) -> usize {
        self.host().map_or(0, |host| host.sessions.subscription_count())
    }

    /// Returns what this node has sent and received over its bus. `None` if it is alone.
    ///
    /// Events of streams are delivered at most once to other nodes: [`BusReport::gaps`] counts how often some may be lost.
    #[must_use]
    pub fn bus_report(&self) -> Option<BusReport> {
        self.core().slot::<BusMember>().map(|member| member.report())
    }

    /// Returns the app's routes, to be mounted in an axum router. Serve it with
    /// `into_make_service_with_connect_info::<SocketAddr>()`; otherwise methods see no client address.
    pub fn router(&self) -> Router {
        let Some(server) = self.server() else { return Router::new() };
        let router = http::router(&server);
        #[cfg(feature = "accounts")]
        let router = router.merge(self.doors(&server));
        router
    }

    /// Returns the routes of REST and of the web pages, which only an app with accounts has.
    #[cfg(feature = "accounts")]
    fn doors(&self, server: &Server) -> Router {
        let core = self.core();
        let Some(accounts) = core.slot::<AccountsCore>() else { return Router::new() };
        let mut router = Router::new();
        if let Some(endpoints) = core.slot::<Endpoints>() {
            router = router.merge(crate::rest::router(server, accounts, endpoints));
        }
        if core.slot::<WebPages>().is_some() {
            router = router.merge(crate::web::router(&server.http.path_prefix, accounts));
        }
        router
    }

    /// Connects a client in the same process. Call it inside a tokio runtime.
    #[must_use]
    pub fn connect(&self) -> MemoryConnection {
        let core = self.core();
        let (connection, transport) = memory::pair(core.limits.message_bytes);
        if let Some(host) = self.host() {
            let session = host.new_session(core, Peer::default(), Link::Driver);
            host.spawn(core, session, Places::default(), Box::new(transport));
        }
        connection
    }

    /// Listens on `address`, such as `127.0.0.1:3000` or `unix:/run/chat.sock`, and serves until the process is asked to end
    /// (SIGINT or SIGTERM), then [shuts down](Self::shutdown) in order. A second signal ends it at once: running methods are
    /// not answered.
    ///
    /// # Errors
    /// [`Error::Listen`] if the address, or that of the [metrics](AppBuilder::metrics_listen), is not available.
    pub async fn serve(&self, address: &str) -> Result<(), Error> {
        let failed = |reason| Error::Listen { address: address.to_owned(), reason };
        let listener = Listener::bind(address).await.map_err(failed)?;
        let metrics = match self.core().slot::<MetricsAddress>() {
            Some(address) => Some(listen(&address.0).await?),
            None => None,
        };
        tracing::info!("listening on {listener}");
        let serving_metrics = async {
            let Some(metrics) = metrics else { return std::future::pending().await };
            if let Ok(address) = metrics.local_addr() {
                tracing::info!("the metrics are at http://{address}/metrics");
            }
            self.serve_metrics_on(metrics, std::future::pending()).await;
        };
        let (first, second) = shutdown_signals();
        tokio::select! {
            () = self.serve_all([listener], first) => {}
            () = serving_metrics => {}
            () = second => tracing::warn!("a second signal ends the server at once"),
        }
        Ok(())
    }

    /// Serves on a listener until `shutdown` is ready. Then it [shuts down](Self::shutdown) in order, and goes on accepting
    /// connections until [`Limits::drain_delay`](crate::Limits::drain_delay) has passed.
    pub async fn serve_on(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        self.serve_all([listener.into()], shutdown).await;
    }

    /// Does the same on several listeners: TCP addresses, with TLS or without, and Unix sockets.
    ///
    /// ```no_run
    /// use bolide::{App, Listener};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app = App::builder().build()?;
    /// let listeners = [Listener::bind("127.0.0.1:3000").await?, Listener::bind("unix:/run/chat.sock").await?];
    /// app.serve_all(listeners, bolide::shutdown_signal()).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn serve_all(&self, listeners: impl IntoIterator<Item = Listener>, shutdown: impl Future<Output = ()>) {
        if let Some(server) = self.server() {
            tracing::info!("this is the node {}; the ids of its sessions begin so", self.node_id());
            listener::serve(server, self.router(), listeners.into_iter().collect(), shutdown).await;
        }
    }

    /// Returns the metrics of this node as [OpenMetrics] text, for an application that serves them itself. They
    /// show what the server does, so they are not for the clients of the app.
    ///
    /// [OpenMetrics]: https://prometheus.io/docs/specs/om/open_metrics_spec/
    pub async fn metrics(&self) -> String {
        crate::metrics::render(self.core()).await
    }

    /// Returns the route `GET /metrics`, to be mounted in an axum router that only operators reach.
    pub fn metrics_router(&self) -> Router {
        crate::metrics::listener::router(self.core())
    }

    /// Serves `GET /metrics` on a listener of its own until `shutdown` is ready. Another path is answered with 404.
    /// [`AppBuilder::metrics_listen`] does it for an app that [serves](Self::serve) itself.
    pub async fn serve_metrics_on(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        crate::metrics::listener::serve(Arc::clone(self.core()), listener, shutdown).await;
    }

    /// Shuts down in order:
    ///
    /// 1. `/ready` answers 503. For [`Limits::drain_delay`](crate::Limits::drain_delay), clients are still taken.
    /// 2. No further sessions are opened. Those that there are are closed with 1001, in waves over
    ///    [`Limits::drain_time`](crate::Limits::drain_time): a session whose turn it is starts no further messages, and is
    ///    closed when its running methods have been answered.
    /// 3. [`Limits::shutdown_timeout`](crate::Limits::shutdown_timeout) after the last wave, the connections of methods that
    ///    still run are closed without an answer.
    ///
    /// So a call whose method has begun is answered, unless it takes longer than that. A call that has arrived and is not
    /// answered has not begun: its client may call again elsewhere.
    ///
    /// This is for an app whose [`router`](Self::router) is mounted in another server: call it before that server stops.
    /// [`serve`](Self::serve) and [`serve_on`](Self::serve_on) do it themselves.
    pub async fn shutdown(&self) {
        if let Some(host) = self.host() {
            let limits = &self.core().limits;
            host.announce_shutdown(limits).await;
            host.shut_down(limits).await;
        }
    }

    fn host(&self) -> Option<&Arc<Host>> {
        self.core().slot()
    }

    fn server(&self) -> Option<Server> {
        Server::of(self.core())
    }
}

/// The address at which [`App::serve`] serves the metrics, stored in a slot.
struct MetricsAddress(String);

async fn listen(address: &str) -> Result<TcpListener, Error> {
    let failed = |reason| Error::Listen { address: address.to_owned(), reason };
    listener::bind(address).await.map_err(failed)
}

/// Returns what completes when the process is asked to end, by SIGINT or SIGTERM, and what completes when it is asked again,
/// which should end it at once.
pub fn shutdown_signals() -> (impl Future<Output = ()>, impl Future<Output = ()>) {
    let (tell, told) = tokio::sync::oneshot::channel();
    let first = async {
        let mut signals = EndSignals::listen();
        signals.next().await;
        let _heard = tell.send(signals);
    };
    let second = async {
        match told.await {
            Ok(mut signals) => signals.next().await,
            Err(_) => std::future::pending().await,
        }
    };
    (first, second)
}

/// Completes when the process is asked to end, by SIGINT or SIGTERM: for [`App::serve_on`].
pub async fn shutdown_signal() {
    EndSignals::listen().next().await;
}

/// The signals that ask the process to end. One that comes while it is not awaited is kept.
struct EndSignals {
    #[cfg(unix)]
    signals: Vec<tokio::signal::unix::Signal>,
}

impl EndSignals {
    #[cfg(unix)]
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
        Self { signals: kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect() }
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let is_there = self.signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if is_there { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    #[cfg(not(unix))]
    fn listen() -> Self {
        Self {}
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
