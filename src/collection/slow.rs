//! [`SlowQueries`]: the kinds of queries that took longest. A kind is a query without its values.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::plan::Plan;
use crate::figures::{Durations, DurationsSnapshot};

/// The time from which a query is recorded. Faster ones cost no more than two readings of the clock.
const RECORDED_FROM: Duration = Duration::from_millis(5);

/// The maximum number of kinds that are remembered. A slower one replaces the fastest.
const MAX_KINDS: usize = 20;

#[derive(Default)]
pub(super) struct SlowQueries {
    durations: Durations,
    by_kind: Mutex<HashMap<String, SlowQuery>>,
}

/// How slow the queries of a kind were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlowQuery {
    /// The longest time.
    pub(crate) longest: Duration,
    /// The number of documents that were read in this time.
    pub(crate) read: usize,
    /// The number of queries that were slow.
    pub(crate) count: u64,
}

impl SlowQueries {
    /// Records a query that has ended, if it was slow.
    pub(super) fn note(&self, plan: &Plan, begin: Instant, read: usize) {
        let elapsed = begin.elapsed();
        self.durations.count(elapsed);
        if elapsed >= RECORDED_FROM {
            self.record(plan.kind(), elapsed, read);
        }
    }

    /// Returns the durations of all queries.
    pub(super) fn durations(&self) -> DurationsSnapshot {
        self.durations.snapshot()
    }

    fn record(&self, kind: String, elapsed: Duration, read: usize) {
        let mut by_kind = self.by_kind.lock();
        if let Some(known) = by_kind.get_mut(&kind) {
            known.count += 1;
            if known.longest < elapsed {
                (known.longest, known.read) = (elapsed, read);
            }
            return;
        }
        if by_kind.len() == MAX_KINDS {
            let fastest = by_kind.iter().min_by_key(|(_, query)| query.longest);
            let Some(fastest) = fastest.filter(|(_, query)| query.longest < elapsed).map(|(kind, _)| kind.clone())
            else {
                return;
            };
            by_kind.remove(&fastest);
        }
        by_kind.insert(kind, SlowQuery { longest: elapsed, read, count: 1 });
    }

    /// Returns the kinds, slowest first.
    #[cfg(feature = "accounts")]
    pub(super) fn list(&self) -> Vec<(String, SlowQuery)> {
        let mut list: Vec<_> = self.by_kind.lock().iter().map(|(kind, query)| (kind.clone(), *query)).collect();
        list.sort_unstable_by(|(a, one), (b, other)| other.longest.cmp(&one.longest).then_with(|| a.cmp(b)));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_kinds_are_kept() {
        let queries = SlowQueries::default();
        for milliseconds in 1..=30 {
            queries.record(format!("kind {milliseconds}"), Duration::from_millis(milliseconds), 7);
        }
        queries.record("kind 30".to_owned(), Duration::from_millis(5), 8);
        queries.record("fast".to_owned(), Duration::from_millis(1), 9);
        let list = queries.list();
        let slowest = SlowQuery { longest: Duration::from_millis(30), read: 7, count: 2 };
        assert_eq!(list.first(), Some(&("kind 30".to_owned(), slowest)));
        assert_eq!(list.last().map(|(kind, _)| kind.as_str()), Some("kind 11"));
        assert_eq!(list.len(), MAX_KINDS);
    }
}
