//! The documents of stored collections.

use super::StoreFuture;

/// A document of a stored collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDocument {
    /// Its id, as on the wire.
    pub id: String,
    /// Its fields, as EJSON.
    pub fields: String,
}

/// The stored collections of a store.
pub trait Documents {
    /// All documents of a collection.
    fn documents<'store>(&'store self, collection: &'store str) -> StoreFuture<'store, Vec<StoredDocument>>;

    /// Adds a document; `false` if there is one with this id.
    fn insert_document<'store>(
        &'store self,
        collection: &'store str,
        document: StoredDocument,
    ) -> StoreFuture<'store, bool>;

    /// Replaces a document; `false` if there is none with this id.
    fn replace_document<'store>(
        &'store self,
        collection: &'store str,
        document: StoredDocument,
    ) -> StoreFuture<'store, bool>;

    /// Removes a document; `false` if there is none with this id.
    fn delete_document<'store>(&'store self, collection: &'store str, id: &'store str) -> StoreFuture<'store, bool>;
}
