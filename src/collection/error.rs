//! [`CollectionError`]: why a write was rejected.

/// Why a write to a collection was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CollectionError {
    /// There is a document with this id.
    #[error("the collection `{collection}` has a document `{id}` already")]
    Duplicate {
        /// The collection.
        collection: String,
        /// The id.
        id: String,
    },
    /// The value is no document.
    #[error("a document of the collection `{collection}` must be a struct or a map: {reason}")]
    NoDocument {
        /// The collection.
        collection: String,
        /// What is wrong with it.
        reason: String,
    },
}
