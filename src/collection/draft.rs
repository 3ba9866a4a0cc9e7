//! [`Draft`]: what a transaction is about to write. The steps are made here, one after the other; those of a job that
//! fails are taken back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;

use super::catch_up::catch_up;
use super::core::CollectionCore;
use super::delivery::Delivery;
use super::document::Document;
use super::edit::{After, Edit, Outcome, Step};
use super::error::CollectionError;
use super::index::{Entries, MAX_ENTRIES};
use super::indexing::IndexJob;
use super::live::Change;
use super::storage::{Batch, DocumentWriter, Head, IndexKey, Page, StorageError, StoredChange};
use super::stored::{OpenIndex, Opened, document};

/// The maximum length of a key in an index, in bytes: with the id, an entry fits into an index of PostgreSQL.
const MAX_KEY_BYTES: usize = 1_600;

pub(super) struct Draft {
    collections: Vec<DraftOfCollection>,
    /// The documents that have a key of a unique index, as far as they are known.
    holders: HashMap<IndexKey, Option<Arc<str>>>,
    /// The entries of indexes that are being built.
    built: Vec<(IndexKey, String, u32)>,
}

struct DraftOfCollection {
    core: Arc<CollectionCore>,
    opened: Arc<Opened>,
    head: Head,
    /// The documents as they are after the steps so far. `None` for those that do not exist.
    documents: HashMap<String, Option<Arc<Document>>>,
    /// The documents that cannot be read. Steps that need them fail.
    unreadable: HashMap<String, CollectionError>,
    /// The documents that were changed, as they are in the store.
    before: IndexMap<String, Option<Arc<Document>>>,
    /// The changes, each with the place of its job.
    changes: Vec<(usize, Change)>,
}

/// What was known of the holder of a key.
enum Before {
    Unknown,
    Known(Option<Arc<str>>),
}

impl From<Option<Option<Arc<str>>>> for Before {
    fn from(known: Option<Option<Arc<str>>>) -> Self {
        known.map_or(Self::Unknown, Self::Known)
    }
}

/// The state before a job, to return to.
struct Mark {
    heads: Vec<Head>,
    changes: Vec<usize>,
    holders: Vec<(IndexKey, Before)>,
}

impl Draft {
    pub(super) async fn begin(
        opened: &[(Arc<CollectionCore>, Arc<Opened>)],
        writing: &mut dyn DocumentWriter,
    ) -> Result<Self, StorageError> {
        let mut collections = Vec::with_capacity(opened.len());
        for (core, opened) in opened {
            let head = writing.head(opened.number).await?;
            catch_up(core, opened, &mut *writing, head).await?;
            collections.push(DraftOfCollection {
                head,
                core: Arc::clone(core),
                opened: Arc::clone(opened),
                documents: HashMap::new(),
                unreadable: HashMap::new(),
                before: IndexMap::new(),
                changes: Vec::new(),
            });
        }
        Ok(Self { collections, holders: HashMap::new(), built: Vec::new() })
    }

    /// Reads the documents of all steps, and who has the unique keys of new documents.
    pub(super) async fn read(
        &mut self,
        steps: impl Iterator<Item = &(Arc<CollectionCore>, Step)>,
        writing: &mut dyn DocumentWriter,
    ) -> Result<(), StorageError> {
        let mut keys = Vec::new();
        for (core, step) in steps {
            let place = place_of(&self.collections, core);
            let collection = &mut self.collections[place];
            collection.documents.insert(step.id.clone(), None);
            if let Edit::Insert(object) | Edit::Put { object, .. } = &step.edit {
                let document = Document::new(step.id.as_str().into(), object.clone(), 0);
                // A document with too many entries is refused later.
                keys.extend(collection.unique_keys(&document).unwrap_or_default());
            }
        }
        for collection in &mut self.collections {
            let ids: Vec<String> = collection.documents.keys().cloned().collect();
            for stored in writing.documents(collection.opened.number, ids).await? {
                let id = stored.id.clone();
                match document(&collection.core, stored) {
                    Ok(found) => drop(collection.documents.insert(id, Some(found))),
                    Err(error) => drop(collection.unreadable.insert(id, error)),
                }
            }
        }
        self.find_holders(keys, writing).await
    }

