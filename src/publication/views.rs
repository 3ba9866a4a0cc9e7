//! [`Views`]: the subscriptions of a client, and the documents that it has in each collection.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use bolide_protocol::message::Subscribe;
use bytestring::ByteString;
use indexmap::IndexMap;

use super::fields::{Fields, SharedChange};
use super::handle::{Handle, Handles};
use super::merge_box::NotHeld;
use super::registry::UniversalId;
use super::shared_seed::SharedSeed;
use super::strategy::Strategy;
use super::view::{Target, View};
use crate::call::EndCallback;
use crate::figures::{Level, Raised};
use crate::outbox::Outbox;

/// Strategies by collection name. The default is [`Strategy::Merge`].
pub(crate) type Strategies = HashMap<String, Strategy, SharedSeed>;

/// The subscriptions and documents of a client. The recipient locks it.
pub(crate) struct Views {
    strategies: Arc<Strategies>,
    subscriptions: IndexMap<Handle, Entry, SharedSeed>,
    /// The total size of their origins.
    subscription_bytes: usize,
    by_id: HashMap<Arc<str>, Handle, SharedSeed>,
    collections: Collections,
    /// `None` unless the user changes.
    before: Option<Box<Before>>,
    last_handle: u32,
}

/// The documents of a client by collection.
type Collections = IndexMap<Arc<str>, View, SharedSeed>;

/// The state of a client before a user change.
struct Before {
    collections: Collections,
    /// The subscriptions that became ready during the change.
    ready_meanwhile: Vec<String>,
}

/// An active subscription.
pub(crate) struct Entry {
    /// The client's id, or `None` for a universal publication.
    pub(crate) id: Option<Arc<str>>,
    pub(crate) origin: Origin,
    is_ready: bool,
    /// Whether the handler has not returned.
    is_starting: bool,
    handle: HandleState,
    /// Wakes the running handler when the subscription ends, so that it is dropped.
    handler: Option<Waker>,
    on_stop: Vec<EndCallback>,
    /// The collections of which the subscription publishes a query.
    claimed: Vec<Box<str>>,
    /// Counts the subscription among the active ones of its publication.
    counted: Option<Raised>,
}

/// The state of the publication's handle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HandleState {
    Held,
    Dropped,
    /// Dropped during a panic.
    Abandoned,
}

/// The origin of a subscription, from which it is started again when the user changes.
#[derive(Clone)]
pub(crate) enum Origin {
    Named(Arc<Subscribe>),
    Universal(UniversalId),
}

/// The answer to a client after a handler has returned or a handle was dropped.
pub(crate) enum Answer {
    Nothing,
    /// The subscription with this id is ready.
    Ready(String),
    /// The subscription has failed with a panic.
    Failed,
}

