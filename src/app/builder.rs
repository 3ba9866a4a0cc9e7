//! [`AppBuilder`]: collects what an app is made of, and puts it together.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use bolide_protocol::ejson::CustomTypes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[cfg(feature = "accounts")]
use crate::accounts::{Accounts, AccountsCore};
use crate::bus::{Bus, BusEvent, BusMember, LocalBus};
use crate::chance::{Chance, SystemChance};
use crate::clock::{Clock, SystemClock};
use crate::collection::{Collection, CollectionCore};
use crate::call::{ClosedGate, Connection, Gate, MethodHandler, MethodRegistry, Parameters, Policy, RateLimitRule, RateLimiter};
use crate::error::{BuildError, Error};
use crate::limits::{Heartbeat, Limits};
#[cfg(feature = "accounts")]
use crate::call::Method;
use crate::publication::{
    Hasher, PublicationHandler, PublicationRegistry, Strategy, Stream, StreamCore, Subscription, add_built_in,
};
#[cfg(feature = "accounts")]
use crate::rest::{Endpoint, Route, Verb};
use crate::session::Sessions;
use crate::transport::proxies::{Proxies, TrustedProxy};
use crate::transport::sockjs::XhrSessions;
#[cfg(feature = "accounts")]
use crate::call::TwoFactor;
use crate::two_factor::AccountsGate;

use super::{App, AppState, ConnectionHook};

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

impl AppBuilder {
    pub(super) fn new() -> Self {
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

impl fmt::Debug for AppBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AppBuilder").finish_non_exhaustive()
    }
}
