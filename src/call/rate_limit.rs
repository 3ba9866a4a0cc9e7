//! [`RateLimitRule`]: the maximum number of calls in a time, counted as Meteor's `ddp-rate-limiter` does.
//!
//! A rule counts in [fixed windows](Windows), which begin for each counter with its first call. Refused calls count as well.

use std::time::Duration;

use bolide_protocol::DdpError;

use super::Connection;
use super::windows::{WindowRule, Windows};
use crate::clock::Timestamp;
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
}

/// What has its own counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dimension {
    Name,
    Connection,
    User,
    Address,
}

/// The kind of what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CountedKind {
    Method,
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
        Self { limit, interval, kind: None, names: None, per: Vec::new() }
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

    fn is_per(&self, dimension: Dimension) -> bool {
        self.per.contains(&dimension)
    }

    const fn window(&self) -> WindowRule {
        WindowRule { calls: self.limit, window: self.interval }
    }

    fn key(&self, call: &Counted<'_>) -> Option<Key> {
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

#[derive(PartialEq, Eq, Hash)]
struct Key {
    name: Option<(bool, String)>,
    user: Option<UserId>,
    connection: Option<String>,
    network: Option<Network>,
}

/// All rules of an app, with their counters.
pub(crate) struct RateLimiter {
    rules: Vec<(RateLimitRule, Windows<Key>)>,
}

impl RateLimiter {
    /// Returns a limiter with these rules and at most `counters` counters for each of them.
    pub(crate) fn new(rules: Vec<RateLimitRule>, counters: usize) -> Self {
        Self { rules: rules.into_iter().map(|rule| (rule, Windows::new(counters))).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Counts a call. Returns `too-many-requests` with the longest time to wait if any rule is exceeded.
    pub(crate) fn count(&self, call: &Counted<'_>, now: Timestamp) -> Result<(), DdpError> {
        let waits = self.rules.iter().filter_map(|(rule, windows)| {
            // Most rules do not concern the call, and then take no lock.
            let counted = windows.count(rule.key(call)?, rule.window(), now);
            counted.is_too_many().then(|| counted.milliseconds_left())
        });
        waits.max().map_or(Ok(()), |wait| Err(too_many_requests(wait)))
    }
}

fn too_many_requests(wait: i64) -> DdpError {
    let seconds = wait.unsigned_abs().div_ceil(1000);
    DdpError::new(
        "too-many-requests",
        format!("Error, too many requests. Please slow down. You must wait {seconds} seconds before trying again."),
    )
    .with_details(serde_json::json!({ "timeToReset": wait }))
}
