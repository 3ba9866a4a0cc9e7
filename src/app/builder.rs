//! [`AppBuilder`]: collects what an app is made of, and puts it together.

use std::fmt;
use std::sync::Arc;
#[cfg(feature = "accounts")]
use std::time::Duration;

use arc_swap::ArcSwap;
use bolide_protocol::ejson::CustomTypes;
use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "accounts")]
use crate::accounts::{Accounts, AccountsCore, Foundation};
#[cfg(feature = "accounts")]
use crate::admin::History;
use crate::bus::{Bus, ClusterName};
use crate::call::{
    App, AppCore, ClosedGate, Connection, Current, Gate, MethodHandler, Policy, RateLimitRule, RateLimiter, Slots,
    State,
};
#[cfg(feature = "accounts")]
use crate::call::{SLOW_CALL, SlowCalls};
use crate::chance::{Chance, SystemChance};
use crate::clock::{Clock, SystemClock};
#[cfg(feature = "accounts")]
use crate::collection::StoreLink;
use crate::collection::{AppCollections, Collection, CollectionCore};
use crate::error::{BuildError, Error};
use crate::figures::Figures;
use crate::limits::{Heartbeat, Limits};
#[cfg(feature = "accounts")]
use crate::metrics::MeasuredStores;
use crate::node::NodeId;
use crate::publication::{PublicationHandler, Strategies, Strategy, Stream, add_built_in};
use crate::registry::Registry;
#[cfg(feature = "accounts")]
use crate::rest::{Endpoints, Route, Verb};
use crate::session::{ConnectionHook, Host};
#[cfg(feature = "accounts")]
use crate::store::Store;
use crate::transport::origins::{AllowedOrigin, Origins};
use crate::transport::proxies::{Proxies, TrustedProxy};
use crate::transport::ready::Ready;
use crate::transport::server::{Http, socket_shares};
use crate::transport::sockjs::XhrSessions;
#[cfg(feature = "accounts")]
use crate::two_factor::TwoFactorCore;
#[cfg(feature = "accounts")]
use crate::web::WebPages;

use super::MetricsAddress;
use super::bus::{self, Members};
use super::ready::NodeCheck;

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
    registry: Registry,
    slots: Slots,
    strategies: Strategies,
    collections: Vec<Arc<CollectionCore>>,
    /// `None` if this node is alone.
    bus: Option<Box<dyn Bus>>,
    cluster: ClusterName,
    /// `None` if the app does not bring its own.
    gate: Option<Box<dyn Gate>>,
    #[cfg(feature = "accounts")]
    accounts: Option<Accounts>,
    #[cfg(feature = "accounts")]
    store: Option<Arc<dyn Store>>,
    #[cfg(feature = "accounts")]
    endpoints: Endpoints,
    #[cfg(feature = "accounts")]
    web_pages: bool,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    types: CustomTypes,
    limits: Limits,
    heartbeat: Heartbeat,
    rate_limits: Vec<RateLimitRule>,
    #[cfg(feature = "accounts")]
    default_rate_limits: bool,
    #[cfg(feature = "accounts")]
    slow_call: Duration,
    connection_hooks: Vec<ConnectionHook>,
    path_prefix: String,
    sockjs: bool,
    forwarded_count: usize,
    trusted_proxies: Vec<TrustedProxy>,
    allowed_origins: Vec<AllowedOrigin>,
}

impl AppBuilder {
    pub(super) fn new() -> Self {
        Self {
            registry: Registry::default(),
            slots: Slots::default(),
            strategies: Strategies::default(),
            collections: Vec::new(),
            bus: None,
            cluster: ClusterName::default(),
            gate: None,
            #[cfg(feature = "accounts")]
            accounts: None,
            #[cfg(feature = "accounts")]
            store: None,
            #[cfg(feature = "accounts")]
            endpoints: Endpoints::default(),
            #[cfg(feature = "accounts")]
            web_pages: false,
            clock: Arc::new(SystemClock),
            chance: Arc::new(SystemChance),
            types: CustomTypes::default(),
            limits: Limits::default(),
            heartbeat: Heartbeat::default(),
            rate_limits: Vec::new(),
            #[cfg(feature = "accounts")]
            default_rate_limits: true,
            #[cfg(feature = "accounts")]
            slow_call: SLOW_CALL,
            connection_hooks: Vec::new(),
            path_prefix: String::new(),
            sockjs: true,
            forwarded_count: 0,
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
        }
    }

