//! [`Memory`]: the documents of a collection in memory, with their indexes.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::access::KeyRange;
use super::document::Document;
use super::error::CollectionError;
use super::execution::{Found, Position, Reading};
use super::index::{Entries, Index, MAX_ENTRIES};

/// The documents by id, and the entries of the indexes.
#[derive(Default)]
pub(super) struct Memory {
    documents: BTreeMap<Arc<str>, Arc<Document>>,
    indexes: Vec<MemoryIndex>,
    /// The number of the last change.
    version: u64,
    /// The size of the documents' fields as EJSON text.
    bytes: u64,
}

struct MemoryIndex {
    index: Arc<Index>,
    entries: BTreeMap<(Box<[u8]>, Arc<str>), Entry>,
}

/// An entry of an index. It has the document, so that a query does not search for it by its id.
struct Entry {
    /// The fields whose value is an element of an array, as bits.
    elements: u32,
    document: Arc<Document>,
}

impl Memory {
    pub(super) fn len(&self) -> usize {
        self.documents.len()
    }

    /// Returns the size of the documents' fields as EJSON text, in bytes.
    #[cfg(feature = "accounts")]
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn get(&self, id: &str) -> Option<&Arc<Document>> {
        self.documents.get(id)
    }

    /// Returns the number of the last change.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// Returns the indexes, with their places in the declaration.
    pub(super) fn indexes(&self) -> impl Iterator<Item = (usize, &Index)> {
        self.indexes.iter().map(|index| &*index.index).enumerate()
    }

    pub(super) fn index(&self, place: usize) -> Option<&Arc<Index>> {
        self.indexes.get(place).map(|index| &index.index)
    }

    /// Returns the number of the next change.
    pub(super) fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Adds an index over the current and all later documents.
    ///
    /// # Errors
    /// Returns an error if a document does not fit into it.
    pub(super) fn add_index(&mut self, collection: &str, index: Arc<Index>) -> Result<(), CollectionError> {
        let mut added = MemoryIndex { index, entries: BTreeMap::new() };
        for document in self.documents.values() {
            let entries = added.entries_of(collection, document)?;
            added.check_unique(collection, document, &entries)?;
            added.add(document, entries);
        }
        self.indexes.push(added);
        Ok(())
    }

    /// Stores a document. Returns the one that it replaces.
    ///
    /// # Errors
    /// Returns an error, and stores nothing, if an index refuses the document.
    pub(super) fn put(
        &mut self,
        collection: &str,
        document: &Arc<Document>,
    ) -> Result<Option<Arc<Document>>, CollectionError> {
        let mut entries = Vec::with_capacity(self.indexes.len());
        for index in &self.indexes {
            let of_index = index.entries_of(collection, document)?;
            index.check_unique(collection, document, &of_index)?;
            entries.push(of_index);
        }
        self.bytes += document.text_bytes(collection);
        let old = self.documents.insert(Arc::clone(&document.id), Arc::clone(document));
        for (index, entries) in self.indexes.iter_mut().zip(entries) {
            if let Some(old) = &old {
                index.remove_except(old, &entries);
            }
            index.add(document, entries);
        }
        self.bytes -= old.as_ref().map_or(0, |old| old.text_bytes(collection));
        Ok(old)
    }

    /// Removes a document, and returns it.
    pub(super) fn take(&mut self, collection: &str, id: &str) -> Option<Arc<Document>> {
        let old = self.documents.remove(id)?;
        self.bytes -= old.text_bytes(collection);
        self.indexes.iter_mut().for_each(|index| index.remove_except(&old, &Entries::default()));
        Some(old)
    }

    /// Returns documents in the order of their ids or of an index.
    pub(super) fn read(&self, reading: &Reading) -> Vec<Found> {
        match reading {
            Reading::Ids(ids) => ids.iter().filter_map(|id| self.documents.get(id.as_str())).map(Found::of).collect(),
            Reading::All(position) => self.read_all(position),
            Reading::Index { index, range, position } => self.indexes[*index].read(range, position),
        }
    }

