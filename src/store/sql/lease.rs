//! [`Lease`]: for how long what was read may be kept, if other nodes write as well.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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
            Kind::Shared { .. } => self.holds_at(Instant::now()),
        }
    }

    fn holds_at(&self, now: Instant) -> bool {
        match &self.0 {
            Kind::Alone => true,
            Kind::Shared { start, until } => milliseconds(*start, now) < until.load(Ordering::Acquire),
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

    #[test]
    fn a_lease_lasts_from_when_a_probe_was_sent_that_has_come_back() {
        let lease = Lease::shared();
        let sent = Instant::now();
        assert!(!lease.holds_at(sent), "no probe has come back yet");
        lease.renew(sent);
        assert!(lease.holds_at(sent + Duration::from_millis(2_990)));
        assert!(!lease.holds_at(sent + LEASE));
        lease.renew(sent + LEASE);
        assert!(lease.holds_at(sent + LEASE));
        lease.end();
        assert!(!lease.holds_at(sent + LEASE));
        assert!(Lease::alone().holds_at(sent));
    }
}
