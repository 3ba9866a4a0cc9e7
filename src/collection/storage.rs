//! The port of stored collections: what a store does for them. The rooms of the stores implement it.
//!
//! A store keeps, for each collection, its documents, the entries of its indexes and its *head*: the number of its last
//! change. It knows neither filters nor how keys are made.

#![cfg_attr(
    feature = "accounts",
    expect(unnameable_types, reason = "the sealed traits of the store return it, and applications use collections")
)]

use std::pin::Pin;

/// The future of an operation.
pub(crate) type StorageFuture<'storage, T> = Pin<Box<dyn Future<Output = Result<T, StorageError>> + Send + 'storage>>;

/// Why a store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The store cannot be reached, or has refused. Nothing was written.
    #[error("{0}")]
    Failed(String),
    /// The connection was lost during a commit: it is not known whether anything was written.
    #[error("{0}")]
    Unknown(String),
    /// Changes cannot be told, since old removals are no longer kept.
    #[error("removals up to {purged_to} are no longer kept, so the changes after {after} are not known")]
    Purged {
        /// The number after which changes were asked for.
        after: u64,
        /// The number of the last removal that is no longer kept.
        purged_to: u64,
    },
}

/// The number of a collection in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectionNumber(pub i64);

/// The number of an index in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexNumber(pub i64);

/// A place where documents are stored.
pub trait DocumentStore: Send + Sync + 'static {
    /// Returns the collection with a name, and makes it if it is missing.
    fn open<'storage>(&'storage self, name: &'storage str) -> StorageFuture<'storage, StoredCollection>;

    /// Returns what is kept of all collections.
    fn collections(&self) -> StorageFuture<'_, Vec<CollectionSummary>>;

    /// Adds an index without entries, which is not ready.
    fn add_index<'storage>(
        &'storage self,
        collection: CollectionNumber,
        name: &'storage str,
    ) -> StorageFuture<'storage, IndexNumber>;

    /// Marks an index as ready: it has the entries of all documents.
    fn finish_index(&self, index: IndexNumber) -> StorageFuture<'_, ()>;

    /// Returns whether other programs have the store open, such as other nodes.
    fn has_others(&self) -> StorageFuture<'_, bool>;

    /// Takes an index away. Its entries are removed later in steps, so that other writes do not wait for long.
    fn drop_index(&self, index: IndexNumber) -> StorageFuture<'_, ()>;

    /// Returns those of the documents that exist, in any order.
    fn documents(&self, collection: CollectionNumber, ids: Vec<String>) -> StorageFuture<'_, Vec<StoredDocument>>;

    /// Begins to read from one state of the store, which later writes do not affect.
    fn read(&self) -> StorageFuture<'_, Box<dyn DocumentReader>>;

    /// Begins a write to collections. Other writes to them wait until it has ended; if it is dropped, nothing is written.
    fn write(&self, collections: Vec<CollectionNumber>) -> StorageFuture<'_, Box<dyn DocumentWriter>>;

    /// Starts to hear of the changes of all nodes. Returns `None` if no other node can write to the store.
    fn listen(&self) -> StorageFuture<'_, Option<Box<dyn Hints>>>;
}

/// What the nodes tell each other of their changes. It may be lost, so it is only a hint.
pub trait Hints: Send {
    /// Waits until a change was committed. Returns `None` if the connection was lost: no more hints come then. If this is
    /// dropped before it is ready, nothing is lost.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Hint>> + Send + '_>>;
}

/// A change that was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The collection.
    pub collection: CollectionNumber,
    /// The number of the change.
    pub version: u64,
}

/// Reads from one state of the store.
pub trait DocumentReader: Send {
    /// Returns the head of a collection.
    fn head(&mut self, collection: CollectionNumber) -> StorageFuture<'_, Head>;

    /// Returns those of the documents that exist, in any order.
    fn documents(&mut self, collection: CollectionNumber, ids: Vec<String>) -> StorageFuture<'_, Vec<StoredDocument>>;

    /// Returns documents in the order of their ids or of an index. Fewer than the limit means that no more follow.
    fn page(&mut self, page: Page) -> StorageFuture<'_, Vec<StoredEntry>>;

