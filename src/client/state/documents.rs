//! [`Documents`]: the local copy of the documents that the server has published, and the streams that watch it.
//!
//! After a reconnection with a new session the server publishes everything again. The old copy stays visible, and the
//! new one is filled, until the subscriptions that were ready are ready again. Then the streams get the differences.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bolide_protocol::{DocumentId, RawJson};

use super::feed::{Feed, Feeds};
use crate::client::change::Change;
use crate::client::document::{Document, Fields};

/// Documents by id, as DDP writes it.
type Collection = BTreeMap<String, Document>;

#[derive(Debug)]
pub(in crate::client) struct Documents {
    shown: Cache,
    new_copy: Option<NewCopy>,
    feeds: Feeds,
    changes_limit: usize,
    limit: usize,
}

#[derive(Debug, Default)]
struct Cache {
    collections: BTreeMap<String, Collection>,
    count: usize,
}

/// The copy of a new session, which is not visible yet.
#[derive(Debug)]
struct NewCopy {
    cache: Cache,
    /// The subscriptions that were ready and are not ready again.
    awaited: HashSet<u64>,
}

/// The server has sent more documents than this limit.
#[derive(Debug)]
pub(in crate::client) struct TooManyDocuments(pub(in crate::client) usize);

impl Documents {
    pub(super) fn new(changes_limit: usize, limit: usize) -> Self {
        let (shown, feeds) = (Cache::default(), Feeds::default());
        Self { shown, new_copy: None, feeds, changes_limit, limit }
    }

    // What users see.

    pub(in crate::client) fn get(&self, collection: &str, id: &str) -> Option<Document> {
        self.shown.collections.get(collection)?.get(id).cloned()
    }

    pub(in crate::client) fn all(&self, collection: &str) -> Vec<Document> {
        self.shown.collections.get(collection).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    pub(in crate::client) fn collections(&self) -> Vec<String> {
        self.shown.collections.keys().cloned().collect()
    }

    /// Fills a new stream and keeps it up to date.
    pub(in crate::client) fn watch(&mut self, feed: &Arc<Feed>) {
        feed.fill(None, self.shown.as_changes());
        self.feeds.add(feed);
    }

    /// Fills a stream that has overflowed.
    pub(in crate::client) fn refill(&self, feed: &Feed) {
        feed.fill(Some(Change::Reset), self.shown.as_changes());
    }

    pub(super) fn end(&mut self) {
        self.feeds.end();
    }

    // Messages of the server.

    pub(super) fn added(
        &mut self,
        collection: String,
        id: String,
        fields: Option<&RawJson>,
    ) -> Result<(), TooManyDocuments> {
        let (Ok(document_id), Some(fields)) = (DocumentId::from_wire(&id), read_fields(fields)) else { return Ok(()) };
        let limit = self.limit;
        let document = Document::new(document_id, fields);
        let cache = self.cache();
        let is_new = cache.insert(&collection, id, document.clone());
        if cache.count > limit {
            return Err(TooManyDocuments(limit));
        }
        if is_new {
            self.tell(&Change::Added { collection, document });
        } else {
            // Publications without a merge box send a document twice.
            let (id, fields) = (document.id().clone(), document.fields().clone());
            self.tell(&Change::Changed { collection, id, fields, cleared: Vec::new() });
        }
        Ok(())
    }

    pub(super) fn changed(&mut self, collection: String, id: &str, fields: Option<&RawJson>, cleared: Vec<String>) {
        let (Ok(document_id), Some(fields)) = (DocumentId::from_wire(id), read_fields(fields)) else { return };
        let known = self.cache().document(&collection, id);
        let is_known = known.is_some();
        if let Some(document) = known {
            document.change(&fields, &cleared);
        }
        let change = Change::Changed { collection, id: document_id, fields, cleared };
        if is_known {
            self.tell(&change);
        } else {
            // A message of a stream: it is not kept as a document, and is passed on at once.
            self.feeds.push(&change, self.changes_limit);
        }
    }

    pub(super) fn removed(&mut self, collection: String, id: &str) {
        let Ok(document_id) = DocumentId::from_wire(id) else { return };
        if self.cache().remove(&collection, id) {
            self.tell(&Change::Removed { collection, id: document_id });
        }
    }

    /// Returns the copy that the server writes to.
    fn cache(&mut self) -> &mut Cache {
        self.new_copy.as_mut().map_or(&mut self.shown, |copy| &mut copy.cache)
    }

    /// Passes a change to the streams, unless its copy is not visible yet.
    fn tell(&mut self, change: &Change) {
        if self.new_copy.is_none() {
            self.feeds.push(change, self.changes_limit);
        }
    }

    // A new session.

    /// Starts a new copy, since the server publishes everything again. The old one stays visible until the
    /// subscriptions `awaited` are ready.
    pub(super) fn start_new_copy(&mut self, awaited: HashSet<u64>) {
        self.new_copy = Some(NewCopy { cache: Cache::default(), awaited });
    }

    /// Handles that a subscription is ready or has ended.
    pub(super) fn stop_awaiting(&mut self, subscription: u64) {
        if let Some(copy) = &mut self.new_copy {
            copy.awaited.remove(&subscription);
        }
    }

    /// Makes the new copy visible, if no subscription is awaited.
    pub(super) fn show_complete_copy(&mut self) {
        let Some(complete) = self.new_copy.take_if(|copy| copy.awaited.is_empty()) else { return };
        let before = std::mem::replace(&mut self.shown, complete.cache);
        if self.feeds.is_empty() {
            return;
        }
        for change in differences(&before, &self.shown) {
            self.feeds.push(&change, self.changes_limit);
        }
    }
}

impl Cache {
    /// Returns whether it was new.
    fn insert(&mut self, collection: &str, id: String, document: Document) -> bool {
        let documents = match self.collections.get_mut(collection) {
            Some(documents) => documents,
            None => self.collections.entry(collection.to_owned()).or_default(),
        };
        let is_new = documents.insert(id, document).is_none();
        self.count += usize::from(is_new);
        is_new
    }

