//! What a session's client has: its subscriptions, and per collection the documents that they hold.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use bolide_protocol::message::Subscribe;
use bytestring::ByteString;
use indexmap::{IndexMap, IndexSet};

use super::fields::{Difference, Fields, Hasher, SharedChange};
use super::frames::{Frames as _, SessionFrames, added_frame, changed_frame, removed_frame};
use super::merge_box::{Handle, Handles, MergeBox, NotHeld};
use super::strategy::Strategy;
use crate::session::Session;

pub(crate) type StopCallback = Box<dyn FnOnce() + Send>;

/// Behind the session's lock.
#[derive(Default)]
pub(crate) struct Views {
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
    is_starting: bool,
    is_held: bool,
    /// Whether it was dropped by a panic while its handler was running.
    is_abandoned: bool,
    /// Drops the running handler when the subscription ends.
    handler: Option<Waker>,
    on_stop: Vec<StopCallback>,
    /// The collections of which it publishes a query.
    claimed: Vec<Box<str>>,
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
    pub(crate) on_stop: Vec<StopCallback>,
}

enum View {
    Merge(MergeBox),
    Multi(IndexMap<Arc<str>, Handles>),
    Each(IndexSet<(Arc<str>, Handle)>),
    Nothing,
}

/// Which documents a message is about, and how it is sent.
#[derive(Clone, Copy)]
pub(crate) struct Target<'target> {
    pub(crate) session: &'target Arc<Session>,
    pub(crate) collection: &'target str,
    pub(crate) strategy: Strategy,
}

impl Views {
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
            is_held: true,
            is_abandoned: false,
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
    pub(crate) fn on_stop(&mut self, handle: Handle, callback: StopCallback) -> Option<StopCallback> {
        match self.subscriptions.get_mut(&handle) {
            Some(entry) => {
                entry.on_stop.push(callback);
                None
            }
            None => Some(callback),
        }
    }

    /// The subscription has sent its initial documents. Gives its id if the client must be told now.
    pub(crate) fn ready(&mut self, handle: Handle) -> Option<String> {
        let entry = self.subscriptions.get_mut(&handle)?;
        if entry.is_ready {
            return None;
        }
        entry.is_ready = true;
        let id = entry.id.as_ref()?.to_string();
        if self.before.is_some() {
            self.ready_meanwhile.push(id);
            return None;
        }
        Some(id)
    }

    /// The handler has returned. A subscription that nobody holds any more has sent all that it will send first.
    pub(crate) fn handler_returned(&mut self, handle: Handle) -> Answer {
        let Some(entry) = self.subscriptions.get_mut(&handle) else { return Answer::Nothing };
        entry.is_starting = false;
        entry.handler = None;
        match (entry.is_abandoned, entry.is_held) {
            (true, _) => Answer::Failed,
            (false, true) => Answer::Nothing,
            (false, false) => self.ready(handle).map_or(Answer::Nothing, Answer::Ready),
        }
    }

