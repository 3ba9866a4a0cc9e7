//! The options of a client: its limits, how it reconnects, and whether calls are sent again after that.

use std::time::Duration;

/// The limits of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// The maximum number of calls that wait for a result or a connection; further calls wait for their turn. Default:
    /// 10 000.
    pub calls: usize,
    /// The maximum number of subscriptions; one more returns an error. Default: 1 000.
    pub subscriptions: usize,
    /// The maximum number of changes that wait in a stream that is not read; beyond that it yields
    /// [`Change::Reset`](super::Change::Reset). Default: 1 000.
    pub changes: usize,
    /// The maximum number of documents that are kept; if the server sends more, the client is closed. Default: 1 000
    /// 000.
    pub documents: usize,
    /// The maximum size of a message from the server, in bytes; if it sends a larger one, the client is closed.
    /// Default: 64 MiB.
    pub message_size: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self { calls: 10_000, subscriptions: 1_000, changes: 1_000, documents: 1_000_000, message_size: 64 << 20 }
    }
}

/// How a client reconnects when its connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnect {
    /// The delay before the first attempt. It doubles with each further attempt and varies at random by a quarter.
    /// Default: 100 ms.
    pub first_delay: Duration,
    /// The maximum delay, before the random variation. Default: 30 s.
    pub longest_delay: Duration,
    /// The number of failed attempts in a row after which the client is closed, or `None` for no limit, which is the
    /// default.
    pub attempts: Option<u32>,
}

impl Reconnect {
    /// Does not reconnect: the client is closed when its connection is lost.
    #[must_use]
    pub fn never() -> Self {
        Self { attempts: Some(0), ..Self::default() }
    }

    /// Returns the delay before an attempt; the first one is attempt 0. `chance` is between 0 and 1.
    pub(super) fn delay(&self, attempt: u32, chance: f64) -> Duration {
        let doubled = self.first_delay.saturating_mul(2_u32.saturating_pow(attempt));
        doubled.min(self.longest_delay).mul_f64(0.75 + chance / 2.0)
    }
}

impl Default for Reconnect {
    fn default() -> Self {
        Self { first_delay: Duration::from_millis(100), longest_delay: Duration::from_secs(30), attempts: None }
    }
}

/// Whether a call is sent again if the connection is lost before its result arrives.
///
/// A call that was not sent yet always waits for the next connection. A call with a second-factor code is never sent in
/// another session, because the code may have been used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resend {
    /// The call fails with [`CallError::Interrupted`](super::CallError::Interrupted), even if the session is resumed.
    /// Meteor 3.5 resumes sessions and runs a call again if it is sent again, so that only this option prevents it from
    /// running a call twice.
    Never,
    /// If the session is resumed, the call is sent again with the same id, and Bolide runs it once. If the session is
    /// lost, the call fails with [`CallError::Interrupted`](super::CallError::Interrupted).
    #[default]
    SameSession,
    /// The call is always sent again, and the server may run it twice. Use it for calls that only read.
    Always,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Reconnect;

    #[test]
    fn delays_double_up_to_the_maximum() {
        let reconnect = Reconnect {
            first_delay: Duration::from_millis(100),
            longest_delay: Duration::from_secs(1),
            ..Reconnect::default()
        };
        let delays: Vec<u128> = (0..6).map(|attempt| reconnect.delay(attempt, 0.5).as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(reconnect.delay(u32::MAX, 1.0), Duration::from_millis(1250));
        assert_eq!(reconnect.delay(0, 0.0), Duration::from_millis(75));
    }
}
