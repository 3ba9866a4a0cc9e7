//! [`Recipient`]: what publications know of a session: its outbox, and what its client has.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::views::{Strategies, Views};
use crate::outbox::Outbox;

/// The client of one session, as publications send to it.
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

    /// Locks the client's subscriptions and documents. Only the holder of this lock sends data; it must not wait while
    /// holding it.
    pub(crate) fn views(&self) -> MutexGuard<'_, Views> {
        self.views.lock()
    }
}
