//! [`Clock`]: what time it is. It comes in from outside, so that a test can decide it.
//!
//! Codes, tokens, blocks and rate limits follow the clock. Heartbeats and timeouts run on real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bolide_protocol::ejson::Date;

/// A point in time, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A point in time from milliseconds since 1970.
    #[must_use]
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn milliseconds(self) -> i64 {
        self.0
    }

    /// The same as EJSON and JavaScript have it.
    #[must_use]
    pub const fn to_date(self) -> Date {
        Date::from_milliseconds(self.0)
    }

    /// This point in time, moved on by `duration`.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(milliseconds(duration)))
    }
}

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the others ask")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(milliseconds(since))
    }
}

/// The clock of the machine, moved forward by hand: expiry can be tested without waiting.
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
    /// Moves the clock forward.
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
