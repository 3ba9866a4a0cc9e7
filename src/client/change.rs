//! [`Change`]: one change of a document.

use bolide_protocol::DocumentId;

use super::document::{Document, Fields};

/// Something that happened to a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added {
        /// Its collection.
        collection: String,
        /// The document.
        document: Document,
    },
    /// Fields of it are new, different or gone. Messages of Rocket.Chat's streams come as changes of documents that were
    /// never added.
    Changed {
        /// Its collection.
        collection: String,
        /// Its id.
        id: DocumentId,
        /// The fields that are new or different.
        fields: Fields,
        /// The fields that are gone.
        cleared: Vec<String>,
    },
    /// It is gone.
    Removed {
        /// Its collection.
        collection: String,
        /// Its id.
        id: DocumentId,
    },
    /// The stream was not read for so long that changes were left out. Forget what you had: what there is now follows,
    /// each document as [`Added`](Self::Added).
    Reset,
}

impl Change {
    /// The collection in which it happened; all of them for a [`Reset`](Self::Reset).
    #[must_use]
    pub fn collection(&self) -> Option<&str> {
        match self {
            Self::Added { collection, .. } | Self::Changed { collection, .. } | Self::Removed { collection, .. } => {
                Some(collection)
            }
            Self::Reset => None,
        }
    }
}
