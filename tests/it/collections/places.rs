//! The places where the documents of a collection can be kept.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bolide::collection::Index;
use bolide::prelude::*;
use bolide::store::{OpenError, SqlStore};
use bolide_test_servers::Postgres;

/// Where the documents are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Memory,
    Sqlite,
    Postgres,
}

impl Place {
    pub(super) const ALL: [Self; 3] = [Self::Memory, Self::Sqlite, Self::Postgres];

    /// Returns an empty collection.
    pub(super) fn collection(self, name: &str) -> Collection {
        match self {
            Self::Memory => Collection::new(name),
            Self::Sqlite | Self::Postgres => Collection::stored(name),
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
            Self::Sqlite => app.store(SqlStore::open("sqlite::memory:").await.expect("a store")),
            Self::Postgres => app.store(SqlStore::open(&Postgres::shared().database()).await.expect("a store")),
        }
    }
}

/// Returns the builder of an app that has the collection, as a node that uses a database together with others.
pub(super) async fn node(database: &str, items: &Collection) -> bolide::AppBuilder {
    App::builder().collection(items).store(SqlStore::open(database).await.expect("a store"))
}

/// Where a store is that can be opened again.
pub(super) enum Home {
    /// A file, which is deleted at the end.
    File(PathBuf),
    /// A database of a server.
    Database(String),
}

impl Home {
    pub(super) fn new(place: Place) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if place == Place::Postgres {
            return Self::Database(Postgres::shared().database());
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("bolide-collections-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self::File(path)
    }

    /// Opens the store. The app before releases a file a moment after it was dropped.
    pub(super) async fn open(&self) -> SqlStore {
        let address = match self {
            Self::File(directory) => format!("sqlite:{}", directory.join("a.db").display()),
            Self::Database(address) => address.clone(),
        };
        let mut store = SqlStore::open(&address).await;
        let started = Instant::now();
        while matches!(store, Err(OpenError::InUse(_))) && started.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            store = SqlStore::open(&address).await;
        }
        store.expect("a store")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Self::File(directory) = self {
            let _is_gone = std::fs::remove_dir_all(directory);
        }
    }
}
