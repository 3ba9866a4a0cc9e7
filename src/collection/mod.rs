//! [`Collection`]: a set of documents, in memory or in the store. Publications publish [live queries](Query) over it.
//!
//! - the parts of a query: [`Filter`], [`Query`] and its plan; keys and [indexes](Index); access and execution;
//! - writes: [`Update`], [`Batch`], and the edits that they are made of;
//! - the documents: in memory, or stored through the port of a store, with its writer;
//! - live queries, which are told of changes, also of those that other nodes make;
//! - bulk: what tools import and export; reports: what admins are shown.

mod access;
mod batch;
#[cfg(feature = "accounts")]
pub mod bulk;
mod catch_up;
mod core;
mod delivery;
mod document;
mod draft;
mod edit;
mod error;
mod execution;
mod figures;
mod filter;
mod follower;
mod index;
mod indexing;
mod key;
mod live;
mod loading;
mod many;
mod memory;
mod memory_write;
mod nesting;
mod paths;
mod plan;
mod publish;
mod query;
mod relay;
#[cfg(feature = "accounts")]
mod report;
mod scans;
mod selector;
mod shared_documents;
mod slow;
pub(crate) mod storage;
mod stored;
#[cfg(feature = "accounts")]
#[cfg(test)]
mod tests;
mod update;
mod writer;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bolide_protocol::ejson::Object;
use bolide_protocol::{DocumentId, Ejson};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::edit::{Condition, Edit, Outcome, Step};

pub(crate) use self::core::CollectionCore;
pub use batch::Batch;
pub use error::CollectionError;
use error::shortened;
use figures::Timed;
pub(crate) use figures::{AppCollections, CollectionFigures};
pub use filter::Filter;
pub use index::Index;
pub use key::Direction;
pub use query::{Explanation, Query, UnreadyIndex};
pub(crate) use relay::RelayedChange;
#[cfg(feature = "accounts")]
pub(crate) use report::CollectionReport;
pub use selector::SelectorError;
pub(crate) use stored::StoreLink;
pub use update::Update;

/// A set of documents of the type `T`. Clones share the documents.
///
/// [`new`](Self::new) keeps them in memory on this node, [`stored`](Self::stored) in the store of the app. The methods are
/// the same for both. Changes are sent to subscribers before the write returns; inside a method, this is before its
/// `updated` message.
///
/// ```
/// use bolide::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Item { name: String, price: f64 }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let items: Collection<Item> = Collection::new("items");
/// items.insert("a", &Item { name: "ink".into(), price: 2.5 }).await?;
/// items.update("a", Update::new().increment("price", 0.5)).await?;
/// assert_eq!(items.get("a").await?.unwrap().price, 3.0);
/// assert_eq!(items.find(Filter::above("price", 5)).fetch().await?.len(), 0);
/// # Ok(())
/// # }
/// ```
pub struct Collection<T = Object> {
    core: Arc<CollectionCore>,
    documents: PhantomData<fn() -> T>,
}

/// Whether [`Collection::upsert`] has made the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Upserted {
    /// The document is new.
    Inserted,
    /// The document existed.
    Updated,
}

