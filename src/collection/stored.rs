//! [`Stored`]: the part of a collection whose documents are in a store, and how they are read.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, watch};

use super::access::{Access, Source};
use super::catch_up::catch_up_soon;
use super::core::CollectionCore;
use super::document::Document;
use super::error::{CollectionError, shortened};
use super::execution::{Execution, Found, Placed, Position, Reading};
use super::follower::Follower;
use super::index::Index;
use super::indexing;
use super::live::Change;
use super::plan::Plan;
use super::query::UnreadyIndex;
use super::scans::NOTED_FROM;
use super::shared_documents::SharedDocuments;
use super::storage::{
    CollectionNumber, DocumentReader, DocumentStore, Head, IndexNumber, Page, StorageError, StoredDocument, StoredEntry,
};
use super::writer::Writer;
use crate::error::UnknownOutcome;

/// The longest time between the commit of a change and its place in the queues of live queries.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// The part of a stored collection that depends on its store.
pub(super) struct Stored {
    store: OnceLock<Arc<StoreLink>>,
    opened: OnceCell<Arc<Opened>>,
    /// The number of the last change that live queries were told of.
    applied: watch::Sender<u64>,
    /// Whether a task reads the changes that live queries were not told of.
    pub(super) is_catching_up: AtomicBool,
    /// The documents that live queries hold.
    shared: SharedDocuments,
}

/// A store of documents, with the queue of writes to it. All collections of an app share it.
pub(crate) struct StoreLink {
    pub(super) store: Arc<dyn DocumentStore>,
    pub(super) writer: Arc<Writer>,
    pub(super) follower: Follower,
}

/// A collection as it stands in the store.
pub(super) struct Opened {
    pub(super) number: CollectionNumber,
    pub(super) indexes: Vec<OpenIndex>,
    /// The indexes that other nodes may use. Writes keep them up to date, and queries of this node do not use them.
    pub(super) kept: Vec<OpenIndex>,
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
        Arc::new(Self { writer: Writer::new(Arc::clone(&store)), store, follower: Follower::default() })
    }

    /// Returns whether live queries of this node show what the store had more than five seconds ago.
    pub(crate) fn is_behind(&self) -> bool {
        self.follower.is_behind()
    }
}

