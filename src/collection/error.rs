//! [`CollectionError`]: why a write to a collection failed.

/// The error of a write to a collection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CollectionError {
    /// The collection already has a document with this id.
    #[error("the collection `{collection}` already has a document `{id}`")]
    Duplicate {
        /// The name of the collection.
        collection: String,
        /// The id.
        id: String,
    },
    /// The value is neither a struct nor a map.
    #[error("a document of the collection `{collection}` must be a struct or a map: {reason}")]
    NoDocument {
        /// The name of the collection.
        collection: String,
        /// What the value is instead.
        reason: String,
    },
}
