//! [`Stored`]: the part of a collection whose documents are in a store: reading them, and loading live queries.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, watch};

use super::access::{Access, Source};
use super::core::CollectionCore;
use super::document::Document;
use super::error::CollectionError;
use super::execution::{Execution, Found, Placed, Position, Reading};
use super::index::Index;
use super::indexing;
use super::live::{LiveQuery, Phase};
use super::plan::Plan;
use super::shared_documents::SharedDocuments;
use super::storage::{
    CollectionNumber, DocumentReader, DocumentStore, Head, IndexNumber, Page, StorageError, StoredDocument, StoredEntry,
};
use super::writer::Writer;

/// The time after which more documents of a window are read again if the store has failed.
const RETRY: Duration = Duration::from_secs(1);

/// The longest time between the commit of a change and its place in the queues of live queries.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// The part of a stored collection that depends on its store.
pub(super) struct Stored {
    store: OnceLock<Arc<StoreLink>>,
    opened: OnceCell<Arc<Opened>>,
    /// The number of the last change that live queries were told of.
    applied: watch::Sender<u64>,
    /// The documents that live queries hold.
    shared: SharedDocuments,
}

/// A store of documents, with the queue of writes to it. All collections of an app share it.
pub(crate) struct StoreLink {
    pub(super) store: Arc<dyn DocumentStore>,
    pub(super) writer: Arc<Writer>,
}

/// A collection as it stands in the store.
pub(super) struct Opened {
    pub(super) number: CollectionNumber,
    pub(super) indexes: Vec<OpenIndex>,
}

/// An index of a stored collection. Writes keep all of them; queries use those that are ready.
pub(super) struct OpenIndex {
    pub(super) index: Arc<Index>,
    pub(super) number: IndexNumber,
    pub(super) is_ready: AtomicBool,
    /// Whether it could not be built, because a document does not fit or two have the same unique values.
    pub(super) is_refused: AtomicBool,
}

impl StoreLink {
    pub(crate) fn new(store: Arc<dyn DocumentStore>) -> Arc<Self> {
        Arc::new(Self { writer: Writer::new(Arc::clone(&store)), store })
    }
}

impl Default for Stored {
    fn default() -> Self {
        Self {
            store: OnceLock::new(),
            opened: OnceCell::new(),
            applied: watch::Sender::new(0),
            shared: SharedDocuments::default(),
        }
    }
}

impl Stored {
    /// Sets the store. A collection belongs to the first store that it is given to.
    pub(super) fn attach(&self, link: &Arc<StoreLink>) {
        let _other = self.store.set(Arc::clone(link));
    }

    pub(super) fn link(&self, core: &CollectionCore) -> Result<&Arc<StoreLink>, CollectionError> {
        self.store.get().ok_or_else(|| CollectionError::Unavailable {
            collection: core.name().to_owned(),
            reason: "it is stored, and was not given to an app with a store; see `AppBuilder::collection`".to_owned(),
        })
    }

    /// Returns the collection in the store. Opens it at the first call.
    pub(super) async fn open(&self, core: &Arc<CollectionCore>) -> Result<&Arc<Opened>, CollectionError> {
        let link = self.link(core)?;
        let opening = self.opened.get_or_try_init(|| async {
            let opened = Arc::new(indexing::open(core, &*link.store).await?);
            let mut reader = link.store.read().await?;
            let head = reader.head(opened.number).await?;
            self.applied.send_replace(head.version);
            indexing::build_missing(core, link, &opened);
            Ok(opened)
        });
        opening.await.map_err(|error: StorageError| unavailable(core, &error))
    }

    pub(super) async fn get(
        &self,
        core: &Arc<CollectionCore>,
        id: &str,
    ) -> Result<Option<Arc<Document>>, CollectionError> {
        let number = self.open(core).await?.number;
        let found = self.link(core)?.store.documents(number, vec![id.to_owned()]).await;
        let found = found.map_err(|error| unavailable(core, &error))?;
        found.into_iter().next().map(|stored| document(core, stored)).transpose()
    }

