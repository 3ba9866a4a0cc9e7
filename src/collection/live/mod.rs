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
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::document::Document;
use super::error::CollectionError;
use super::plan::Plan;

pub(super) use result::{LiveResult, Phase};
pub(super) use routes::Routes;

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
    /// The changes that the result does not have yet. Pushed under the lock of the collection.
    queue: Mutex<VecDeque<Change>>,
    result: Mutex<LiveResult>,
    /// Notifies those that wait for documents from the store.
    progress: Notify,
}

impl LiveQuery {
    pub(super) fn new(collection: &Arc<str>, plan: &Arc<Plan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            collection: Arc::clone(collection),
            queue: Mutex::default(),
            result: Mutex::new(LiveResult::new(collection, plan)),
            progress: Notify::new(),
        }
    }

    /// Returns the number of documents that are read at first, or `None` for all.
    pub(super) fn wanted(plan: &Plan) -> Option<usize> {
        if plan.is_window() { window::Window::capacity(plan) } else { None }
    }

    /// Queues a change. Called under the lock of the collection.
    pub(super) fn push(&self, change: Change) {
        self.queue.lock().push_back(change);
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
        let count = queue.iter().take_while(|change| change.version <= version).count();
        let later = queue.split_off(count);
        std::mem::replace(&mut queue, later)
    }

    /// Returns whether a change up to this version is queued.
    pub(super) fn is_behind(&self, version: u64) -> bool {
        self.queue.lock().front().is_some_and(|change| change.version <= version)
    }

    /// Takes the next queued change.
    pub(super) fn take(&self) -> Option<Change> {
        self.queue.lock().pop_front()
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
