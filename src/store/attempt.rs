//! Counters of failures. They are in the store, so that neither a second node nor a restart resets them.

use std::time::Duration;

use super::StoreFuture;
use super::private::Private;
use crate::clock::Timestamp;

/// The state of a failure counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempts {
    /// The number of failures since the last success, or since the counter was reset.
    pub failures: u32,
    /// When the block ends. Attempts are allowed if it is `None` or in the past.
    pub blocked_until: Option<Timestamp>,
}

/// An attempt that was counted as a failure before it is checked. If it turns out to be none, it is
/// [refunded](FailureCounters::refund_attempt).
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "an attempt that is not refunded stays counted as a failure"]
pub struct CountedAttempt {
    /// The number of failures, this one included.
    pub failures: u32,
    /// When the block ends that begins with this attempt. `None` if there is none.
    pub blocked_until: Option<Timestamp>,
    /// When the counter started at zero. An attempt is refunded only to the count that it is part of.
    pub(super) started_at: Timestamp,
}

/// How failures are counted, and how long they block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Not `non_exhaustive`: callers state all of it.
pub struct FailureRule {
    /// The number of failures from which on each failure blocks.
    pub limit: u32,
    /// The duration of the first block.
    pub first_block: Duration,
    /// The maximum duration of a block. Each block lasts twice as long as the one before, up to this. If it equals
    /// `first_block`, blocks do not grow, and the counter starts again at zero after each.
    pub longest_block: Duration,
    /// The time without a failure after which the counter starts again at zero.
    pub forgotten_after: Duration,
}

/// The failure counters of a store. Each has a key such as `login:name:alice`.
pub trait FailureCounters: Private {
    /// Returns the counter of `key`.
    fn attempts<'store>(&'store self, key: &'store str) -> StoreFuture<'store, Attempts>;

    /// Counts an attempt as a failure in one conditional write, before it is checked: of many parallel attempts, on all
    /// nodes, only as many are checked as may fail. Returns `None` while `key` is blocked: the attempt is not counted and
    /// must not be checked, and the block does not become longer.
    fn count_attempt<'store>(
        &'store self,
        key: &'store str,
        rule: FailureRule,
        now: Timestamp,
    ) -> StoreFuture<'store, Option<CountedAttempt>>;

    /// Takes back a counted attempt that was not a failure, with the block that began with it. Returns `false`, and has no
    /// effect, if the counter has started at zero since. If a process ends before the refund, the attempt stays counted.
    fn refund_attempt<'store>(
        &'store self,
        key: &'store str,
        attempt: CountedAttempt,
        rule: FailureRule,
    ) -> StoreFuture<'store, bool>;

    /// Resets the counter of `key`.
    fn forget_failures<'store>(&'store self, key: &'store str) -> StoreFuture<'store, ()>;

    /// Deletes the counters whose last failure was before `before` and whose block has ended at `now`. If more than `most`
    /// are left, deletes those with the oldest failures, unless their blocks last.
    fn delete_old_failures(&self, before: Timestamp, now: Timestamp, most: u32) -> StoreFuture<'_, ()>;
}

impl Attempts {
    /// Returns whether attempts are blocked at `now`.
    #[must_use]
    pub fn is_blocked(&self, now: Timestamp) -> bool {
        self.blocked_until.is_some_and(|until| now < until)
    }
}

impl FailureRule {
    /// Returns whether the counter starts again after a block.
    pub(crate) fn starts_again(&self) -> bool {
        self.longest_block == self.first_block
    }

    /// Returns the duration of the block that starts with failure number `failures`, or `None` below the limit.
    #[must_use]
    pub fn block(&self, failures: u32) -> Option<Duration> {
        let doublings = failures.checked_sub(self.limit)?.min(20);
        Some(self.first_block.saturating_mul(1 << doublings).min(self.longest_block))
    }

    /// Returns the number of failures above the limit from which on blocks do not become longer.
    pub(crate) fn growing_blocks(&self) -> u32 {
        (0..20).find(|more| self.block(self.limit.saturating_add(*more)) == Some(self.longest_block)).unwrap_or(20)
    }
}
