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

    /// Counts a failure in one conditional write, and returns the new state. While `key` is blocked, failures are not
    /// counted and the block does not become longer.
    fn count_failure<'store>(
        &'store self,
        key: &'store str,
        rule: FailureRule,
        now: Timestamp,
    ) -> StoreFuture<'store, Attempts>;

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
}
