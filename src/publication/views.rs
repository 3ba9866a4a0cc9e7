//! What a session's client has: its subscriptions, and per collection the documents that they hold.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use bolide_protocol::message::Subscribe;
use bytestring::ByteString;
use indexmap::IndexMap;

use super::fields::{Fields, Hasher, SharedChange};
use super::handle::{Handle, Handles};
use super::merge_box::NotHeld;
use super::strategy::Strategy;
use super::view::{Target, View};
use crate::call::EndCallback;
use crate::outbox::Outbox;

/// How the documents of each collection are sent. One that is not named is merged.
pub(crate) type Strategies = HashMap<String, Strategy, Hasher>;

/// Behind the recipient's lock.
pub(crate) struct Views {
    strategies: Arc<Strategies>,
    subscriptions: IndexMap<Handle, Entry, Hasher>,
    by_id: HashMap<Arc<str>, Handle>,
    collections: IndexMap<Arc<str>, View, Hasher>,
    /// What the client had before the user changed, while the subscriptions run again.
    before: Option<IndexMap<Arc<str>, View, Hasher>>,
    ready_meanwhile: Vec<String>,
    last_handle: u32,
}

/// A subscription that is active.
pub(crate) struct Entry {
    /// Nothing for a universal publication.
    pub(crate) id: Option<Arc<str>>,
    pub(crate) origin: Origin,
    is_ready: bool,
    /// Whether its handler has not returned.
    is_starting: bool,
    handle: HandleState,
    /// Drops the running handler when the subscription ends.
    handler: Option<Waker>,
    on_stop: Vec<EndCallback>,
    /// The collections of which it publishes a query.
    claimed: Vec<Box<str>>,
}

/// What has become of the handle that the publication was given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HandleState {
    Held,
    Dropped,
    /// Dropped by a panic.
    Abandoned,
}

/// From what a subscription is made again when the user changes.
#[derive(Clone)]
pub(crate) enum Origin {
    Named(Arc<Subscribe>),
    Universal(usize),
}

/// What a client is to be told now that a subscription's handler, or its handle, is gone.
pub(crate) enum Answer {
    Nothing,
    /// It is ready; here is its id.
    Ready(String),
    /// It has failed, as nobody can see why.
    Failed,
}

/// What a subscription's end leaves to do, outside of the lock.
#[must_use]
pub(crate) struct Ended {
    pub(crate) id: Option<Arc<str>>,
    pub(crate) handler: Option<Waker>,
    pub(crate) on_stop: Vec<EndCallback>,
}

impl Views {
    pub(super) fn new(strategies: Arc<Strategies>) -> Self {
        Self {
            strategies,
            subscriptions: IndexMap::default(),
            by_id: HashMap::new(),
            collections: IndexMap::default(),
            before: None,
            ready_meanwhile: Vec::new(),
            last_handle: 0,
        }
    }

    pub(crate) fn subscription_count(&self) -> usize {
        self.subscriptions.len()
    }

