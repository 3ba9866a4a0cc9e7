//! [`SharedDocuments`]: the documents of a stored collection that live queries hold. Queries which show the same document
//! share it, and a change of another node, which tells only the new document, is compared with the old ones here.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::document::Document;

/// The number of ids from which those of dropped documents are looked for.
const SWEPT_FROM: usize = 1_024;

#[derive(Default)]
pub(super) struct SharedDocuments {
    documents: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The versions of each document: mostly one, but a query that is being loaded may read an older or a newer one than
    /// the others hold.
    by_id: HashMap<Arc<str>, SmallVec<[Weak<Document>; 1]>>,
    /// The number of ids at which the next search is due.
    next_sweep: usize,
}

impl SharedDocuments {
    /// Returns the document that others hold if it is the same version, and otherwise this one, for others to share.
    pub(super) fn share(&self, document: Arc<Document>) -> Arc<Document> {
        let mut known = self.documents.lock();
        let versions = known.by_id.entry(Arc::clone(&document.id)).or_default();
        versions.retain(|version| version.strong_count() > 0);
        let held = versions.iter().filter_map(Weak::upgrade).find(|held| held.version == document.version);
        if let Some(held) = held {
            return held;
        }
        versions.push(Arc::downgrade(&document));
        known.sweep();
        document
    }

    /// Returns all versions of a document that are held.
    pub(super) fn held(&self, id: &str) -> Vec<Arc<Document>> {
        let known = self.documents.lock();
        known.by_id.get(id).into_iter().flatten().filter_map(Weak::upgrade).collect()
    }
}

impl Known {
    /// Drops the entries of dropped documents, once for as many ids as there were after the last time.
    fn sweep(&mut self) {
        if self.by_id.len() < self.next_sweep.max(SWEPT_FROM) {
            return;
        }
        self.by_id.retain(|_, versions| versions.iter().any(|version| version.strong_count() > 0));
        self.next_sweep = 2 * self.by_id.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(id: &str, version: u64) -> Arc<Document> {
        Arc::new(Document::new(id.into(), bolide_protocol::ejson::Object::new(), version))
    }

    fn held(shared: &SharedDocuments, id: &str) -> Vec<u64> {
        shared.held(id).iter().map(|document| document.version).collect()
    }

    #[test]
    fn documents_of_the_same_version_are_shared() {
        let shared = SharedDocuments::default();
        let first = shared.share(document("a", 2));
        assert!(Arc::ptr_eq(&first, &shared.share(document("a", 2))));
        let newer = shared.share(document("a", 3));
        assert!(!Arc::ptr_eq(&first, &newer));
        assert!(Arc::ptr_eq(&first, &shared.share(document("a", 2))));
        assert!(Arc::ptr_eq(&newer, &shared.share(document("a", 3))));
    }

    #[test]
    fn all_versions_that_are_held_are_known() {
        let shared = SharedDocuments::default();
        let (second, third) = (shared.share(document("a", 2)), shared.share(document("a", 3)));
        assert_eq!(held(&shared, "a"), [2, 3]);
        drop(third);
        let fourth = shared.share(document("a", 4));
        assert_eq!(held(&shared, "a"), [2, 4]);
        drop((second, fourth));
        assert_eq!(held(&shared, "a"), [0; 0]);
        assert_eq!(held(&shared, "b"), [0; 0]);
    }

    #[test]
    fn dropped_documents_are_forgotten() {
        let shared = SharedDocuments::default();
        for number in 0..10 * SWEPT_FROM {
            drop(shared.share(document(&number.to_string(), 1)));
        }
        assert!(shared.documents.lock().by_id.len() <= SWEPT_FROM);
    }
}
