//! [`App`]: what an application registers, put together once by its [builder](AppBuilder) and immutable afterwards.

mod builder;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use bolide_protocol::ejson::{self, CustomTypes, Date};
use bolide_protocol::{DdpError, RawJson, random};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[cfg(feature = "accounts")]
use crate::accounts::{AccountsCore, AccountsHandle};
use crate::chance::{Chance, Generator};
use crate::clock::Clock;
use crate::call::{CallRandom, Connection, Gate, Invocation, Method, MethodRegistry, MethodSummary, Parameters, Peer, RateLimiter, RunningMethod, sanitize};
use crate::error::Error;
use crate::limits::{Heartbeat, Limits};
use crate::publication::{Hasher, PublicationRegistry, Strategy};
#[cfg(feature = "accounts")]
use crate::rest::Endpoint;
use crate::session::{Link, Outbox, Session, Sessions, drive};
use crate::transport::memory::{self, MemoryConnection};
use crate::transport::proxies::Proxies;
use crate::transport::sockjs::XhrSessions;
use crate::user::UserId;

pub use builder::AppBuilder;

/// An application: its methods, and all that they need to run. Cheap to clone.
#[derive(Clone)]
pub struct App {
    state: Arc<AppState>,
}

/// Who makes a call that comes from no connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    user: Option<UserId>,
}

type ConnectionHook = Box<dyn Fn(Connection) + Send + Sync>;

pub(crate) struct AppState {
    pub(crate) methods: MethodRegistry,
    pub(crate) publications: PublicationRegistry,
    strategies: HashMap<String, Strategy, Hasher>,
    pub(crate) gate: Box<dyn Gate>,
    #[cfg(feature = "accounts")]
    pub(crate) accounts: Option<Arc<AccountsCore>>,
    #[cfg(feature = "accounts")]
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    #[cfg(feature = "accounts")]
    pub(crate) web_pages: bool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) types: CustomTypes,
    pub(crate) limits: Limits,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) rate_limiter: RateLimiter,
    pub(crate) connection_hooks: Vec<ConnectionHook>,
    pub(crate) path_prefix: String,
    /// Nothing if SockJS is turned off.
    pub(crate) sockjs: Option<XhrSessions>,
    pub(crate) proxies: Proxies,
    pub(crate) sessions: Sessions,
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl App {
    /// Begins an app.
    pub fn builder() -> AppBuilder {
        AppBuilder::new()
    }

    /// Calls a method without any transport, by the same way as a client's call: policy, gate, handler.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app = App::builder()
    ///     .method("greet", TwoFactor::none(), async |_: Context, name: String| Ok(format!("Hello {name}")))
    ///     .build()?;
    /// let greeting: String = app.call(&Caller::anonymous(), "greet", &("Ada",)).await?;
    /// assert_eq!(greeting, "Hello Ada");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What a client would be answered: 404 for an unknown method, 400 for wrong parameters, the method's own errors;
    /// also 400 when the result is not an `Output`.
    pub async fn call<Output: DeserializeOwned>(
        &self,
        caller: &Caller,
        method: &str,
        parameters: &impl Serialize,
    ) -> Result<Output, DdpError> {
        let parameters = Parameters::from_values(parameters).map_err(|_| DdpError::match_failed())?;
        let result = self.call_raw(caller, method, parameters).await?.unwrap_or_else(RawJson::null);
        ejson::from_raw(&result, &self.state.types).map_err(|_| DdpError::match_failed())
    }

    /// Calls a method with parameters as they come; see [`call`](Self::call).
    ///
    /// # Errors
    /// What a client would be answered.
    pub async fn call_raw(
        &self,
        caller: &Caller,
        method: &str,
        parameters: Parameters,
    ) -> Result<Option<RawJson>, DdpError> {
        let found = self.state.methods.find(method).ok_or_else(|| DdpError::method_not_found(method))?;
        self.state.run(found, None, caller.user.clone(), CallRandom::new(None), parameters).await
    }

    /// The methods, and after them the endpoints, each with its policy, by name.
    #[must_use]
    pub fn methods(&self) -> Vec<MethodSummary> {
        self.state.summaries()
    }

    /// The accounts, if the app has any.
    #[cfg(feature = "accounts")]
    #[must_use]
    pub fn accounts(&self) -> Option<AccountsHandle> {
        self.state.accounts.clone().map(AccountsHandle::new)
    }

    /// The time, as the app's clock tells it.
    #[must_use]
    pub fn now(&self) -> Date {
        self.state.clock.now().to_date()
    }

    /// How many connections are open.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.state.sessions.len()
    }

    /// How many subscriptions its sessions have, universal ones among them.
    #[must_use]
    pub fn subscription_count(&self) -> usize {
        self.state.sessions.subscription_count()
    }

    /// The app's routes, to be mounted in an axum router. Serve it with
    /// `into_make_service_with_connect_info::<SocketAddr>()`, or methods see no client address.
    pub fn router(&self) -> Router {
        let router = crate::transport::http::router(&self.state);
        #[cfg(feature = "accounts")]
        let router = router.merge(crate::rest::router(&self.state)).merge(crate::web::router(&self.state));
        router
    }

    /// Connects a client in the same process. It must run inside a tokio runtime.
    #[must_use]
    pub fn connect(&self) -> MemoryConnection {
        let (connection, transport) = memory::pair(self.state.limits.message_bytes);
        let session = self.state.new_session(Peer::default(), Link::Driver);
        self.state.tasks.spawn(drive(Arc::clone(&self.state), session, Box::new(transport)));
        connection
    }

    /// Listens on `address` and serves until the process is asked to end (SIGINT or SIGTERM), then shuts down in order.
    ///
    /// # Errors
    /// [`Error::Listen`] when the address cannot be had.
    pub async fn serve(&self, address: &str) -> Result<(), Error> {
        let listener = listen(address).await?;
        if let Ok(address) = listener.local_addr() {
            tracing::info!("listening on http://{address}");
        }
        self.serve_on(listener, shutdown_signal()).await;
        Ok(())
    }

    /// Serves on a listener until `shutdown` is ready: then it accepts no more, lets running methods end within
    /// [`Limits::shutdown_timeout`], and closes the sessions with 1001.
    pub async fn serve_on(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        crate::transport::listener::serve(Arc::clone(&self.state), self.router(), listener, shutdown).await;
    }

    /// Takes no more clients, lets running methods end within [`Limits::shutdown_timeout`], and closes the sessions with
    /// 1001. For an app whose [`router`](Self::router) is mounted in another server: before that one stops.
    /// [`serve`](Self::serve) and [`serve_on`](Self::serve_on) do it themselves.
    pub async fn shutdown(&self) {
        crate::transport::listener::shut_down(&self.state).await;
    }

    #[cfg(feature = "accounts")]
    pub(crate) fn proxies(&self) -> &Proxies {
        &self.state.proxies
    }

    pub(crate) fn from_state(state: Arc<AppState>) -> Self {
        Self { state }
    }
}