    fn read_all(&self, Position { after, is_reversed, limit }: &Position) -> Vec<Found> {
        let after = after.as_ref().map(|(_, id)| Arc::clone(id));
        let (start, end) = bounds(*is_reversed, Bound::Unbounded, Bound::Unbounded, after);
        let documents = self.documents.range::<Arc<str>, _>((start, end)).map(|(_, document)| Found::of(document));
        if *is_reversed { documents.rev().take(*limit).collect() } else { documents.take(*limit).collect() }
    }
}

impl MemoryIndex {
    fn entries_of(&self, collection: &str, document: &Document) -> Result<Entries, CollectionError> {
        self.index.entries(&document.id, &document.object).map_err(|_too_many| CollectionError::TooLarge {
            collection: collection.to_owned(),
            id: document.id.to_string(),
            limit: "index_entries",
            maximum: MAX_ENTRIES,
        })
    }

    fn check_unique(&self, collection: &str, document: &Document, entries: &Entries) -> Result<(), CollectionError> {
        for key in self.index.unique_keys(entries) {
            let holders = self.entries.range((key.clone().into_boxed_slice(), Arc::from(""))..);
            let same_key = holders.take_while(|((other, _), _)| **other == **key);
            if let Some(((_, holder), _)) = same_key.into_iter().find(|((_, id), _)| *id != document.id) {
                return Err(CollectionError::NotUnique {
                    collection: collection.to_owned(),
                    index: self.index.name(),
                    holder: holder.to_string(),
                });
            }
        }
        Ok(())
    }

    fn add(&mut self, document: &Arc<Document>, entries: Entries) {
        for (key, elements) in entries {
            let entry = Entry { elements, document: Arc::clone(document) };
            self.entries.insert((key.into(), Arc::clone(&document.id)), entry);
        }
    }

    /// Removes the entries of a document, except those that will be replaced by others with the same key.
    fn remove_except(&mut self, document: &Document, replaced: &Entries) {
        // The document was accepted, so it does not have too many.
        for key in self.index.entries(&document.id, &document.object).unwrap_or_default().into_keys() {
            if !replaced.contains_key(&key) {
                self.entries.remove(&(key.into(), Arc::clone(&document.id)));
            }
        }
    }

    fn read(&self, range: &KeyRange, Position { after, is_reversed, limit }: &Position) -> Vec<Found> {
        let first = || Arc::from("");
        let from = Bound::Included((range.from.clone().into_boxed_slice(), first()));
        let to = match range.to.as_slice() {
            [] => Bound::Unbounded,
            to => Bound::Excluded((to.into(), first())),
        };
        let after = after.as_ref().map(|(key, id)| (key.clone().into_boxed_slice(), Arc::clone(id)));
        let (start, end) = bounds(*is_reversed, from, to, after);
        if is_empty(&start, &end) {
            return Vec::new();
        }
        let entries = self.entries.range((start, end)).map(|((key, _), Entry { elements, document })| Found {
            key: key.to_vec(),
            elements: *elements,
            document: Arc::clone(document),
        });
        if *is_reversed { entries.rev().take(*limit).collect() } else { entries.take(*limit).collect() }
    }
}

/// Returns the bounds of what follows `after` in the direction of reading.
fn bounds<Key>(is_reversed: bool, from: Bound<Key>, to: Bound<Key>, after: Option<Key>) -> (Bound<Key>, Bound<Key>) {
    match (after, is_reversed) {
        (None, _) => (from, to),
        (Some(after), false) => (Bound::Excluded(after), to),
        (Some(after), true) => (from, Bound::Excluded(after)),
    }
}

/// Returns whether no key is between the bounds. `BTreeMap` panics for some of these.
fn is_empty<Key: Ord>(start: &Bound<Key>, end: &Bound<Key>) -> bool {
    match (start, end) {
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => start >= end,
        _ => false,
    }
}
