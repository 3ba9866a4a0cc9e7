//! [`Relay`]: sends the changes of a collection in memory to other nodes.

use std::collections::VecDeque;
use std::sync::OnceLock;

use bolide_protocol::RawJson;
use parking_lot::Mutex;

use super::live::Change;

/// A change of a document, for other nodes.
pub(crate) enum RelayedChange {
    Stored { id: String, fields: RawJson },
    Removed { id: String },
}

/// Sends a change to other nodes.
pub(crate) type SendChange = Box<dyn Fn(RelayedChange) + Send + Sync>;

#[derive(Default)]
pub(super) struct Relay {
    send: OnceLock<SendChange>,
    /// The changes to send. They are sent outside the lock of the collection: nodes in the same process have such a lock
    /// too, and send changes to this node.
    waiting: Mutex<VecDeque<RelayedChange>>,
    /// Held while changes are sent, to keep their order.
    sending: Mutex<()>,
}

impl Relay {
    /// Sets the function that sends. A collection belongs to the first app that it is registered with.
    pub(super) fn attach(&self, send: SendChange) {
        let _other = self.send.set(send);
    }

    /// Queues a change, if there are other nodes. Called under the lock of the collection.
    pub(super) fn note(&self, change: impl FnOnce() -> RelayedChange) {
        if self.send.get().is_some() {
            self.waiting.lock().push_back(change());
        }
    }

    /// Sends what is queued.
    pub(super) fn send(&self) {
        let Some(send) = self.send.get() else { return };
        let _one_at_a_time = self.sending.lock();
        while let Some(change) = self.next() {
            send(change);
        }
    }

    fn next(&self) -> Option<RelayedChange> {
        self.waiting.lock().pop_front()
    }
}

impl RelayedChange {
    pub(super) fn of(collection: &str, change: &Change) -> Self {
        let id = change.id.to_string();
        match &change.new {
            Some(document) => Self::Stored { id, fields: document.raw(collection) },
            None => Self::Removed { id },
        }
    }
}
