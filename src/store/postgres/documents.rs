//! [`NoDocuments`]: stands in for stored collections, which PostgreSQL does not have yet.

use crate::collection::storage::{
    CollectionNumber, CollectionSummary, DocumentReader, DocumentStore, DocumentWriter, IndexNumber, StorageError,
    StorageFuture, StoredCollection, StoredDocument,
};

/// Refuses all operations.
pub(super) struct NoDocuments;

fn refused<'storage, T: Send + 'storage>() -> StorageFuture<'storage, T> {
    Box::pin(async { Err(StorageError("documents are not stored in PostgreSQL yet".to_owned())) })
}

impl DocumentStore for NoDocuments {
    fn open<'storage>(&'storage self, _name: &'storage str) -> StorageFuture<'storage, StoredCollection> {
        refused()
    }

    fn collections(&self) -> StorageFuture<'_, Vec<CollectionSummary>> {
        refused()
    }

    fn add_index<'storage>(
        &'storage self,
        _collection: CollectionNumber,
        _name: &'storage str,
    ) -> StorageFuture<'storage, IndexNumber> {
        refused()
    }

    fn finish_index(&self, _index: IndexNumber) -> StorageFuture<'_, ()> {
        refused()
    }

    fn drop_index(&self, _index: IndexNumber) -> StorageFuture<'_, ()> {
        refused()
    }

    fn documents(&self, _collection: CollectionNumber, _ids: Vec<String>) -> StorageFuture<'_, Vec<StoredDocument>> {
        refused()
    }

    fn read(&self) -> StorageFuture<'_, Box<dyn DocumentReader>> {
        refused()
    }

    fn write(&self, _collections: Vec<CollectionNumber>) -> StorageFuture<'_, Box<dyn DocumentWriter>> {
        refused()
    }
}