    /// Returns the last change, and what the collection holds.
    pub(super) async fn head(&self, core: &Arc<CollectionCore>) -> Result<Head, CollectionError> {
        let number = self.open(core).await?.number;
        let mut reader = self.reader(core).await?;
        reader.head(number).await.map_err(|error| unavailable(core, &error))
    }

    /// Returns the number of documents.
    pub(super) async fn count(&self, core: &Arc<CollectionCore>) -> Result<u64, CollectionError> {
        Ok(self.head(core).await?.documents)
    }

    pub(super) async fn access(&self, core: &Arc<CollectionCore>, plan: &Plan) -> Result<Access, CollectionError> {
        Ok(self.open(core).await?.access(plan))
    }

    /// Runs a query, and calls `visit` with the matching documents in portions, in the order of the query.
    pub(super) async fn find(
        &self,
        core: &Arc<CollectionCore>,
        plan: &Plan,
        mut visit: impl FnMut(Vec<Placed>) -> Result<(), CollectionError>,
    ) -> Result<(), CollectionError> {
        let begin = Instant::now();
        let opened = Arc::clone(self.open(core).await?);
        let mut reader = self.reader(core).await?;
        let access = opened.access(plan);
        let streams = access.is_ordered;
        let mut execution = Execution::new(plan, access, plan.needed());
        while let Some(reading) = execution.next() {
            let page = read(core, &opened, &mut *reader, reading).await?;
            execution.feed(page);
            if streams && plan.needed().is_none() {
                visit(execution.take())?;
            }
        }
        core.scans.note(core.name(), plan, &opened.access(plan), execution.read_count());
        core.slow.note(plan, begin, execution.read_count());
        visit(execution.finish().0)
    }

    /// Starts to load the result of a live query.
    pub(super) fn load(core: &Arc<CollectionCore>, query: &Arc<LiveQuery>) {
        let (core, query) = (Arc::clone(core), Arc::clone(query));
        tokio::spawn(async move {
            let reading = ReadingQuery(Arc::clone(&query));
            if let Err(error) = load(&core, &query).await {
                tracing::error!(collection = core.name(), %error, "the documents of a live query cannot be read");
                query.lock().finish(Phase::Failed(error));
            }
            drop(reading);
            drop(core.update(&query));
            query.note_progress();
        });
    }

    /// Starts to read more documents for a window.
    pub(super) fn refill(core: &Arc<CollectionCore>, query: &Arc<LiveQuery>) {
        let (core, query) = (Arc::clone(core), Arc::clone(query));
        tokio::spawn(async move {
            let reading = ReadingQuery(Arc::clone(&query));
            while let Err(error) = refill(&core, &query).await {
                tracing::error!(collection = core.name(), %error, "more documents of a live query cannot be read");
                // Writers need not wait for them.
                query.lock().finish(Phase::Ready);
                query.note_progress();
                tokio::time::sleep(RETRY).await;
                if !query.lock().begin_refill() {
                    break;
                }
            }
            drop(reading);
            drop(core.update(&query));
            query.note_progress();
        });
    }

    /// Replaces documents by those that other live queries hold.
    fn share(&self, page: Vec<Found>) -> Vec<Found> {
        let share = |found: Found| Found { document: self.shared.share(found.document), ..found };
        page.into_iter().map(share).collect()
    }

    /// Lets later live queries share a document that a change has brought.
    pub(super) fn note_shown(&self, document: &Arc<Document>) {
        drop(self.shared.share(Arc::clone(document)));
    }

    /// Notes that the live queries were told of all changes up to this one.
    pub(super) fn note_applied(&self, version: u64) {
        self.applied.send_replace(version);
    }

