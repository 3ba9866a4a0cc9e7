//! [`MethodStatistics`]: the calls of a method, its errors and its durations. Counted without a lock, since every call
//! counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Two buckets for each doubling, from a microsecond to some 17 minutes.
const BUCKETS: usize = 60;

pub(crate) struct MethodStatistics {
    errors: AtomicU64,
    by_duration: [AtomicU64; BUCKETS],
}

/// The calls of a method since the app was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodCounts {
    /// The number of calls that have ended.
    pub calls: u64,
    /// The number of calls that ended with an error.
    pub errors: u64,
    /// The median duration, rounded up to a latency class.
    pub median: Duration,
    /// The 99th percentile of the durations, rounded up to a latency class.
    pub percentile_99: Duration,
}

impl MethodStatistics {
    /// Counts a call that has ended.
    pub(crate) fn count(&self, took: Duration, has_failed: bool) {
        self.by_duration[bucket(took)].fetch_add(1, Ordering::Relaxed);
        if has_failed {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> MethodCounts {
        let buckets: Vec<u64> = self.by_duration.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let calls = buckets.iter().sum();
        MethodCounts {
            calls,
            errors: self.errors.load(Ordering::Relaxed),
            median: percentile(&buckets, calls, 50),
            percentile_99: percentile(&buckets, calls, 99),
        }
    }
}

impl Default for MethodStatistics {
    fn default() -> Self {
        Self { errors: AtomicU64::new(0), by_duration: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

/// Returns the bucket of a duration: the number of its highest bit, twice, and one more if the next bit is set.
fn bucket(took: Duration) -> usize {
    let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let doublings = microseconds.ilog2();
    let is_upper_half = doublings > 0 && microseconds >> (doublings - 1) & 1 == 1;
    (2 * doublings as usize + usize::from(is_upper_half)).min(BUCKETS - 1)
}

/// Returns the longest duration of a bucket.
fn longest(bucket: usize) -> Duration {
    let doubled = 1_u64 << (bucket / 2);
    Duration::from_micros(if bucket.is_multiple_of(2) { doubled + doubled / 2 } else { 2 * doubled })
}

fn percentile(buckets: &[u64], calls: u64, percent: u64) -> Duration {
    let wanted = (calls * percent).div_ceil(100);
    let mut seen = 0;
    let reached = buckets.iter().position(|count| {
        seen += count;
        seen >= wanted
    });
    if calls == 0 { Duration::ZERO } else { longest(reached.unwrap_or(BUCKETS - 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_at_most_half_as_long_again_as_it_is_told() {
        for microseconds in (0..40).map(|doublings| (1_u64 << doublings) / 3).filter(|number| *number < 900_000_000) {
            let took = Duration::from_micros(microseconds.max(1));
            let told = longest(bucket(took));
            assert!(took <= told && told <= took * 2, "{took:?} is told as {told:?}");
        }
    }

    #[test]
    fn one_slow_call_in_fifty_shows_in_the_99th_percentile_alone() {
        let statistics = MethodStatistics::default();
        for number in 0..100 {
            statistics.count(Duration::from_millis(if number % 50 == 0 { 800 } else { 1 }), number < 7);
        }
        let counts = statistics.counts();
        assert_eq!((counts.calls, counts.errors), (100, 7));
        assert!(counts.median < Duration::from_millis(3) && counts.percentile_99 >= Duration::from_millis(800));
    }

    #[test]
    fn nothing_was_counted_yet() {
        assert_eq!(MethodStatistics::default().counts(), MethodCounts::default());
    }
}
