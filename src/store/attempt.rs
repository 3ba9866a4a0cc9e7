//! Counters of failures. They live in the store, so that neither a second node nor a restart sets them back.

use std::time::Duration;

use super::StoreFuture;
use super::private::Private;
use crate::clock::Timestamp;

/// How often something failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempts {
    /// How often, since it last succeeded or was forgotten.
    pub failures: u32,
    /// Until when nothing more is tried; in the past, or nothing, if it may be.
    pub blocked_until: Option<Timestamp>,
}

/// How failures are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Not `non_exhaustive`: who counts failures says all of it.
pub struct FailureRule {
    /// From this many failures on, each one blocks.
    pub limit: u32,
    /// How long the first block lasts.
    pub first_block: Duration,
    /// Each further one lasts twice as long as the one before, up to this.
    pub longest_block: Duration,
    /// After so long without a failure, counting begins anew.
    pub forgotten_after: Duration,
}

/// The counters of a store, by a key such as `login:name:alice`.
pub trait FailureCounters: Private {
    /// What was counted for `key`.
    fn attempts<'store>(&'store self, key: &'store str) -> StoreFuture<'store, Attempts>;

    /// Counts a failure, in one conditional write, and gives what is counted now. While `key` is blocked nothing is
    /// counted, and the block does not grow.
    fn count_failure<'store>(
        &'store self,
        key: &'store str,
        rule: FailureRule,
        now: Timestamp,
    ) -> StoreFuture<'store, Attempts>;

    /// Forgets what was counted for `key`.
    fn forget_failures<'store>(&'store self, key: &'store str) -> StoreFuture<'store, ()>;

    /// Removes counters whose last failure was before `before`, and which block nothing at `now`.
    fn delete_old_failures(&self, before: Timestamp, now: Timestamp) -> StoreFuture<'_, ()>;
}

impl Attempts {
    /// Whether nothing more is tried at `now`.
    #[must_use]
    pub fn is_blocked(&self, now: Timestamp) -> bool {
        self.blocked_until.is_some_and(|until| now < until)
    }
}

impl FailureRule {
    /// How long the block lasts that begins with the failure that makes `failures` of them; nothing below the limit.
    #[must_use]
    pub fn block(&self, failures: u32) -> Option<Duration> {
        let doublings = failures.checked_sub(self.limit)?.min(20);
        Some(self.first_block.saturating_mul(1 << doublings).min(self.longest_block))
    }
}
