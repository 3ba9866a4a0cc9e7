//! [`CollectionCore`]: the documents of a collection, in memory or in a store, and the live queries over them.
//!
//! The locks, in the order in which they are taken: a live query, the collection, the queue of a live query. Nothing is
//! sent under the lock of a collection, and sockets are written after both were released.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bolide_protocol::ejson::CustomTypes;
use bolide_protocol::{DocumentId, Ejson, RawJson};
use parking_lot::Mutex;

use super::access::{Access, Source};
use super::delivery::Delivery;
use super::document::Document;
use super::edit::{Outcome, Step};
use super::error::CollectionError;
use super::execution::{Execution, Placed};
use super::figures::WriteFigures;
use super::index::Index;
use super::live::{Change, LiveQuery, Phase, Routes};
use super::loading;
use super::memory::Memory;
use super::memory_write::MemoryWrite;
use super::nesting;
use super::plan::Plan;
use super::relay::Relay;
use super::scans::Scans;
use super::slow::SlowQueries;
use super::stored::Stored;
use crate::outbox::{self, Held, effort};
use crate::publication::SubscriptionCore;

/// The default of the maximum size of a document, in bytes of its fields as EJSON text.
pub(super) const DOCUMENT_BYTES: usize = 1 << 20;

/// The maximum number of changes that a live query takes before its sockets are written.
const CHANGES_AT_ONCE: usize = 256;

/// The maximum depth of a document as EJSON text. Text that is nested deeper than 127 levels cannot be read again.
const MAX_DEPTH: usize = 100;

pub(crate) struct CollectionCore {
    name: Arc<str>,
    /// The indexes that the application has declared.
    indexes: Mutex<Vec<Arc<Index>>>,
    max_document_bytes: OnceLock<usize>,
    state: Mutex<State>,
    /// The part of a stored collection.
    stored: Option<Stored>,
    pub(super) relay: Relay,
    pub(super) scans: Scans,
    pub(super) slow: SlowQueries,
    pub(super) writes: WriteFigures,
}

#[derive(Default)]
pub(super) struct State {
    /// The documents; empty if they are stored.
    pub(super) memory: Memory,
    pub(super) routes: Routes,
}

impl CollectionCore {
    pub(super) fn in_memory(name: &str) -> Arc<Self> {
        Self::new(name, None)
    }

    pub(super) fn stored(name: &str) -> Arc<Self> {
        Self::new(name, Some(Stored::default()))
    }

    fn new(name: &str, stored: Option<Stored>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            indexes: Mutex::default(),
            max_document_bytes: OnceLock::new(),
            state: Mutex::default(),
            stored,
            relay: Relay::default(),
            scans: Scans::default(),
            slow: SlowQueries::default(),
            writes: WriteFigures::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the part of a stored collection, or `None` for one in memory.
    pub(super) const fn store(&self) -> Option<&Stored> {
        self.stored.as_ref()
    }

    pub(super) fn add_index(&self, index: Index) -> Result<(), CollectionError> {
        if Index::parse(&index.name()).as_ref() != Some(&index) {
            return Err(CollectionError::IndexField { collection: self.name.to_string(), index: index.name() });
        }
        let index = Arc::new(index);
        let mut indexes = self.indexes.lock();
        if indexes.contains(&index) {
            return Ok(());
        }
        if self.stored.is_none() {
            self.state.lock().memory.add_index(&self.name, Arc::clone(&index))?;
        }
        indexes.push(index);
        Ok(())
    }

    pub(super) fn indexes(&self) -> Vec<Arc<Index>> {
        self.indexes.lock().clone()
    }

    pub(super) fn set_max_document_bytes(&self, bytes: usize) {
        // The first limit is kept.
        let _other = self.max_document_bytes.set(bytes);
    }

    pub(super) fn check_size(&self, document: &Document) -> Result<(), CollectionError> {
        let max_bytes = self.max_document_bytes.get().copied().unwrap_or(DOCUMENT_BYTES);
        let text = document.shown(&self.name).fields.raw().get();
        let (limit, maximum) = match text {
            text if text.len() > max_bytes => ("max_document_bytes", max_bytes),
            text if nesting::depth(text) > MAX_DEPTH => ("depth", MAX_DEPTH),
            _ => return Ok(()),
        };
        let (collection, id) = (self.name.to_string(), document.id.to_string());
        Err(CollectionError::TooLarge { collection, id, limit, maximum })
    }

    pub(super) fn state(&self) -> parking_lot::MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(super) fn live_query_count(&self) -> usize {
        self.state.lock().routes.len()
    }

    /// Returns the live queries of now.
    pub(super) fn live_queries(&self) -> Vec<Arc<LiveQuery>> {
        self.state.lock().routes.queries().cloned().collect()
    }
}

/// Documents in memory.
impl CollectionCore {
    pub(super) fn len_in_memory(&self) -> usize {
        self.state.lock().memory.len()
    }