    /// Returns changes after a number, in their order, at most `limit`. Of several changes of one document, only the last
    /// one is kept.
    ///
    /// # Errors
    /// Returns [`StorageError::Purged`] if old removals after the number are no longer kept.
    fn changes(
        &mut self,
        collection: CollectionNumber,
        after: u64,
        limit: usize,
    ) -> StorageFuture<'_, Vec<StoredChange>>;
}

/// Writes in one transaction.
pub trait DocumentWriter: DocumentReader {
    /// Returns the documents that have one of these keys in their index.
    fn holders(&mut self, keys: Vec<IndexKey>) -> StorageFuture<'_, Vec<(IndexKey, String)>>;

    /// Writes documents, entries and heads.
    fn put(&mut self, batch: Batch) -> StorageFuture<'_, ()>;

    /// Ends the transaction.
    ///
    /// # Errors
    /// After [`StorageError::Unknown`], it is not known whether it was written.
    fn commit(self: Box<Self>) -> StorageFuture<'static, ()>;
}

/// A collection as its store knows it.
#[derive(Clone, Debug)]
pub struct StoredCollection {
    /// Its number.
    pub number: CollectionNumber,
    /// Its indexes.
    pub indexes: Vec<StoredIndex>,
}

/// An index as its store knows it.
#[derive(Clone, Debug)]
pub struct StoredIndex {
    /// Its number.
    pub number: IndexNumber,
    /// Its name, from which the collection recognises it.
    pub name: String,
    /// Whether it has the entries of all documents.
    pub is_ready: bool,
}

/// What is kept of a collection.
#[derive(Clone, Debug)]
pub struct CollectionSummary {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: CollectionNumber,
    /// Its head.
    pub head: Head,
}

/// The last change of a collection, and what the collection holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The number of the last change.
    pub version: u64,
    /// The number of documents.
    pub documents: u64,
    /// The size of their fields as text, in bytes.
    pub bytes: u64,
}

/// A document as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDocument {
    /// The id, as on the wire.
    pub id: String,
    /// The fields as EJSON text, without `_id`.
    pub fields: String,
    /// The number of the change that made this version.
    pub version: u64,
}

/// A document that was found by an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// The key of the entry; empty if the documents are read by their ids.
    pub key: Vec<u8>,
    /// The fields of the entry whose value is an element of an array, as bits.
    pub elements: u32,
    /// The document.
    pub document: StoredDocument,
}

/// A change that was made to a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredChange {
    /// The id of the document.
    pub id: String,
    /// The fields of the document, or `None` if it was removed.
    pub fields: Option<String>,
    /// The number of the change.
    pub version: u64,
}

/// Which documents to read, in which order.
#[derive(Clone, Debug)]
pub struct Page {
    /// The collection.
    pub collection: CollectionNumber,
    /// The index, or `None` for the order of the ids.
    pub index: Option<IndexNumber>,
    /// The smallest key.
    pub from: Vec<u8>,
    /// The key before which to stop. Empty for no end.
    pub to: Vec<u8>,
    /// The key and the id after which to begin, in the direction of reading.
    pub after: Option<(Vec<u8>, String)>,
    /// Whether to read from the greatest key and id.
    pub is_reversed: bool,
    /// The maximum number of entries.
    pub limit: usize,
}

/// A key of an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexKey {
    /// The index.
    pub index: IndexNumber,
    /// The key.
    pub key: Vec<u8>,
}

/// What one transaction writes.
#[derive(Debug, Default)]
pub struct Batch {
    /// The heads after it.
    pub heads: Vec<(CollectionNumber, Head)>,
    /// The documents, each once. Those without fields are removed.
    pub documents: Vec<(CollectionNumber, StoredChange)>,
    /// The entries that no longer exist, with the ids of their documents.
    pub removed_entries: Vec<(IndexKey, String)>,
    /// The new entries: with the ids of their documents, and the fields whose value is an element.
    pub added_entries: Vec<(IndexKey, String, u32)>,
}
