//! [`Pace`]: the intervals and timeouts of SockJS.

use std::time::Duration;

/// The intervals and timeouts of this transport.
#[derive(Clone, Copy)]
pub(in crate::transport) struct Pace {
    /// The interval of heartbeats on an open response or WebSocket.
    pub(super) heartbeat: Duration,
    /// The timeout for the answer to a ping on a WebSocket.
    pub(super) pong: Duration,
    /// The maximum time without an open request.
    pub(super) absence: Duration,
}

impl Pace {
    /// The values of Meteor's `heartbeat_delay` and `disconnect_delay`.
    pub(in crate::transport) const METEOR: Self =
        Self { heartbeat: Duration::from_secs(45), pong: Duration::from_secs(10), absence: Duration::from_mins(1) };
}
