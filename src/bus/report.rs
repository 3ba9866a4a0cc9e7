//! [`BusReport`]: what a node has sent and received over the bus, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a node has sent and received over the bus since it started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusReport {
    /// The name of the bus.
    pub bus: &'static str,
    /// Whether the node hears the other nodes. If not, it asks the store every second.
    pub is_connected: bool,
    /// The ids of the other nodes that were heard in the last seconds.
    pub nodes: Vec<String>,
    /// How far this node is behind the others: the time since it last had all that they had told. `None` while it starts,
    /// and on a bus that loses nothing.
    pub behind: Option<Duration>,
    /// The number of messages that were sent.
    pub sent: u64,
    /// The number of messages of other nodes that were received.
    pub received: u64,
    /// How often messages were missing. Each time, events of streams may be lost: they arrive at most once.
    pub gaps: u64,
    /// The number of messages that were missing, as far as it is known.
    pub missing: u64,
    /// The number of events that were not sent because they are too large for the bus.
    pub omitted: u64,
    /// The number of messages that could not be read: malformed ones and those of a newer version.
    pub unreadable: u64,
    /// The number of messages of other clusters.
    pub foreign: u64,
}

/// The counts of a report.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) gaps: AtomicU64,
    pub(super) missing: AtomicU64,
    pub(super) omitted: AtomicU64,
    pub(super) unreadable: AtomicU64,
    pub(super) foreign: AtomicU64,
}

/// Adds to a count.
pub(super) fn add(count: &AtomicU64, number: u64) {
    count.fetch_add(number, Ordering::Relaxed);
}

/// Returns a count.
pub(super) fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
