//! [`LiveResult`]: the result of a live query, and the sessions that watch it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;

use super::super::document::{Document, Shown};
use super::super::error::CollectionError;
use super::super::execution::Placed;
use super::super::plan::Plan;
use super::watcher::{DocumentNumber, SentSome, Watcher};
use super::window::{Moves, Window};
use super::{Change, LiveQuery, MAX_HELD_CHANGES};
use crate::outbox;
use crate::publication::{SharedChange, SubscriptionCore};

/// The maximum number of initial documents that are sent in one step.
const DOCUMENTS_AT_ONCE: usize = 256;

/// The result of a live query, with the sessions that watch it.
pub(in super::super) struct LiveResult {
    plan: Arc<Plan>,
    collection: Arc<str>,
    contents: Contents,
    shown: IndexMap<Arc<str>, Item>,
    last_number: DocumentNumber,
    /// The sessions, by the address of their recipient.
    watchers: IndexMap<usize, Watcher>,
    phase: Phase,
    /// The changes up to this one are contained in what is loaded. `None` until this is known.
    loaded_at: Option<u64>,
    /// While the documents are loaded: those that a change has removed from the result, with the number of the change.
    gone: HashMap<Arc<str>, u64>,
}

enum Contents {
    /// All documents that match.
    Set,
    Window(Window),
}

struct Item {
    number: DocumentNumber,
    shown: Shown,
    /// Kept, so that queries which show the same document share it.
    document: Arc<Document>,
}

/// How far a result is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Phase {
    /// Nothing was read yet.
    New,
    /// The documents are being read from the store.
    Loading,
    /// More documents of a window are being read from the store.
    Refilling,
    Ready,
    /// The documents could not be read.
    Failed(CollectionError),
    /// The last session has left; the query is no longer found.
    Closed,
}

