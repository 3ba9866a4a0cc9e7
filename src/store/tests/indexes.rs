//! Collections and their indexes are made once, and indexes are dropped with their entries.

use std::sync::Arc;

use futures::future::join_all;

use super::{every_document_store, key, open, put, write};
use crate::collection::storage::{Batch, DocumentStore, Page};

every_document_store!(
    a_collection_is_made_once,
    an_index_is_ready_when_it_is_finished,
    a_dropped_index_leaves_no_entries,
    holders_are_found_by_whole_keys,
);

async fn a_collection_is_made_once(store: Arc<dyn DocumentStore>) {
    let numbers = join_all((0..20).map(|_| open(&store, "items"))).await;
    assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
    assert_ne!(open(&store, "Items").await, numbers[0]);
    assert_eq!(store.collections().await.unwrap().len(), 2);
}

async fn an_index_is_ready_when_it_is_finished(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    let first = store.add_index(items, "first").await.unwrap();
    let second = store.add_index(items, "second").await.unwrap();
    store.finish_index(second).await.unwrap();
    let stored = store.open("items").await.unwrap();
    let indexes: Vec<_> =
        stored.indexes.iter().map(|index| (index.number, index.name.as_str(), index.is_ready)).collect();
    assert_eq!(indexes, [(first, "first", false), (second, "second", true)]);
    assert!(store.open("others").await.unwrap().indexes.is_empty());
    store.add_index(items, "first").await.unwrap_err();
}

async fn a_dropped_index_leaves_no_entries(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    let (index, kept) = (store.add_index(items, "field").await.unwrap(), store.add_index(items, "kept").await.unwrap());
    let ids: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    let documents = ids.iter().map(|id| put(items, id, "{}", 1)).collect();
    let entry = |index, id: &String| (key(index, b"same"), id.clone(), 0);
    let added_entries = ids.iter().flat_map(|id| [entry(index, id), entry(kept, id)]).collect();
    write(&store, Batch { documents, added_entries, ..Batch::default() }).await;

    store.drop_index(index).await.unwrap();

    let indexes = store.open("items").await.unwrap().indexes;
    assert_eq!(indexes.iter().map(|index| index.name.as_str()).collect::<Vec<_>>(), ["kept"]);
    let again = store.add_index(items, "field").await.unwrap();
    let entries = async |index| {
        let page = Page {
            collection: items,
            index: Some(index),
            from: Vec::new(),
            to: Vec::new(),
            after: None,
            is_reversed: false,
            limit: 9_000,
        };
        store.read().await.unwrap().page(page).await.unwrap().len()
    };
    // They are removed in steps, after the index has left its collection.
    for _ in 0..1_000 {
        if entries(index).await == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!((entries(index).await, entries(again).await, entries(kept).await), (0, 0, 5_000));
}

async fn holders_are_found_by_whole_keys(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    let (one, other) = (store.add_index(items, "one").await.unwrap(), store.add_index(items, "other").await.unwrap());
    let entry = |index, bytes: &[u8], id: &str| (key(index, bytes), id.to_owned(), 0);
    let added_entries = vec![
        entry(one, b"k", "a"),
        entry(one, b"k", "b"),
        entry(one, b"k\0", "c"),
        entry(one, b"", "d"),
        entry(other, b"k", "e"),
    ];
    write(&store, Batch { added_entries, ..Batch::default() }).await;
    let mut writer = store.write(vec![items]).await.unwrap();
    let keys = vec![key(one, b"k"), key(one, b"missing"), key(one, b""), key(one, b"k")];
    let mut holders = writer.holders(keys).await.unwrap();
    holders.sort();
    let held = |bytes: &[u8], id: &str| (key(one, bytes), id.to_owned());
    assert_eq!(holders, [held(b"", "d"), held(b"k", "a"), held(b"k", "b")]);
}