    /// Returns whether it existed.
    fn remove(&mut self, collection: &str, id: &str) -> bool {
        let Some(documents) = self.collections.get_mut(collection) else { return false };
        let was_there = documents.remove(id).is_some();
        self.count -= usize::from(was_there);
        if documents.is_empty() {
            self.collections.remove(collection);
        }
        was_there
    }

    fn document(&mut self, collection: &str, id: &str) -> Option<&mut Document> {
        self.collections.get_mut(collection)?.get_mut(id)
    }

    fn find(&self, collection: &str, id: &str) -> Option<&Document> {
        self.collections.get(collection)?.get(id)
    }

    fn documents(&self) -> impl Iterator<Item = (&str, &str, &Document)> {
        self.collections.iter().flat_map(|(collection, documents)| {
            documents.iter().map(|(id, document)| (collection.as_str(), id.as_str(), document))
        })
    }

    fn as_changes(&self) -> impl Iterator<Item = Change> {
        self.documents().map(|(collection, _, document)| added(collection, document))
    }
}

/// Returns the changes that turn one copy into another.
fn differences(before: &Cache, now: &Cache) -> Vec<Change> {
    let gone = before.documents().filter(|(collection, id, _)| now.find(collection, id).is_none());
    let gone = gone.map(|(collection, _, document)| Change::Removed {
        collection: collection.to_owned(),
        id: document.id().clone(),
    });
    let there = now.documents().filter_map(|(collection, id, document)| match before.find(collection, id) {
        None => Some(added(collection, document)),
        Some(old) => difference(collection, old, document),
    });
    gone.chain(there).collect()
}

fn difference(collection: &str, old: &Document, new: &Document) -> Option<Change> {
    let different = new.fields().iter().filter(|(name, value)| old.fields().get(*name) != Some(*value));
    let fields: Fields = different.map(|(name, value)| (name.clone(), value.clone())).collect();
    let cleared = old.fields().keys().filter(|name| !new.fields().contains_key(*name));
    let cleared: Vec<String> = cleared.cloned().collect();
    let is_the_same = fields.is_empty() && cleared.is_empty();
    let (collection, id) = (collection.to_owned(), new.id().clone());
    (!is_the_same).then_some(Change::Changed { collection, id, fields, cleared })
}

fn added(collection: &str, document: &Document) -> Change {
    Change::Added { collection: collection.to_owned(), document: document.clone() }
}

/// Returns `None` if `fields` is not an object.
fn read_fields(fields: Option<&RawJson>) -> Option<Fields> {
    match fields {
        None => Some(Fields::new()),
        Some(fields) => serde_json::from_str(fields.get()).ok(),
    }
}
