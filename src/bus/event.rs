//! [`BusEvent`]: what nodes tell each other.

use bolide_protocol::RawJson;
use serde::{Deserialize, Serialize};

use super::questions::{Answer, Question};
use crate::user::UserId;

/// A change on one node that other nodes have to apply, or a message of the bus itself.
///
/// Older nodes do not know the kinds that a newer version adds. They skip them and ask the store, so a new kind must be a hint
/// at something that is in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BusEvent {
    /// A document of a collection in memory was inserted or updated.
    DocumentStored {
        /// The name of the collection.
        collection: String,
        /// The id of the document, as on the wire.
        id: String,
        /// All fields of the document.
        fields: RawJson,
    },
    /// A document of a collection in memory was removed.
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
    /// The node is there. It says so every second: another node then notices that it has missed the message before, and the
    /// node itself that the bus brings its messages back.
    Alive,
    /// The node shuts down.
    Left,
    /// A node asks the others.
    Asked(Question),
    /// A node answers another one.
    Answered(Answer),
    /// In place of an event that is too large for the bus.
    Omitted,
}