    /// Registers a method with its two-factor policy and its [handler](MethodHandler).
    pub fn method<Signature>(
        mut self,
        name: &str,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> Self {
        self.registry.method(name, policy, handler);
        self
    }

    /// Registers a publication with its [handler](PublicationHandler).
    pub fn publish<Signature>(mut self, name: &str, handler: impl PublicationHandler<Signature>) -> Self {
        self.registry.publish(name, handler);
        self
    }

    /// Registers a universal publication: it runs for every session without a subscription of the client, and again when
    /// the user changes. The change waits until the publication returns, is ready or unblocks, so that the new documents
    /// are sent with it, but at most for [`Limits::user_change_timeout`].
    pub fn publish_universal<Signature>(mut self, handler: impl PublicationHandler<Signature>) -> Self {
        self.registry.publish_universal(handler);
        self
    }

    /// Registers a stream, as the publication `stream-<name>`.
    pub fn stream(mut self, stream: &Stream) -> Self {
        self.registry.stream(stream);
        self
    }

    /// Keeps a value that handlers and publications use, one of each type:
    /// [`Context::state`](crate::Context::state) returns it. Handlers then need no captured clones.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// struct Prices { ink: f64 }
    ///
    /// async fn price(context: Context) -> MethodResult<f64> {
    ///     Ok(context.state::<Prices>()?.ink)
    /// }
    ///
    /// let app = App::builder().state(Prices { ink: 2.5 }).method("price", TwoFactor::none(), price).build()?;
    /// # Ok::<(), bolide::Error>(())
    /// ```
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.slots.insert(Arc::new(State(value)));
        self
    }

    /// Gives the app a collection: one in memory shares its changes with other nodes, and a
    /// [stored](Collection::stored) one is kept in the app's [store](Self::store). Without this, a collection in memory
    /// works on this node alone, and a stored one does not work.
    pub fn collection<T: Serialize + DeserializeOwned>(mut self, collection: &Collection<T>) -> Self {
        self.collections.push(Arc::clone(collection.core()));
        self
    }

    /// Chooses how the documents of a collection are sent. Default: [`Strategy::Merge`].
    pub fn strategy(mut self, collection: &str, strategy: Strategy) -> Self {
        self.strategies.insert(collection.to_owned(), strategy);
        self
    }

    /// Connects this node with the other nodes of its [cluster](Self::cluster). Build such an app inside a tokio runtime.
    /// Default: the node is alone.
    pub fn bus(mut self, bus: impl Bus) -> Self {
        self.bus = Some(Box::new(bus));
        self
    }

    /// Sets the name of the cluster: the nodes that share a store. Nodes hear only nodes of their own cluster. Default:
    /// `bolide`.
    pub fn cluster(mut self, name: ClusterName) -> Self {
        self.cluster = name;
        self
    }

    /// Gives the app users, login, the second factor and settings. It then has Meteor's account methods and Rocket.Chat's
    /// methods for the second factor, except those that it registers itself, and a gate, unless it
    /// [brings](Self::gate) its own. Build such an app inside a tokio runtime.
    #[cfg(feature = "accounts")]
    pub fn accounts(mut self, accounts: Accounts) -> Self {
        self.accounts = Some(accounts);
        self
    }

    /// Sets the store of the app's stored collections. Default: the store of its [accounts](Self::accounts). Build such an
    /// app inside a tokio runtime.
    ///
    /// ```
    /// use bolide::prelude::*;
    /// use bolide::store::SqlStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let notes: Collection = Collection::stored("notes").index("owner");
    /// let store = SqlStore::open("sqlite::memory:").await?;
    /// let app = App::builder().store(store).collection(&notes).build()?;
    /// notes.upsert("first", Update::new().set("owner", "ada")).await?;
    /// assert_eq!(notes.find(Filter::eq("owner", "ada")).count().await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "accounts")]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Serves the web pages at `/`: an account page for users and a panel for admins, with `bolide.js` for the
    /// application's own pages. Default: off. The setting `Web_Pages_Enabled` turns the pages off at run time.
    #[cfg(feature = "accounts")]
    pub const fn web_pages(mut self) -> Self {
        self.web_pages = true;
        self
    }

