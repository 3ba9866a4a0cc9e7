//! [`App`]: what an application registers, put together once and immutable afterwards.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

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
use crate::accounts::{Accounts, AccountsCore, AccountsHandle};
use crate::bus::{Bus, BusEvent, BusMember, LocalBus};
use crate::chance::{Chance, Generator, SystemChance};
use crate::clock::{Clock, SystemClock};
use crate::collection::{Collection, CollectionCore};
use crate::connection::{Connection, Peer};
use crate::context::CallRandom;
use crate::error::{BuildError, Error};
use crate::limits::{Heartbeat, Limits};
use crate::method::{
    Invocation, Method, MethodHandler, MethodRegistry, MethodSummary, Parameters, RunningMethod, sanitize,
};
use crate::publication::{
    Hasher, PublicationHandler, PublicationRegistry, Strategy, Stream, StreamCore, Subscription, add_built_in,
};
use crate::rate_limit::{RateLimitRule, RateLimiter};
#[cfg(feature = "accounts")]
use crate::rest::{Endpoint, Route, Verb};
use crate::session::{Link, Outbox, Session, Sessions, drive};
use crate::transport::memory::{self, MemoryConnection};
use crate::transport::proxies::{Proxies, TrustedProxy};
use crate::transport::sockjs::XhrSessions;
#[cfg(feature = "accounts")]
use crate::two_factor::{AccountsGate, TwoFactor};
use crate::two_factor::{ClosedGate, Gate, Policy};
use crate::user::UserId;

/// An application: its methods, and all that they need to run. Cheap to clone.
#[derive(Clone)]
pub struct App {
    state: Arc<AppState>,
}

/// Collects what an app is made of. Every setting has a default.
///
/// ```
/// use bolide::prelude::*;
///
/// async fn add(_: Context, a: f64, b: f64) -> MethodResult<f64> {
///     Ok(a + b)
/// }
///
/// let app = App::builder().method("add", TwoFactor::none(), add).build()?;
/// # Ok::<(), bolide::Error>(())
/// ```
#[must_use = "an app is built by `build` or `serve`"]
pub struct AppBuilder {
    methods: MethodRegistry,
    publications: PublicationRegistry,
    strategies: HashMap<String, Strategy, Hasher>,
    collections: Vec<Arc<CollectionCore>>,
    streams: Vec<Arc<StreamCore>>,
    bus: Box<dyn Bus>,
    /// Nothing as long as the app has not said who decides.
    gate: Option<Box<dyn Gate>>,
    #[cfg(feature = "accounts")]
    accounts: Option<Accounts>,
    #[cfg(feature = "accounts")]
    endpoints: Vec<Arc<Endpoint>>,
    #[cfg(feature = "accounts")]
    web_pages: bool,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    types: CustomTypes,
    limits: Limits,
    heartbeat: Heartbeat,
    rate_limits: Vec<RateLimitRule>,
    connection_hooks: Vec<ConnectionHook>,
    path_prefix: String,
    sockjs: bool,
    forwarded_count: usize,
    trusted_proxies: Vec<TrustedProxy>,
    mistakes: Vec<BuildError>,
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
        crate::server::serve(Arc::clone(&self.state), self.router(), listener, shutdown).await;
    }

    /// Takes no more clients, lets running methods end within [`Limits::shutdown_timeout`], and closes the sessions with
    /// 1001. For an app whose [`router`](Self::router) is mounted in another server: before that one stops.
    /// [`serve`](Self::serve) and [`serve_on`](Self::serve_on) do it themselves.
    pub async fn shutdown(&self) {
        crate::server::shut_down(&self.state).await;
    }

    #[cfg(feature = "accounts")]
    pub(crate) fn proxies(&self) -> &Proxies {
        &self.state.proxies
    }

    pub(crate) fn from_state(state: Arc<AppState>) -> Self {
        Self { state }
    }
}

