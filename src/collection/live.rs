//! [`LiveResult`]: the result of a query that is published, kept once for all sessions that watch it.

use std::borrow::Cow;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::document::{Document, Documents, Shown};
use super::plan::Plan;
use crate::outbox;
use crate::publication::{Handle, Handles, Hasher, SharedChange, SubscriptionCore};

/// The maximum number of initial documents that are sent in one step.
const DOCUMENTS_AT_ONCE: usize = 256;

/// The result of a live query, with the sessions that watch it.
pub(super) struct LiveResult {
    plan: Arc<Plan>,
    collection: Arc<str>,
    shown: IndexMap<Arc<str>, Shown>,
    /// The sessions, by the address of their recipient.
    watchers: IndexMap<usize, Watcher>,
}

/// A session and its subscriptions to the query.
struct Watcher {
    first: SubscriptionCore,
    handles: Handles,
    starting: Vec<Starting>,
}

/// A subscription that has not received all initial documents.
struct Starting {
    handle: Handle,
    /// The ids of the initial documents that are not sent yet, the next one last. Changes of these documents are not
    /// sent.
    missing: IndexSet<Arc<str>, Hasher>,
}

/// What one step has sent of the initial documents.
pub(super) struct SentSome {
    pub(super) documents: usize,
    /// Whether no more are missing.
    pub(super) is_all: bool,
}

impl SentSome {
    pub(super) const NOTHING_LEFT: Self = Self { documents: 0, is_all: true };
}

impl LiveResult {
    pub(super) fn new(collection: &Arc<str>, plan: &Arc<Plan>, documents: &Documents) -> Self {
        let selected = plan.select(documents).into_iter();
        let shown = selected.map(|(id, document)| (Arc::clone(id), plan.show(collection, id, document))).collect();
        Self { plan: Arc::clone(plan), collection: Arc::clone(collection), shown, watchers: IndexMap::new() }
    }

    /// Adds a subscription. Returns the number of documents that it has to be sent.
    pub(super) fn watch(&mut self, subscription: &SubscriptionCore) -> usize {
        let new = || Watcher { first: subscription.clone(), handles: Handles::new(), starting: Vec::new() };
        let watcher = self.watchers.entry(key(subscription)).or_insert_with(new);
        let handle = subscription.handle();
        watcher.handles.push(handle);
        watcher.starting.push(Starting { handle, missing: self.shown.keys().rev().cloned().collect() });
        self.shown.len()
    }

    /// Removes a subscription. Returns whether it was the last one.
    pub(super) fn unwatch(&mut self, subscription: &SubscriptionCore) -> bool {
        let key = key(subscription);
        if let Some(watcher) = self.watchers.get_mut(&key) {
            watcher.handles.retain(|handle| *handle != subscription.handle());
            watcher.starting.retain(|starting| starting.handle != subscription.handle());
            if watcher.handles.is_empty() {
                self.watchers.swap_remove(&key);
            }
        }
        self.watchers.is_empty()
    }

    /// Sends some of the missing initial documents to a subscription.
    pub(super) fn send_some(&mut self, subscription: &SubscriptionCore) -> SentSome {
        let Some(watcher) = self.watchers.get_mut(&key(subscription)) else { return SentSome::NOTHING_LEFT };
        let of_this = |starting: &Starting| starting.handle == subscription.handle();
        let Some(place) = watcher.starting.iter().position(of_this) else { return SentSome::NOTHING_LEFT };
        let missing = &mut watcher.starting[place].missing;
        let before = missing.len();
        subscription.with_target(&self.collection, |views, target| {
            for id in std::iter::from_fn(|| missing.pop()).take(DOCUMENTS_AT_ONCE) {
                if let Some(shown) = self.shown.get(&id) {
                    views.added(target, subscription.handle(), &id, &shown.fields, Some(&shown.frame));
                }
                if subscription.recipient().outbox().is_congested() {
                    break;
                }
            }
        });
        let sent = SentSome { documents: before - missing.len(), is_all: missing.is_empty() };
        if sent.is_all {
            watcher.starting.swap_remove(place);
        }
        sent
    }

