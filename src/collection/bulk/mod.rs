//! [`StoredCollections`]: the stored collections of a store without the application that declares them. Tools import and
//! export their documents.
//!
//! - `import`: writes documents that are read from text, and keeps the indexes of the collection;
//! - `export`: reads documents as text.

mod export;
mod import;

use std::sync::Arc;

use super::core::CollectionCore;
use super::error::CollectionError;
use super::index::Index;
use super::storage::DocumentStore;
use super::stored::StoreLink;

pub use super::edit::Existing;
pub use super::storage::StorageError;
pub use export::DocumentExport;
pub use import::{DocumentImport, ImportOptions, NewDocument, UnreadableDocument, Written};

/// The stored collections of a store, without the application that declares them.
///
/// ```
/// use bolide::chance::SystemChance;
/// use bolide::collection::bulk::{ImportOptions, NewDocument, Written};
/// use bolide::store::SqlStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let collections = SqlStore::open("sqlite::memory:").await?.collections();
/// let import = collections.import("rooms", ImportOptions::default()).await?;
/// let room = NewDocument::read(r#"{"_id":"a","since":{"$date":"1970-01-01T00:00:01Z"}}"#, &SystemChance)?;
/// assert_eq!(import.write(vec![room]).await?, [Ok(Written::Inserted)]);
///
/// let mut export = collections.export("rooms").await?.ok_or("no such collection")?;
/// assert_eq!(export.next_page().await?, [r#"{"_id":"a","since":{"$date":1000}}"#]);
/// assert!(export.next_page().await?.is_empty());
/// # Ok(())
/// # }
/// ```
pub struct StoredCollections {
    link: Arc<StoreLink>,
}

/// A stored collection and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectionSize {
    /// The name.
    pub name: String,
    /// The number of documents.
    pub documents: u64,
    /// The size of their fields as EJSON text, in bytes.
    pub bytes: u64,
}

impl StoredCollections {
    pub(crate) fn new(store: Arc<dyn DocumentStore>) -> Self {
        Self { link: StoreLink::new(store) }
    }

    /// Returns all collections, ordered by name.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn list(&self) -> Result<Vec<CollectionSize>, StorageError> {
        let all = self.link.store.collections().await?;
        let size = |summary: super::storage::CollectionSummary| CollectionSize {
            name: summary.name,
            documents: summary.head.documents,
            bytes: summary.head.bytes,
        };
        Ok(all.into_iter().map(size).collect())
    }

    /// Starts to write documents to a collection, which is made if it is missing. Its indexes are kept up to date.
    ///
    /// # Errors
    /// Returns an error if the store fails, or if the name of an index cannot be read.
    pub async fn import(&self, collection: &str, options: ImportOptions) -> Result<DocumentImport, CollectionError> {
        let core = CollectionCore::stored(collection);
        core.set_max_document_bytes(options.max_document_bytes);
        let unavailable = |reason: String| CollectionError::Unavailable { collection: collection.to_owned(), reason };
        let stored = self.link.store.open(collection).await.map_err(|error| unavailable(error.to_string()))?;
        for known in stored.indexes {
            let unknown = || unavailable(format!("its index `{}` has no name that this version knows", known.name));
            core.add_index(Index::parse_stored(&known.name).ok_or_else(unknown)?)?;
        }
        if let Some(stored) = core.store() {
            stored.attach(&self.link);
        }
        Ok(DocumentImport::new(core, options.existing))
    }

    /// Starts to read the documents of a collection as they are now, ordered by their ids. Returns `None` if the store
    /// does not have the collection.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn export(&self, collection: &str) -> Result<Option<DocumentExport>, StorageError> {
        let all = self.link.store.collections().await?;
        let Some(found) = all.into_iter().find(|summary| summary.name == collection) else { return Ok(None) };
        let reader = self.link.store.read().await?;
        Ok(Some(DocumentExport::new(reader, found.number, found.head.documents)))
    }
}

impl std::fmt::Debug for StoredCollections {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StoredCollections").finish_non_exhaustive()
    }
}
