//! What every store of documents promises, for each database. A new store is added with a line in `every_document_store`.

mod changes;
mod indexes;
mod pages;
mod writes;

use std::path::PathBuf;
use std::sync::Arc;

use bolide_test_servers::Postgres;

use super::SqlStore;
use super::private::StoresDocuments as _;
use crate::collection::storage::{
    Batch, CollectionNumber, DocumentStore, Head, IndexKey, IndexNumber, StoredChange, StoredDocument,
};

/// Runs the same tests for each store.
macro_rules! every_document_store {
    ($($promise:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                super::$promise(crate::store::tests::memory().await).await;
            })*
        }

        mod in_a_file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                let file = crate::store::tests::File::new(concat!(module_path!(), "::", stringify!($promise)));
                super::$promise(file.documents().await).await;
            })*
        }

        mod in_the_oldest_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                super::$promise(crate::store::tests::postgres(0).await).await;
            })*
        }

        mod in_the_newest_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                super::$promise(crate::store::tests::postgres(usize::MAX).await).await;
            })*
        }
    };
}
use every_document_store;

async fn memory() -> Arc<dyn DocumentStore> {
    SqlStore::open("sqlite::memory:").await.unwrap().documents()
}

/// Returns the documents of an empty database of PostgreSQL, whose versions are counted from the oldest one.
async fn postgres(version: usize) -> Arc<dyn DocumentStore> {
    let versions = Postgres::versions();
    let url = versions[version.min(versions.len() - 1)].shared().database();
    SqlStore::open(&url).await.unwrap().documents()
}

/// A database file that is deleted when it is dropped.
pub(super) struct File(PathBuf);

impl File {
    pub(super) fn new(name: &str) -> Self {
        let directory = format!("bolide-{}-{}", name.replace("::", "-"), std::process::id());
        let directory = std::env::temp_dir().join(directory);
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.0.join("a.db")
    }

    pub(super) async fn open(&self) -> SqlStore {
        SqlStore::open(&format!("sqlite:{}", self.path().display())).await.unwrap()
    }

    async fn documents(&self) -> Arc<dyn DocumentStore> {
        self.open().await.documents()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _deleted = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) async fn open(store: &Arc<dyn DocumentStore>, name: &str) -> CollectionNumber {
    store.open(name).await.unwrap().number
}

pub(super) async fn write(store: &Arc<dyn DocumentStore>, batch: Batch) {
    let mut writer = store.write(batch.heads.iter().map(|(number, _)| *number).collect()).await.unwrap();
    writer.put(batch).await.unwrap();
    writer.commit().await.unwrap();
}

/// Returns the documents with some ids, in the order of the ids.
async fn read(store: &Arc<dyn DocumentStore>, collection: CollectionNumber, ids: &[&str]) -> Vec<StoredDocument> {
    let ids = ids.iter().map(|id| (*id).to_owned()).collect();
    let mut documents = store.documents(collection, ids).await.unwrap();
    documents.sort_by(|a, b| a.id.cmp(&b.id));
    documents
}

pub(super) fn put(
    collection: CollectionNumber,
    id: &str,
    fields: &str,
    version: u64,
) -> (CollectionNumber, StoredChange) {
    (collection, StoredChange { id: id.to_owned(), fields: Some(fields.to_owned()), version })
}

pub(super) fn removed(collection: CollectionNumber, id: &str, version: u64) -> (CollectionNumber, StoredChange) {
    (collection, StoredChange { id: id.to_owned(), fields: None, version })
}

fn document(id: &str, fields: &str, version: u64) -> StoredDocument {
    StoredDocument { id: id.to_owned(), fields: fields.to_owned(), version }
}

pub(super) fn head(version: u64, documents: u64) -> Head {
    Head { version, documents, bytes: documents * 2 }
}

pub(super) fn key(index: IndexNumber, key: &[u8]) -> IndexKey {
    IndexKey { index, key: key.to_owned() }
}