impl<T: Serialize + DeserializeOwned> Collection<T> {
    /// Creates an empty collection in memory. `name` is the name of the collection for clients.
    ///
    /// The documents are those of this node: they begin empty when it starts, and changes of other nodes reach them only as
    /// messages of the [bus](crate::bus), which may be lost and have no order with the changes here. Let one node write
    /// each document, or keep what several nodes write in a stored collection.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { core: CollectionCore::in_memory(name), documents: PhantomData }
    }

    /// Creates a collection whose documents are kept in the store of the app that it is given to with
    /// [`AppBuilder::collection`](crate::AppBuilder::collection). They outlast the process, and need not fit into memory.
    ///
    /// ```no_run
    /// use bolide::prelude::*;
    ///
    /// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// let messages: Collection = Collection::stored("messages").index(["rid", "ts"]);
    /// let app = App::builder()
    ///     .accounts(Accounts::sqlite("bolide.db").await?)
    ///     .collection(&messages)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "accounts")]
    #[must_use]
    pub fn stored(name: &str) -> Self {
        Self { core: CollectionCore::stored(name), documents: PhantomData }
    }

    /// Declares an [`Index`]. Call this before the collection is given to an app.
    ///
    /// In a store, a new index is built in the background, and one that is no longer declared is dropped; both are logged.
    /// Until it is ready, queries do not use it.
    #[must_use]
    pub fn index(self, index: impl Into<Index>) -> Self {
        if let Err(error) = self.core.add_index(index.into()) {
            tracing::error!(collection = self.name(), %error, "an index is refused, and is not used");
        }
        self
    }

    /// Sets the maximum size of a document, in bytes of its fields as EJSON text. Larger ones are refused with
    /// [`CollectionError::TooLarge`]. Default: 1 MiB.
    #[must_use]
    pub fn max_document_bytes(self, bytes: usize) -> Self {
        self.core.set_max_document_bytes(bytes);
        self
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
    /// Returns [`CollectionError::Duplicate`] if the collection already has a document with this id,
    /// [`CollectionError::NotUnique`] if a unique index refuses it, [`CollectionError::NoDocument`] if the document is
    /// neither a struct nor a map, [`CollectionError::TooLarge`] if it exceeds a limit, and
    /// [`CollectionError::Unavailable`] if the store fails.
    pub async fn insert(&self, id: impl Into<DocumentId>, document: &T) -> Result<(), CollectionError> {
        let object = self.to_object(document)?;
        self.write(Step::new(core::wire(&id.into()), Edit::Insert(object))).await?;
        Ok(())
    }

    /// Changes a document. Returns `false` if the collection does not have it.
    ///
    /// # Errors
    /// Returns [`CollectionError::Mismatch`] if the update does not fit the document, and the errors of
    /// [`insert`](Self::insert) except for `Duplicate`.
    pub async fn update(&self, id: impl Into<DocumentId>, update: Update) -> Result<bool, CollectionError> {
        let outcome = self.write(Step::new(core::wire(&id.into()), Edit::Update(update))).await?;
        Ok(outcome.has_found())
    }

    /// Changes a document that matches a filter, as one write: nobody can change it between the check and the update.
    /// Returns `false` if the collection does not have it, or if it does not match.
    ///
    /// ```
    /// # use bolide::prelude::*;
    /// # async fn book(seats: Collection, guest: &str) -> Result<bool, bolide::collection::CollectionError> {
    /// let is_free = Filter::eq("guest", Ejson::Null);
    /// seats.update_if("12B", is_free, Update::new().set("guest", guest)).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`update`](Self::update).
    pub async fn update_if(
        &self,
        id: impl Into<DocumentId>,
        filter: Filter,
        update: Update,
    ) -> Result<bool, CollectionError> {
        let step = Step { id: core::wire(&id.into()), edit: Edit::Update(update), condition: Condition::If(filter) };
        Ok(self.write(step).await?.has_found())
    }

    /// Changes a document, or makes it from the update if the collection does not have it.
    ///
    /// # Errors
    /// Returns the errors of [`update`](Self::update).
    pub async fn upsert(&self, id: impl Into<DocumentId>, update: Update) -> Result<Upserted, CollectionError> {
        let outcome = self.write(Step::new(core::wire(&id.into()), Edit::Upsert(update))).await?;
        Ok(if outcome == Outcome::Inserted { Upserted::Inserted } else { Upserted::Updated })
    }

    /// Removes a document. Returns `false` if the collection does not have it.
    ///
    /// # Errors
    /// Returns [`CollectionError::Unavailable`] if the store fails.
    pub async fn remove(&self, id: impl Into<DocumentId>) -> Result<bool, CollectionError> {
        let outcome = self.write(Step::new(core::wire(&id.into()), Edit::Remove)).await?;
        Ok(outcome == Outcome::Removed)
    }

    /// Changes all documents that match a filter, and returns their number. Each document is changed once, and only if it
    /// still matches. Documents that are written meanwhile may or may not be changed: the write as a whole is not atomic.
    ///
    /// # Errors
    /// Returns the errors of [`update`](Self::update). Some documents may be changed already.
    pub async fn update_many(&self, filter: Filter, update: Update) -> Result<usize, CollectionError> {
        many::write_many(&self.core, filter, Edit::Update(update)).await
    }

    /// Removes all documents that match a filter, and returns their number, like [`update_many`](Self::update_many).
    ///
    /// # Errors
    /// Returns [`CollectionError::Unavailable`] if the store fails. Some documents may be removed already.
    pub async fn remove_many(&self, filter: Filter) -> Result<usize, CollectionError> {
        many::write_many(&self.core, filter, Edit::Remove).await
    }

    /// Returns a document with its id as the member `_id`, or `None` if the collection does not have it.
    ///
    /// # Errors
    /// Returns [`CollectionError::Unreadable`] if it cannot be read as a `T`, and [`CollectionError::Unavailable`] if the
    /// store fails.
    pub async fn get(&self, id: impl Into<DocumentId>) -> Result<Option<T>, CollectionError> {
        let id = core::wire(&id.into());
        let document = match self.core.store() {
            None => self.core.get_in_memory(&id),
            Some(stored) => stored.get(&self.core, &id).await?,
        };
        document.map(|document| query::typed(&self.core, &document)).transpose()
    }

    /// Returns the number of documents.
    ///
    /// # Errors
    /// Returns [`CollectionError::Unavailable`] if the store fails.
    pub async fn count(&self) -> Result<usize, CollectionError> {
        match self.core.store() {
            None => Ok(self.core.len_in_memory()),
            Some(stored) => Ok(usize::try_from(stored.count(&self.core).await?).unwrap_or(usize::MAX)),
        }
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

    async fn write(&self, step: Step) -> Result<Outcome, CollectionError> {
        let outcomes = CollectionCore::write(vec![(Arc::clone(&self.core), step)]).await?;
        Ok(outcomes.first().copied().unwrap_or(Outcome::Nothing))
    }

    fn to_object(&self, document: &T) -> Result<Object, CollectionError> {
        let refused = |reason: String| CollectionError::NoDocument {
            collection: self.name().to_owned(),
            reason: shortened(&reason),
        };
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

impl<T> Collection<T> {
    pub(crate) fn core(&self) -> &Arc<CollectionCore> {
        &self.core
    }
}

impl CollectionCore {
    /// Makes steps as one write, in memory or in the store, and counts it.
    async fn write(steps: Vec<(Arc<Self>, Step)>) -> Result<Vec<Outcome>, CollectionError> {
        let timed = Timed::begin(&steps);
        let outcome = Self::write_uncounted(steps).await;
        timed.end(&outcome);
        outcome
    }

    async fn write_uncounted(steps: Vec<(Arc<Self>, Step)>) -> Result<Vec<Outcome>, CollectionError> {
        let Some((first, _)) = steps.first() else { return Ok(Vec::new()) };
        let Some(stored) = first.store() else {
            apart(&steps, |core| core.store().is_none())?;
            return Self::write_in_memory(&steps);
        };
        let writer = Arc::clone(&stored.link(first)?.writer);
        apart(&steps, |core| {
            core.store()
                .and_then(|stored| stored.link(core).ok())
                .is_some_and(|link| Arc::ptr_eq(&link.writer, &writer))
        })?;
        writer.write(steps).await
    }

    /// Connects a stored collection with its store, and starts to open it.
    pub(crate) fn attach_store(self: &Arc<Self>, link: &Arc<StoreLink>) {
        let Some(stored) = self.store() else { return };
        stored.attach(link);
        // Without a runtime, it is opened when it is used.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let core = Arc::clone(self);
        runtime.spawn(async move {
            if let Some(stored) = core.store()
                && let Err(error) = stored.open(&core).await
            {
                tracing::error!(%error, "a collection cannot be opened");
            }
        });
    }

    /// Returns whether the documents are kept in a store.
    pub(crate) const fn is_stored(&self) -> bool {
        self.store().is_some()
    }

    /// Sets the function that sends changes to other nodes.
    pub(crate) fn attach(&self, send: relay::SendChange) {
        self.relay.attach(send);
    }
}

/// Fails unless all collections are in the place of the first one.
fn apart(
    steps: &[(Arc<CollectionCore>, Step)],
    is_there: impl Fn(&CollectionCore) -> bool,
) -> Result<(), CollectionError> {
    let other = steps.iter().find(|(core, _)| !is_there(core));
    match (steps.first(), other) {
        (Some((first, _)), Some((other, _))) => {
            Err(CollectionError::Apart(first.name().to_owned(), other.name().to_owned()))
        }
        _ => Ok(()),
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
