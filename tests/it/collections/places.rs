//! The places where the documents of a collection can be kept.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bolide::collection::Index;
use bolide::prelude::*;
use bolide::store::{OpenError, SqliteStore};

/// Where the documents are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Memory,
    Sqlite,
}

impl Place {
    pub(super) const ALL: [Self; 2] = [Self::Memory, Self::Sqlite];

    /// Returns an empty collection.
    pub(super) fn collection(self, name: &str) -> Collection {
        match self {
            Self::Memory => Collection::new(name),
            Self::Sqlite => Collection::stored(name),
        }
    }

    /// Returns an empty collection `items` with indexes.
    pub(super) fn items(self, indexes: impl IntoIterator<Item = Index>) -> Collection {
        indexes.into_iter().fold(self.collection("items"), Collection::index)
    }

    /// Returns the builder of an app that has the collection.
    pub(super) async fn app(self, items: &Collection) -> bolide::AppBuilder {
        let app = App::builder().collection(items);
        match self {
            Self::Memory => app,
            Self::Sqlite => app.store(SqliteStore::open("sqlite::memory:").await.expect("a store")),
        }
    }
}

/// The file of a store, which is deleted at the end.
pub(super) struct File(PathBuf);

impl File {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("bolide-collections-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    /// Opens the store. The app before releases the file a moment after it was dropped.
    pub(super) async fn open(&self) -> SqliteStore {
        let address = format!("sqlite:{}", self.0.join("a.db").display());
        let mut store = SqliteStore::open(&address).await;
        let started = Instant::now();
        while matches!(store, Err(OpenError::InUse(_))) && started.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            store = SqliteStore::open(&address).await;
        }
        store.expect("a store")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _is_gone = std::fs::remove_dir_all(&self.0);
    }
}
