//! [`Destination`]: the server that a client connects to, and the options of its connections.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::address::Address;
use super::options::{ClientLimits, Reconnect};
use crate::limits::Heartbeat;

#[derive(Debug)]
pub(super) struct Destination {
    pub(super) address: Address,
    pub(super) options: ConnectionOptions,
}

pub(super) struct ConnectionOptions {
    /// The headers of the WebSocket's request.
    pub(super) headers: Vec<(String, String)>,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) connect_timeout: Duration,
    pub(super) heartbeat: Heartbeat,
    pub(super) reconnect: Reconnect,
    pub(super) limits: ClientLimits,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            headers: Vec::new(),
            tls: None,
            connect_timeout: Duration::from_secs(10),
            heartbeat: Heartbeat { interval: Duration::from_millis(17_500), timeout: Duration::from_secs(15) },
            reconnect: Reconnect::default(),
            limits: ClientLimits::default(),
        }
    }
}

impl fmt::Debug for ConnectionOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may be secrets.
        formatter.debug_struct("ConnectionOptions").field("limits", &self.limits).finish_non_exhaustive()
    }
}
