//! [`Watcher`]: a session that watches a live query, and the initial documents that it still has to be sent.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::publication::{Handle, Handles, Hasher, SubscriptionCore};

/// A session and its subscriptions to the query.
pub(super) struct Watcher {
    pub(super) first: SubscriptionCore,
    pub(super) handles: Handles,
    starting: Vec<Starting>,
}

/// A subscription that has not received all initial documents.
struct Starting {
    handle: Handle,
    missing: Missing,
}

/// The ids of the initial documents that are not sent yet, in order. Changes of these documents are not sent.
#[derive(Default)]
pub(super) struct Missing {
    order: VecDeque<Arc<str>>,
    /// The ids that are missing indeed; the order may have more.
    ids: HashSet<Arc<str>, Hasher>,
}

/// What one step has sent of the initial documents.
pub(in super::super) struct SentSome {
    pub(in super::super) documents: usize,
    /// Whether no more are missing.
    pub(in super::super) is_all: bool,
}

impl SentSome {
    pub(in super::super) const NOTHING_LEFT: Self = Self { documents: 0, is_all: true };
}

impl Watcher {
    pub(super) fn new(first: SubscriptionCore) -> Self {
        Self { first, handles: Handles::new(), starting: Vec::new() }
    }

    pub(super) fn add(&mut self, handle: Handle, missing: impl Iterator<Item = Arc<str>>) {
        self.handles.push(handle);
        let mut starting = Starting { handle, missing: Missing::default() };
        missing.for_each(|id| starting.missing.add(id));
        self.starting.push(starting);
    }

    /// Removes a subscription. Returns whether it was the last one of the session.
    pub(super) fn remove(&mut self, handle: Handle) -> bool {
        self.handles.retain(|other| *other != handle);
        self.starting.retain(|starting| starting.handle != handle);
        self.handles.is_empty()
    }

    pub(super) fn missing_of(&mut self, handle: Handle) -> Option<&mut Missing> {
        self.starting.iter_mut().find(|starting| starting.handle == handle).map(|starting| &mut starting.missing)
    }

    /// Returns whether documents can be sent to a subscription now.
    pub(super) fn misses_any(&self, handle: Handle) -> bool {
        let of_handle = self.starting.iter().find(|starting| starting.handle == handle);
        of_handle.is_none_or(|starting| !starting.missing.ids.is_empty())
    }

    /// Notes that a subscription has received all initial documents.
    pub(super) fn has_started(&mut self, handle: Handle) {
        self.starting.retain(|starting| starting.handle != handle);
    }

    /// Adds a document to those that each starting subscription has to be sent.
    pub(super) fn miss(&mut self, id: &Arc<str>) {
        self.starting.iter_mut().for_each(|starting| starting.missing.add(Arc::clone(id)));
    }

    /// Notes that a document has left the result.
    pub(super) fn forget(&mut self, id: &str) {
        for starting in &mut self.starting {
            starting.missing.ids.remove(id);
        }
    }

    /// Returns the subscriptions that have received a document of the result.
    pub(super) fn who_has(&self, id: &str) -> Cow<'_, [Handle]> {
        let misses = |handle: Handle| {
            self.starting.iter().any(|starting| starting.handle == handle && starting.missing.ids.contains(id))
        };
        if self.starting.is_empty() {
            return Cow::Borrowed(&self.handles);
        }
        self.handles.iter().copied().filter(|handle| !misses(*handle)).collect()
    }
}

impl Missing {
    fn add(&mut self, id: Arc<str>) {
        if self.ids.insert(Arc::clone(&id)) {
            self.order.push_back(id);
        }
    }

    /// Takes the id of the next missing document.
    pub(super) fn next(&mut self) -> Option<Arc<str>> {
        while let Some(id) = self.order.pop_front() {
            if self.ids.remove(&id) {
                return Some(id);
            }
        }
        None
    }
}
