//! [`FaultyStore`]: a real store of documents whose operations fail or pause when a test says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::collection::storage::{
    Batch, CollectionNumber, CollectionSummary, DocumentReader, DocumentStore, DocumentWriter, Head, Hints, IndexKey,
    IndexNumber, Page, StorageError, StorageFuture, StoredChange, StoredCollection, StoredDocument, StoredEntry,
};

/// The longest time that a test waits for an operation.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where an operation fails or pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Point {
    /// When a reader is made.
    Read,
    Page,
    Changes,
    /// When a writer is made.
    Write,
    /// Before a transaction is committed: nothing is written.
    Commit,
    /// After a transaction was committed: an error leaves unknown that it was.
    Committed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Failure,
    /// A failure after a number of successes.
    FailureAfter(usize),
    Pause,
}

/// The faults of a store. Clones share them.
#[derive(Clone)]
pub(super) struct Faults(watch::Sender<State>);

#[derive(Default)]
struct State {
    faults: BTreeMap<Point, Fault>,
    /// How often each point was reached while it had a fault.
    hits: BTreeMap<Point, usize>,
    /// How often what pauses at a point was let through.
    releases: BTreeMap<Point, usize>,
    open_readers: usize,
}

/// A fault that an operation has met, with what was counted until then.
struct Strike {
    fault: Fault,
    hits: usize,
    releases: usize,
}

pub(super) struct FaultyStore {
    inner: Arc<dyn DocumentStore>,
    faults: Faults,
}

impl Faults {
    pub(super) fn none() -> Self {
        Self(watch::Sender::default())
    }

    pub(super) fn set(&self, point: Point, fault: Fault) {
        self.0.send_modify(|state| {
            state.faults.insert(point, fault);
            state.hits.insert(point, 0);
        });
    }

    /// Takes a fault away. What pauses there goes on.
    pub(super) fn clear(&self, point: Point) {
        self.0.send_if_modified(|state| state.faults.remove(&point).is_some());
    }

    /// Lets through what pauses at a point. What comes later pauses as well, and is counted from the start.
    pub(super) fn let_through(&self, point: Point) {
        self.0.send_modify(|state| {
            *state.releases.entry(point).or_default() += 1;
            state.hits.insert(point, 0);
        });
    }

    /// Waits until a fault has struck a number of times.
    pub(super) async fn struck(&self, point: Point, times: usize) {
        self.until(&format!("{point:?} is reached"), |state| state.hits.get(&point).is_some_and(|hits| *hits >= times))
            .await;
    }

    pub(super) async fn no_reader_is_open(&self) {
        self.until("all readers are dropped", |state| state.open_readers == 0).await;
    }

    async fn until(&self, what: &str, is_so: impl FnMut(&State) -> bool) {
        let mut state = self.0.subscribe();
        let waiting = timeout(PATIENCE, state.wait_for(is_so)).await;
        assert!(waiting.is_ok(), "waited in vain until {what}");
    }

    async fn pass(&self, point: Point) -> Result<(), StorageError> {
        let Some(Strike { fault, hits, releases }) = self.strike(point) else { return Ok(()) };
        let told = || format!("the test lets {point:?} fail");
        let failure = || match point {
            Point::Committed => Err(StorageError::Unknown(told())),
            _ => Err(StorageError::Failed(told())),
        };
        match fault {
            Fault::Failure => failure(),
            Fault::FailureAfter(successes) => {
                if hits > successes {
                    failure()
                } else {
                    Ok(())
                }
            }
            Fault::Pause => {
                let mut state = self.0.subscribe();
                let is_let_through = |state: &State| state.releases.get(&point).is_some_and(|now| *now > releases);
                let goes_on = |state: &State| is_let_through(state) || state.faults.get(&point) != Some(&Fault::Pause);
                let state = state.wait_for(goes_on).await.unwrap();
                if is_let_through(&state) || !state.faults.contains_key(&point) { Ok(()) } else { failure() }
            }
        }
    }

    /// Counts a hit.
    fn strike(&self, point: Point) -> Option<Strike> {
        let mut struck = None;
        self.0.send_if_modified(|state| {
            let Some(fault) = state.faults.get(&point) else { return false };
            let hits = state.hits.entry(point).or_default();
            *hits += 1;
            let releases = state.releases.get(&point).copied().unwrap_or_default();
            struck = Some(Strike { fault: *fault, hits: *hits, releases });
            true
        });
        struck
    }
}

