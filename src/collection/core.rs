//! The documents of a collection and the live queries over them, behind one lock: a change and what subscribers are told
//! of it are one step.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use bolide_protocol::ejson::{CustomTypes, Object};
use bolide_protocol::{DocumentId, Ejson, RawJson};
use indexmap::IndexMap;
use parking_lot::Mutex;

use super::document::Document;
use super::live::LiveResult;
use super::query::Plan;
use super::{CollectionError, Update};
use crate::bus::{BusEvent, BusMember};
use crate::publication::SubscriptionCore;

pub(crate) struct CollectionCore {
    name: Arc<str>,
    state: Mutex<State>,
    bus: OnceLock<BusMember>,
}

#[derive(Default)]
struct State {
    documents: Documents,
    live: HashMap<Box<str>, LiveResult>,
}

pub(super) type Documents = IndexMap<Arc<str>, Arc<Document>>;

impl CollectionCore {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), state: Mutex::default(), bus: OnceLock::new() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn attach(&self, bus: BusMember) {
        // The first app keeps it.
        let _other = self.bus.set(bus);
    }

    pub(super) fn insert(&self, id: &DocumentId, object: Object) -> Result<(), CollectionError> {
        let id: Arc<str> = id.to_wire().into();
        let mut state = self.state.lock();
        if state.documents.contains_key(&id) {
            return Err(CollectionError::Duplicate { collection: self.name.to_string(), id: id.to_string() });
        }
        let document = Document::new(&self.name, &id, object);
        let fields = document.shown.fields.raw().clone();
        state.store(&self.name, &id, document);
        self.tell_stored(&id, fields);
        Ok(())
    }

    pub(super) fn update(&self, id: &DocumentId, update: Update) -> bool {
        let id = id.to_wire();
        let mut state = self.state.lock();
        let Some((id, old)) = state.documents.get_key_value(&*id) else { return false };
        let (id, document) = (Arc::clone(id), old.updated(&self.name, id, update));
        let fields = document.shown.fields.raw().clone();
        state.store(&self.name, &id, document);
        self.tell_stored(&id, fields);
        true
    }

    pub(super) fn remove(&self, id: &DocumentId) -> bool {
        let id = id.to_wire();
        if !self.state.lock().remove(&self.name, &id) {
            return false;
        }
        self.tell(|| BusEvent::DocumentRemoved { collection: self.name.to_string(), id: id.into_owned() });
        true
    }

    /// Another node has stored a document.
    pub(crate) fn stored_elsewhere(&self, id: &str, fields: &RawJson, types: &CustomTypes) {
        let Ok(Ejson::Object(object)) = Ejson::parse(fields.get(), types) else {
            tracing::error!(collection = &*self.name, id, "another node sent a document that is none");
            return;
        };
        let id: Arc<str> = id.into();
        self.state.lock().store(&self.name, &id, Document::new(&self.name, &id, object));
    }

    /// Another node has removed a document.
    pub(crate) fn removed_elsewhere(&self, id: &str) {
        self.state.lock().remove(&self.name, id);
    }

    pub(super) fn object(&self, id: &DocumentId) -> Option<Object> {
        Some(self.state.lock().documents.get(&*id.to_wire())?.object.clone())
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().documents.len()
    }

    pub(super) fn fetch(&self, plan: &Plan) -> Vec<Object> {
        let state = self.state.lock();
        plan.select(state.documents.iter()).into_iter().map(|(_, document)| document.object.clone()).collect()
    }

    /// Begins to tell a subscription of changes, and gives the ids of the documents that it must be sent first.
    pub(super) fn watch(&self, plan: &Plan, subscription: &SubscriptionCore) -> Vec<Arc<str>> {
        let State { documents, live } = &mut *self.state.lock();
        let new = || LiveResult::new(&self.name, plan.clone(), documents);
        let result = live.entry(plan.key().into()).or_insert_with(new);
        result.watch(subscription);
        result.ids()
    }

    /// Sends a subscription those of the documents that still belong to the result.
    pub(super) fn send(&self, plan: &Plan, ids: &[Arc<str>], subscription: &SubscriptionCore) {
        if let Some(result) = self.state.lock().live.get(&*plan.key()) {
            result.send(ids, subscription);
        }
    }

    /// Ends what [`watch`](Self::watch) began. A query that nobody watches is forgotten.
    pub(super) fn unwatch(&self, plan: &Plan, subscription: &SubscriptionCore) {
        let key = plan.key();
        let mut state = self.state.lock();
        if let Some(result) = state.live.get_mut(&*key)
            && result.unwatch(subscription)
        {
            state.live.remove(&*key);
        }
    }

    /// How many distinct queries are watched.
    pub(crate) fn live_queries(&self) -> usize {
        self.state.lock().live.len()
    }

    fn tell_stored(&self, id: &Arc<str>, fields: RawJson) {
        let stored = || BusEvent::DocumentStored { collection: self.name.to_string(), id: id.to_string(), fields };
        self.tell(stored);
    }

    fn tell(&self, event: impl FnOnce() -> BusEvent) {
        if let Some(bus) = self.bus.get() {
            bus.publish(&event());
        }
    }
}

impl State {
    fn store(&mut self, collection: &Arc<str>, id: &Arc<str>, document: Document) {
        let document = Arc::new(document);
        self.documents.insert(Arc::clone(id), Arc::clone(&document));
        for result in self.live.values_mut() {
            result.stored(collection, id, &document, &self.documents);
        }
    }

    fn remove(&mut self, collection: &Arc<str>, id: &str) -> bool {
        if self.documents.shift_remove(id).is_none() {
            return false;
        }
        for result in self.live.values_mut() {
            result.removed(collection, id, &self.documents);
        }
        true
    }
}
