//! [`Limits`]: nothing is unbounded. Each limit has a name, a default, and an answer when it is hit.

use std::time::Duration;

/// The limits of a server. Start from the default and change what you need.
///
/// ```
/// use bolide::Limits;
///
/// let limits = Limits { message_bytes: 4 << 20, ..Limits::default() };
/// assert_eq!(limits.outbox_messages, 20_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
// Not `non_exhaustive`: it is written with `..Limits::default()`.
pub struct Limits {
    /// The longest message that a client may send. A longer one closes the connection with 1009. Default: 1 MiB.
    pub message_bytes: usize,
    /// The longest body that a REST request may have. A longer one is answered 413. Default: 1 MiB.
    pub request_bytes: usize,
    /// How many messages of a session may wait for their turn. One more closes the connection with 1008.
    /// Default: 2 000.
    pub queued_messages: usize,
    /// How many bytes the messages of a session that wait for their turn may take. More close the connection with
    /// 1008. Default: 16 MiB.
    pub queued_bytes: usize,
    /// How many calls and subscriptions of a session may run at once after `unblock`. Further messages wait in the
    /// queue. Default: 1 000.
    pub running_calls: usize,
    /// How many messages may wait for a client that reads too slowly. One more closes the connection with 1013.
    /// Documents that leave with their subscription or that change with the user do not count, here and below.
    /// Default: 20 000.
    pub outbox_messages: usize,
    /// How many bytes may wait for a client that reads too slowly. More close the connection with 1013.
    /// Default: 8 MiB.
    pub outbox_bytes: usize,
    /// While this many bytes wait for a client, or half of the messages that may, nothing more is read from it and
    /// publications wait. Default: 256 KiB.
    pub outbox_high_water: usize,
    /// How long a socket may be open without a session, and how long the body of a request may take. Default: 45 s.
    pub connect_timeout: Duration,
    /// How long a client may take for the closing handshake. Default: 5 s.
    pub close_timeout: Duration,
    /// How long running methods may go on when the server shuts down. Default: 10 s.
    pub shutdown_timeout: Duration,
    /// How many subscriptions a session may have. A further one ends with the error `too-many-subscriptions`.
    /// Default: 2 000.
    pub subscriptions: usize,
    /// How long a change of the user waits for publications that run again to send their first documents. Those that
    /// take longer send them afterwards. Default: 10 s.
    pub user_change_timeout: Duration,
    /// How long a session waits for its client to come back on another connection. Zero: not at all. Default: 15 s.
    pub resume_grace: Duration,
    /// How many messages may wait for a client that is away. One more ends the session. Default: 100.
    pub resume_messages: usize,
    /// How many connections may be open. A further one is answered 503. Default: 100 000.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            request_bytes: 1 << 20,
            queued_messages: 2_000,
            queued_bytes: 16 << 20,
            running_calls: 1_000,
            outbox_messages: 20_000,
            outbox_bytes: 8 << 20,
            outbox_high_water: 256 << 10,
            connect_timeout: Duration::from_secs(45),
            close_timeout: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(10),
            subscriptions: 2_000,
            user_change_timeout: Duration::from_secs(10),
            resume_grace: Duration::from_secs(15),
            resume_messages: 100,
            connections: 100_000,
        }
    }
}

/// How often a server asks a silent client whether it is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Not `non_exhaustive`: it is written with `..Heartbeat::default()`.
pub struct Heartbeat {
    /// A client that said nothing for this long is sent a `ping`. Zero: never. Default: 15 s.
    pub interval: Duration,
    /// A client that says nothing for this long after the `ping` is closed. Default: 15 s.
    pub timeout: Duration,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { interval: Duration::from_secs(15), timeout: Duration::from_secs(15) }
    }
}