impl AppBuilder {
    fn new() -> Self {
        Self {
            methods: MethodRegistry::default(),
            publications: PublicationRegistry::default(),
            strategies: HashMap::default(),
            collections: Vec::new(),
            streams: Vec::new(),
            bus: Box::new(LocalBus::default()),
            gate: None,
            #[cfg(feature = "accounts")]
            accounts: None,
            #[cfg(feature = "accounts")]
            endpoints: Vec::new(),
            #[cfg(feature = "accounts")]
            web_pages: false,
            clock: Arc::new(SystemClock),
            chance: Arc::new(SystemChance),
            types: CustomTypes::default(),
            limits: Limits::default(),
            heartbeat: Heartbeat::default(),
            rate_limits: Vec::new(),
            connection_hooks: Vec::new(),
            path_prefix: String::new(),
            sockjs: true,
            forwarded_count: 0,
            trusted_proxies: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    /// Registers a method: its name, its policy, its [handler](MethodHandler).
    pub fn method<Signature>(
        mut self,
        name: &str,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> Self {
        if let Err(mistake) = self.methods.add(name, policy.into_two_factor(), handler) {
            self.mistakes.push(mistake);
        }
        self
    }

    /// Registers a publication: its name and its [handler](PublicationHandler).
    pub fn publish<Signature>(mut self, name: &str, handler: impl PublicationHandler<Signature>) -> Self {
        if let Err(mistake) = self.publications.add(name, handler) {
            self.mistakes.push(mistake);
        }
        self
    }

    /// Registers a universal publication: it runs for every session, without a subscription of the client's, and again
    /// when the user changes. The change waits until it returns, is ready or unblocks, so that the new documents come
    /// with it; at most for [`Limits::user_change_timeout`].
    pub fn publish_universal<Signature>(mut self, handler: impl PublicationHandler<Signature>) -> Self {
        self.publications.add_universal(handler);
        self
    }

    /// Registers a stream, as the publication `stream-<name>`.
    pub fn stream(mut self, stream: &Stream) -> Self {
        let core = Arc::clone(stream.core());
        let name = core.collection().to_owned();
        self.streams.push(Arc::clone(&core));
        self.publish(&name, async move |subscription: Subscription, parameters: Parameters| {
            core.publish(&subscription, &parameters)
        })
    }

    /// Registers a stream, or gives the one of its name that the app has registered itself.
    #[cfg(feature = "accounts")]
    pub(crate) fn stream_unless_there(self, stream: Stream) -> (Self, Stream) {
        match self.streams.iter().find(|own| own.name() == stream.name()).map(Arc::clone) {
            Some(own) => (self, Stream::of(own)),
            None => (self.stream(&stream), stream),
        }
    }

    /// Lets a collection share its changes with other nodes. Without it, a collection works on this node alone.
    pub fn collection<T: Serialize + DeserializeOwned>(mut self, collection: &Collection<T>) -> Self {
        self.collections.push(Arc::clone(collection.core()));
        self
    }

    /// Chooses how the documents of a collection are sent. Default: [`Strategy::Merge`].
    pub fn strategy(mut self, collection: &str, strategy: Strategy) -> Self {
        self.strategies.insert(collection.to_owned(), strategy);
        self
    }

    /// Connects this node with others. Default: a bus of its own.
    pub fn bus(mut self, bus: impl Bus) -> Self {
        self.bus = Box::new(bus);
        self
    }

    /// Gives the app users, log-in, the second factor and settings. It then has Meteor's account methods and
    /// Rocket.Chat's for the second factor, but for those that it registers itself, and a gate, unless it
    /// [brings](Self::gate) its own. To be built inside a tokio runtime.
    #[cfg(feature = "accounts")]
    pub fn accounts(mut self, accounts: Accounts) -> Self {
        self.accounts = Some(accounts);
        self
    }

    /// Serves the web pages at `/`: an account page for users and a panel for admins, with `bolide.js` for pages of the
    /// application's own. Without it `/` is free. The setting `Web_Pages_Enabled` turns the pages off at run time.
    #[cfg(feature = "accounts")]
    pub const fn web_pages(mut self) -> Self {
        self.web_pages = true;
        self
    }

    /// Registers a REST endpoint that is read: its [`Route`](crate::rest::Route), mostly a path below `/api/v1` such as
    /// `items/:id`, its policy, its handler. The handler's parameter is an object of what the body, the query and the
    /// path say; its result is answered with `success: true` beside its members. An app without
    /// [accounts](Self::accounts) serves no REST.
    ///
    /// ```
    /// use bolide::prelude::*;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Wanted { id: String }
    ///
    /// async fn item(_: Context, wanted: Wanted) -> MethodResult<String> {
    ///     Ok(wanted.id)
    /// }
    ///
    /// // The same function may be a method and an endpoint.
    /// let app = App::builder()
    ///     .method("item", TwoFactor::none(), item)
    ///     .get("items/:id", TwoFactor::none(), item);
    /// ```
    #[cfg(feature = "accounts")]
    pub fn get<Signature>(
        self,
        route: impl Into<Route>,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> Self {
        self.endpoint(Verb::Get, route.into(), policy.into_two_factor(), handler)
    }

    /// Registers a REST endpoint that is posted to; see [`get`](Self::get).
    #[cfg(feature = "accounts")]
    pub fn post<Signature>(
        self,
        route: impl Into<Route>,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> Self {
        self.endpoint(Verb::Post, route.into(), policy.into_two_factor(), handler)
    }

    #[cfg(feature = "accounts")]
    fn endpoint<Signature>(
        mut self,
        verb: Verb,
        route: Route,
        policy: TwoFactor,
        handler: impl MethodHandler<Signature>,
    ) -> Self {
        match Method::new(route.path(), verb.method_kind(), policy, handler) {
            Ok(method) => self.endpoints.push(Arc::new(Endpoint::method(verb, route, Arc::new(method)))),
            Err(mistake) => self.mistakes.push(mistake),
        }
        self
    }

    /// Registers an endpoint that the app may have registered itself already.
    #[cfg(feature = "accounts")]
    pub(crate) fn endpoint_unless_there<Signature>(
        self,
        verb: Verb,
        route: Route,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> Self {
        let is_there = self.endpoints.iter().any(|other| other.is_at(verb, &route));
        if is_there { self } else { self.endpoint(verb, route, policy.into_two_factor(), handler) }
    }

    /// Registers a method that the app may have registered itself already.
    #[cfg(feature = "accounts")]
    pub(crate) fn method_unless_there<Signature>(
        self,
        name: &str,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> Self {
        if self.methods.find(name).is_some() { self } else { self.method(name, policy, handler) }
    }

    /// Says who decides about gated calls. Without it, and without accounts, all of them are refused.
    pub fn gate(mut self, gate: impl Gate) -> Self {
        self.gate = Some(Box::new(gate));
        self
    }

    /// Adds a rate limit. Without any, nothing is counted.
    pub fn rate_limit(mut self, rule: RateLimitRule) -> Self {
        self.rate_limits.push(rule);
        self
    }

    /// Runs `hook` for every session that is opened, right after the client was told so.
    pub fn on_connection(mut self, hook: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        self.connection_hooks.push(Box::new(hook));
        self
    }

    /// Accepts EJSON values of a custom type. A value of an unknown type is a parse error, as in Meteor.
    pub fn ejson_type(mut self, name: &str) -> Self {
        self.types.register(name);
        self
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how often silent clients are asked whether they are there.
    pub const fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// Puts all routes below a path, such as `/app`.
    pub fn path_prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.path_prefix);
        self
    }

    /// Whether SockJS is served below `/sockjs`, as Meteor's browser client needs it. Default: yes. Clients on the raw
    /// WebSocket do without.
    pub const fn sockjs(mut self, served: bool) -> Self {
        self.sockjs = served;
        self
    }

    /// Says through how many proxies clients come, as Meteor's `HTTP_FORWARDED_COUNT`. The client's address is then
    /// taken from `x-forwarded-for`. Default: 0, the header is not believed.
    pub const fn forwarded_count(mut self, proxies: usize) -> Self {
        self.forwarded_count = proxies;
        self
    }

    /// Believes a proxy, or a network of proxies, when it says in `x-forwarded-for` for whom it forwards. The client's
    /// address is the last one there that is not trusted. Default: none, the header is not believed.
    ///
    /// ```
    /// use bolide::App;
    ///
    /// let app = App::builder().trusted_proxy("10.0.0.0/8".parse()?).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trusted_proxy(mut self, proxy: TrustedProxy) -> Self {
        self.trusted_proxies.push(proxy);
        self
    }

    /// Takes the time from elsewhere.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes random bytes from elsewhere.
    pub fn chance(mut self, chance: impl Chance) -> Self {
        self.chance = Arc::new(chance);
        self
    }

    /// Puts the app together.
    ///
    /// # Errors
    /// [`BuildError`], for the first thing that does not fit.
    pub fn build(mut self) -> Result<App, Error> {
        #[cfg(feature = "accounts")]
        let accounts = self
            .accounts
            .take()
            .map(|accounts| AccountsCore::new(accounts, Arc::clone(&self.clock), Arc::clone(&self.chance)));
        #[cfg(feature = "accounts")]
        if let Some(accounts) = &accounts {
            self = accounts.register(self);
            self.gate.get_or_insert_with(|| Box::new(AccountsGate(Arc::clone(accounts))));
        }
        let prefix = &self.path_prefix;
        if !prefix.is_empty() && (!prefix.starts_with('/') || prefix.ends_with('/')) {
            self.mistakes.push(BuildError::PathPrefix(prefix.clone()));
        }
        #[cfg(feature = "accounts")]
        if self.web_pages && accounts.is_none() {
            self.mistakes.push(BuildError::WebPagesWithoutAccounts);
        }
        if let Some(mistake) = self.mistakes.into_iter().next() {
            return Err(mistake.into());
        }
        #[cfg(feature = "accounts")]
        crate::rest::check(&self.endpoints)?;
        let proxies = Proxies::new(self.forwarded_count, self.trusted_proxies)?;
        add_built_in(&mut self.publications)?;
        let member = join_bus(
            &*self.bus,
            self.collections,
            self.streams,
            self.types.clone(),
            #[cfg(feature = "accounts")]
            accounts.as_ref().map(Arc::downgrade),
        );
        #[cfg(feature = "accounts")]
        if let Some(accounts) = &accounts {
            accounts.join_bus(member);
        }
        #[cfg(not(feature = "accounts"))]
        drop(member);
        let state = AppState {
            methods: self.methods,
            publications: self.publications,
            strategies: self.strategies,
            gate: self.gate.unwrap_or_else(|| Box::new(ClosedGate)),
            #[cfg(feature = "accounts")]
            accounts: accounts.clone(),
            #[cfg(feature = "accounts")]
            endpoints: self.endpoints,
            #[cfg(feature = "accounts")]
            web_pages: self.web_pages,
            clock: self.clock,
            chance: self.chance,
            types: self.types,
            limits: self.limits,
            heartbeat: self.heartbeat,
            rate_limiter: RateLimiter::new(self.rate_limits),
            connection_hooks: self.connection_hooks,
            path_prefix: self.path_prefix,
            sockjs: self.sockjs.then(XhrSessions::default),
            proxies,
            sessions: Sessions::default(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let state = Arc::new(state);
        #[cfg(feature = "accounts")]
        if let Some(accounts) = accounts {
            accounts.attach(&state);
        }
        Ok(App { state })
    }

    /// Puts the app together and [serves](App::serve) it.
    ///
    /// # Errors
    /// As [`build`](Self::build) and [`App::serve`].
    pub async fn serve(self, address: &str) -> Result<(), Error> {
        self.build()?.serve(address).await
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

/// Connects collections and streams with those of the same name on other nodes, and accounts with accounts.
fn join_bus(
    bus: &dyn Bus,
    collections: Vec<Arc<CollectionCore>>,
    streams: Vec<Arc<StreamCore>>,
    types: CustomTypes,
    #[cfg(feature = "accounts")] accounts: Option<Weak<AccountsCore>>,
) -> BusMember {
    // They know the bus, so the bus does not keep them alive.
    let by_collection: HashMap<String, Weak<CollectionCore>> =
        collections.iter().map(|core| (core.name().to_owned(), Arc::downgrade(core))).collect();
    let by_stream: HashMap<String, Weak<StreamCore>> =
        streams.iter().map(|core| (core.name().to_owned(), Arc::downgrade(core))).collect();
    let collection = move |name: &str| by_collection.get(name)?.upgrade();
    let stream = move |name: &str| by_stream.get(name)?.upgrade();
    let member = bus.join(Arc::new(move |event| match event {
        BusEvent::DocumentStored { collection: name, id, fields } => {
            if let Some(core) = collection(name) {
                core.stored_elsewhere(id, fields, &types);
            }
        }
        BusEvent::DocumentRemoved { collection: name, id } => {
            if let Some(core) = collection(name) {
                core.removed_elsewhere(id);
            }
        }
        BusEvent::Stream { stream: name, event, args } => {
            if let Some(core) = stream(name) {
                core.deliver(event, args);
            }
        }
        BusEvent::TokensEnded { .. }
        | BusEvent::UserSignedOut { .. }
        | BusEvent::UserChanged { .. }
        | BusEvent::SettingChanged { .. } =>
        {
            #[cfg(feature = "accounts")]
            if let Some(accounts) = accounts.as_ref().and_then(Weak::upgrade) {
                accounts.hear(event);
            }
        }
    }));
    for core in collections {
        core.attach(member.clone());
    }
    for core in streams {
        core.attach(member.clone());
    }
    member
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

impl fmt::Debug for AppBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AppBuilder").finish_non_exhaustive()
    }
}