impl FaultyStore {
    pub(super) fn new(inner: Arc<dyn DocumentStore>, faults: Faults) -> Arc<Self> {
        Arc::new(Self { inner, faults })
    }
}

impl DocumentStore for FaultyStore {
    fn open<'storage>(&'storage self, name: &'storage str) -> StorageFuture<'storage, StoredCollection> {
        self.inner.open(name)
    }

    fn collections(&self) -> StorageFuture<'_, Vec<CollectionSummary>> {
        self.inner.collections()
    }

    fn add_index<'storage>(
        &'storage self,
        collection: CollectionNumber,
        name: &'storage str,
    ) -> StorageFuture<'storage, IndexNumber> {
        self.inner.add_index(collection, name)
    }

    fn finish_index(&self, index: IndexNumber) -> StorageFuture<'_, ()> {
        self.inner.finish_index(index)
    }

    fn drop_index(&self, index: IndexNumber) -> StorageFuture<'_, ()> {
        self.inner.drop_index(index)
    }

    fn documents(&self, collection: CollectionNumber, ids: Vec<String>) -> StorageFuture<'_, Vec<StoredDocument>> {
        self.inner.documents(collection, ids)
    }

    fn read(&self) -> StorageFuture<'_, Box<dyn DocumentReader>> {
        Box::pin(async move {
            self.faults.pass(Point::Read).await?;
            let inner = self.inner.read().await?;
            self.faults.0.send_modify(|state| state.open_readers += 1);
            Ok(Box::new(FaultyReader { inner, faults: self.faults.clone() }) as Box<dyn DocumentReader>)
        })
    }

    fn write(&self, collections: Vec<CollectionNumber>) -> StorageFuture<'_, Box<dyn DocumentWriter>> {
        Box::pin(async move {
            self.faults.pass(Point::Write).await?;
            let inner = self.inner.write(collections).await?;
            Ok(Box::new(FaultyWriter { inner, faults: self.faults.clone() }) as Box<dyn DocumentWriter>)
        })
    }

    fn has_others(&self) -> StorageFuture<'_, bool> {
        self.inner.has_others()
    }

    fn listen(&self) -> StorageFuture<'_, Option<Box<dyn Hints>>> {
        self.inner.listen()
    }
}

struct FaultyReader {
    inner: Box<dyn DocumentReader>,
    faults: Faults,
}

impl Drop for FaultyReader {
    fn drop(&mut self) {
        self.faults.0.send_modify(|state| state.open_readers -= 1);
    }
}

struct FaultyWriter {
    inner: Box<dyn DocumentWriter>,
    faults: Faults,
}

/// Both read in the same way.
macro_rules! reads_with_faults {
    ($reader:ty) => {
        impl DocumentReader for $reader {
            fn head(&mut self, collection: CollectionNumber) -> StorageFuture<'_, Head> {
                self.inner.head(collection)
            }

            fn documents(
                &mut self,
                collection: CollectionNumber,
                ids: Vec<String>,
            ) -> StorageFuture<'_, Vec<StoredDocument>> {
                self.inner.documents(collection, ids)
            }

            fn page(&mut self, page: Page) -> StorageFuture<'_, Vec<StoredEntry>> {
                Box::pin(async move {
                    self.faults.pass(Point::Page).await?;
                    self.inner.page(page).await
                })
            }

            fn changes(
                &mut self,
                collection: CollectionNumber,
                after: u64,
                limit: usize,
            ) -> StorageFuture<'_, Vec<StoredChange>> {
                Box::pin(async move {
                    self.faults.pass(Point::Changes).await?;
                    self.inner.changes(collection, after, limit).await
                })
            }
        }
    };
}
reads_with_faults!(FaultyReader);
reads_with_faults!(FaultyWriter);

impl DocumentWriter for FaultyWriter {
    fn holders(&mut self, keys: Vec<IndexKey>) -> StorageFuture<'_, Vec<(IndexKey, String)>> {
        self.inner.holders(keys)
    }

    fn put(&mut self, batch: Batch) -> StorageFuture<'_, ()> {
        self.inner.put(batch)
    }

    fn commit(self: Box<Self>) -> StorageFuture<'static, ()> {
        Box::pin(async move {
            let Self { inner, faults } = *self;
            faults.pass(Point::Commit).await?;
            inner.commit().await?;
            faults.pass(Point::Committed).await
        })
    }
}