    /// Makes the steps of a job, or none of them.
    ///
    /// # Errors
    /// The outer error is that of the store, which ends the transaction. The inner one is that of the job.
    pub(super) async fn make(
        &mut self,
        job: usize,
        steps: &[(Arc<CollectionCore>, Step)],
        writing: &mut dyn DocumentWriter,
    ) -> Result<Result<Vec<Outcome>, CollectionError>, StorageError> {
        let mut mark = Mark {
            heads: self.collections.iter().map(|collection| collection.head).collect(),
            changes: self.collections.iter().map(|collection| collection.changes.len()).collect(),
            holders: Vec::new(),
        };
        let mut outcomes = Vec::with_capacity(steps.len());
        for (core, step) in steps {
            match self.make_one(job, core, step, &mut mark, writing).await? {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    self.return_to(mark);
                    return Ok(Err(error));
                }
            }
        }
        Ok(Ok(outcomes))
    }

    /// Adds the entries of some documents to an index that is being built. Returns the id after which to continue.
    pub(super) async fn index(
        &mut self,
        job: &IndexJob,
        writing: &mut dyn DocumentWriter,
    ) -> Result<Result<Option<String>, CollectionError>, StorageError> {
        let place = place_of(&self.collections, &job.core);
        let (core, opened) = (Arc::clone(&job.core), Arc::clone(&self.collections[place].opened));
        let Some(open) = opened.indexes.get(job.index) else { return Ok(Ok(None)) };
        let page = Page {
            collection: opened.number,
            index: None,
            from: Vec::new(),
            to: Vec::new(),
            after: job.after.clone().map(|id| (Vec::new(), id)),
            is_reversed: false,
            limit: IndexJob::DOCUMENTS,
        };
        let found = writing.page(page).await?;
        let next = (found.len() == IndexJob::DOCUMENTS).then(|| found.last().map(|entry| entry.document.id.clone()));
        let (mut entries, mut unique) = (Vec::new(), Vec::new());
        for entry in found {
            let made = document(&core, entry.document).and_then(|document| {
                let of_index = entries_of(&core, open, &document)?;
                Ok((document, of_index))
            });
            let (document, of_index) = match made {
                Ok(made) => made,
                Err(error) => return Ok(Err(error)),
            };
            for key in open.index.unique_keys(&of_index) {
                unique.push((IndexKey { index: open.number, key: key.clone() }, document.id.to_string()));
            }
            entries.extend(
                of_index
                    .into_iter()
                    .map(|(key, elements)| (IndexKey { index: open.number, key }, document.id.to_string(), elements)),
            );
        }
        if let Some(error) = refused_as_not_unique(&core, open, unique, writing).await? {
            return Ok(Err(error));
        }
        self.built.append(&mut entries);
        Ok(Ok(next.flatten()))
    }

    /// Returns what the transaction writes.
    pub(super) fn batch(&mut self) -> Batch {
        let mut batch = Batch { added_entries: std::mem::take(&mut self.built), ..Batch::default() };
        for collection in &self.collections {
            if !collection.changes.is_empty() {
                batch.heads.push((collection.opened.number, collection.head));
                collection.add_to(&mut batch);
            }
        }
        batch
    }

    /// Queues the changes for the live queries, after they were stored. Returns what to deliver for each job.
    pub(super) fn publish(self, jobs: usize) -> Vec<Delivery> {
        let mut deliveries: Vec<Delivery> = (0..jobs).map(|_| Delivery::default()).collect();
        for collection in self.collections {
            if collection.changes.is_empty() {
                continue;
            }
            let core = &collection.core;
            {
                let state = core.state();
                for (job, change) in collection.changes {
                    let shown = match core.store().filter(|_| state.routes.len() > 0) {
                        Some(stored) => stored.share_new(change),
                        None => change,
                    };
                    deliveries[job].add(core, &state, &shown);
                }
            }
            if let Some(stored) = core.store() {
                stored.note_applied(collection.head.version);
            }
        }
        deliveries
    }

    async fn make_one(
        &mut self,
        job: usize,
        core: &Arc<CollectionCore>,
        step: &Step,
        mark: &mut Mark,
        writing: &mut dyn DocumentWriter,
    ) -> Result<Result<Outcome, CollectionError>, StorageError> {
        let place = place_of(&self.collections, core);
        let collection = &self.collections[place];
        if let Some(error) = collection.unreadable.get(&step.id) {
            return Ok(Err(error.clone()));
        }
        let old = collection.documents.get(&step.id).cloned().flatten();
        let after = match step.apply(core.name(), old.as_deref()) {
            Ok(after) => after,
            Err(error) => return Ok(Err(error)),
        };
        let outcome = after.outcome(old.as_deref());
        let version = collection.head.version + 1;
        let new = match after {
            After::Unmatched | After::Same => return Ok(Ok(outcome)),
            After::Removed => None,
            After::Stored(object) => Some(Arc::new(Document::new(step.id.as_str().into(), object, version))),
        };
        if let Err(error) = self.claim_keys(place, old.as_deref(), new.as_deref(), mark, writing).await? {
            return Ok(Err(error));
        }
        let change = Change { id: step.id.as_str().into(), old, new, version };
        self.collections[place].note(job, change);
        Ok(Ok(outcome))
    }

    /// Checks a new document, and moves the unique keys from the old one to it.
    async fn claim_keys(
        &mut self,
        place: usize,
        old: Option<&Document>,
        new: Option<&Document>,
        mark: &mut Mark,
        writing: &mut dyn DocumentWriter,
    ) -> Result<Result<(), CollectionError>, StorageError> {
        let collection = &self.collections[place];
        let checked =
            |document: Option<&Document>| document.map_or_else(|| Ok(Vec::new()), |it| collection.unique_keys(it));
        let keys = new.map_or(Ok(()), |new| collection.check(new)).and_then(|()| Ok((checked(old)?, checked(new)?)));
        let (old_keys, new_keys) = match keys {
            Ok(keys) => keys,
            Err(error) => return Ok(Err(error)),
        };
        let unknown = new_keys.iter().filter(|key| !self.holders.contains_key(*key)).cloned().collect();
        self.find_holders(unknown, writing).await?;
        for key in old_keys {
            mark.holders.push((key.clone(), self.holders.insert(key, None).into()));
        }
        let Some(new) = new else { return Ok(Ok(())) };
        for key in new_keys {
            let holder = self.holders.get(&key).cloned().flatten();
            if let Some(holder) = holder.filter(|holder| **holder != *new.id) {
                return Ok(Err(self.collections[place].not_unique(&key, &holder)));
            }
            mark.holders.push((key.clone(), self.holders.insert(key, Some(Arc::clone(&new.id))).into()));
        }
        Ok(Ok(()))
    }

    async fn find_holders(
        &mut self,
        keys: Vec<IndexKey>,
        writing: &mut dyn DocumentWriter,
    ) -> Result<(), StorageError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.holders.extend(keys.iter().map(|key| (key.clone(), None)));
        for (key, holder) in writing.holders(keys).await? {
            self.holders.insert(key, Some(holder.into()));
        }
        Ok(())
    }

    fn return_to(&mut self, mark: Mark) {
        for (key, before) in mark.holders.into_iter().rev() {
            match before {
                Before::Known(before) => drop(self.holders.insert(key, before)),
                Before::Unknown => drop(self.holders.remove(&key)),
            }
        }
        for ((collection, head), count) in self.collections.iter_mut().zip(mark.heads).zip(mark.changes) {
            collection.head = head;
            for (_, change) in collection.changes.drain(count..).rev() {
                collection.documents.insert(change.id.to_string(), change.old);
            }
        }
    }
}