    /// Registers a REST endpoint for `GET`: its [`Route`](crate::rest::Route), usually a path below `/api/v1` such as
    /// `items/{id}`, its policy, its handler. The handler's parameter is an object of the members of the body, the query and
    /// the path; its result is answered with `success: true` next to its members. A value of the query is a string, unless
    /// [`Route::takes`](crate::rest::Route::takes) declares another type for it. An error of the handler is answered with
    /// 400, and with 401 if a login is missing. An app without [accounts](Self::accounts) serves no REST.
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
    /// // The same function can be a method and an endpoint.
    /// let app = App::builder()
    ///     .method("item", TwoFactor::none(), item)
    ///     .get("items/{id}", TwoFactor::none(), item);
    /// ```
    #[cfg(feature = "accounts")]
    pub fn get<Signature>(
        self,
        route: impl Into<Route>,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> Self {
        self.endpoint(Verb::Get, route, policy, handler)
    }

    /// Registers a REST endpoint for `POST`; see [`get`](Self::get).
    #[cfg(feature = "accounts")]
    pub fn post<Signature>(
        self,
        route: impl Into<Route>,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> Self {
        self.endpoint(Verb::Post, route, policy, handler)
    }

    /// Registers a REST endpoint for `PUT`; see [`get`](Self::get).
    #[cfg(feature = "accounts")]
    pub fn put<Signature>(
        self,
        route: impl Into<Route>,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> Self {
        self.endpoint(Verb::Put, route, policy, handler)
    }

    /// Registers a REST endpoint for `PATCH`; see [`get`](Self::get).
    #[cfg(feature = "accounts")]
    pub fn patch<Signature>(
        self,
        route: impl Into<Route>,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> Self {
        self.endpoint(Verb::Patch, route, policy, handler)
    }

    /// Registers a REST endpoint for `DELETE`; see [`get`](Self::get).
    #[cfg(feature = "accounts")]
    pub fn delete<Signature>(
        self,
        route: impl Into<Route>,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> Self {
        self.endpoint(Verb::Delete, route, policy, handler)
    }

    #[cfg(feature = "accounts")]
    fn endpoint<Signature>(
        mut self,
        verb: Verb,
        route: impl Into<Route>,
        policy: impl Policy,
        handler: impl MethodHandler<Signature>,
    ) -> Self {
        self.endpoints.add(verb, route.into(), policy, handler);
        self
    }

    /// Sets the gate that decides about gated calls. Default: the gate of the accounts; without accounts, all gated calls
    /// are refused.
    pub fn gate(mut self, gate: impl Gate) -> Self {
        self.gate = Some(Box::new(gate));
        self
    }

    /// Adds a rate limit. An app with [accounts](Self::accounts) has three already: Meteor's for
    /// [account methods](RateLimitRule::account_methods), one for [codes by e-mail](RateLimitRule::mailed_codes) and one for
    /// [sign-ups](RateLimitRule::sign_ups). A call is refused if any of the limits is exceeded.
    pub fn rate_limit(mut self, rule: RateLimitRule) -> Self {
        self.rate_limits.push(rule);
        self
    }

    /// Leaves out the rate limits that every app with accounts has, for an app that adds
    /// [limits](Self::rate_limit) of its own instead.
    #[cfg(feature = "accounts")]
    pub const fn without_default_rate_limits(mut self) -> Self {
        self.default_rate_limits = false;
        self
    }

    /// Runs `hook` for every session that is opened, right after the client was sent `connected`.
    pub fn on_connection(mut self, hook: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        self.connection_hooks.push(Box::new(hook));
        self
    }

    /// Accepts EJSON values of a custom type. A value of an unregistered type is a parse error, as in Meteor.
    pub fn ejson_type(mut self, name: &str) -> Self {
        self.types.register(name);
        self
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the heartbeat: the time after which a silent client is sent a ping, and the time it has to answer.
    pub const fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// Puts all routes below a path, such as `/app`. Default: none.
    pub fn path_prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.path_prefix);
        self
    }

    /// Sets whether SockJS is served below `/sockjs`; Meteor's browser client needs it, clients on the raw WebSocket do
    /// not. Default: `true`.
    pub const fn sockjs(mut self, served: bool) -> Self {
        self.sockjs = served;
        self
    }

    /// Sets the number of proxies that clients come through, as Meteor's `HTTP_FORWARDED_COUNT`. The client's address is
    /// then taken from `x-forwarded-for`. Default: 0, the header is ignored.
    pub const fn forwarded_count(mut self, proxies: usize) -> Self {
        self.forwarded_count = proxies;
        self
    }

    /// Trusts the `x-forwarded-for` of a proxy, or of a network of proxies. The client's address is the last address there
    /// that is not trusted. Default: none, the header is ignored.
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

    /// Allows pages of this origin to open sessions in a browser, over WebSocket and SockJS; pages of other origins are
    /// answered with 403. Call it for each origin, and for that of the server's own pages. Programs that send no origin are
    /// not affected. Default: all origins, as in Meteor, whose sessions do not depend on cookies.
    ///
    /// ```
    /// use bolide::App;
    ///
    /// let app = App::builder().allowed_origin("https://chat.example.com".parse()?).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn allowed_origin(mut self, origin: AllowedOrigin) -> Self {
        self.allowed_origins.push(origin);
        self
    }

    /// Serves the [metrics](App::metrics) at `/metrics` of another address, such as `127.0.0.1:9464`, as long as
    /// [`serve`](Self::serve) runs. Choose an address that only operators reach. Default: off.
    pub fn metrics_listen(mut self, address: &str) -> Self {
        self.slots.insert(Arc::new(MetricsAddress(address.to_owned())));
        self
    }

    /// Sets how long a call takes at least to be among the latest slow calls that admins are shown: the method, the user, when
    /// it began and how long it took, not its parameters. Default: 1 second.
    #[cfg(feature = "accounts")]
    pub const fn slow_call(mut self, duration: Duration) -> Self {
        self.slow_call = duration;
        self
    }

    /// Sets the clock. Default: the system's clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets the source of random bytes. Default: the system's.
    pub fn chance(mut self, chance: impl Chance) -> Self {
        self.chance = Arc::new(chance);
        self
    }

    /// Puts the app together.
    ///
    /// # Errors
    /// Returns [`BuildError`] for the first part that does not fit.
    pub fn build(mut self) -> Result<App, Error> {
        let figures = Arc::<Figures>::default();
        add_built_in(&mut self.registry.publications)?;
        let proxies = self.check()?;
        #[cfg(feature = "accounts")]
        let accounts = self.register_features(&figures)?;
        let Registry { methods, publications, streams, mistakes } = self.registry;
        if let Some(mistake) = mistakes.into_iter().next() {
            return Err(mistake.into());
        }
        #[cfg(feature = "accounts")]
        let accounts_store = accounts.as_ref().map(|accounts| Arc::clone(&accounts.store));
        #[cfg(feature = "accounts")]
        let documents = attach_store(&self.collections, self.store.clone().or_else(|| accounts_store.clone()))?;
        self.slots.insert(Arc::new(AppCollections(self.collections.clone())));
        let members = Members {
            collections: self.collections,
            streams,
            types: self.types.clone(),
            #[cfg(feature = "accounts")]
            accounts: accounts.as_ref().map(Arc::downgrade),
        };
        let node = NodeId::draw(&*self.chance);
        let member = self.bus.map(|bus| bus::join(&*bus, self.cluster, &node, &*self.chance, members));
        let mut slots = self.slots;
        let host = Host::new(publications, self.strategies, self.heartbeat, self.connection_hooks, &self.limits);
        if let Some(member) = &member {
            let parts = bus::parts_that_catch_up(
                #[cfg(feature = "accounts")]
                accounts.as_ref(),
            );
            member.watch(parts, &host.stopping);
            slots.insert(Arc::new(member.clone()));
        }
        slots.insert(Arc::new(host));
        #[cfg(feature = "accounts")]
        let measured = [("accounts", accounts_store.clone()), ("collections", self.store.clone())]
            .into_iter()
            .filter_map(|(name, store)| Some((name, store?)))
            .collect();
        slots.insert(Arc::new(Ready::new(NodeCheck::new(
            member.clone(),
            #[cfg(feature = "accounts")]
            accounts_store.into_iter().chain(self.store).collect(),
            #[cfg(feature = "accounts")]
            documents,
        ))));
        #[cfg(feature = "accounts")]
        slots.insert(Arc::new(MeasuredStores(measured)));
        let sockjs = self.sockjs.then(|| XhrSessions::new(self.limits.message_bytes));
        slots.insert(Arc::new(Http {
            path_prefix: self.path_prefix,
            sockjs,
            proxies: ArcSwap::from_pointee(proxies),
            origins: ArcSwap::from_pointee(Origins::new(self.allowed_origins)),
            sockets: socket_shares(&self.limits),
            requests: socket_shares(&self.limits),
        }));
        #[cfg(feature = "accounts")]
        if let Some(accounts) = &accounts {
            slots.insert(Arc::clone(accounts));
            slots.insert(Arc::<History>::default());
            slots.insert(Arc::new(self.endpoints));
        }
        #[cfg(feature = "accounts")]
        if self.web_pages {
            slots.insert(Arc::new(WebPages));
        }
        let core = Arc::new(AppCore {
            methods: Current::new(methods),
            gate: self.gate.unwrap_or_else(|| Box::new(ClosedGate)),
            rate_limiter: RateLimiter::new(self.rate_limits, self.limits.rate_counters),
            limits: Arc::new(self.limits),
            types: self.types,
            clock: self.clock,
            chance: self.chance,
            node,
            slots,
            figures,
            #[cfg(feature = "accounts")]
            slow_calls: SlowCalls::new(self.slow_call),
        });
        #[cfg(feature = "accounts")]
        if let Some(accounts) = accounts {
            if let Some(member) = member {
                accounts.join_bus(member);
            }
            accounts.attach(&core);
            crate::admin::start(&accounts, &core);
        }
        Ok(App::of(core))
    }

    /// Checks what does not depend on the registry.
    fn check(&mut self) -> Result<Proxies, BuildError> {
        let prefix = &self.path_prefix;
        if !prefix.is_empty() && (!prefix.starts_with('/') || prefix.ends_with('/')) {
            return Err(BuildError::PathPrefix(prefix.clone()));
        }
        #[cfg(feature = "accounts")]
        if self.web_pages && self.accounts.is_none() {
            return Err(BuildError::WebPagesWithoutAccounts);
        }
        let needs_runtime = self.bus.as_ref().is_some_and(|bus| !bus.is_lossless());
        if needs_runtime && tokio::runtime::Handle::try_current().is_err() {
            return Err(BuildError::BusWithoutRuntime);
        }
        Proxies::new(self.forwarded_count, std::mem::take(&mut self.trusted_proxies))
    }

    /// Has the features register what the app has not registered itself.
    #[cfg(feature = "accounts")]
    fn register_features(&mut self, figures: &Arc<Figures>) -> Result<Option<Arc<AccountsCore>>, BuildError> {
        let accounts = self.accounts.take().map(|accounts| {
            let foundation = Foundation::new(accounts, &self.limits, &self.clock, &self.chance, figures);
            let factors = TwoFactorCore::new(&foundation);
            let core = AccountsCore::new(foundation, Arc::clone(&factors) as _);
            crate::accounts::register(&core, &mut self.registry);
            crate::two_factor::register(&core, &factors, &mut self.registry);
            crate::admin::register(&core, &factors, &mut self.registry);
            crate::rest::register(&core, &factors, &mut self.endpoints);
            self.gate.get_or_insert_with(|| Box::new(Arc::clone(&factors.gate)));
            if self.default_rate_limits {
                self.rate_limits.extend([
                    RateLimitRule::account_methods(),
                    RateLimitRule::mailed_codes(),
                    RateLimitRule::sign_ups(),
                ]);
            }
            core
        });
        self.endpoints.check()?;
        for method in self.endpoints.methods() {
            self.registry.methods.add_endpoint(Arc::clone(method));
        }
        Ok(accounts)
    }

    /// Puts the app together and [serves](App::serve) it.
    ///
    /// # Errors
    /// Returns the errors of [`build`](Self::build) and [`App::serve`].
    pub async fn serve(self, address: &str) -> Result<(), Error> {
        self.build()?.serve(address).await
    }
}

impl fmt::Debug for AppBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AppBuilder").finish_non_exhaustive()
    }
}

/// Connects the stored collections with the store. Returns `None` if there are none.
#[cfg(feature = "accounts")]
fn attach_store(
    collections: &[Arc<CollectionCore>],
    store: Option<Arc<dyn Store>>,
) -> Result<Option<Arc<StoreLink>>, BuildError> {
    let stored: Vec<_> = collections.iter().filter(|core| core.is_stored()).collect();
    let Some(first) = stored.first() else { return Ok(None) };
    let store = store.ok_or_else(|| BuildError::CollectionWithoutStore(first.name().to_owned()))?;
    let link = StoreLink::new(store.documents());
    for (place, core) in stored.iter().enumerate() {
        if stored[..place].iter().any(|other| other.name() == core.name() && !Arc::ptr_eq(other, core)) {
            return Err(BuildError::DuplicateCollection(core.name().to_owned()));
        }
        core.attach_store(&link);
    }
    Ok(Some(link))
}