    /// Nobody holds the subscription any more: it was dropped, perhaps by a panic.
    pub(crate) fn handle_dropped(&mut self, handle: Handle, by_panic: bool) -> Answer {
        let Some(entry) = self.subscriptions.get_mut(&handle) else { return Answer::Nothing };
        entry.is_held = false;
        entry.is_abandoned = by_panic;
        match (entry.is_starting, by_panic) {
            // The handler decides, or what becomes of it.
            (true, _) => Answer::Nothing,
            (false, true) => Answer::Failed,
            (false, false) => self.ready(handle).map_or(Answer::Nothing, Answer::Ready),
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
    pub(crate) fn end(&mut self, handle: Handle, session: &Arc<Session>) -> Option<Ended> {
        let entry = self.subscriptions.shift_remove(&handle)?;
        if let Some(id) = &entry.id
            && self.by_id.get(id) == Some(&handle)
        {
            self.by_id.remove(id);
        }
        let muted = self.before.is_some();
        self.ready_meanwhile.retain(|ready| entry.id.as_deref() != Some(ready));
        for (collection, view) in &mut self.collections {
            view.release(handle, session, collection, muted);
        }
        self.collections.retain(|_, view| !view.is_empty());
        Some(Ended { id: entry.id, handler: entry.handler, on_stop: entry.on_stop })
    }

    /// Ends all subscriptions without a word to the client.
    pub(crate) fn end_all(&mut self) -> Vec<(Origin, Vec<StopCallback>)> {
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
    pub(crate) fn resume(&mut self, session: &Arc<Session>) -> Vec<String> {
        let Some(before) = self.before.take() else { return Vec::new() };
        let nothing = View::Merge(MergeBox::default());
        for (collection, old) in &before {
            let new = self.collections.get(collection).unwrap_or(&nothing);
            View::difference(old, new, session, collection);
        }
        for (collection, new) in &self.collections {
            if !before.contains_key(collection) {
                View::difference(&nothing, new, session, collection);
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
            None => View::new(target.strategy).changed(target, by, id, change, muted),
        }
    }

    /// A subscription lets go of a document.
    pub(crate) fn removed(&mut self, target: Target<'_>, by: Handle, id: &str) -> Result<(), NotHeld> {
        if !self.is_active(by) {
            return Ok(());
        }
        let muted = self.before.is_some();
        let Some(view) = self.collections.get_mut(target.collection) else {
            return View::new(target.strategy).removed(target, by, id, muted);
        };
        view.removed(target, by, id, muted)?;
        if view.is_empty() {
            self.collections.shift_remove(target.collection);
        }
        Ok(())
    }

    fn view(&mut self, target: Target<'_>) -> &mut View {
        let place = match self.collections.get_index_of(target.collection) {
            Some(place) => place,
            None => self.collections.insert_full(target.collection.into(), View::new(target.strategy)).0,
        };
        &mut self.collections[place]
    }
}

impl View {
    fn new(strategy: Strategy) -> Self {
        match strategy {
            Strategy::Merge => Self::Merge(MergeBox::default()),
            Strategy::NoMergeMulti => Self::Multi(IndexMap::new()),
            Strategy::NoMerge => Self::Each(IndexSet::new()),
            Strategy::NoMergeNoHistory => Self::Nothing,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Merge(merge_box) => merge_box.is_empty(),
            Self::Multi(documents) => documents.is_empty(),
            Self::Each(documents) => documents.is_empty(),
            Self::Nothing => true,
        }
    }

    fn added(
        &mut self,
        target: Target<'_>,
        by: Handle,
        id: &Arc<str>,
        fields: &Arc<Fields>,
        frame: Option<&ByteString>,
        muted: bool,
    ) {
        let Target { session, collection, .. } = target;
        let as_it_is = || frame.cloned().unwrap_or_else(|| added_frame(collection, id, fields));
        match self {
            Self::Merge(merge_box) => {
                merge_box.added(by, id, fields, &mut SessionFrames { session, collection, added: frame, muted });
            }
            Self::Multi(documents) => {
                let holders = documents.entry(Arc::clone(id)).or_default();
                let is_new = holders.is_empty();
                if !holders.contains(&by) {
                    holders.push(by);
                }
                match (muted, is_new) {
                    (true, _) => {}
                    (false, true) => session.send(as_it_is()),
                    (false, false) => send_changed(target, id, &SharedChange::new(fields.by_name().clone(), [])),
                }
            }
            Self::Each(documents) => {
                documents.insert((Arc::clone(id), by));
                session.send(as_it_is());
            }
            Self::Nothing => session.send(as_it_is()),
        }
    }

    fn changed(
        &mut self,
        target: Target<'_>,
        by: &[Handle],
        id: &str,
        change: &SharedChange,
        muted: bool,
    ) -> Result<(), NotHeld> {
        let Target { session, collection, .. } = target;
        match self {
            Self::Merge(merge_box) => {
                let mut frames = SessionFrames { session, collection, added: None, muted };
                return merge_box.changed(by, id, change, &mut frames);
            }
            Self::Multi(documents) if !documents.contains_key(id) => return Err(NotHeld),
            Self::Multi(_) if muted => {}
            Self::Multi(_) | Self::Each(_) | Self::Nothing => {
                for _ in by {
                    send_changed(target, id, change);
                }
            }
        }
        Ok(())
    }

    fn removed(&mut self, target: Target<'_>, by: Handle, id: &str, muted: bool) -> Result<(), NotHeld> {
        let Target { session, collection, .. } = target;
        match self {
            Self::Merge(merge_box) => {
                return merge_box.removed(by, id, &mut SessionFrames { session, collection, added: None, muted });
            }
            Self::Multi(documents) => {
                let holders = documents.get_mut(id).ok_or(NotHeld)?;
                holders.retain(|holder| *holder != by);
                if holders.is_empty() {
                    documents.shift_remove(id);
                    if !muted {
                        session.send(removed_frame(collection, id));
                    }
                }
            }
            Self::Each(documents) => {
                documents.swap_remove(&(Arc::from(id), by));
                session.send(removed_frame(collection, id));
            }
            Self::Nothing => session.send(removed_frame(collection, id)),
        }
        Ok(())
    }

    /// A subscription ends.
    fn release(&mut self, by: Handle, session: &Arc<Session>, collection: &Arc<str>, muted: bool) {
        match self {
            Self::Merge(merge_box) => {
                merge_box.removed_all(by, &mut SessionFrames { session, collection, added: None, muted });
            }
            Self::Multi(documents) => documents.retain(|id, holders| {
                let held = holders.contains(&by);
                holders.retain(|holder| *holder != by);
                if held && holders.is_empty() && !muted {
                    session.send(removed_frame(collection, id));
                }
                !holders.is_empty()
            }),
            Self::Each(documents) => documents.retain(|(id, holder)| {
                if *holder == by {
                    session.send(removed_frame(collection, id));
                }
                *holder != by
            }),
            Self::Nothing => {}
        }
    }

    /// Sends what leads a client from one state to another.
    fn difference(before: &Self, after: &Self, session: &Arc<Session>, collection: &Arc<str>) {
        let mut frames = SessionFrames { session, collection, added: None, muted: false };
        match (before, after) {
            (Self::Merge(before), Self::Merge(after)) => MergeBox::difference(before, after, &mut frames),
            (Self::Multi(before), after) => {
                let none = IndexMap::new();
                let after = if let Self::Multi(after) = after { after } else { &none };
                difference_of_ids(before, after, &mut frames);
            }
            (_, Self::Multi(after)) => difference_of_ids(&IndexMap::new(), after, &mut frames),
            // These were sent as they came.
            (Self::Each(_) | Self::Nothing, _) | (_, Self::Each(_) | Self::Nothing) => {}
        }
    }
}

/// Fields of such documents are not known.
fn difference_of_ids(
    before: &IndexMap<Arc<str>, Handles>,
    after: &IndexMap<Arc<str>, Handles>,
    frames: &mut SessionFrames<'_>,
) {
    let no_fields = Arc::new(Fields::from_map(IndexMap::new()));
    for id in before.keys().filter(|id| !after.contains_key(*id)) {
        frames.removed(id);
    }
    for id in after.keys().filter(|id| !before.contains_key(*id)) {
        frames.added(id, &no_fields);
    }
}

fn send_changed(target: Target<'_>, id: &str, change: &SharedChange) {
    let cleared = change.unset.iter().map(|name| name.to_string()).collect();
    let difference = Difference { set: change.set.clone(), cleared };
    if !difference.is_empty() {
        target.session.send(changed_frame(target.collection, id, &difference));
    }
}
