//! [`Watcher`]: a session that watches a live query, and the initial documents that it still has to be sent.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::publication::{Handle, Handles, SharedSeed, SubscriptionCore};

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

/// The initial documents that are not sent yet. Changes of these documents are not sent.
///
/// They are sent in the order of their numbers. So a document is missing if its number is at least the next one, unless the
/// subscription was told of it when it came.
#[derive(Default)]
pub(super) struct Missing {
    /// Some of these may have left the result.
    order: VecDeque<(DocumentNumber, Arc<str>)>,
    next: DocumentNumber,
    told: HashSet<DocumentNumber, SharedSeed>,
}

/// The number of a document in a result, in the order in which they came into it. A document that leaves and comes again
/// has another number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DocumentNumber(pub(super) u64);

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

    /// Adds a subscription, which has to be sent these documents.
    pub(super) fn add(&mut self, handle: Handle, documents: impl Iterator<Item = (DocumentNumber, Arc<str>)>) {
        self.handles.push(handle);
        self.starting.push(Starting { handle, missing: Missing::of(documents.collect()) });
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

    /// Returns whether documents may be sent to a subscription now.
    pub(super) fn misses_any(&self, handle: Handle) -> bool {
        let of_handle = self.starting.iter().find(|starting| starting.handle == handle);
        of_handle.is_none_or(|starting| !starting.missing.order.is_empty())
    }

    /// Notes that a subscription has received all initial documents.
    pub(super) fn has_started(&mut self, handle: Handle) {
        self.starting.retain(|starting| starting.handle != handle);
    }

    /// Adds the newest document to those that each starting subscription has to be sent.
    pub(super) fn miss(&mut self, number: DocumentNumber, id: &Arc<str>) {
        self.starting.iter_mut().for_each(|starting| starting.missing.order.push_back((number, Arc::clone(id))));
    }

    /// Notes that all subscriptions were told of a document when it came into the result.
    pub(super) fn note_told(&mut self, number: DocumentNumber) {
        for starting in &mut self.starting {
            starting.missing.told.insert(number);
        }
    }

    /// Notes that a document has left the result.
    pub(super) fn forget(&mut self, number: DocumentNumber) {
        for starting in &mut self.starting {
            starting.missing.told.remove(&number);
        }
    }

    /// Returns the subscriptions that have received a document of the result.
    pub(super) fn who_has(&self, number: DocumentNumber) -> Cow<'_, [Handle]> {
        let misses = |handle: Handle| {
            self.starting.iter().any(|starting| starting.handle == handle && starting.missing.contains(number))
        };
        if self.starting.is_empty() {
            return Cow::Borrowed(&self.handles);
        }
        self.handles.iter().copied().filter(|handle| !misses(*handle)).collect()
    }
}

impl Missing {
    fn of(mut documents: Vec<(DocumentNumber, Arc<str>)>) -> Self {
        documents.sort_unstable_by_key(|(number, _)| *number);
        Self { order: documents.into(), ..Self::default() }
    }

    fn contains(&self, number: DocumentNumber) -> bool {
        number >= self.next && !self.told.contains(&number)
    }

    /// Takes the next document.
    pub(super) fn next(&mut self) -> Option<(DocumentNumber, Arc<str>)> {
        let (number, id) = self.order.pop_front()?;
        self.next = DocumentNumber(number.0 + 1);
        Some((number, id))
    }
}
