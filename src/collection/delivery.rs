//! [`Delivery`]: the live queries that a write concerns, which are told of it outside the lock of the collection.

use std::collections::HashMap;
use std::sync::Arc;

use super::core::{CollectionCore, State};
use super::document::Document;
use super::live::{Change, LiveQuery, Phase};
use crate::outbox::Held;

/// The live queries that changes concern. They are told when it is delivered, or dropped.
#[derive(Default)]
#[must_use = "the changes are sent when it is delivered"]
pub(super) struct Delivery {
    /// The queries by their address, each with the number of the last change that concerns it.
    queries: HashMap<usize, (Arc<CollectionCore>, Arc<LiveQuery>, u64)>,
}

impl Delivery {
    /// Queues a change for the queries that it can concern. Called under the lock of the collection.
    pub(super) fn of(core: &Arc<CollectionCore>, state: &State, change: &Change) -> Self {
        let mut delivery = Self::default();
        delivery.add(core, state, change);
        delivery
    }

    /// Queues a further change, like [`of`](Self::of).
    pub(super) fn add(&mut self, core: &Arc<CollectionCore>, state: &State, change: &Change) {
        for query in state.routes.concerned(change, &[]) {
            self.queue(core, query, change);
        }
    }

    /// Queues a change of which only the new document is known: for the queries that it can concern, judged by the versions
    /// of the document that are held, and for those that are being read, of which it is not known yet what they hold.
    pub(super) fn add_missed(
        &mut self,
        core: &Arc<CollectionCore>,
        state: &State,
        change: &Change,
        held: &[Arc<Document>],
        reading: &[Arc<LiveQuery>],
    ) {
        let concerned = state.routes.concerned(change, held);
        for query in reading.iter().filter(|query| !concerned.iter().any(|other| Arc::ptr_eq(query, other))) {
            self.queue(core, Arc::clone(query), change);
        }
        for query in concerned {
            self.queue(core, query, change);
        }
    }

    fn queue(&mut self, core: &Arc<CollectionCore>, query: Arc<LiveQuery>, change: &Change) {
        query.push(change.clone());
        let address = Arc::as_ptr(&query).addr();
        let version = change.version;
        let new = || (Arc::clone(core), query, version);
        self.queries.entry(address).or_insert_with(new).2 = version;
    }

    /// Sends the changes to the sessions. They are written together, after all locks were released.
    pub(super) fn deliver(mut self) {
        drop(self.send());
    }

    /// Sends the changes like [`deliver`](Self::deliver), and waits for windows that need more documents of the store.
    pub(super) async fn deliver_and_wait(mut self) {
        for (core, query, version) in self.send() {
            wait_for(&core, &query, version).await;
        }
    }

    fn send(&mut self) -> Vec<(Arc<CollectionCore>, Arc<LiveQuery>, u64)> {
        let queries: Vec<_> = std::mem::take(&mut self.queries).into_values().collect();
        let mut all = Held::default();
        for (core, query, _) in &queries {
            all.join(core.update(query));
        }
        queries
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if !self.queries.is_empty() {
            drop(self.send());
        }
    }
}

/// Waits until a query has a change and is complete again. Does not wait for a query that is being loaded: none of its
/// subscriptions is ready.
async fn wait_for(core: &Arc<CollectionCore>, query: &Arc<LiveQuery>, version: u64) {
    let mut has_waited = false;
    loop {
        let (phase, is_behind) = {
            // Under the lock, since a change that was taken from the queue may still be on its way to the sessions.
            let result = query.lock();
            (result.phase().clone(), query.is_behind(version))
        };
        match phase {
            Phase::Refilling if is_behind || !has_waited => {
                // A query that fails tells its own subscriptions.
                let _failed = query.wait_until(|result| *result.phase() != Phase::Refilling).await;
                has_waited = true;
            }
            // A refill has ended, and what was queued meanwhile is not applied yet.
            Phase::Ready if is_behind => {}
            _ => return,
        }
        drop(core.update(query));
    }
}