impl DraftOfCollection {
    fn note(&mut self, job: usize, change: Change) {
        let size = |document: &Option<Arc<Document>>| {
            document.as_ref().map_or(0, |document| document.raw(self.core.name()).get().len() as u64)
        };
        let head = &mut self.head;
        head.version = change.version;
        head.documents = head.documents + u64::from(change.new.is_some()) - u64::from(change.old.is_some());
        head.bytes = (head.bytes + size(&change.new)).saturating_sub(size(&change.old));
        self.documents.insert(change.id.to_string(), change.new.clone());
        if !self.before.contains_key(&*change.id) {
            self.before.insert(change.id.to_string(), change.old.clone());
        }
        self.changes.push((job, change));
    }

    fn check(&self, document: &Document) -> Result<(), CollectionError> {
        self.core.check_size(document)?;
        self.opened.indexes.iter().try_for_each(|open| entries_of(&self.core, open, document).map(drop))
    }

    fn unique_keys(&self, document: &Document) -> Result<Vec<IndexKey>, CollectionError> {
        let mut keys = Vec::new();
        for open in self.opened.indexes.iter().filter(|open| open.is_enforced()) {
            let entries = entries_of(&self.core, open, document)?;
            let of_index = open.index.unique_keys(&entries);
            keys.extend(of_index.map(|key| IndexKey { index: open.number, key: key.clone() }));
        }
        Ok(keys)
    }