    pub(crate) fn contains_id(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    pub(crate) fn is_active(&self, handle: Handle) -> bool {
        self.subscriptions.contains_key(&handle)
    }

    pub(crate) fn is_ready(&self, handle: Handle) -> bool {
        self.subscriptions.get(&handle).is_some_and(|entry| entry.is_ready)
    }

    /// Whether a subscription whose handler runs is active. The handler is woken when it ends.
    pub(crate) fn is_handler_wanted(&mut self, handle: Handle, handler: &Waker) -> bool {
        let Some(entry) = self.subscriptions.get_mut(&handle) else { return false };
        if !entry.handler.as_ref().is_some_and(|known| known.will_wake(handler)) {
            entry.handler = Some(handler.clone());
        }
        true
    }

    /// Makes a subscription active.
    pub(crate) fn start(&mut self, origin: Origin) -> Handle {
        self.last_handle = self.last_handle.wrapping_add(1);
        let handle = Handle(self.last_handle);
        let id: Option<Arc<str>> = match &origin {
            Origin::Named(subscribe) => Some(subscribe.id.as_str().into()),
            Origin::Universal(_) => None,
        };
        if let Some(id) = &id {
            self.by_id.insert(Arc::clone(id), handle);
        }
        let entry = Entry {
            id,
            origin,
            is_ready: false,
            is_starting: true,
            handle: HandleState::Held,
            handler: None,
            on_stop: Vec::new(),
            claimed: Vec::new(),
        };
        self.subscriptions.insert(handle, entry);
        handle
    }

    /// Notes that the subscription publishes a query of a collection; says whether it is the first one.
    pub(crate) fn claim(&mut self, handle: Handle, collection: &str) -> bool {
        let Some(entry) = self.subscriptions.get_mut(&handle) else { return true };
        let is_first = !entry.claimed.iter().any(|claimed| **claimed == *collection);
        if is_first {
            entry.claimed.push(collection.into());
        }
        is_first
    }

    /// Keeps what is to be done when the subscription ends; gives it back if it has ended.
    pub(crate) fn on_stop(&mut self, handle: Handle, callback: EndCallback) -> Option<EndCallback> {
        match self.subscriptions.get_mut(&handle) {
            Some(entry) => {
                entry.on_stop.push(callback);
                None
            }
            None => Some(callback),
        }
    }

    /// The subscription has sent its initial documents.
    pub(crate) fn ready(&mut self, handle: Handle) -> Answer {
        let Some(entry) = self.subscriptions.get_mut(&handle) else { return Answer::Nothing };
        let was_ready = std::mem::replace(&mut entry.is_ready, true);
        match &entry.id {
            Some(id) if !was_ready && self.before.is_some() => {
                self.ready_meanwhile.push(id.to_string());
                Answer::Nothing
            }
            Some(id) if !was_ready => Answer::Ready(id.to_string()),
            _ => Answer::Nothing,
        }
    }

    /// The handler has returned. A subscription that nobody holds any more has sent all that it will send first.
    pub(crate) fn handler_returned(&mut self, handle: Handle) -> Answer {
        let Some(entry) = self.subscriptions.get_mut(&handle) else { return Answer::Nothing };
        entry.is_starting = false;
        entry.handler = None;
        match entry.handle {
            HandleState::Held => Answer::Nothing,
            HandleState::Dropped => self.ready(handle),
            HandleState::Abandoned => Answer::Failed,
        }
    }

    /// Nobody holds the subscription any more: it was dropped, perhaps by a panic.
    pub(crate) fn handle_dropped(&mut self, handle: Handle, by_panic: bool) -> Answer {
        let Some(entry) = self.subscriptions.get_mut(&handle) else { return Answer::Nothing };
        entry.handle = if by_panic { HandleState::Abandoned } else { HandleState::Dropped };
        match entry.handle {
            // What becomes of the handler decides.
            _ if entry.is_starting => Answer::Nothing,
            HandleState::Abandoned => Answer::Failed,
            HandleState::Held | HandleState::Dropped => self.ready(handle),
        }
    }

    pub(crate) fn id_of(&self, handle: Handle) -> Option<Arc<str>> {
        self.subscriptions.get(&handle)?.id.clone()
    }

    pub(crate) fn origin_of(&self, handle: Handle) -> Option<Origin> {
        Some(self.subscriptions.get(&handle)?.origin.clone())
    }

    pub(crate) fn handle_of(&self, id: &str) -> Option<Handle> {
        self.by_id.get(id).copied()
    }

    /// Ends a subscription: its documents leave, unless others hold them.
    pub(crate) fn end(&mut self, handle: Handle, outbox: &Arc<Outbox>) -> Option<Ended> {
        let entry = self.subscriptions.shift_remove(&handle)?;
        if let Some(id) = &entry.id
            && self.by_id.get(id) == Some(&handle)
        {
            self.by_id.remove(id);
        }
        let muted = self.before.is_some();
        self.ready_meanwhile.retain(|ready| entry.id.as_deref() != Some(ready));
        for (collection, view) in &mut self.collections {
            view.release(handle, outbox, collection, muted);
        }
        self.collections.retain(|_, view| !view.is_empty());
        Some(Ended { id: entry.id, handler: entry.handler, on_stop: entry.on_stop })
    }

    /// Ends all subscriptions without a word to the client.
    pub(crate) fn end_all(&mut self) -> Vec<(Origin, Vec<EndCallback>)> {
        self.by_id.clear();
        let entries = std::mem::take(&mut self.subscriptions);
        entries.into_values().map(|entry| (entry.origin, entry.on_stop)).collect()
    }

    /// Forgets everything: the session has ended.
    pub(crate) fn clear(&mut self) {
        self.collections = IndexMap::default();
        self.before = None;
    }

    /// From now on nothing about merged documents is sent.
    pub(crate) fn suspend(&mut self) {
        let collections = std::mem::take(&mut self.collections);
        // A change that is interrupted by the next one is told as one.
        self.before.get_or_insert(collections);
    }

    /// Sends what has changed since [`suspend`](Self::suspend), and gives the subscriptions that became ready.
    pub(crate) fn resume(&mut self, outbox: &Arc<Outbox>) -> Vec<String> {
        let Some(before) = self.before.take() else { return Vec::new() };
        let nothing = View::default();
        for (collection, old) in &before {
            let new = self.collections.get(collection).unwrap_or(&nothing);
            View::difference(old, new, outbox, collection);
        }
        for (collection, new) in &self.collections {
            if !before.contains_key(collection) {
                View::difference(&nothing, new, outbox, collection);
            }
        }
        std::mem::take(&mut self.ready_meanwhile)
    }

    /// A subscription brings a document. `frame` is its `added`, if somebody has encoded it already.
    pub(crate) fn added(
        &mut self,
        target: Target<'_>,
        by: Handle,
        id: &Arc<str>,
        fields: &Arc<Fields>,
        frame: Option<&ByteString>,
    ) {
        if !self.is_active(by) {
            return;
        }
        let muted = self.before.is_some();
        let view = self.view(target);
        view.added(target, by, id, fields, frame, muted);
    }

    /// Subscriptions change fields of a document that they hold.
    pub(crate) fn changed(
        &mut self,
        target: Target<'_>,
        by: &[Handle],
        id: &str,
        change: &SharedChange,
    ) -> Result<(), NotHeld> {
        let muted = self.before.is_some();
        let active: Handles;
        let by = if by.iter().all(|handle| self.is_active(*handle)) {
            by
        } else {
            active = by.iter().copied().filter(|handle| self.is_active(*handle)).collect();
            &active
        };
        match self.collections.get_mut(target.collection) {
            _ if by.is_empty() => Ok(()),
            Some(view) => view.changed(target, by, id, change, muted),
            None => View::new(self.strategy(target.collection)).changed(target, by, id, change, muted),
        }
    }

    /// A subscription lets go of a document.
    pub(crate) fn removed(&mut self, target: Target<'_>, by: Handle, id: &str) -> Result<(), NotHeld> {
        if !self.is_active(by) {
            return Ok(());
        }
        let muted = self.before.is_some();
        let Some(view) = self.collections.get_mut(target.collection) else {
            return View::new(self.strategy(target.collection)).removed(target, by, id, muted);
        };
        view.removed(target, by, id, muted)?;
        if view.is_empty() {
            self.collections.shift_remove(target.collection);
        }
        Ok(())
    }

    fn strategy(&self, collection: &str) -> Strategy {
        if self.strategies.is_empty() {
            return Strategy::Merge;
        }
        self.strategies.get(collection).copied().unwrap_or_default()
    }

    fn view(&mut self, target: Target<'_>) -> &mut View {
        let place = match self.collections.get_index_of(target.collection) {
            Some(place) => place,
            None => {
                let view = View::new(self.strategy(target.collection));
                self.collections.insert_full(target.collection.into(), view).0
            }
        };
        &mut self.collections[place]
    }
}
