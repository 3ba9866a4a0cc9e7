//! [`Latencies`]: how long calls took, in classes that are exact to about 3 %.

use std::time::Duration;

/// So many classes from one power of two to the next.
const CLASSES: u64 = 32;

#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    /// How many calls there are in each class.
    counts: Vec<u64>,
    count: u64,
}

impl Latencies {
    pub(crate) fn record(&mut self, latency: Duration) {
        let class = class_of(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        if self.counts.len() <= class {
            self.counts.resize(class + 1, 0);
        }
        self.counts[class] += 1;
        self.count += 1;
    }

    pub(crate) fn add(&mut self, others: &Self) {
        if self.counts.len() < others.counts.len() {
            self.counts.resize(others.counts.len(), 0);
        }
        for (own, other) in self.counts.iter_mut().zip(&others.counts) {
            *own += other;
        }
        self.count += others.count;
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// The latency that this share of all calls did not exceed.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are far below 2^52"
    )]
    pub(crate) fn at(&self, share: f64) -> Duration {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        let class = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        Duration::from_micros(class.map_or(0, longest_of))
    }
}

/// Up to [`CLASSES`] microseconds each has a class of its own; beyond that a class is as wide as 2, 4, 8… of them.
fn class_of(microseconds: u64) -> usize {
    let doublings = (microseconds / CLASSES).checked_ilog2().map_or(0, |power| u64::from(power) + 1);
    let within = if doublings == 0 { microseconds } else { (microseconds >> (doublings - 1)) - CLASSES };
    usize::try_from(doublings * CLASSES + within).unwrap_or(usize::MAX)
}

/// The longest latency of a class, in microseconds.
fn longest_of(class: usize) -> u64 {
    let (doublings, within) = (class as u64 / CLASSES, class as u64 % CLASSES);
    if doublings == 0 { within } else { ((CLASSES + within + 1) << (doublings - 1)) - 1 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Latencies, class_of, longest_of};

    #[test]
    fn a_class_ends_where_the_next_one_begins() {
        for microseconds in (0..2000).chain([65_535, 65_536, 1 << 40]) {
            let class = class_of(microseconds);
            assert!(microseconds <= longest_of(class), "{microseconds}");
            assert!(class == 0 || microseconds > longest_of(class - 1), "{microseconds}");
        }
    }

    #[test]
    fn shares_are_found() {
        let mut latencies = Latencies::default();
        (1..=1000).for_each(|milliseconds| latencies.record(Duration::from_millis(milliseconds)));
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let found = latencies.at(share).as_secs_f64() * 1000.0;
            assert!((found / expected - 1.0).abs() < 0.04, "{share}: {found}");
        }
    }
}
