//! [`Recipient`]: the part of a session that publications use: its outbox, and the documents of its client.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::views::{Strategies, Views};
use crate::outbox::Outbox;

/// The client of one session, to which publications send.
pub(crate) struct Recipient {
    outbox: Arc<Outbox>,
    views: Mutex<Views>,
}

impl Recipient {
    pub(crate) fn new(outbox: Arc<Outbox>, strategies: Arc<Strategies>) -> Arc<Self> {
        Arc::new(Self { outbox, views: Mutex::new(Views::new(strategies)) })
    }

    pub(crate) const fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// Returns whether the client is connected. Otherwise it is away, and its session waits to be resumed, or it has left.
    pub(crate) fn is_connected(&self) -> bool {
        !self.outbox.is_detached()
    }

    /// Locks the client's subscriptions and documents. Data is sent only under this lock, which must not be held across
    /// an `await`.
    pub(crate) fn views(&self) -> MutexGuard<'_, Views> {
        self.views.lock()
    }
}