    /// Returns the number of documents, and their size as EJSON text in bytes.
    #[cfg(feature = "accounts")]
    pub(super) fn size_in_memory(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.memory.len() as u64, state.memory.bytes())
    }

    pub(super) fn get_in_memory(&self, id: &str) -> Option<Arc<Document>> {
        self.state.lock().memory.get(id).cloned()
    }

    /// Runs a query. Returns its documents in order, and the number of those that were read.
    pub(super) fn find_in_memory(&self, plan: &Plan) -> (Vec<Placed>, usize) {
        let begin = Instant::now();
        let state = self.state.lock();
        let mut execution = Execution::new(plan, Self::access(plan, &state), plan.needed());
        state.run(&mut execution);
        drop(state);
        let read = execution.read_count();
        let found = execution.finish().0;
        self.slow.note(plan, begin, read);
        (found, read)
    }

    /// Runs a query, and notes whether an index would help.
    pub(super) fn find_noted(&self, plan: &Plan) -> Vec<Placed> {
        let (found, read) = self.find_in_memory(plan);
        self.scans.note(&self.name, plan, &self.access_in_memory(plan), read);
        found
    }

    /// Counts the matching documents within the window of a query.
    pub(super) fn count_in_memory(&self, plan: &Plan) -> usize {
        let (begin, unordered) = (Instant::now(), plan.unordered());
        let state = self.state.lock();
        let mut execution = Execution::new(&unordered, Self::access(&unordered, &state), None);
        let mut matching = 0;
        while let Some(reading) = execution.next().filter(|_| !plan.is_enough(matching)) {
            execution.feed(state.memory.read(&reading));
            matching += execution.take().len();
        }
        let access = Self::access(&unordered, &state);
        drop(state);
        self.scans.note(&self.name, &unordered, &access, execution.read_count());
        self.slow.note(plan, begin, execution.read_count());
        plan.within(matching)
    }

    pub(super) fn access_in_memory(&self, plan: &Plan) -> Access {
        Self::access(plan, &self.state.lock())
    }

    /// Makes the steps of several collections in memory as one write: all, or none after an error.
    pub(super) fn write_in_memory(steps: &[(Arc<Self>, Step)]) -> Result<Vec<Outcome>, CollectionError> {
        let mut writing = MemoryWrite::begin(steps);
        let mut outcomes = Vec::with_capacity(steps.len());
        for (core, step) in steps {
            match writing.make(core, step) {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    writing.undo();
                    return Err(error);
                }
            }
        }
        let delivery = writing.finish();
        delivery.deliver();
        for (core, _) in steps {
            core.relay.send();
        }
        Ok(outcomes)
    }

    /// Stores a document that another node has stored.
    pub(crate) fn stored_elsewhere(self: &Arc<Self>, id: &str, fields: &RawJson, types: &CustomTypes) {
        let Ok(Ejson::Object(object)) = Ejson::parse(fields.get(), types) else {
            tracing::error!(collection = &*self.name, id, "another node sent a malformed document");
            return;
        };
        let delivery = {
            let mut state = self.state.lock();
            let version = state.memory.next_version();
            let document = Arc::new(Document::new(id.into(), object, version));
            match state.memory.put(&self.name, &document) {
                Ok(old) => {
                    let change = Change { id: Arc::clone(&document.id), old, new: Some(document), version };
                    Delivery::of(self, &state, &change)
                }
                Err(error) => {
                    tracing::error!(%error, "a document of another node is refused here");
                    return;
                }
            }
        };
        delivery.deliver();
    }

    /// Removes a document that another node has removed.
    pub(crate) fn removed_elsewhere(self: &Arc<Self>, id: &str) {
        let delivery = {
            let mut state = self.state.lock();
            let Some(old) = state.memory.take(&self.name, id) else { return };
            let version = state.memory.next_version();
            Delivery::of(self, &state, &Change { id: id.into(), old: Some(old), new: None, version })
        };
        delivery.deliver();
    }

    fn access(plan: &Plan, state: &State) -> Access {
        Access::plan(plan, state.memory.indexes())
    }

    fn load_from_memory(&self, query: &LiveQuery, result: &mut super::live::LiveResult) -> usize {
        let begin = Instant::now();
        let plan = &query.plan;
        let state = self.state.lock();
        // What is queued is contained in what is read.
        let version = state.memory.version();
        drop(query.take_until(version));
        let mut execution = Execution::new(plan, Self::access(plan, &state), LiveQuery::wanted(plan));
        state.run(&mut execution);
        drop(state);
        let read = execution.read_count();
        let (documents, is_complete) = execution.finish();
        result.note_loaded_at(version);
        result.load(documents, is_complete);
        result.enter(Phase::Ready);
        self.slow.note(plan, begin, read);
        read
    }

    fn refill_from_memory(&self, query: &LiveQuery, result: &mut super::live::LiveResult) {
        while let Some((horizon, room)) = result.missing_part() {
            let plan = &query.plan;
            let state = self.state.lock();
            let pending = query.take_until(u64::MAX);
            let access = Self::access(plan, &state);
            let index = match access.source {
                Source::Index { index, .. } => state.memory.index(index).map(Arc::clone),
                _ => None,
            };
            let mut execution = Execution::new(plan, access, room);
            if let Some(horizon) = &horizon {
                execution = execution.after(horizon, index.as_deref());
            }
            state.run(&mut execution);
            drop(state);
            for change in &pending {
                result.apply(change);
            }
            let (documents, is_complete) = execution.finish();
            result.refill(horizon.as_ref(), documents, is_complete);
        }
    }
}

