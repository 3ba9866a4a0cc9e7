//! The bus: notifies other nodes of the changes on this one. A node applies a change itself before it publishes it, and does
//! not assume that the other nodes run in the same process.
//!
//! An event is a hint and may be lost. Nothing that security rests on depends on one: each node asks the store for ended
//! logins and changed settings again within half a minute (`Accounts::recheck_every`), and attempts are counted in the store
//! before they are checked. Documents of collections in memory and events of streams that are lost stay lost.

mod local;

use std::fmt;
use std::sync::Arc;

use bolide_protocol::RawJson;
use serde::{Deserialize, Serialize};

use crate::user::UserId;

pub use local::LocalBus;

/// A change on one node that other nodes have to apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BusEvent {
    /// A document of a live collection was inserted or updated.
    DocumentStored {
        /// The name of the collection.
        collection: String,
        /// The id of the document, as on the wire.
        id: String,
        /// All fields of the document.
        fields: RawJson,
    },
    /// A document of a live collection was removed.
    DocumentRemoved {
        /// The name of the collection.
        collection: String,
        /// The id of the document, as on the wire.
        id: String,
    },
    /// An event of a stream was sent.
    Stream {
        /// The name of the stream.
        stream: String,
        /// The name of the event.
        event: String,
        /// The arguments of the event, as an array.
        args: RawJson,
    },
    /// Login tokens were revoked or have expired. Connections that logged in with them are closed.
    TokensEnded {
        /// The hashes of the tokens.
        hashed: Vec<String>,
    },
    /// All connections of a user are closed.
    UserSignedOut {
        /// The id of the user.
        user: UserId,
    },
    /// A user was changed in the store, or deleted.
    UserChanged {
        /// The id of the user.
        user: UserId,
    },
    /// A setting was changed in the store.
    SettingChanged {
        /// The id of the setting.
        id: String,
    },
}

/// Receives the events that other nodes publish.
pub type BusReceiver = Arc<dyn Fn(&BusEvent) + Send + Sync>;

/// Connects nodes. An implementation must deliver the events of a node in the order in which it publishes them.
pub trait Bus: Send + Sync + 'static {
    /// Adds a node. `receiver` is called with the events of the other nodes, and the returned member publishes events of this
    /// one.
    fn join(&self, receiver: BusReceiver) -> BusMember;
}

/// Publishes the events of a node.
#[derive(Clone)]
pub struct BusMember(Arc<dyn Fn(&BusEvent) + Send + Sync>);

impl BusMember {
    /// Returns a member that publishes by calling `publish`, which must not block.
    pub fn new(publish: impl Fn(&BusEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(publish))
    }

    /// Sends an event to the other nodes.
    pub fn publish(&self, event: &BusEvent) {
        (self.0)(event);
    }
}

impl fmt::Debug for BusMember {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BusMember").finish_non_exhaustive()
    }
}
