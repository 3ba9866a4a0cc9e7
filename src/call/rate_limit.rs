//! [`RateLimitRule`]: the maximum number of calls in a time, as in Meteor's `ddp-rate-limiter`. The limiter counts by it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::windows::WindowRule;
use super::{Connection, guarded};
use crate::peer::Network;
use crate::user::UserId;

/// A rate limit. A call that exceeds any limit fails with `too-many-requests`.
///
/// ```
/// use std::time::Duration;
/// use bolide::call::RateLimitRule;
///
/// // Meteor's limit: of each account method, five calls in ten seconds on a connection.
/// let rule = RateLimitRule::new(5, Duration::from_secs(10))
///     .methods(["login", "createUser", "resetPassword", "forgotPassword"])
///     .per_connection();
/// ```
#[derive(Clone, Debug)]
pub struct RateLimitRule {
    limit: u32,
    interval: Duration,
    kind: Option<CountedKind>,
    names: Option<Vec<String>>,
    per: Vec<Dimension>,
    on_refusal: Option<OnRefusal>,
}

/// The function of the application that hears of refusals.
#[derive(Clone)]
struct OnRefusal(Arc<dyn Fn(&RateLimitRefusal<'_>) + Send + Sync>);

/// A call or subscription that a rate limit has refused; see [`RateLimitRule::on_refusal`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RateLimitRefusal<'call> {
    /// Whether it is a call or a subscription.
    pub kind: CountedKind,
    /// The name of the method or publication.
    pub name: &'call str,
    /// The user. `None` if the client is not signed in.
    pub user: Option<&'call UserId>,
    /// The connection.
    pub connection: &'call Connection,
    /// The time until the rule allows calls again.
    pub wait: Duration,
}

/// What has its own counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dimension {
    Name,
    Connection,
    User,
    Address,
}

/// The kind of what a rate limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CountedKind {
    /// A call of a method.
    Method,
    /// A subscription to a publication.
    Subscription,
}

/// A call or subscription, as rules see it.
pub(crate) struct Counted<'call> {
    pub(crate) kind: CountedKind,
    pub(crate) name: &'call str,
    pub(crate) user: Option<&'call UserId>,
    pub(crate) connection: &'call Connection,
}

impl RateLimitRule {
    /// Allows `limit` calls in each `interval`. All calls share one counter, unless a function such as
    /// [`per_connection`](Self::per_connection) separates them.
    #[must_use]
    pub const fn new(limit: u32, interval: Duration) -> Self {
        Self { limit, interval, kind: None, names: None, per: Vec::new(), on_refusal: None }
    }

    /// Returns Meteor's limit for account methods: five calls of each in ten seconds on a connection.
    #[must_use]
    pub fn account_methods() -> Self {
        Self::new(5, Duration::from_secs(10))
            .methods(["login", "createUser", "resetPassword", "forgotPassword"])
            .per_connection()
    }

    /// Returns the limit for `sendEmailCode`, which anonymous callers may use: five calls a minute from an address.
    #[must_use]
    pub fn mailed_codes() -> Self {
        Self::new(5, Duration::from_mins(1)).methods(["sendEmailCode"]).per_address()
    }

    /// Returns the limit for sign-ups: ten calls of `createUser` a minute from an address.
    #[must_use]
    pub fn sign_ups() -> Self {
        Self::new(10, Duration::from_mins(1)).methods(["createUser"]).per_address()
    }

    /// Counts only the methods of these names, each separately.
    #[must_use]
    pub fn methods<Name: Into<String>>(mut self, names: impl IntoIterator<Item = Name>) -> Self {
        self.kind = Some(CountedKind::Method);
        self.names = Some(names.into_iter().map(Into::into).collect());
        self.per_name()
    }

    /// Counts only subscriptions to the publications of these names, each separately.
    #[must_use]
    pub fn subscriptions<Name: Into<String>>(mut self, names: impl IntoIterator<Item = Name>) -> Self {
        self.kind = Some(CountedKind::Subscription);
        self.names = Some(names.into_iter().map(Into::into).collect());
        self.per_name()
    }

    /// Counts each method and publication separately.
    #[must_use]
    pub fn per_name(mut self) -> Self {
        self.per.push(Dimension::Name);
        self
    }

    /// Counts each connection separately.
    #[must_use]
    pub fn per_connection(mut self) -> Self {
        self.per.push(Dimension::Connection);
        self
    }

    /// Counts each user separately. Calls of anonymous callers are not counted.
    #[must_use]
    pub fn per_user(mut self) -> Self {
        self.per.push(Dimension::User);
        self
    }

    /// Counts each address separately; of IPv6, each /64 network.
    #[must_use]
    pub fn per_address(mut self) -> Self {
        self.per.push(Dimension::Address);
        self
    }

    /// Calls `callback` for each call or subscription that this rule refuses, before the client is told: to log them, or to
    /// [close](Connection::close) the connection. It must return quickly, since the client's other messages wait for it, and
    /// a client chooses how often it is called.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bolide::call::RateLimitRule;
    ///
    /// let rule = RateLimitRule::new(5, Duration::from_secs(10)).methods(["search"]).per_connection().on_refusal(|refused| {
    ///     eprintln!("{:?} has to wait {:?} for {}", refused.user, refused.wait, refused.name);
    /// });
    /// ```
    #[must_use]
    pub fn on_refusal(mut self, callback: impl Fn(&RateLimitRefusal<'_>) + Send + Sync + 'static) -> Self {
        self.on_refusal = Some(OnRefusal(Arc::new(callback)));
        self
    }

    /// Tells the application of a refusal. A panic of its callback does not concern the client.
    pub(super) fn tell(&self, call: &Counted<'_>, wait: Duration) {
        let Some(OnRefusal(callback)) = &self.on_refusal else { return };
        let Counted { kind, name, user, connection } = *call;
        let refusal = RateLimitRefusal { kind, name, user, connection, wait };
        if let Err(panic) = guarded(|| callback(&refusal)) {
            tracing::error!(%panic, "an on_refusal callback panicked");
        }
    }

    fn is_per(&self, dimension: Dimension) -> bool {
        self.per.contains(&dimension)
    }

    pub(super) const fn window(&self) -> WindowRule {
        WindowRule { calls: self.limit, window: self.interval }
    }

    /// Returns the counter of a call. `None` if the rule does not concern it.
    pub(super) fn key(&self, call: &Counted<'_>) -> Option<Key> {
        if self.kind.is_some_and(|kind| kind != call.kind) {
            return None;
        }
        if self.names.as_ref().is_some_and(|names| !names.iter().any(|name| name == call.name)) {
            return None;
        }
        if self.is_per(Dimension::User) && call.user.is_none() {
            return None;
        }
        Some(Key {
            name: self.is_per(Dimension::Name).then(|| (call.kind == CountedKind::Method, call.name.to_owned())),
            user: call.user.filter(|_| self.is_per(Dimension::User)).cloned(),
            connection: self.is_per(Dimension::Connection).then(|| call.connection.id().to_owned()),
            network: if self.is_per(Dimension::Address) { call.connection.peer().network() } else { None },
        })
    }
}

/// What a counter counts.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Key {
    name: Option<(bool, String)>,
    user: Option<UserId>,
    connection: Option<String>,
    network: Option<Network>,
}

impl fmt::Debug for OnRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnRefusal")
    }
}
