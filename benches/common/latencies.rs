//! How long each piece of work took.

use std::time::Duration;

#[derive(Default)]
pub(crate) struct Latencies(pub(crate) Vec<Duration>);

impl Latencies {
    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    /// The longest of the shortest ones that make up this share of all; `None` if nothing was recorded.
    pub(crate) fn quantile(&mut self, share: f64) -> Option<Duration> {
        let last = self.0.len().checked_sub(1)?;
        Some(*self.0.select_nth_unstable((last as f64 * share) as usize).1)
    }
}
