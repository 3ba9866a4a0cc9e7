//! [`RateLimiter`]: counts calls by the [rules](RateLimitRule) of an app, as Meteor's `ddp-rate-limiter` does.
//!
//! A rule counts in [fixed windows](Windows), which begin for each counter with its first call. Refused calls count as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bolide_protocol::DdpError;

use super::rate_limit::Key;
use super::windows::Windows;
use super::{Counted, Current, RateLimitRule};
use crate::clock::Timestamp;

/// All rules of an app, with their counters.
pub(crate) struct RateLimiter {
    rules: Current<Rules>,
    /// The number of rules. Every call looks here first, since most apps have none.
    rule_count: AtomicUsize,
    /// The maximum number of counters of a rule.
    counters: usize,
}

/// The id of a rate limit that was added while the app runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateLimitId(u64);

#[derive(Clone, Default)]
struct Rules {
    all: Vec<Arc<CountingRule>>,
    last_id: u64,
}

struct CountingRule {
    id: RateLimitId,
    rule: RateLimitRule,
    windows: Windows<Key>,
}

impl RateLimiter {
    /// Returns a limiter with these rules and at most `counters` counters for each of them.
    pub(crate) fn new(rules: Vec<RateLimitRule>, counters: usize) -> Self {
        let limiter = Self { rules: Current::new(Rules::default()), rule_count: AtomicUsize::new(0), counters };
        for rule in rules {
            limiter.add(rule);
        }
        limiter
    }

    /// Adds a rule, which begins to count with the next call.
    pub(crate) fn add(&self, rule: RateLimitRule) -> RateLimitId {
        let windows = Windows::new(self.counters);
        self.rules.change(|rules| {
            rules.last_id += 1;
            let id = RateLimitId(rules.last_id);
            rules.all.push(Arc::new(CountingRule { id, rule, windows }));
            self.rule_count.store(rules.all.len(), Ordering::Release);
            id
        })
    }

    /// Removes a rule with its counters. Returns `false` if it is not there.
    pub(crate) fn remove(&self, id: RateLimitId) -> bool {
        self.rules.change(|rules| {
            let before = rules.all.len();
            rules.all.retain(|rule| rule.id != id);
            self.rule_count.store(rules.all.len(), Ordering::Release);
            rules.all.len() < before
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rule_count.load(Ordering::Acquire) == 0
    }

    /// Counts a call. Returns `too-many-requests` with the longest time to wait if any rule is exceeded.
    pub(crate) fn count(&self, call: &Counted<'_>, now: Timestamp) -> Result<(), DdpError> {
        let rules = self.rules.read();
        let waits = rules.all.iter().filter_map(|rule| rule.count(call, now));
        waits.max().map_or(Ok(()), |wait| Err(too_many_requests(wait)))
    }
}

impl CountingRule {
    /// Counts a call. Returns the milliseconds to wait if it is one too many.
    fn count(&self, call: &Counted<'_>, now: Timestamp) -> Option<i64> {
        // Most rules do not concern the call, and then take no lock.
        let counted = self.windows.count(self.rule.key(call)?, self.rule.window(), now);
        if !counted.is_too_many() {
            return None;
        }
        let wait = counted.milliseconds_left();
        self.rule.tell(call, Duration::from_millis(wait.unsigned_abs()));
        Some(wait)
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
