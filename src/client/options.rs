//! What can be chosen for a client: limits, reconnection, and what becomes of calls when a connection is lost.

use std::time::Duration;

/// What bounds a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// How many calls may be under way or wait for a connection; more wait for their turn.
    pub calls: usize,
    /// How many subscriptions there may be; more are an error.
    pub subscriptions: usize,
    /// How many changes wait in a stream that is not read; beyond that it yields
    /// [`Change::Reset`](super::Change::Reset).
    pub changes: usize,
    /// How many documents of the server are kept; a server that sends more is left for good.
    pub documents: usize,
    /// The largest message from the server, in bytes; a server that sends a larger one is left for good.
    pub message_size: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self { calls: 10_000, subscriptions: 1_000, changes: 1_000, documents: 1_000_000, message_size: 64 << 20 }
    }
}

/// How a client comes back when its connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnect {
    /// The time before the first attempt. Each further one waits twice as long, a quarter more or less by chance.
    pub first_delay: Duration,
    /// No attempt waits longer than this.
    pub longest_delay: Duration,
    /// After how many attempts in a row the client gives up; it never does by default.
    pub attempts: Option<u32>,
}

impl Reconnect {
    /// A client whose connection is lost is closed.
    #[must_use]
    pub fn never() -> Self {
        Self { attempts: Some(0), ..Self::default() }
    }

    /// How long to wait before an attempt, the first one being 0; `chance` is between 0 and 1.
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

/// What becomes of a call that was sent when its connection is lost before the answer came.
///
/// A call that was not sent yet waits for the next connection in any case. A call that carries a code of a second factor
/// is never sent in another session, because the code may have been used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resend {
    /// It fails with [`CallError::Interrupted`](super::CallError::Interrupted), even if the session goes on. Against
    /// Meteor 3.5, which resumes sessions and runs a call again that is sent again, only this runs no call twice.
    Never,
    /// If the session goes on it is sent again, under the same id: Bolide runs it once. If the session is lost, it fails
    /// with [`CallError::Interrupted`](super::CallError::Interrupted).
    #[default]
    SameSession,
    /// It is sent again in any case, and the server may run it twice: for calls that only read.
    Always,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Reconnect;

    #[test]
    fn delays_grow_and_stop_growing() {
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
