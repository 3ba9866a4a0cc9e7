//! The assembly: [`AppBuilder`] puts an app together, and here is what connects an [`App`] to the world. The only room that
//! knows all others.

mod builder;
mod bus;
mod changes;
mod ready;
#[cfg(feature = "accounts")]
mod store_check;

use std::sync::Arc;

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

    /// Returns the number of open connections.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.host().map_or(0, |host| host.sessions.len())
    }

    /// Returns the number of subscriptions of all sessions, universal ones included.
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

    /// Listens on `address` and serves until the process is asked to end (SIGINT or SIGTERM), then shuts down in order.
    ///
    /// # Errors
    /// [`Error::Listen`] if the address, or that of the [metrics](AppBuilder::metrics_listen), is not available.
    pub async fn serve(&self, address: &str) -> Result<(), Error> {
        let listener = listen(address).await?;
        let metrics = match self.core().slot::<MetricsAddress>() {
            Some(address) => Some(listen(&address.0).await?),
            None => None,
        };
        if let Ok(address) = listener.local_addr() {
            tracing::info!("listening on http://{address}");
        }
        let served = self.serve_on(listener, shutdown_signal());
        match metrics {
            None => served.await,
            Some(metrics) => {
                if let Ok(address) = metrics.local_addr() {
                    tracing::info!("the metrics are at http://{address}/metrics");
                }
                tokio::select! {
                    () = served => {}
                    () = self.serve_metrics_on(metrics, std::future::pending()) => {}
                }
            }
        }
        Ok(())
    }

    /// Serves on a listener until `shutdown` is ready. Then it accepts no more connections, lets running methods end within
    /// [`Limits::shutdown_timeout`](crate::Limits::shutdown_timeout), and closes the sessions with 1001.
    pub async fn serve_on(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        if let Some(server) = self.server() {
            tracing::info!("this is the node {}; the ids of its sessions begin so", self.node_id());
            listener::serve(server, self.router(), listener, shutdown).await;
        }
    }

    /// Returns the metrics of this node as [OpenMetrics] text, for an application that serves them itself. It tells what the
    /// server does to whoever can read it, so it is not for the clients of the app.
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

    /// Takes no more clients, lets running methods end within
    /// [`Limits::shutdown_timeout`](crate::Limits::shutdown_timeout), and closes the sessions with 1001. For an app whose
    /// [`router`](Self::router) is mounted in another server: call it before that server stops. [`serve`](Self::serve) and
    /// [`serve_on`](Self::serve_on) do it themselves.
    pub async fn shutdown(&self) {
        if let Some(host) = self.host() {
            host.shut_down(&self.core().limits).await;
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

/// Completes when the process is asked to end, by SIGINT or SIGTERM: for [`App::serve_on`].
pub async fn shutdown_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
