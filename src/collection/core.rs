//! [`CollectionCore`]: the documents of a collection and the live queries over them, behind one lock, so that a change
//! and its messages to subscribers are one step.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

use bolide_protocol::ejson::{CustomTypes, Object};
use bolide_protocol::{DocumentId, Ejson, RawJson};
use parking_lot::Mutex;

use super::document::{Document, Documents};
use super::error::CollectionError;
use super::live::{LiveResult, SentSome};
use super::plan::Plan;
use super::update::Update;
use crate::outbox::effort;
use crate::publication::SubscriptionCore;

pub(crate) struct CollectionCore {
    name: Arc<str>,
    state: Mutex<State>,
    relay: OnceLock<Relay>,
    /// Held while changes are sent to other nodes, to keep their order.
    telling: Mutex<()>,
}

#[derive(Default)]
struct State {
    documents: Documents,
    live: HashMap<Arc<Plan>, LiveResult>,
    /// The changes to send to other nodes. They are sent outside the lock: nodes in the same process have such a lock
    /// too, and send changes to this node.
    untold: VecDeque<Change>,
}

/// A change of a document, for other nodes.
pub(crate) enum Change {
    Stored { id: String, fields: RawJson },
    Removed { id: String },
}

/// Sends a change to other nodes.
pub(crate) type Relay = Box<dyn Fn(Change) + Send + Sync>;

impl CollectionCore {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), state: Mutex::default(), relay: OnceLock::new(), telling: Mutex::new(()) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Sets the function that sends changes to other nodes.
    pub(crate) fn attach(&self, relay: Relay) {
        // A collection belongs to the first app that it is registered with.
        let _other = self.relay.set(relay);
    }

    pub(super) fn insert(&self, id: &DocumentId, object: Object) -> Result<(), CollectionError> {
        let id: Arc<str> = id.to_wire().into();
        {
            let mut state = self.state.lock();
            if state.documents.contains_key(&id) {
                return Err(CollectionError::Duplicate { collection: self.name.to_string(), id: id.to_string() });
            }
            self.store(&mut state, &id, Document::new(&self.name, &id, object));
        }
        self.tell();
        Ok(())
    }

    pub(super) fn update(&self, id: &DocumentId, update: Update) -> bool {
        let id = id.to_wire();
        {
            let mut state = self.state.lock();
            let Some((id, old)) = state.documents.get_key_value(&*id) else { return false };
            let (id, document) = (Arc::clone(id), old.updated(&self.name, id, update));
            self.store(&mut state, &id, document);
        }
        self.tell();
        true
    }

    pub(super) fn remove(&self, id: &DocumentId) -> bool {
        let id = id.to_wire();
        {
            let mut state = self.state.lock();
            if !state.remove(&id) {
                return false;
            }
            self.note(&mut state, || Change::Removed { id: id.into_owned() });
        }
        self.tell();
        true
    }

    /// Stores a document that another node has stored.
    pub(crate) fn stored_elsewhere(&self, id: &str, fields: &RawJson, types: &CustomTypes) {
        let Ok(Ejson::Object(object)) = Ejson::parse(fields.get(), types) else {
            tracing::error!(collection = &*self.name, id, "another node sent a malformed document");
            return;
        };
        let id: Arc<str> = id.into();
        self.state.lock().store(&id, Document::new(&self.name, &id, object));
    }

    /// Removes a document that another node has removed.
    pub(crate) fn removed_elsewhere(&self, id: &str) {
        self.state.lock().remove(id);
    }

    pub(super) fn object(&self, id: &DocumentId) -> Option<Object> {
        Some(self.state.lock().documents.get(&*id.to_wire())?.object.clone())
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().documents.len()
    }

    pub(super) fn fetch(&self, plan: &Plan) -> Vec<Object> {
        let state = self.state.lock();
        plan.select(&state.documents).into_iter().map(|(_, document)| document.object.clone()).collect()
    }

    /// Starts to send changes to a subscription. The current documents must be [sent](Self::send_some) first. Returns the
    /// steps of [`effort`] that this took.
    pub(super) fn watch(&self, plan: &Arc<Plan>, subscription: &SubscriptionCore) -> usize {
        let State { documents, live, .. } = &mut *self.state.lock();
        let mut steps = 0;
        let new = || {
            steps = documents.len() / effort::DOCUMENTS_CHECKED_A_STEP;
            LiveResult::new(&self.name, plan, documents)
        };
        let listed = live.entry(Arc::clone(plan)).or_insert_with(new).watch(subscription);
        steps + listed / effort::DOCUMENTS_LISTED_A_STEP
    }

    /// Sends some of the initial documents to a subscription.
    pub(super) fn send_some(&self, plan: &Plan, subscription: &SubscriptionCore) -> SentSome {
        let mut state = self.state.lock();
        let result = state.live.get_mut(plan);
        result.map_or(SentSome::NOTHING_LEFT, |result| result.send_some(subscription))
    }

    /// Stops to send changes to a subscription, and drops the result of the query after its last subscription.
    pub(super) fn unwatch(&self, plan: &Plan, subscription: &SubscriptionCore) {
        let mut state = self.state.lock();
        if let Some(result) = state.live.get_mut(plan)
            && result.unwatch(subscription)
        {
            state.live.remove(plan);
        }
    }

    pub(super) fn live_query_count(&self) -> usize {
        self.state.lock().live.len()
    }

    fn store(&self, state: &mut State, id: &Arc<str>, document: Document) {
        let fields = document.shown.fields.raw().clone();
        state.store(id, document);
        self.note(state, || Change::Stored { id: id.to_string(), fields });
    }

    /// Queues a change for other nodes, if the app has a bus.
    fn note(&self, state: &mut State, change: impl FnOnce() -> Change) {
        if self.relay.get().is_some() {
            state.untold.push_back(change());
        }
    }

    /// Sends the queued changes to other nodes.
    fn tell(&self) {
        let Some(relay) = self.relay.get() else { return };
        let _one_at_a_time = self.telling.lock();
        while let Some(change) = self.next_untold() {
            relay(change);
        }
    }

    fn next_untold(&self) -> Option<Change> {
        self.state.lock().untold.pop_front()
    }
}

impl State {
    fn store(&mut self, id: &Arc<str>, document: Document) {
        let new = Arc::new(document);
        let old = self.documents.insert(Arc::clone(id), Arc::clone(&new));
        for result in self.live.values_mut() {
            result.stored(id, old.as_deref(), &new, &self.documents);
        }
    }

    fn remove(&mut self, id: &str) -> bool {
        let Some(old) = self.documents.shift_remove(id) else { return false };
        for result in self.live.values_mut() {
            result.removed(id, &old, &self.documents);
        }
        true
    }
}