impl LiveResult {
    pub(super) fn new(collection: &Arc<str>, plan: &Arc<Plan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            collection: Arc::clone(collection),
            contents: if plan.is_window() { Contents::Window(Window::unknown()) } else { Contents::Set },
            shown: IndexMap::new(),
            last_number: DocumentNumber::default(),
            watchers: IndexMap::new(),
            phase: Phase::New,
            loaded_at: None,
            gone: HashMap::new(),
        }
    }

    pub(in super::super) const fn phase(&self) -> &Phase {
        &self.phase
    }

    pub(in super::super) fn enter(&mut self, phase: Phase) {
        if phase != Phase::Loading {
            self.gone = HashMap::new();
        }
        self.phase = phase;
    }

    pub(super) const fn failure(&self) -> Option<&CollectionError> {
        match &self.phase {
            Phase::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Returns whether changes have to wait until the store has been read.
    pub(in super::super) const fn holds_changes(&self) -> bool {
        match self.phase {
            Phase::New | Phase::Refilling => true,
            Phase::Loading => self.loaded_at.is_none() || matches!(self.contents, Contents::Window(_)),
            Phase::Ready | Phase::Failed(_) | Phase::Closed => false,
        }
    }

    /// Begins to read more documents: those that a window misses, or all after changes were lost. Returns `false` if none
    /// are needed.
    pub(in super::super) fn begin_refill(&mut self, has_lost_changes: bool) -> bool {
        let begins = self.phase == Phase::Ready && (has_lost_changes || self.missing_part().is_some());
        if begins {
            self.enter(Phase::Refilling);
        }
        begins
    }

    /// Leaves the phase in which the store was read, unless the last session has left meanwhile.
    pub(in super::super) fn finish(&mut self, next: Phase) {
        if matches!(self.phase, Phase::Loading | Phase::Refilling) {
            self.enter(next);
        }
    }

    /// Ends the reading of more documents, unless some are still missing. Returns whether they are.
    pub(in super::super) fn end_refill(&mut self, query: &LiveQuery) -> bool {
        if self.phase != Phase::Refilling {
            return false;
        }
        let is_incomplete = query.has_lost_changes() || self.missing_part().is_some();
        if !is_incomplete {
            self.enter(Phase::Ready);
        }
        is_incomplete
    }

    /// Begins to load from the start. What is read from now on contains the changes that were lost.
    pub(in super::super) fn begin_load(&mut self, query: &LiveQuery) {
        self.loaded_at = None;
        self.gone = HashMap::new();
        query.keep_changes();
    }

    /// Returns whether more documents have left the result while it is loaded than are remembered.
    pub(in super::super) fn has_too_many_gone(&self) -> bool {
        self.gone.len() > MAX_HELD_CHANGES
    }

    #[cfg(feature = "accounts")]
    pub(in super::super) fn watcher_count(&self) -> usize {
        self.watchers.values().map(|watcher| watcher.handles.len()).sum()
    }

    #[cfg(feature = "accounts")]
    pub(in super::super) fn document_count(&self) -> usize {
        self.shown.len()
    }

    /// Adds a subscription. Returns the number of documents that it has to be sent.
    pub(in super::super) fn watch(&mut self, subscription: &SubscriptionCore) -> usize {
        let watcher = self.watchers.entry(key(subscription)).or_insert_with(|| Watcher::new(subscription.clone()));
        watcher.add(subscription.handle(), self.shown.iter().map(|(id, item)| (item.number, Arc::clone(id))));
        self.shown.len()
    }

    /// Returns whether initial documents of a subscription can be sent, or no more follow.
    pub(in super::super) fn can_continue(&self, subscription: &SubscriptionCore) -> bool {
        self.phase != Phase::Loading
            || self.watchers.get(&key(subscription)).is_none_or(|watcher| watcher.misses_any(subscription.handle()))
    }

    /// Removes a subscription. Returns whether it was the last one.
    pub(in super::super) fn unwatch(&mut self, subscription: &SubscriptionCore) -> bool {
        let key = key(subscription);
        if let Some(watcher) = self.watchers.get_mut(&key)
            && watcher.remove(subscription.handle())
        {
            self.watchers.swap_remove(&key);
        }
        self.watchers.is_empty()
    }

    /// Sends some of the missing initial documents to a subscription.
    pub(in super::super) fn send_some(&mut self, subscription: &SubscriptionCore) -> SentSome {
        let Some(watcher) = self.watchers.get_mut(&key(subscription)) else { return SentSome::NOTHING_LEFT };
        let Some(missing) = watcher.missing_of(subscription.handle()) else { return SentSome::NOTHING_LEFT };
        let mut documents = 0;
        let mut has_sent_all = false;
        subscription.with_target(&self.collection, |views, target| {
            while documents < DOCUMENTS_AT_ONCE {
                let Some((number, id)) = missing.next() else {
                    has_sent_all = true;
                    break;
                };
                if let Some(Item { shown, .. }) = self.shown.get(&id).filter(|item| item.number == number) {
                    views.added(target, subscription.handle(), &id, &shown.fields, Some(&shown.frame));
                }
                documents += 1;
                if subscription.recipient().outbox().is_congested() {
                    break;
                }
            }
        });
        let is_all = has_sent_all && matches!(self.phase, Phase::Ready | Phase::Refilling);
        if is_all {
            watcher.has_started(subscription.handle());
        }
        SentSome { documents, is_all }
    }

    /// Notes the number of the last change that what is loaded contains.
    pub(in super::super) const fn note_loaded_at(&mut self, version: u64) {
        self.loaded_at = Some(version);
    }

    /// Takes documents that were read at first, in order. `is_complete` says whether no more follow.
    pub(in super::super) fn load(&mut self, documents: Vec<Placed>, is_complete: bool) {
        match &mut self.contents {
            Contents::Set => documents.into_iter().for_each(|placed| self.load_one(&placed.document)),
            Contents::Window(window) => {
                let moves = window.extend(&self.plan, documents, is_complete);
                moves.values().flatten().for_each(|document| self.load_one(document));
            }
        }
    }

    /// Takes the documents that were read once more, in order, in place of those that were known. Documents of later changes
    /// stay.
    pub(in super::super) fn replace(&mut self, documents: Vec<Placed>, is_complete: bool) {
        let documents: Vec<Arc<Document>> = match &mut self.contents {
            Contents::Set => documents.into_iter().map(|placed| placed.document).collect(),
            Contents::Window(window) => {
                *window = Window::unknown();
                window.extend(&self.plan, documents, is_complete).into_values().flatten().collect()
            }
        };
        let ids: HashSet<&Arc<str>> = documents.iter().map(|document| &document.id).collect();
        let loaded_at = self.loaded_at.unwrap_or_default();
        let is_over = |(id, item): &(&Arc<str>, &Item)| !ids.contains(id) && item.document.version <= loaded_at;
        let over: Vec<Arc<str>> = self.shown.iter().filter(is_over).map(|(id, _)| Arc::clone(id)).collect();
        for id in &over {
            self.hide(id);
        }
        for document in &documents {
            if self.phase == Phase::Loading && !self.shown.contains_key(&document.id) {
                self.load_one(document);
            } else {
                self.show(document);
            }
        }
    }

    /// Takes documents of a window that were read after `horizon`, in order. Ignores them if changes have moved the
    /// horizon since: documents before them would be missing.
    pub(in super::super) fn refill(&mut self, horizon: Option<&Placed>, documents: Vec<Placed>, is_complete: bool) {
        let Contents::Window(window) = &mut self.contents else { return };
        if window.horizon().map(Placed::place) == horizon.map(Placed::place) {
            let moves = window.extend(&self.plan, documents, is_complete);
            self.make(&moves);
        }
    }

    /// Returns where the documents of a window have to be read further, and how many are wanted, or `None` if enough are
    /// known.
    pub(in super::super) fn missing_part(&self) -> Option<(Option<Placed>, Option<usize>)> {
        match &self.contents {
            Contents::Window(window) if window.is_short(&self.plan) => {
                Some((window.horizon().cloned(), window.room(&self.plan)))
            }
            _ => None,
        }
    }

    /// Updates the result after a change.
    pub(in super::super) fn apply(&mut self, change: &Change) {
        if self.loaded_at.is_some_and(|loaded| change.version <= loaded)
            || matches!(self.phase, Phase::Failed(_) | Phase::Closed)
        {
            return;
        }
        match &mut self.contents {
            Contents::Window(window) => {
                let moves = window.apply(&self.plan, change);
                self.make(&moves);
            }
            Contents::Set => {
                if let Some(new) = change.new.as_ref().filter(|new| self.plan.matches(new)) {
                    self.show(new);
                } else {
                    if self.phase == Phase::Loading {
                        self.gone.insert(Arc::clone(&change.id), change.version);
                    }
                    self.hide(&change.id);
                }
            }
        }
    }

    /// Takes a document of a set that was read, unless a later change is known.
    fn load_one(&mut self, document: &Arc<Document>) {
        let id = &document.id;
        let is_old = self.gone.get(id).is_some_and(|gone| *gone >= document.version);
        if is_old || self.shown.contains_key(id) {
            return;
        }
        let shown = self.plan.show(&self.collection, document);
        let number = self.insert(shown, document);
        self.watchers.values_mut().for_each(|watcher| watcher.miss(number, id));
    }

    fn insert(&mut self, shown: Shown, document: &Arc<Document>) -> DocumentNumber {
        let number = DocumentNumber(self.last_number.0 + 1);
        self.last_number = number;
        self.shown.insert(Arc::clone(&document.id), Item { number, shown, document: Arc::clone(document) });
        number
    }

    /// Makes the moves of a window. Removes documents first, so that no client ever has more than the limit.
    fn make(&mut self, moves: &Moves) {
        for (id, _) in moves.iter().filter(|(_, document)| document.is_none()) {
            self.hide(id);
        }
        for document in moves.values().flatten() {
            self.show(document);
        }
    }

    fn show(&mut self, document: &Arc<Document>) {
        let new = self.plan.show(&self.collection, document);
        let Some(item) = self.shown.get_mut(&document.id) else {
            let number = self.insert(new.clone(), document);
            return self.tell_added(number, &document.id, &new);
        };
        if item.document.version >= document.version {
            return;
        }
        item.document = Arc::clone(document);
        if item.shown.fields.is_same_text(&new.fields) {
            return;
        }
        let change = SharedChange::to(&item.shown.fields, &new.fields);
        item.shown = new;
        let number = item.number;
        self.tell_changed(number, &document.id, &change);
    }

    fn hide(&mut self, id: &str) {
        if let Some(item) = self.shown.swap_remove(id) {
            self.tell_removed(item.number, id);
        }
    }

    fn tell_added(&mut self, number: DocumentNumber, id: &Arc<str>, new: &Shown) {
        for (place, watcher) in self.watchers.values_mut().enumerate() {
            watcher.note_told(number);
            outbox::in_turn(place, || {
                watcher.first.with_target(&self.collection, |views, target| {
                    for handle in &watcher.handles {
                        views.added(target, *handle, id, &new.fields, Some(&new.frame));
                    }
                });
            });
        }
    }

    fn tell_changed(&self, number: DocumentNumber, id: &str, change: &SharedChange) {
        for (place, watcher) in self.watchers.values().enumerate() {
            let told = watcher.who_has(number);
            outbox::in_turn(place, || {
                watcher.first.with_target(&self.collection, |views, target| {
                    // A publication may have taken the document back by hand.
                    let _not_held = views.changed(target, &told, id, change);
                });
            });
        }
    }

    fn tell_removed(&mut self, number: DocumentNumber, id: &str) {
        for (place, watcher) in self.watchers.values_mut().enumerate() {
            let told = watcher.who_has(number);
            outbox::in_turn(place, || {
                watcher.first.with_target(&self.collection, |views, target| {
                    for handle in told.iter() {
                        // A publication may have taken the document back by hand.
                        let _not_held = views.removed(target, *handle, id);
                    }
                });
            });
            watcher.forget(number);
        }
    }
}

fn key(subscription: &SubscriptionCore) -> usize {
    Arc::as_ptr(subscription.recipient()).addr()
}
