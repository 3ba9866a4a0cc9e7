//! [`Collection`]: a set of documents in memory. Publications publish [live queries](Query) over it. A change is
//! computed and encoded once for each distinct query.

mod core;
mod document;
mod error;
mod filter;
mod live;
mod plan;
mod publish;
mod query;
mod update;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bolide_protocol::ejson::Object;
use bolide_protocol::{DocumentId, Ejson};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use self::core::{Change, CollectionCore};
pub use error::CollectionError;
pub use filter::Filter;
pub use plan::Direction;
pub use query::Query;
pub use update::Update;

/// A set of documents of the type `T`, kept in memory. Clones share the documents.
///
/// Changes are sent to subscribers before the write returns; inside a method, this is before its `updated` message.
///
/// ```
/// use bolide::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Item { name: String, price: f64 }
///
/// let items: Collection<Item> = Collection::new("items");
/// items.insert("a", &Item { name: "ink".into(), price: 2.5 })?;
/// items.update("a", Update::new().set("price", 3.0))?;
/// assert_eq!(items.get("a").unwrap().price, 3.0);
/// assert_eq!(items.find(Filter::above("price", 5)).fetch().len(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Collection<T = Object> {
    core: Arc<CollectionCore>,
    documents: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Collection<T> {
    /// Creates an empty collection. `name` is the name of the collection for clients.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { core: Arc::new(CollectionCore::new(name)), documents: PhantomData }
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.core.name()
    }

    /// Adds a document. A member `_id` of the document is ignored. In a method,
    /// [`Context::document_id`](crate::Context::document_id) returns the id that the client's stub generated.
    ///
    /// # Errors
    /// Returns [`CollectionError::Duplicate`] if the collection already has a document with this id, and
    /// [`CollectionError::NoDocument`] if the document is neither a struct nor a map.
    pub fn insert(&self, id: impl Into<DocumentId>, document: &T) -> Result<(), CollectionError> {
        let object = self.to_object(document)?;
        self.core.insert(&id.into(), object)
    }

    /// Changes fields of a document. Returns `false` if the collection does not have it.
    ///
    /// # Errors
    /// Does not fail at present. Stored collections may fail in the future.
    pub fn update(&self, id: impl Into<DocumentId>, update: Update) -> Result<bool, CollectionError> {
        Ok(self.core.update(&id.into(), update))
    }

    /// Removes a document. Returns `false` if the collection does not have it.
    ///
    /// # Errors
    /// Does not fail at present. Stored collections may fail in the future.
    pub fn remove(&self, id: impl Into<DocumentId>) -> Result<bool, CollectionError> {
        Ok(self.core.remove(&id.into()))
    }

    /// Returns a document, or `None` if the collection does not have it or it cannot be read as a `T`.
    #[must_use]
    pub fn get(&self, id: impl Into<DocumentId>) -> Option<T> {
        Ejson::Object(self.core.object(&id.into())?).into_typed().ok()
    }

    /// Returns the number of documents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.len()
    }

    /// Returns whether the collection is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a query over the documents that match `filter`. It can be fetched or published.
    pub fn find(&self, filter: Filter) -> Query<T> {
        Query::new(Arc::clone(&self.core), filter)
    }

    /// Returns the number of distinct queries that are published, independent of the number of subscriptions.
    #[must_use]
    pub fn live_query_count(&self) -> usize {
        self.core.live_query_count()
    }

    pub(crate) fn core(&self) -> &Arc<CollectionCore> {
        &self.core
    }

    fn to_object(&self, document: &T) -> Result<Object, CollectionError> {
        let refused = |reason: String| CollectionError::NoDocument { collection: self.name().to_owned(), reason };
        match Ejson::from_typed(document) {
            Ok(Ejson::Object(mut object)) => {
                object.shift_remove("_id");
                Ok(object)
            }
            Ok(_) => Err(refused("it is neither".into())),
            Err(error) => Err(refused(error.to_string())),
        }
    }
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), documents: PhantomData }
    }
}

impl<T> fmt::Debug for Collection<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Collection").field("name", &self.core.name()).finish_non_exhaustive()
    }
}
