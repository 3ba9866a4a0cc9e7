//! The bus: tells other nodes what has changed on this one. A writer has changed its own node already when it publishes;
//! nothing assumes that writer and reader share a process.

mod local;

use std::fmt;
use std::sync::Arc;

use bolide_protocol::RawJson;
use serde::{Deserialize, Serialize};

use crate::user::UserId;

pub use local::LocalBus;

/// Something that happened on one node and matters to the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BusEvent {
    /// A document of a live collection has these fields now.
    DocumentStored {
        /// The collection.
        collection: String,
        /// The id on the wire.
        id: String,
        /// All of its fields.
        fields: RawJson,
    },
    /// A document of a live collection is gone.
    DocumentRemoved {
        /// The collection.
        collection: String,
        /// The id on the wire.
        id: String,
    },
    /// An event of a stream.
    Stream {
        /// The stream's name.
        stream: String,
        /// The event's name.
        event: String,
        /// A list.
        args: RawJson,
    },
    /// Login tokens have ended, and with them the connections that have shown them.
    TokensEnded {
        /// Their hashes.
        hashed: Vec<String>,
    },
    /// All connections on which a user has logged in end.
    UserSignedOut {
        /// The user.
        user: UserId,
    },
    /// Something of a user has changed in the store, or the user is gone.
    UserChanged {
        /// The user.
        user: UserId,
    },
    /// A setting has another value in the store.
    SettingChanged {
        /// The setting.
        id: String,
    },
}

/// Takes what other nodes publish.
pub type BusReceiver = Arc<dyn Fn(&BusEvent) + Send + Sync>;

/// Connects nodes. An implementation delivers the events of one node in their order.
pub trait Bus: Send + Sync + 'static {
    /// Joins a node: `receiver` takes what the other nodes publish, and the result is how this one does.
    fn join(&self, receiver: BusReceiver) -> BusMember;
}

/// How one node publishes.
#[derive(Clone)]
pub struct BusMember(Arc<dyn Fn(&BusEvent) + Send + Sync>);

impl BusMember {
    /// A member that publishes by calling `publish`, which must not wait.
    pub fn new(publish: impl Fn(&BusEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(publish))
    }

    /// Tells the other nodes.
    pub fn publish(&self, event: &BusEvent) {
        (self.0)(event);
    }
}

impl fmt::Debug for BusMember {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BusMember").finish_non_exhaustive()
    }
}