    async fn reader(&self, core: &CollectionCore) -> Result<Box<dyn DocumentReader>, CollectionError> {
        self.link(core)?.store.read().await.map_err(|error| unavailable(core, &error))
    }

    /// Waits until the queues of the live queries have all changes up to this one.
    ///
    /// # Errors
    /// Fails if they do not come: the commit of one was reported as an error, although it was made.
    async fn wait_for(&self, core: &CollectionCore, version: u64) -> Result<(), CollectionError> {
        let mut applied = self.applied.subscribe();
        let waiting = applied.wait_for(|applied| *applied >= version);
        match tokio::time::timeout(LONGEST_DELAY, waiting).await {
            // The sender lives as long as the collection.
            Ok(_applied) => Ok(()),
            Err(_elapsed) => {
                let missing = format!("the change {version} is in the store, and was not made here");
                Err(unavailable(core, &StorageError(missing)))
            }
        }
    }
}

impl OpenIndex {
    /// Returns whether it refuses a second document with the same values.
    pub(super) fn is_enforced(&self) -> bool {
        self.index.is_unique() && !self.is_refused.load(Ordering::Acquire)
    }
}

impl Opened {
    /// Plans a query with the indexes that are ready.
    pub(super) fn access(&self, plan: &Plan) -> Access {
        let ready = self.indexes.iter().enumerate().filter(|(_, index)| index.is_ready.load(Ordering::Acquire));
        Access::plan(plan, ready.map(|(place, index)| (place, &*index.index)))
    }
}

/// A live query that is reading from the store. If that ends by a panic, the query fails.
struct ReadingQuery(Arc<LiveQuery>);

impl Drop for ReadingQuery {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let reason = "reading it has panicked".to_owned();
            let collection = self.0.collection().to_owned();
            self.0.lock().finish(Phase::Failed(CollectionError::Unavailable { collection, reason }));
            self.0.note_progress();
        }
    }
}

async fn load(core: &Arc<CollectionCore>, query: &Arc<LiveQuery>) -> Result<(), CollectionError> {
    let Some(stored) = core.store() else { return Ok(()) };
    let (plan, begin) = (&query.plan, Instant::now());
    let opened = Arc::clone(stored.open(core).await?);
    let mut reader = stored.reader(core).await?;
    let head = reader.head(opened.number).await.map_err(|error| unavailable(core, &error))?;
    query.lock().note_loaded_at(head.version);
    drop(core.update(query));
    let access = opened.access(plan);
    let streams = !plan.is_window() && (access.is_ordered || plan.sort.is_empty());
    let mut execution = Execution::new(plan, access, LiveQuery::wanted(plan));
    while let Some(reading) = execution.next() {
        let page = read(core, &opened, &mut *reader, reading).await?;
        execution.feed(stored.share(page));
        let mut result = query.lock();
        if *result.phase() == Phase::Closed {
            return Ok(());
        }
        if streams {
            result.load(execution.take(), false);
            drop(result);
            query.note_progress();
        }
    }
    core.scans.note(core.name(), plan, &opened.access(plan), execution.read_count());
    core.slow.note(plan, begin, execution.read_count());
    let (documents, is_complete) = execution.finish();
    let mut result = query.lock();
    result.load(documents, is_complete);
    result.finish(Phase::Ready);
    Ok(())
}

async fn refill(core: &Arc<CollectionCore>, query: &LiveQuery) -> Result<(), CollectionError> {
    while refill_once(core, query).await? {}
    Ok(())
}

