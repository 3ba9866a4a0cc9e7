//! [`RateLimitRule`]: the maximum number of calls in a time, counted as Meteor's `ddp-rate-limiter` does.
//!
//! A rule counts in fixed windows that begin for all of its callers at once. Refused calls count as well.

use std::collections::HashMap;
use std::time::Duration;

use bolide_protocol::DdpError;
use parking_lot::Mutex;

use super::Connection;
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
#[derive(Default)]
pub(crate) struct RateLimiter {
    rules: Vec<(RateLimitRule, Mutex<Window>)>,
}

#[derive(Default)]
struct Window {
    ends: Option<Timestamp>,
    counts: HashMap<Key, u32>,
}

impl RateLimiter {
    pub(crate) fn new(rules: Vec<RateLimitRule>) -> Self {
        Self { rules: rules.into_iter().map(|rule| (rule, Mutex::default())).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Counts a call. Returns `too-many-requests` with the longest time to wait if any rule is exceeded.
    pub(crate) fn count(&self, call: &Counted<'_>, now: Timestamp) -> Result<(), DdpError> {
        let waits = self.rules.iter().filter_map(|(rule, window)| {
            // Most rules do not concern the call, and then take no lock.
            let key = rule.key(call)?;
            window.lock().count(rule, key, now)
        });
        waits.max().map_or(Ok(()), |wait| Err(too_many_requests(wait)))
    }
}

impl Window {
    /// Counts a call. Returns the milliseconds to wait if the limit is exceeded.
    fn count(&mut self, rule: &RateLimitRule, key: Key, now: Timestamp) -> Option<i64> {
        let ends = match self.ends {
            // A clock that is set back does not make the window longer.
            Some(ends) if now < ends && ends <= now.plus(rule.interval) => ends,
            _ => {
                self.counts.clear();
                now.plus(rule.interval)
            }
        };
        self.ends = Some(ends);
        let count = self.counts.entry(key).or_insert(0);
        *count = count.saturating_add(1);
        (*count > rule.limit).then(|| ends.milliseconds() - now.milliseconds())
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
