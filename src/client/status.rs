//! [`Status`]: how the connection stands.

use std::sync::Arc;
use std::time::Duration;

use super::error::ConnectError;

/// How the connection of a client stands.
#[derive(Clone, Debug)]
pub enum Status {
    /// It is being opened.
    Connecting,
    /// It is open.
    Connected {
        /// Whether the session of the last connection goes on.
        resumed: bool,
    },
    /// It is lost, and the next attempt comes.
    Waiting {
        /// How many attempts have failed since.
        attempt: u32,
        /// How long it takes until the next one.
        delay: Duration,
        /// Why the last attempt failed, if there was one.
        reason: Option<Arc<ConnectError>>,
    },
    /// The client is closed for good.
    Closed,
}

impl Status {
    /// Whether calls go to the server at once.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}
