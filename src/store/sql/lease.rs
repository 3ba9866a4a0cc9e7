//! [`Lease`]: for how long what was read may be kept, if other nodes write as well.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The time after which a probe without an echo means that messages of other nodes may be missed.
pub(in crate::store) const LEASE: Duration = Duration::from_secs(3);

/// Allows a cache to be used until a moment, which is moved on as long as the messages of other nodes arrive.
pub(in crate::store) struct Lease(Kind);

enum Kind {
    /// No other node writes.
    Alone,
    Shared {
        start: Instant,
        /// In milliseconds since the start. Zero if it has ended.
        until: AtomicU64,
    },
}

impl Lease {
    /// Returns a lease without end, for a database with one node.
    pub(in crate::store) const fn alone() -> Self {
        Self(Kind::Alone)
    }

    /// Returns a lease that has not begun.
    pub(in crate::store) fn shared() -> Self {
        Self(Kind::Shared { start: Instant::now(), until: AtomicU64::new(0) })
    }

    pub(in crate::store) fn holds(&self) -> bool {
        match &self.0 {
            Kind::Alone => true,
            Kind::Shared { start, until } => milliseconds(*start, Instant::now()) < until.load(Ordering::Acquire),
        }
    }

    /// Moves the end on: everything that was committed before `sent` is known.
    pub(in crate::store) fn renew(&self, sent: Instant) {
        if let Kind::Shared { start, until } = &self.0 {
            until.store(milliseconds(*start, sent + LEASE), Ordering::Release);
        }
    }

    pub(in crate::store) fn end(&self) {
        if let Kind::Shared { until, .. } = &self.0 {
            until.store(0, Ordering::Release);
        }
    }
}

fn milliseconds(start: Instant, moment: Instant) -> u64 {
    u64::try_from(moment.saturating_duration_since(start).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_lasts_as_long_as_its_probes_come_back() {
        let lease = Lease::shared();
        assert!(!lease.holds(), "no probe has come back yet");
        let sent = Instant::now();
        tokio::time::advance(Duration::from_secs(1)).await;
        lease.renew(sent);
        assert!(lease.holds());
        tokio::time::advance(LEASE - Duration::from_millis(1001)).await;
        assert!(lease.holds());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!lease.holds(), "it lasts from when the probe was sent");
        lease.renew(Instant::now());
        lease.end();
        assert!(!lease.holds());
        assert!(Lease::alone().holds());
    }
}
