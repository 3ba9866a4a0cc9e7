//! [`SharedDocuments`]: the documents of a stored collection that live queries hold, so that queries which show the same
//! document share it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::document::Document;

/// The number of entries from which those of dropped documents are looked for.
const SWEPT_FROM: usize = 1_024;

#[derive(Default)]
pub(super) struct SharedDocuments {
    documents: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    by_id: HashMap<Arc<str>, Weak<Document>>,
    /// The number of entries at which the next search is due.
    next_sweep: usize,
}

impl SharedDocuments {
    /// Returns the document that others hold if it is the same version, and otherwise this one, for others to share.
    pub(super) fn share(&self, document: Arc<Document>) -> Arc<Document> {
        let mut known = self.documents.lock();
        let held = known.by_id.get(&document.id).and_then(Weak::upgrade);
        match held {
            Some(held) if held.version == document.version => return held,
            // A query that is still being loaded may read an older version.
            Some(held) if held.version > document.version => return document,
            _ => {}
        }
        known.by_id.insert(Arc::clone(&document.id), Arc::downgrade(&document));
        known.sweep();
        document
    }
}

impl Known {
    /// Drops the entries of dropped documents, once for as many entries as there were after the last time.
    fn sweep(&mut self) {
        if self.by_id.len() < self.next_sweep.max(SWEPT_FROM) {
            return;
        }
        self.by_id.retain(|_, document| document.strong_count() > 0);
        self.next_sweep = 2 * self.by_id.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(id: &str, version: u64) -> Arc<Document> {
        Arc::new(Document::new(id.into(), bolide_protocol::ejson::Object::new(), version))
    }

    #[test]
    fn documents_of_the_same_version_are_shared() {
        let shared = SharedDocuments::default();
        let first = shared.share(document("a", 2));
        assert!(Arc::ptr_eq(&first, &shared.share(document("a", 2))));
        let newer = shared.share(document("a", 3));
        assert!(!Arc::ptr_eq(&first, &newer));
        assert_eq!(shared.share(document("a", 2)).version, 2, "a reader of an older state gets what it has read");
        assert!(Arc::ptr_eq(&newer, &shared.share(document("a", 3))));
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
