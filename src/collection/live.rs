//! [`LiveQuery`]: a query as a publication sends it. Its result is kept once for all sessions that watch it.

use std::sync::Arc;

use indexmap::IndexMap;

use super::core::Documents;
use super::document::{Document, Shown};
use super::query::{Plan, Query};
use crate::method::{MethodError, MethodResult};
use crate::publication::{Handles, SharedChange, SubscriptionCore};

/// How many documents are sent before others get their turn, and before it is asked whether the client keeps up.
const DOCUMENTS_AT_ONCE: usize = 256;

/// A [`Query`] that is about to be published.
#[derive(Clone, Debug)]
pub struct LiveQuery(Query);

impl From<Query> for LiveQuery {
    fn from(query: Query) -> Self {
        Self(query)
    }
}

impl LiveQuery {
    /// Sends a subscription the documents, and from now on their changes.
    pub(crate) async fn attach(self, subscription: &SubscriptionCore) -> MethodResult<()> {
        let Query { core, .. } = &self.0;
        let plan = self.0.plan();
        if !subscription.session().views().claim(subscription.handle(), core.name()) {
            return Err(MethodError::internal(format!(
                "a publication can publish one query of the collection `{}`, not two",
                core.name()
            )));
        }
        let ids = core.watch(plan, subscription);
        self.unwatch_at_end(subscription);
        // A change that comes in between is told at once; a document that is sent twice changes nothing.
        for ids in ids.chunks(DOCUMENTS_AT_ONCE) {
            core.send(plan, ids, subscription);
            subscription.session().outbox().room().await;
        }
        Ok(())
    }

    fn unwatch_at_end(&self, subscription: &SubscriptionCore) {
        let Query { core, .. } = &self.0;
        let (core, plan, watcher) = (Arc::clone(core), self.0.plan().clone(), subscription.clone());
        subscription.on_stop(Box::new(move || core.unwatch(&plan, &watcher)));
    }
}

/// The result of a query that is watched.
pub(super) struct LiveResult {
    plan: Plan,
    collection: Arc<str>,
    shown: IndexMap<Arc<str>, Shown>,
    /// By session.
    watchers: IndexMap<usize, Watcher>,
}

/// A session with its subscriptions to one query.
struct Watcher {
    first: SubscriptionCore,
    handles: Handles,
}

impl LiveResult {
    pub(super) fn new(collection: &Arc<str>, plan: Plan, documents: &Documents) -> Self {
        let shown = select(&plan, collection, documents);
        Self { plan, collection: Arc::clone(collection), shown, watchers: IndexMap::new() }
    }

    pub(super) fn ids(&self) -> Vec<Arc<str>> {
        self.shown.keys().cloned().collect()
    }

    pub(super) fn watch(&mut self, subscription: &SubscriptionCore) {
        let new = || Watcher { first: subscription.clone(), handles: Handles::new() };
        self.watchers.entry(key(subscription)).or_insert_with(new).handles.push(subscription.handle());
    }

    /// Says whether nobody watches any more.
    pub(super) fn unwatch(&mut self, subscription: &SubscriptionCore) -> bool {
        let key = key(subscription);
        if let Some(watcher) = self.watchers.get_mut(&key) {
            watcher.handles.retain(|handle| *handle != subscription.handle());
            if watcher.handles.is_empty() {
                self.watchers.swap_remove(&key);
            }
        }
        self.watchers.is_empty()
    }

    pub(super) fn send(&self, ids: &[Arc<str>], subscription: &SubscriptionCore) {
        subscription.with_target(&self.collection, |views, target| {
            for (id, shown) in ids.iter().filter_map(|id| self.shown.get_key_value(id)) {
                views.added(target, subscription.handle(), id, &shown.fields, Some(&shown.frame));
            }
        });
    }

    pub(super) fn stored(&mut self, collection: &Arc<str>, id: &Arc<str>, document: &Document, all: &Documents) {
        if self.plan.is_window() {
            return self.select_again(collection, all);
        }
        match (self.shown.contains_key(id), self.plan.matches(&document.object)) {
            (_, true) => self.show(id, self.plan.show(collection, id, document)),
            (true, false) => self.hide(id),
            (false, false) => {}
        }
    }

    pub(super) fn removed(&mut self, collection: &Arc<str>, id: &str, all: &Documents) {
        if self.plan.is_window() {
            return self.select_again(collection, all);
        }
        if self.shown.contains_key(id) {
            self.hide(id);
        }
    }

    /// A window moves: what leaves it goes first, so that nobody ever shows more than the limit.
    fn select_again(&mut self, collection: &Arc<str>, documents: &Documents) {
        let selected = select(&self.plan, collection, documents);
        let gone: Vec<_> = self.shown.keys().filter(|id| !selected.contains_key(*id)).cloned().collect();
        for id in gone {
            self.hide(&id);
        }
        for (id, shown) in selected {
            self.show(&id, shown);
        }
    }

    fn show(&mut self, id: &Arc<str>, new: Shown) {
        let old = self.shown.insert(Arc::clone(id), new.clone());
        let Some(old) = old else {
            return self.tell(|views, target, handles| {
                for handle in handles {
                    views.added(target, *handle, id, &new.fields, Some(&new.frame));
                }
            });
        };
        if old.fields.is_same_text(&new.fields) {
            return;
        }
        let change = SharedChange::to(&old.fields, &new.fields);
        self.tell(|views, target, handles| {
            // A session that has not been sent the document yet will be sent the new one.
            let _not_yet = views.changed(target, handles, id, &change);
        });
    }

    fn hide(&mut self, id: &str) {
        self.shown.shift_remove(id);
        self.tell(|views, target, handles| {
            for handle in handles {
                // A session that has not been sent the document yet will not be.
                let _not_yet = views.removed(target, *handle, id);
            }
        });
    }

    fn tell(
        &self,
        mut tell: impl FnMut(&mut crate::publication::Views, crate::publication::Target<'_>, &Handles),
    ) {
        for watcher in self.watchers.values() {
            watcher.first.with_target(&self.collection, |views, target| tell(views, target, &watcher.handles));
        }
    }
}

fn select(plan: &Plan, collection: &str, documents: &Documents) -> IndexMap<Arc<str>, Shown> {
    let selected = plan.select(documents.iter());
    selected.into_iter().map(|(id, document)| (Arc::clone(id), plan.show(collection, id, document))).collect()
}

fn key(subscription: &SubscriptionCore) -> usize {
    Arc::as_ptr(subscription.session()).addr()
}
