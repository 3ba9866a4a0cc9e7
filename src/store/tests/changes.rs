//! The changes of a collection, in their order.

use std::sync::Arc;

use super::{every_document_store, head, open, put, removed, write};
use crate::collection::storage::{Batch, DocumentStore, StorageError};

every_document_store!(
    the_last_change_of_each_document_is_kept_in_order,
    changes_are_read_in_pieces,
    a_removed_document_can_be_added_again,
    old_removals_are_deleted_and_those_who_miss_them_are_told,
);

async fn the_last_change_of_each_document_is_kept_in_order(store: Arc<dyn DocumentStore>) {
    let (items, other) = (open(&store, "items").await, open(&store, "other").await);
    let batches = [
        vec![put(items, "z", "{}", 1), put(items, "a", "{}", 2), put(other, "x", "{}", 1)],
        vec![put(items, "b", "{}", 3), put(items, "z", "[1]", 4)],
        vec![removed(items, "a", 5)],
    ];
    for documents in batches {
        write(&store, Batch { documents, ..Batch::default() }).await;
    }
    let mut reader = store.read().await.unwrap();
    let all = [put(items, "b", "{}", 3).1, put(items, "z", "[1]", 4).1, removed(items, "a", 5).1];
    assert_eq!(reader.changes(items, 0, 9).await.unwrap(), all);
    assert_eq!(reader.changes(items, 3, 9).await.unwrap(), all[1..]);
    assert_eq!(reader.changes(items, 5, 9).await.unwrap(), []);
    assert_eq!(reader.changes(other, 0, 9).await.unwrap(), [put(other, "x", "{}", 1).1]);
}

async fn changes_are_read_in_pieces(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    let documents: Vec<_> = (1..=10).map(|version| put(items, &format!("{}", 10 - version), "{}", version)).collect();
    write(&store, Batch { documents, heads: vec![(items, head(10, 10))], ..Batch::default() }).await;
    let mut reader = store.read().await.unwrap();
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let changes = reader.changes(items, after, 3).await.unwrap();
        assert!(changes.len() <= 3);
        let Some(last) = changes.last() else { break };
        after = last.version;
        seen.extend(changes.iter().map(|change| change.version));
    }
    assert_eq!(seen, (1..=10).collect::<Vec<_>>());
}

async fn a_removed_document_can_be_added_again(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    for change in [put(items, "a", "{}", 1), removed(items, "a", 2), put(items, "a", "[]", 3)] {
        write(&store, Batch { documents: vec![change], ..Batch::default() }).await;
    }
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.changes(items, 0, 9).await.unwrap(), [put(items, "a", "[]", 3).1]);
    assert_eq!(reader.documents(items, vec!["a".into()]).await.unwrap().len(), 1);
}

async fn old_removals_are_deleted_and_those_who_miss_them_are_told(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    write(&store, Batch { documents: vec![put(items, "kept", "{}", 1)], ..Batch::default() }).await;
    for versions in (2..=16_001_u64).collect::<Vec<_>>().chunks(500) {
        let documents = versions.iter().map(|version| removed(items, &version.to_string(), *version)).collect();
        write(&store, Batch { documents, ..Batch::default() }).await;
    }
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.changes(items, 0, 1).await, Err(StorageError::Purged { after: 0, purged_to: 5_501 }));
    assert_eq!(reader.changes(items, 6_001, 20_000).await.unwrap().len(), 10_000);
    reader.changes(items, 4_000, 1).await.unwrap_err();
    let kept = reader.documents(items, vec!["kept".into()]).await.unwrap();
    assert_eq!(kept.len(), 1, "only removals are deleted");
}