/// Live queries.
impl CollectionCore {
    /// Starts to send changes to a subscription. Its initial documents must be sent by the query first. Returns the query,
    /// and the steps of [`effort`] that this took.
    pub(super) fn watch(
        self: &Arc<Self>,
        plan: &Arc<Plan>,
        subscription: &SubscriptionCore,
    ) -> (Arc<LiveQuery>, usize) {
        loop {
            let query = self.state.lock().routes.get_or_add(&self.name, plan);
            let mut result = query.lock();
            if matches!(result.phase(), Phase::Closed | Phase::Failed(_)) {
                // It is being removed, or could not be read.
                drop(result);
                self.state.lock().routes.remove(&query);
                continue;
            }
            let mut read = 0;
            if *result.phase() == Phase::New {
                if self.stored.is_some() {
                    result.enter(Phase::Loading);
                    loading::start_load(self, &query);
                } else {
                    read = self.load_from_memory(&query, &mut result);
                }
            }
            let listed = result.watch(subscription);
            drop(result);
            let steps = read / effort::DOCUMENTS_CHECKED_A_STEP + listed / effort::DOCUMENTS_LISTED_A_STEP;
            return (query, steps);
        }
    }

    /// Stops to send changes to a subscription, and drops the result of the query after its last subscription.
    pub(super) fn unwatch(&self, query: &Arc<LiveQuery>, subscription: &SubscriptionCore) {
        let mut result = query.lock();
        if result.unwatch(subscription) {
            result.enter(Phase::Closed);
            self.state.lock().routes.remove(query);
        }
    }

    /// Brings a live query up to date with its queue, unless it waits for the store.
    pub(super) fn update(self: &Arc<Self>, query: &Arc<LiveQuery>) -> Held {
        loop {
            let (is_done, held) = outbox::hold(|| self.update_some(query));
            if is_done {
                return held;
            }
        }
    }

    /// Applies some of the queued changes. Returns whether none are left that can be applied.
    fn update_some(self: &Arc<Self>, query: &Arc<LiveQuery>) -> bool {
        let mut result = query.lock();
        for _ in 0..CHANGES_AT_ONCE {
            if result.holds_changes() {
                return true;
            }
            let Some(change) = query.take() else { return true };
            result.apply(&change);
            if self.stored.is_none() {
                self.refill_from_memory(query, &mut result);
            } else if result.begin_refill(false) {
                loading::start_refill(self, query);
            } else if result.has_too_many_gone() {
                query.lose_changes();
            }
        }
        false
    }
}

impl State {
    fn run(&self, execution: &mut Execution<'_>) {
        while let Some(reading) = execution.next() {
            execution.feed(self.memory.read(&reading));
        }
    }
}

/// Returns an id as it is on the wire.
pub(super) fn wire(id: &DocumentId) -> String {
    id.to_wire().into_owned()
}