    fn not_unique(&self, key: &IndexKey, holder: &str) -> CollectionError {
        let open = self.opened.indexes.iter().find(|open| open.number == key.index);
        CollectionError::NotUnique {
            collection: self.core.name().to_owned(),
            index: open.map_or_else(String::new, |open| open.index.name()),
            holder: holder.to_owned(),
        }
    }

    /// Adds the differences between the store and the draft to a batch.
    fn add_to(&self, batch: &mut Batch) {
        for (id, before) in &self.before {
            let after = self.documents.get(id).cloned().flatten();
            if before.is_none() && after.is_none() {
                continue;
            }
            let fields = after.as_ref().map(|after| after.raw(self.core.name()).get().to_owned());
            let version = after.as_ref().map_or_else(|| self.removed_at(id), |after| after.version);
            batch.documents.push((self.opened.number, StoredChange { id: id.clone(), fields, version }));
            for open in self.opened.indexes.iter().chain(&self.opened.kept) {
                add_entries(batch, &self.core, open, id, before.as_deref(), after.as_deref());
            }
        }
    }

    /// Returns the number of the last change of a document.
    fn removed_at(&self, id: &str) -> u64 {
        let last = self.changes.iter().rev().find(|(_, change)| *change.id == *id);
        last.map_or(self.head.version, |(_, change)| change.version)
    }
}

fn add_entries(
    batch: &mut Batch,
    core: &CollectionCore,
    open: &OpenIndex,
    id: &str,
    before: Option<&Document>,
    after: Option<&Document>,
) {
    // Documents that were accepted do not have too many entries.
    let entries = |document: Option<&Document>| -> Entries {
        document.and_then(|document| entries_of(core, open, document).ok()).unwrap_or_default()
    };
    let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) = (entries(before), entries(after));
    let key = |key: &Vec<u8>| IndexKey { index: open.number, key: key.clone() };
    for (gone, _) in old.iter().filter(|(key, elements)| new.get(*key) != Some(*elements)) {
        batch.removed_entries.push((key(gone), id.to_owned()));
    }
    for (added, elements) in new.iter().filter(|(key, elements)| old.get(*key) != Some(*elements)) {
        batch.added_entries.push((key(added), id.to_owned(), *elements));
    }
}

fn entries_of(core: &CollectionCore, open: &OpenIndex, document: &Document) -> Result<Entries, CollectionError> {
    let too_large = |limit, maximum| CollectionError::TooLarge {
        collection: core.name().to_owned(),
        id: document.id.to_string(),
        limit,
        maximum,
    };
    let entries = open.index.entries(&document.id, &document.object);
    let entries = entries.map_err(|_too_many| too_large("index_entries", MAX_ENTRIES))?;
    if entries.keys().any(|key| key.len() > MAX_KEY_BYTES) {
        return Err(too_large("index_key_bytes", MAX_KEY_BYTES));
    }
    Ok(entries)
}

/// Returns the error for the first key of a page that two documents have.
async fn refused_as_not_unique(
    core: &CollectionCore,
    open: &OpenIndex,
    keys: Vec<(IndexKey, String)>,
    writing: &mut dyn DocumentWriter,
) -> Result<Option<CollectionError>, StorageError> {
    let mut owners: HashMap<IndexKey, String> = HashMap::new();
    if !keys.is_empty() {
        owners.extend(writing.holders(keys.iter().map(|(key, _)| key.clone()).collect()).await?);
    }
    for (key, id) in keys {
        let holder = owners.entry(key).or_insert_with(|| id.clone());
        if *holder != id {
            return Ok(Some(CollectionError::NotUnique {
                collection: core.name().to_owned(),
                index: open.index.name(),
                holder: format!("{holder}` and `{id}"),
            }));
        }
    }
    Ok(None)
}

fn place_of(collections: &[DraftOfCollection], core: &Arc<CollectionCore>) -> usize {
    collections.iter().position(|collection| Arc::ptr_eq(&collection.core, core)).unwrap_or_default()
}
