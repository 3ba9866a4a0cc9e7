//! [`Clock`]: tells the time. It is injected, so that a test can set it.
//!
//! The expiry of codes, tokens and blocks and the windows of rate limits follow the clock. Heartbeats and timeouts follow
//! real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bolide_protocol::ejson::Date;

/// A point in time, in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Returns the point in time at this number of milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Returns the number of milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn milliseconds(self) -> i64 {
        self.0
    }

    /// Returns the same point in time as an EJSON date.
    #[must_use]
    pub const fn to_date(self) -> Date {
        Date::from_milliseconds(self.0)
    }

    /// Returns the point in time that is `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(milliseconds(duration)))
    }
}

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(milliseconds(since))
    }
}

/// The clock of the operating system, plus an offset that a test can increase to reach an expiry without waiting.
///
/// ```
/// use std::time::Duration;
/// use bolide::clock::{Clock, MovableClock};
///
/// let clock = MovableClock::default();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(3600));
/// assert!(clock.now() >= before.plus(Duration::from_secs(3600)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct MovableClock {
    ahead: Arc<AtomicI64>,
}

impl MovableClock {
    /// Moves the clock forward by `duration`.
    pub fn advance(&self, duration: Duration) {
        self.ahead.fetch_add(milliseconds(duration), Ordering::SeqCst);
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0.saturating_add(self.ahead.load(Ordering::SeqCst)))
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
