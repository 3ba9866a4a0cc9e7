//! [`Rate`]: how many bytes a backup may write in a second.

use std::num::NonZeroU64;
use std::time::Duration;

/// The maximum number of bytes per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(NonZeroU64);

/// The maximum length of one pause, so that an interruption is noticed soon.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

impl Rate {
    /// Returns the rate, or `None` if it is zero.
    #[must_use]
    pub fn of_bytes_per_second(bytes: u64) -> Option<Self> {
        NonZeroU64::new(bytes).map(Self)
    }

    /// Returns how long to wait after `bytes` that took `elapsed`, however much that is.
    pub(in crate::store) fn pause(self, bytes: u64, elapsed: Duration) -> Duration {
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.0.get());
        let due = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        due.saturating_sub(elapsed)
    }

    /// Does the same for a thread that asks again after each pause.
    pub(in crate::store) fn short_pause(self, bytes: u64, elapsed: Duration) -> Duration {
        self.pause(bytes, elapsed).min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_pauses_until_the_bytes_it_has_written_are_due() {
        let rate = Rate::of_bytes_per_second(1000).unwrap();
        let (second, none) = (Duration::from_secs(1), Duration::ZERO);
        assert_eq!(rate.pause(3000, second), 2 * second);
        assert_eq!(rate.pause(1000, 2 * second), none);
        assert_eq!(rate.short_pause(3000, second), LONGEST_PAUSE);
        assert!(rate.pause(u64::MAX, none) > second);
        assert_eq!(Rate::of_bytes_per_second(0), None);
    }
}
