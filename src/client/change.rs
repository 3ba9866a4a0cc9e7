//! [`Change`]: one change of a document.

use bolide_protocol::DocumentId;

use super::document::{Document, Fields};

/// A change of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A document was added.
    Added {
        /// The name of the collection.
        collection: String,
        /// The document.
        document: Document,
    },
    /// Fields of a document were added, changed or removed. Messages of Rocket.Chat's streams arrive as changes of
    /// documents that were never added.
    Changed {
        /// The name of the collection.
        collection: String,
        /// The id of the document.
        id: DocumentId,
        /// The fields that were added or changed, with their new values.
        fields: Fields,
        /// The names of the fields that were removed.
        cleared: Vec<String>,
    },
    /// A document was removed.
    Removed {
        /// The name of the collection.
        collection: String,
        /// The id of the document.
        id: DocumentId,
    },
    /// The stream was not read for too long, so changes were left out. Discard all documents: those that exist now
    /// follow, each as [`Added`](Self::Added).
    Reset,
}

impl Change {
    /// Returns the name of the collection, or `None` for a [`Reset`](Self::Reset), which concerns all of them.
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