impl Default for Stored {
    fn default() -> Self {
        Self {
            store: OnceLock::new(),
            opened: OnceCell::new(),
            applied: watch::Sender::new(0),
            is_catching_up: AtomicBool::new(false),
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
            self.note_applied(head.version);
            link.follower.add(opened.number, core, link);
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
        opened.note_scan(core, plan, execution.read_count());
        core.slow.note(plan, begin, execution.read_count());
        visit(execution.finish().0)
    }

    /// Counts the matching documents within the window of a query. They are read page by page, and not kept.
    pub(super) async fn count_matching(
        &self,
        core: &Arc<CollectionCore>,
        plan: &Plan,
    ) -> Result<usize, CollectionError> {
        let (begin, unordered) = (Instant::now(), plan.unordered());
        let opened = Arc::clone(self.open(core).await?);
        let mut reader = self.reader(core).await?;
        let mut execution = Execution::new(&unordered, opened.access(&unordered), None);
        let mut matching = 0;
        while let Some(reading) = execution.next().filter(|_| !plan.is_enough(matching)) {
            let page = read(core, &opened, &mut *reader, reading).await?;
            execution.feed(page);
            matching += execution.take().len();
        }
        opened.note_scan(core, &unordered, execution.read_count());
        core.slow.note(plan, begin, execution.read_count());
        Ok(plan.within(matching))
    }

    /// Replaces documents by those that other live queries hold.
    pub(super) fn share(&self, page: Vec<Found>) -> Vec<Found> {
        let share = |found: Found| Found { document: self.shared.share(found.document), ..found };
        page.into_iter().map(share).collect()
    }

    /// Returns the change with the document that live queries hold, or are to share. What they hold must be known: by it,
    /// a change of another node finds them.
    pub(super) fn share_new(&self, change: Change) -> Change {
        Change { new: change.new.map(|new| self.shared.share(new)), ..change }
    }

    /// Notes that the live queries were told of all changes up to this one.
    pub(super) fn note_applied(&self, version: u64) {
        self.applied.send_if_modified(|applied| {
            let is_later = version > *applied;
            *applied = version.max(*applied);
            is_later
        });
    }

    /// Skips the changes up to this one if there are no live queries. A query that begins later reads them.
    pub(super) fn skip_if_unwatched(&self, core: &CollectionCore, version: u64) -> bool {
        let state = core.state();
        let is_unwatched = state.routes.len() == 0;
        if is_unwatched {
            self.note_applied(version);
        }
        is_unwatched
    }

    /// Returns all versions of a document that live queries hold.
    pub(super) fn held(&self, id: &str) -> Vec<Arc<Document>> {
        self.shared.held(id)
    }

    /// Lets the live queries be told of the changes up to this one soon, if another node may have made them.
    pub(super) fn ask_for(&self, core: &Arc<CollectionCore>, version: u64) {
        if let Some(link) = self.store.get()
            && link.follower.is_shared()
            && self.applied() < version
        {
            catch_up_soon(&link.writer, core);
        }
    }

    /// Returns the number of the last change that the live queries were told of.
    pub(super) fn applied(&self) -> u64 {
        *self.applied.borrow()
    }

    pub(super) async fn reader(&self, core: &CollectionCore) -> Result<Box<dyn DocumentReader>, CollectionError> {
        self.link(core)?.store.read().await.map_err(|error| unavailable(core, &error))
    }

    /// Waits until the queues of the live queries have all changes up to this one.
    ///
    /// # Errors
    /// Fails if they do not come: the commit of one was reported as an error, although it was made.
    pub(super) async fn wait_for(&self, core: &CollectionCore, version: u64) -> Result<(), CollectionError> {
        let mut applied = self.applied.subscribe();
        let waiting = applied.wait_for(|applied| *applied >= version);
        match tokio::time::timeout(LONGEST_DELAY, waiting).await {
            // The sender lives as long as the collection.
            Ok(_applied) => Ok(()),
            Err(_elapsed) => {
                let missing = format!("the change {version} is in the store, and was not made here");
                Err(unavailable(core, &StorageError::Failed(missing)))
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

    /// Notes how many documents a query has read, which is logged if an index would help.
    pub(super) fn note_scan(&self, core: &CollectionCore, plan: &Plan, read: usize) {
        if read >= NOTED_FROM && self.unready(plan).is_none() {
            core.scans.note(core.name(), plan, &self.access(plan), read);
        }
    }

    /// Returns the declared index that a query would use if it were ready, or `None` if there is none.
    pub(super) fn unready(&self, plan: &Plan) -> Option<UnreadyIndex> {
        let all = self.indexes.iter().map(|open| &*open.index).enumerate();
        let Source::Index { index, .. } = Access::plan(plan, all).source else { return None };
        let open = self.indexes.get(index)?;
        if open.is_ready.load(Ordering::Acquire) {
            return None;
        }
        let is_refused = open.is_refused.load(Ordering::Acquire);
        let name = open.index.name();
        Some(if is_refused { UnreadyIndex::Refused(name) } else { UnreadyIndex::Building(name) })
    }
}

/// Reads a page of a query.
pub(super) async fn read(
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
        Err(reason) => {
            Err(CollectionError::Unreadable { collection: core.name().to_owned(), id, reason: shortened(&reason) })
        }
    }
}

pub(super) fn unavailable(core: &CollectionCore, error: &StorageError) -> CollectionError {
    let (collection, reason) = (core.name().to_owned(), error.to_string());
    match error {
        StorageError::Unknown(_) => CollectionError::OutcomeUnknown { collection, reason: UnknownOutcome::new(reason) },
        _ => CollectionError::Unavailable { collection, reason },
    }
}