/// Returns whether documents are still missing, since changes have come meanwhile.
async fn refill_once(core: &Arc<CollectionCore>, query: &LiveQuery) -> Result<bool, CollectionError> {
    let Some(stored) = core.store() else { return Ok(false) };
    let opened = Arc::clone(stored.open(core).await?);
    let mut reader = stored.reader(core).await?;
    let head = reader.head(opened.number).await.map_err(|error| unavailable(core, &error))?;
    let missing = query.lock().missing_part();
    let found = match &missing {
        None => None,
        Some((horizon, room)) => {
            let access = opened.access(&query.plan);
            let index = match access.source {
                Source::Index { index, .. } => opened.indexes.get(index).map(|open| Arc::clone(&open.index)),
                _ => None,
            };
            let mut execution = Execution::new(&query.plan, access, *room);
            if let Some(horizon) = horizon {
                execution = execution.after(horizon, index.as_deref());
            }
            while let Some(reading) = execution.next() {
                let page = read(core, &opened, &mut *reader, reading).await?;
                execution.feed(stored.share(page));
                if *query.lock().phase() == Phase::Closed {
                    return Ok(false);
                }
            }
            Some((horizon.as_ref(), execution.finish()))
        }
    };
    drop(reader);
    stored.wait_for(core, head.version).await?;
    let (is_incomplete, unwritten) = crate::outbox::hold(|| {
        let mut result = query.lock();
        query.take_until(head.version).iter().for_each(|change| result.apply(change));
        if let Some((horizon, (documents, is_complete))) = found {
            result.refill(horizon, documents, is_complete);
        }
        if *result.phase() != Phase::Refilling {
            return false;
        }
        let is_incomplete = result.missing_part().is_some();
        if !is_incomplete {
            result.enter(Phase::Ready);
        }
        is_incomplete
    });
    drop(unwritten);
    Ok(is_incomplete)
}

async fn read(
    core: &CollectionCore,
    opened: &Opened,
    reader: &mut dyn DocumentReader,
    reading: Reading,
) -> Result<Vec<Found>, CollectionError> {
    let collection = opened.number;
    let outcome = match reading {
        Reading::Ids(ids) => {
            let found = reader.documents(collection, ids.clone()).await;
            return in_order(core, &ids, found.map_err(|error| unavailable(core, &error))?);
        }
        Reading::All(position) => reader.page(page(collection, None, (Vec::new(), Vec::new()), position)).await,
        Reading::Index { index, range, position } => {
            let number = opened.indexes.get(index).map(|open| open.number);
            reader.page(page(collection, number, (range.from, range.to), position)).await
        }
    };
    let entries = outcome.map_err(|error| unavailable(core, &error))?;
    entries
        .into_iter()
        .map(|StoredEntry { key, elements, document: stored }| {
            Ok(Found { key, elements, document: document(core, stored)? })
        })
        .collect()
}

fn page(
    collection: CollectionNumber,
    index: Option<IndexNumber>,
    (from, to): (Vec<u8>, Vec<u8>),
    Position { after, is_reversed, limit }: Position,
) -> Page {
    let after = after.map(|(key, id)| (key, id.to_string()));
    Page { collection, index, from, to, after, is_reversed, limit }
}

/// Returns the documents in the order of the ids.
fn in_order(core: &CollectionCore, ids: &[String], found: Vec<StoredDocument>) -> Result<Vec<Found>, CollectionError> {
    let mut by_id: std::collections::HashMap<String, StoredDocument> =
        found.into_iter().map(|stored| (stored.id.clone(), stored)).collect();
    let ordered = ids.iter().filter_map(|id| by_id.remove(id));
    ordered.map(|stored| Ok(Found::of(&document(core, stored)?))).collect()
}

/// Reads a stored document.
pub(super) fn document(core: &CollectionCore, stored: StoredDocument) -> Result<Arc<Document>, CollectionError> {
    let StoredDocument { id, fields, version } = stored;
    match Document::of_text(id.as_str().into(), &fields, version) {
        Ok(document) => Ok(Arc::new(document)),
        Err(reason) => Err(CollectionError::Unreadable { collection: core.name().to_owned(), id, reason }),
    }
}

pub(super) fn unavailable(core: &CollectionCore, error: &StorageError) -> CollectionError {
    CollectionError::Unavailable { collection: core.name().to_owned(), reason: error.to_string() }
}
