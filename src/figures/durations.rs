//! [`Durations`]: how long something took, in classes of fixed bounds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Two classes for each doubling, from a microsecond to some 17 minutes.
const CLASSES: usize = 60;

/// Counts durations: two relaxed additions for each.
pub(crate) struct Durations {
    nanoseconds: AtomicU64,
    by_class: [AtomicU64; CLASSES],
}

/// Durations of one class, which are counted together.
#[derive(Default)]
pub(crate) struct DurationsBatch {
    class: usize,
    count: u64,
    nanoseconds: u64,
}

/// The durations that were counted until a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DurationsSnapshot {
    total: Duration,
    by_class: [u64; CLASSES],
}

impl Durations {
    pub(crate) fn count(&self, took: Duration) {
        self.add(&DurationsBatch { class: class(took), count: 1, nanoseconds: nanoseconds(took) });
    }

    /// Counts a duration in a batch, which must have counted for these durations only. What it has of another class is added
    /// before.
    pub(crate) fn count_in(&self, batch: &mut DurationsBatch, took: Duration) {
        let class = class(took);
        if batch.class != class {
            self.add(batch);
            *batch = DurationsBatch { class, ..DurationsBatch::default() };
        }
        batch.count += 1;
        batch.nanoseconds = batch.nanoseconds.saturating_add(nanoseconds(took));
    }

    /// Adds what a batch has counted.
    pub(crate) fn add(&self, batch: &DurationsBatch) {
        let DurationsBatch { class, count, nanoseconds } = *batch;
        if count > 0 {
            self.by_class[class].fetch_add(count, Ordering::Relaxed);
            self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        }
    }

    pub(crate) fn snapshot(&self) -> DurationsSnapshot {
        DurationsSnapshot {
            total: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
            by_class: std::array::from_fn(|class| self.by_class[class].load(Ordering::Relaxed)),
        }
    }
}

impl Default for Durations {
    fn default() -> Self {
        Self { nanoseconds: AtomicU64::new(0), by_class: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

#[cfg(feature = "accounts")]
impl Default for DurationsSnapshot {
    fn default() -> Self {
        Self { total: Duration::ZERO, by_class: [0; CLASSES] }
    }
}

impl DurationsSnapshot {
    /// Returns the number of durations.
    pub(crate) fn count(&self) -> u64 {
        self.by_class.iter().sum()
    }

    /// Adds the durations of something else.
    #[cfg(feature = "accounts")]
    pub(crate) fn add(&mut self, other: &Self) {
        self.total += other.total;
        for (sum, count) in self.by_class.iter_mut().zip(other.by_class) {
            *sum += count;
        }
    }

    /// Returns the durations that were counted after an earlier snapshot.
    #[cfg(feature = "accounts")]
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            total: self.total.saturating_sub(earlier.total),
            by_class: std::array::from_fn(|class| self.by_class[class].saturating_sub(earlier.by_class[class])),
        }
    }

    /// Returns the sum of the durations.
    pub(crate) const fn total(&self) -> Duration {
        self.total
    }

    /// Returns a percentile, rounded up to the bound of a class. Zero if nothing was counted.
    pub(crate) fn percentile(&self, percent: u64) -> Duration {
        let count = self.count();
        let wanted = (count * percent).div_ceil(100);
        let mut seen = 0;
        let reached = self.by_class.iter().position(|in_class| {
            seen += in_class;
            seen >= wanted
        });
        if count == 0 { Duration::ZERO } else { longest(reached.unwrap_or(CLASSES - 1)) }
    }

    /// Returns the number of durations below 2ⁿ microseconds.
    pub(crate) fn below_doubling(&self, n: u32) -> u64 {
        self.by_class.iter().take(2 * n as usize).sum()
    }
}

/// Returns the class of a duration: the number of its highest bit, twice, and one more if the next bit is set.
fn class(took: Duration) -> usize {
    let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let doublings = microseconds.ilog2();
    let is_upper_half = doublings > 0 && microseconds >> (doublings - 1) & 1 == 1;
    (2 * doublings as usize + usize::from(is_upper_half)).min(CLASSES - 1)
}

fn nanoseconds(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the longest duration of a class.
fn longest(class: usize) -> Duration {
    let doubled = 1_u64 << (class / 2);
    Duration::from_micros(if class.is_multiple_of(2) { doubled + doubled / 2 } else { 2 * doubled })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_at_most_half_as_long_again_as_it_is_told() {
        for microseconds in (0..40).map(|doublings| (1_u64 << doublings) / 3).filter(|number| *number < 900_000_000) {
            let took = Duration::from_micros(microseconds.max(1));
            let told = longest(class(took));
            assert!(took <= told && told <= took * 2, "{took:?} is told as {told:?}");
        }
    }

    #[test]
    fn one_slow_call_in_fifty_shows_in_the_99th_percentile_alone() {
        let durations = Durations::default();
        for number in 0..100 {
            durations.count(Duration::from_millis(if number % 50 == 0 { 800 } else { 1 }));
        }
        let counted = durations.snapshot();
        assert_eq!((counted.count(), counted.total()), (100, Duration::from_millis(98 + 1_600)));
        assert!(counted.percentile(50) < Duration::from_millis(3));
        assert!(counted.percentile(99) >= Duration::from_millis(800));
    }

    #[test]
    fn a_duration_is_below_each_doubling_that_is_longer() {
        let durations = Durations::default();
        durations.count(Duration::from_micros(127));
        durations.count(Duration::from_micros(128));
        durations.count(Duration::from_hours(9));
        let counted = durations.snapshot();
        assert_eq!((counted.below_doubling(6), counted.below_doubling(7), counted.below_doubling(8)), (0, 1, 2));
        assert_eq!((counted.below_doubling(25), counted.count()), (2, 3));
    }

    #[test]
    fn durations_that_are_counted_together_are_counted_like_others() {
        let (together, alone) = (Durations::default(), Durations::default());
        let mut batch = DurationsBatch::default();
        for microseconds in [0, 1, 1, 5, 5, 1, 900, 0, 5] {
            let took = Duration::from_micros(microseconds);
            together.count_in(&mut batch, took);
            alone.count(took);
        }
        together.add(&batch);
        assert_eq!(together.snapshot(), alone.snapshot());
    }

    #[test]
    fn nothing_was_counted_yet() {
        let counted = Durations::default().snapshot();
        assert_eq!((counted.count(), counted.percentile(50)), (0, Duration::ZERO));
    }
}