impl Caller {
    /// Nobody.
    #[must_use]
    pub const fn anonymous() -> Self {
        Self { user: None }
    }

    /// A user.
    pub fn user(id: impl Into<UserId>) -> Self {
        Self { user: Some(id.into()) }
    }
}

impl AppState {
    pub(crate) fn random_id(&self) -> String {
        random::id(&mut Generator(&*self.chance))
    }

    pub(crate) fn strategy(&self, collection: &str) -> Strategy {
        if self.strategies.is_empty() {
            return Strategy::Merge;
        }
        self.strategies.get(collection).copied().unwrap_or_default()
    }

    /// Runs a method that no session runs, by the same way as any other.
    pub(crate) async fn run(
        self: &Arc<Self>,
        method: &Arc<Method>,
        connection: Option<Connection>,
        user: Option<UserId>,
        random: CallRandom,
        parameters: Parameters,
    ) -> Result<Option<RawJson>, DdpError> {
        let invocation = Arc::new(Invocation {
            app: Arc::clone(self),
            method: Arc::clone(method),
            connection,
            user: Mutex::new(user),
            random: Mutex::new(random),
            unblocked: AtomicBool::new(false),
            parent: None,
            is_clients_choice: true,
            admitted: AtomicBool::new(false),
            shown: Mutex::default(),
        });
        let outcome = RunningMethod::start(&invocation, parameters).await;
        outcome.map_err(|error| sanitize(error, "method", &method.name, &self.random_id()))
    }

    pub(crate) fn summaries(&self) -> Vec<MethodSummary> {
        let methods = self.methods.iter().map(MethodSummary::new);
        #[cfg(feature = "accounts")]
        let methods = methods.chain(self.endpoints.iter().filter_map(|endpoint| endpoint.summary()));
        let mut summaries: Vec<_> = methods.collect();
        summaries.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        summaries
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.stopping.is_cancelled()
    }

    pub(crate) fn new_session(&self, peer: Peer, link: Link) -> Arc<Session> {
        Session::new(self.random_id(), self.clock.now(), peer, Outbox::new(link, &self.limits))
    }
}

async fn listen(address: &str) -> Result<TcpListener, Error> {
    let failed = |reason| Error::Listen { address: address.to_owned(), reason };
    let parsed: SocketAddr = match address.parse() {
        Ok(address) => address,
        Err(_) => return TcpListener::bind(address).await.map_err(failed),
    };
    TcpListener::bind(parsed).await.map_err(failed)
}

/// Ready when the process is asked to end, by SIGINT or SIGTERM: for [`App::serve_on`].
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

impl fmt::Debug for App {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("App").field("connections", &self.connection_count()).finish_non_exhaustive()
    }
}