/// What remains to be done outside the lock after a subscription has ended.
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
            subscription_bytes: 0,
            by_id: HashMap::default(),
            collections: IndexMap::default(),
            before: None,
            last_handle: 0,
        }
    }

    pub(crate) fn subscription_count(&self) -> usize {
        self.subscriptions.len()
    }

    /// Returns the total size of the ids, names and parameters of the client's subscriptions, in bytes. They are kept, since
    /// the subscriptions start again when the user changes.
    pub(crate) const fn subscription_bytes(&self) -> usize {
        self.subscription_bytes
    }

    /// Returns the number of documents that the client has, each counted once for each subscription that holds it.
    pub(crate) fn held_documents(&self) -> usize {
        let before = self.before.iter().flat_map(|before| before.collections.values());
        self.collections.values().chain(before).map(View::held).sum()
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

    /// Returns whether a subscription is active. Its handler will be woken when it ends.
    pub(crate) fn is_handler_wanted(&mut self, handle: Handle, handler: &Waker) -> bool {
        let Some(entry) = self.subscriptions.get_mut(&handle) else { return false };
        if !entry.handler.as_ref().is_some_and(|known| known.will_wake(handler)) {
            entry.handler = Some(handler.clone());
        }
        true
    }

    /// Adds an active subscription.
    pub(crate) fn start(&mut self, origin: Origin) -> Handle {
        self.last_handle = self.last_handle.wrapping_add(1);
        let handle = Handle(self.last_handle);
        self.subscription_bytes += origin.bytes();
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
            counted: None,
        };
        if self.subscriptions.is_empty() {
            // Most clients have only the universal publications.
            self.subscriptions.reserve_exact(1);
        }
        self.subscriptions.insert(handle, entry);
        handle
    }

    /// Counts a subscription until it ends.
    pub(super) fn count(&mut self, handle: Handle, active: &Arc<Level>) {
        if let Some(entry) = self.subscriptions.get_mut(&handle) {
            entry.counted = Some(Raised::of(active));
        }
    }

    /// Notes that a subscription publishes a query of a collection. Returns `false` if it already does.
    pub(crate) fn claim(&mut self, handle: Handle, collection: &str) -> bool {
        let Some(entry) = self.subscriptions.get_mut(&handle) else { return true };
        let is_first = !entry.claimed.iter().any(|claimed| **claimed == *collection);
        if is_first {
            entry.claimed.push(collection.into());
        }
        is_first
    }

    /// Stores a callback for the end of the subscription. Returns it if the subscription has ended.
    pub(crate) fn on_stop(&mut self, handle: Handle, callback: EndCallback) -> Option<EndCallback> {
        match self.subscriptions.get_mut(&handle) {
            Some(entry) => {
                entry.on_stop.push(callback);
                None
            }
            None => Some(callback),
        }
    }

    /// Notes that the subscription has sent its initial documents.
    pub(crate) fn ready(&mut self, handle: Handle) -> Answer {
        let Some(entry) = self.subscriptions.get_mut(&handle) else { return Answer::Nothing };
        let was_ready = std::mem::replace(&mut entry.is_ready, true);
        match (&entry.id, &mut self.before) {
            (Some(id), Some(before)) if !was_ready => {
                before.ready_meanwhile.push(id.to_string());
                Answer::Nothing
            }
            (Some(id), None) if !was_ready => Answer::Ready(id.to_string()),
            _ => Answer::Nothing,
        }
    }

    /// Notes that the handler has returned. If the handle was dropped, the subscription is ready.
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

    /// Notes that the handle was dropped, possibly by a panic.
    pub(crate) fn handle_dropped(&mut self, handle: Handle, by_panic: bool) -> Answer {
        let Some(entry) = self.subscriptions.get_mut(&handle) else { return Answer::Nothing };
        entry.handle = if by_panic { HandleState::Abandoned } else { HandleState::Dropped };
        match entry.handle {
            // The outcome of the handler decides.
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

    /// Ends a subscription. Removes its documents unless others hold them. Returns `None` if it has ended already.
    pub(crate) fn end(&mut self, handle: Handle, outbox: &Arc<Outbox>) -> Option<Ended> {
        let entry = self.subscriptions.shift_remove(&handle)?;
        self.subscription_bytes -= entry.origin.bytes();
        if let Some(id) = &entry.id
            && self.by_id.get(id) == Some(&handle)
        {
            self.by_id.remove(id);
        }
        let muted = self.before.is_some();
        if let Some(before) = &mut self.before {
            before.ready_meanwhile.retain(|ready| entry.id.as_deref() != Some(ready));
        }
        for (collection, view) in &mut self.collections {
            view.release(handle, outbox, collection, muted);
        }
        self.collections.retain(|_, view| !view.is_empty());
        Some(Ended { id: entry.id, handler: entry.handler, on_stop: entry.on_stop })
    }

    /// Ends all subscriptions without messages to the client.
    pub(crate) fn end_all(&mut self) -> Vec<(Origin, Vec<EndCallback>)> {
        self.by_id.clear();
        self.subscription_bytes = 0;
        let entries = std::mem::take(&mut self.subscriptions);
        entries.into_values().map(|entry| (entry.origin, entry.on_stop)).collect()
    }

    /// Drops all documents after the end of the session.
    pub(crate) fn clear(&mut self) {
        self.collections = IndexMap::default();
        self.before = None;
    }

    /// Stops sending changes of documents whose state is remembered, until [`resume`](Self::resume).
    pub(crate) fn suspend(&mut self) {
        let collections = std::mem::take(&mut self.collections);
        // A user change that interrupts another one is sent as one difference.
        self.before.get_or_insert_with(|| Box::new(Before { collections, ready_meanwhile: Vec::new() }));
    }

    /// Sends the difference since [`suspend`](Self::suspend). Returns the ids of the subscriptions that became ready.
    pub(crate) fn resume(&mut self, outbox: &Arc<Outbox>) -> Vec<String> {
        let Some(before) = self.before.take() else { return Vec::new() };
        let Before { collections: before, ready_meanwhile } = *before;
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
        ready_meanwhile
    }

    /// Adds a document of a subscription. `frame` is its encoded `added` message, if it exists already.
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

    /// Changes fields of a document that some subscriptions hold.
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

    /// Removes a document of a subscription.
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
        let place = self.collections.get_index_of(target.collection).unwrap_or_else(|| {
            let view = View::new(self.strategy(target.collection));
            self.collections.insert_full(target.collection.into(), view).0
        });
        &mut self.collections[place]
    }
}
