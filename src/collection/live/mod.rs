//! Live queries: the results of queries that are published, kept once for all sessions that watch them.
//!
//! A change is put into the queues of the queries that it can concern, under the lock of the collection, and is taken out
//! under the lock of the query. So changes reach a query in order, and the collection is not locked while sessions are
//! notified.

mod result;
mod routes;
mod watcher;
mod window;

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::document::Document;
use super::error::CollectionError;
use super::plan::Plan;

pub(super) use result::{LiveResult, Phase};
pub(super) use routes::Routes;

/// The maximum number of changes that wait while the documents of a query are read. With more, they are dropped, and the
/// documents are read once more.
pub(super) const MAX_HELD_CHANGES: usize = 10_000;

/// A change of one document.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) id: Arc<str>,
    pub(super) old: Option<Arc<Document>>,
    pub(super) new: Option<Arc<Document>>,
    /// The number of the change, in the order of the collection.
    pub(super) version: u64,
}

/// A query that is published.
pub(super) struct LiveQuery {
    pub(super) plan: Arc<Plan>,
    collection: Arc<str>,
    queue: Mutex<Queue>,
    result: Mutex<LiveResult>,
    /// The number of tasks that are reading its documents from the store.
    reading: AtomicUsize,
    /// Notifies those that wait for documents from the store.
    progress: Notify,
}

/// The changes that the result does not have yet. Pushed under the lock of the collection.
#[derive(Default)]
struct Queue {
    changes: VecDeque<Change>,
    /// Whether changes were dropped, so that the documents must be read once more. No change is queued until that begins.
    is_lost: bool,
}

impl LiveQuery {
    pub(super) fn new(collection: &Arc<str>, plan: &Arc<Plan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            collection: Arc::clone(collection),
            queue: Mutex::default(),
            result: Mutex::new(LiveResult::new(collection, plan)),
            reading: AtomicUsize::new(0),
            progress: Notify::new(),
        }
    }

    /// Returns the number of documents that are read at first, or `None` for all.
    pub(super) fn wanted(plan: &Plan) -> Option<usize> {
        if plan.is_window() { window::Window::capacity(plan) } else { None }
    }

    /// Queues a change. Called under the lock of the collection.
    pub(super) fn push(&self, change: Change) {
        let mut queue = self.queue.lock();
        if queue.changes.len() >= MAX_HELD_CHANGES && self.is_being_read() {
            queue.lose();
        }
        if !queue.is_lost {
            queue.changes.push_back(change);
        }
    }

    /// Drops the queued changes and those that follow, until [`keep_changes`](Self::keep_changes) is called.
    pub(super) fn lose_changes(&self) {
        self.queue.lock().lose();
    }

    /// Queues changes again. What is read from now on contains those that were dropped.
    pub(super) fn keep_changes(&self) {
        self.queue.lock().is_lost = false;
    }

    /// Returns whether changes were dropped, so that the documents must be read once more.
    pub(super) fn has_lost_changes(&self) -> bool {
        self.queue.lock().is_lost
    }

    /// Returns the name of the collection.
    pub(super) fn collection(&self) -> &str {
        &self.collection
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, LiveResult> {
        self.result.lock()
    }

    /// Takes the queued changes up to a version.
    pub(super) fn take_until(&self, version: u64) -> VecDeque<Change> {
        let mut queue = self.queue.lock();
        let count = queue.changes.iter().take_while(|change| change.version <= version).count();
        let later = queue.changes.split_off(count);
        mem::replace(&mut queue.changes, later)
    }

    /// Returns whether a change up to this version is queued.
    pub(super) fn is_behind(&self, version: u64) -> bool {
        self.queue.lock().changes.front().is_some_and(|change| change.version <= version)
    }

    /// Takes the next queued change.
    pub(super) fn take(&self) -> Option<Change> {
        self.queue.lock().changes.pop_front()
    }

    /// Returns whether a task reads the documents. If the result is in use, changes are being taken from the queue.
    fn is_being_read(&self) -> bool {
        let result = self.result.try_lock();
        result.is_some_and(|result| matches!(result.phase(), Phase::Loading | Phase::Refilling))
    }

    pub(super) fn begin_reading(&self) {
        self.reading.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn end_reading(&self) {
        self.reading.fetch_sub(1, Ordering::SeqCst);
    }

    /// Returns whether documents are being read from the store which are not yet among those that are held.
    pub(super) fn is_reading(&self) -> bool {
        self.reading.load(Ordering::SeqCst) > 0
    }

    pub(super) fn note_progress(&self) {
        self.progress.notify_waiters();
    }

    /// Waits until `is_over` returns `true` for the result.
    pub(super) async fn wait_until(&self, mut is_over: impl FnMut(&LiveResult) -> bool) -> Result<(), CollectionError> {
        loop {
            let progress = self.progress.notified();
            tokio::pin!(progress);
            progress.as_mut().enable();
            {
                let result = self.lock();
                if let Some(error) = result.failure() {
                    return Err(error.clone());
                }
                if is_over(&result) {
                    return Ok(());
                }
            }
            progress.await;
        }
    }
}

impl Queue {
    fn lose(&mut self) {
        self.changes = VecDeque::new();
        self.is_lost = true;
    }
}
