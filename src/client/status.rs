//! [`Status`]: the status of the connection.

use std::sync::Arc;
use std::time::Duration;

use super::error::ConnectError;

/// The status of a client's connection.
#[derive(Clone, Debug)]
pub enum Status {
    /// The connection is being opened.
    Connecting,
    /// The connection is open.
    Connected {
        /// Whether the session of the previous connection was resumed.
        resumed: bool,
    },
    /// The connection is lost, and the client waits for the next attempt.
    Waiting {
        /// The number of attempts that have failed since.
        attempt: u32,
        /// The time until the next attempt.
        delay: Duration,
        /// Why the last attempt failed, or `None` before the first one.
        reason: Option<Arc<ConnectError>>,
    },
    /// The client is closed and does not reconnect.
    Closed,
}

impl Status {
    /// Returns whether calls are sent at once.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}
