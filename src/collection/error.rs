//! [`CollectionError`]: why a read or a write of a collection failed.

use crate::error::UnknownOutcome;

/// The number of characters that a message shows of a text whose length nothing else limits.
const SHOWN_CHARS: usize = 200;

/// The error of a read or a write of a collection. A failed write has changed nothing, unless its outcome is
/// [unknown](Self::OutcomeUnknown).
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
    /// Another document has the same values in a unique index.
    #[error("the collection `{collection}` already has a document with the same `{index}`: `{holder}`")]
    NotUnique {
        /// The name of the collection.
        collection: String,
        /// The name of the index.
        index: String,
        /// The id of the other document.
        holder: String,
    },
    /// The value is neither a struct nor a map.
    #[error("a document of the collection `{collection}` must be a struct or a map: {reason}")]
    NoDocument {
        /// The name of the collection.
        collection: String,
        /// What the value is instead.
        reason: String,
    },
    /// The collection does not have the document that a step of a batch needs, or it does not match the condition.
    #[error("the collection `{collection}` does not have the document `{id}` as the write needs it")]
    Unmatched {
        /// The name of the collection.
        collection: String,
        /// The id.
        id: String,
    },
    /// An update does not fit the document, for example if it increments a string.
    #[error("the field `{field}` of the document `{id}` of `{collection}` is not {expected}")]
    Mismatch {
        /// The name of the collection.
        collection: String,
        /// The id.
        id: String,
        /// The path of the field.
        field: String,
        /// The kind of value that the update needs.
        expected: &'static str,
    },
    /// An update names the field `_id`, which cannot be changed.
    #[error("the immutable field `_id` of the document `{id}` of `{collection}` cannot be changed by an update")]
    ImmutableId {
        /// The name of the collection.
        collection: String,
        /// The id.
        id: String,
    },
    /// The id has the character U+0000, which not every store can keep.
    #[error("no document of `{collection}` can have the id {id:?}, which has the character U+0000")]
    Id {
        /// The name of the collection.
        collection: String,
        /// The id.
        id: String,
    },
    /// The document, its id, an update of it, or what an index keeps of it, is larger than a limit.
    #[error("the document `{id}` of `{collection}` exceeds the limit `{limit}` of {maximum}")]
    TooLarge {
        /// The name of the collection.
        collection: String,
        /// The id.
        id: String,
        /// The name of the limit.
        limit: &'static str,
        /// The maximum.
        maximum: usize,
    },
    /// A stored document cannot be read as the type of the collection.
    #[error("the document `{id}` of `{collection}` cannot be read: {reason}")]
    Unreadable {
        /// The name of the collection.
        collection: String,
        /// The id.
        id: String,
        /// Why it cannot be read.
        reason: String,
    },
    /// An index has a field whose name the name of an index cannot have.
    #[error(
        "an index of `{collection}` cannot be on `{index}`: no field of an index may contain a comma with a space, or end \
         with ` descending` or ` unique`; rename the field"
    )]
    IndexField {
        /// The name of the collection.
        collection: String,
        /// The fields of the index.
        index: String,
    },
    /// A batch writes to collections that are kept in different places.
    #[error("one batch cannot write to `{0}` and `{1}`: they are not in the same store")]
    Apart(String, String),
    /// The store cannot be reached, read or written, or the collection does not have a store yet.
    #[error("the collection `{collection}` is not available: {reason}")]
    Unavailable {
        /// The name of the collection.
        collection: String,
        /// Why it is not available.
        reason: String,
    },
    /// The connection to the store was lost while the write was committed: it may be stored, or may not. Read the document
    /// to find out; live queries show what is stored.
    #[error("it is not known whether the write to the collection `{collection}` was stored: {reason}")]
    OutcomeUnknown {
        /// The name of the collection.
        collection: String,
        /// What has happened to the connection.
        #[source]
        reason: UnknownOutcome,
    },
}

/// Returns the beginning of a text that comes from a client or a document, so that no error and no line of the log is as
/// long as the text.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