    /// Updates the result after a document was added or changed.
    pub(super) fn stored(&mut self, id: &Arc<str>, old: Option<&Document>, new: &Document, all: &Documents) {
        let matches = self.plan.matches(id, new);
        if self.plan.is_window() {
            if matches || old.is_some_and(|old| self.plan.matches(id, old)) {
                self.select_again(id, all);
            }
        } else if matches {
            self.show(id, self.plan.show(&self.collection, id, new));
        } else if self.shown.contains_key(id) {
            self.hide(id);
        }
    }

    pub(super) fn removed(&mut self, id: &str, old: &Document, all: &Documents) {
        if self.plan.is_window() {
            if self.plan.matches(id, old) {
                self.select_again(id, all);
            }
        } else if self.shown.contains_key(id) {
            self.hide(id);
        }
    }

    /// Selects the documents of a window again. Removes documents first, so that no client ever has more than the
    /// limit.
    fn select_again(&mut self, changed: &str, documents: &Documents) {
        let selected: IndexMap<_, _> = self.plan.select(documents).into_iter().collect();
        let gone: Vec<_> = self.shown.keys().filter(|id| !selected.contains_key(*id)).cloned().collect();
        for id in gone {
            self.hide(&id);
        }
        for (id, document) in selected {
            if **id == *changed || !self.shown.contains_key(id) {
                self.show(id, self.plan.show(&self.collection, id, document));
            }
        }
    }

    fn show(&mut self, id: &Arc<str>, new: Shown) {
        let Some(shown) = self.shown.get_mut(id) else {
            self.shown.insert(Arc::clone(id), new.clone());
            return self.tell_added(id, &new);
        };
        if shown.fields.is_same_text(&new.fields) {
            return;
        }
        let change = SharedChange::to(&shown.fields, &new.fields);
        *shown = new;
        self.tell_changed(id, &change);
    }

    fn hide(&mut self, id: &str) {
        self.shown.swap_remove(id);
        self.tell_removed(id);
    }

    fn tell_added(&self, id: &Arc<str>, new: &Shown) {
        for (place, watcher) in self.watchers.values().enumerate() {
            outbox::in_turn(place, || {
                watcher.first.with_target(&self.collection, |views, target| {
                    for handle in &watcher.handles {
                        views.added(target, *handle, id, &new.fields, Some(&new.frame));
                    }
                });
            });
        }
    }

    fn tell_changed(&self, id: &str, change: &SharedChange) {
        for (place, watcher) in self.watchers.values().enumerate() {
            let told = watcher.who_has(id);
            outbox::in_turn(place, || {
                watcher.first.with_target(&self.collection, |views, target| {
                    // A publication may have taken the document back by hand.
                    let _not_held = views.changed(target, &told, id, change);
                });
            });
        }
    }

    fn tell_removed(&mut self, id: &str) {
        for (place, watcher) in self.watchers.values_mut().enumerate() {
            let told = watcher.who_has(id);
            outbox::in_turn(place, || {
                watcher.first.with_target(&self.collection, |views, target| {
                    for handle in told.iter() {
                        // A publication may have taken the document back by hand.
                        let _not_held = views.removed(target, *handle, id);
                    }
                });
            });
            for starting in &mut watcher.starting {
                starting.missing.shift_remove(id);
            }
        }
    }
}

impl Watcher {
    /// Returns the subscriptions that have received a document of the result.
    fn who_has(&self, id: &str) -> Cow<'_, [Handle]> {
        let misses = |handle: Handle| {
            self.starting.iter().any(|starting| starting.handle == handle && starting.missing.contains(id))
        };
        if self.starting.is_empty() {
            return Cow::Borrowed(&self.handles);
        }
        self.handles.iter().copied().filter(|handle| !misses(*handle)).collect()
    }
}

fn key(subscription: &SubscriptionCore) -> usize {
    Arc::as_ptr(subscription.recipient()).addr()
}
