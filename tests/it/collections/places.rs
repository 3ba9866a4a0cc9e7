//! The places where the documents of a collection can be kept.

use bolide::collection::Index;
use bolide::prelude::*;
use bolide::store::SqliteStore;

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
