//! Documents are read in pages, in the order of an index or of their ids.

use std::sync::Arc;

use super::{every_document_store, key, open, put, removed, write};
use crate::collection::storage::{Batch, CollectionNumber, DocumentStore, IndexNumber, Page, StoredEntry};

every_document_store!(
    pages_of_an_index_are_in_the_order_of_keys_and_ids,
    pages_of_ids_are_in_the_order_of_their_bytes,
    a_page_has_the_fields_and_elements_of_its_entries,
    an_index_has_only_its_own_entries,
    a_bound_of_ids_that_is_not_utf8_is_refused,
);

/// Keys and ids whose order is that of their bytes, and of nothing else.
const KEYS: [&[u8]; 7] = [b"", b"\0", b"a", b"a\0", b"ab", b"b", b"\xff\xff"];
const IDS: [&str; 5] = ["", "A", "a", "z", "\u{e9}"];

/// A place after which a page begins.
type Place = Option<(Vec<u8>, String)>;

async fn pages_of_an_index_are_in_the_order_of_keys_and_ids(store: Arc<dyn DocumentStore>) {
    let (collection, index) = with_entries(&store).await;
    let all: Vec<(Vec<u8>, String)> = KEYS.iter().flat_map(|key| IDS.map(|id| (key.to_vec(), id.to_owned()))).collect();
    let mut bounds: Vec<&[u8]> = KEYS.to_vec();
    bounds.push(b"aa");
    let mut places: Vec<Place> = all.iter().cloned().map(Some).collect();
    places.extend([None, Some((b"aa".to_vec(), "m".into()))]);
    let mut reader = store.read().await.unwrap();
    for (from, to) in bounds.iter().flat_map(|from| bounds.iter().map(move |to| (*from, *to))) {
        for (after, is_reversed) in places.iter().flat_map(|after| [(after, false), (after, true)]) {
            let page = Page {
                collection,
                index: Some(index),
                from: from.to_vec(),
                to: to.to_vec(),
                after: after.clone(),
                is_reversed,
                limit: 8,
            };
            let found = reader.page(page).await.unwrap();
            let found: Vec<_> = found.into_iter().map(|entry| (entry.key, entry.document.id)).collect();
            let in_range = |key: &[u8]| key >= from && (to.is_empty() || key < to);
            let inside = all.iter().filter(|(key, _)| in_range(key)).cloned().collect();
            let told = format!("from {from:?} to {to:?} after {after:?}, reversed: {is_reversed}");
            assert_eq!(found, expected(inside, after.as_ref(), is_reversed, 8), "{told}");
        }
    }
}

async fn pages_of_ids_are_in_the_order_of_their_bytes(store: Arc<dyn DocumentStore>) {
    let (collection, _) = with_entries(&store).await;
    write(&store, Batch { documents: vec![removed(collection, "m", 9)], ..Batch::default() }).await;
    let mut places: Vec<Option<String>> = IDS.iter().map(|id| Some((*id).to_owned())).collect();
    places.extend([None, Some("m".into())]);
    let mut reader = store.read().await.unwrap();
    for (from, to) in IDS.iter().flat_map(|from| IDS.iter().map(move |to| (*from, *to))) {
        for (after, is_reversed) in places.iter().flat_map(|after| [(after, false), (after, true)]) {
            let page = Page {
                collection,
                index: None,
                from: from.into(),
                to: to.into(),
                after: after.clone().map(|id| (Vec::new(), id)),
                is_reversed,
                limit: 3,
            };
            let found: Vec<String> =
                reader.page(page).await.unwrap().into_iter().map(|entry| entry.document.id).collect();
            let in_range = |id: &str| id >= from && (to.is_empty() || id < to);
            let inside = IDS.into_iter().filter(|id| in_range(id)).map(str::to_owned).collect();
            let told = format!("from {from:?} to {to:?} after {after:?}, reversed: {is_reversed}");
            assert_eq!(found, expected(inside, after.as_ref(), is_reversed, 3), "{told}");
        }
    }
}

async fn a_page_has_the_fields_and_elements_of_its_entries(store: Arc<dyn DocumentStore>) {
    let collection = open(&store, "items").await;
    let index = store.add_index(collection, "tags").await.unwrap();
    let batch = Batch {
        documents: vec![put(collection, "a", r#"{"tags":[1,2]}"#, 7)],
        added_entries: vec![(key(index, b"1"), "a".into(), 1), (key(index, b"2"), "a".into(), u32::MAX)],
        ..Batch::default()
    };
    write(&store, batch).await;
    let found = store.read().await.unwrap().page(whole(collection, Some(index))).await.unwrap();
    let document = super::document("a", r#"{"tags":[1,2]}"#, 7);
    let entry = |key: &[u8], elements| StoredEntry { key: key.to_vec(), elements, document: document.clone() };
    assert_eq!(found, [entry(b"1", 1), entry(b"2", u32::MAX)]);
    let by_id = store.read().await.unwrap().page(whole(collection, None)).await.unwrap();
    assert_eq!(by_id, [entry(b"", 0)]);
}

async fn an_index_has_only_its_own_entries(store: Arc<dyn DocumentStore>) {
    let (one, other) = (open(&store, "one").await, open(&store, "other").await);
    let first = store.add_index(one, "first").await.unwrap();
    let second = store.add_index(one, "second").await.unwrap();
    let of_other = store.add_index(other, "first").await.unwrap();
    let batch = Batch {
        documents: vec![put(one, "a", "{}", 1), put(other, "a", "[]", 1), put(other, "b", "[]", 2)],
        added_entries: vec![(key(first, b"1"), "a".into(), 0), (key(of_other, b"2"), "b".into(), 0)],
        ..Batch::default()
    };
    write(&store, batch).await;
    let mut reader = store.read().await.unwrap();
    let mut ids = async |collection, index| {
        let entries = reader.page(whole(collection, index)).await.unwrap();
        entries.into_iter().map(|entry| entry.document.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(one, Some(first)).await, ["a"]);
    assert_eq!(ids(one, Some(second)).await, Vec::<String>::new());
    assert_eq!(ids(other, Some(of_other)).await, ["b"]);
    assert_eq!(ids(one, None).await, ["a"]);
    assert_eq!(ids(other, None).await, ["a", "b"]);
}

async fn a_bound_of_ids_that_is_not_utf8_is_refused(store: Arc<dyn DocumentStore>) {
    let page = Page { from: vec![0xff], ..whole(open(&store, "items").await, None) };
    let error = store.read().await.unwrap().page(page).await.unwrap_err();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
}

/// Stores a document for each id, with an entry for each key.
async fn with_entries(store: &Arc<dyn DocumentStore>) -> (CollectionNumber, IndexNumber) {
    let collection = open(store, "items").await;
    let index = store.add_index(collection, "field").await.unwrap();
    let documents = IDS.map(|id| put(collection, id, "{}", 1)).to_vec();
    let entry = |bytes, id: &str| (key(index, bytes), id.to_owned(), 0);
    let added_entries = KEYS.iter().flat_map(|bytes| IDS.map(|id| entry(bytes, id))).collect();
    write(store, Batch { documents, added_entries, ..Batch::default() }).await;
    (collection, index)
}

fn whole(collection: CollectionNumber, index: Option<IndexNumber>) -> Page {
    Page { collection, index, from: Vec::new(), to: Vec::new(), after: None, is_reversed: false, limit: 100 }
}

/// Computes a page in the simplest way. `inside` are the places in the range, in ascending order.
fn expected<P: Ord>(mut inside: Vec<P>, after: Option<&P>, is_reversed: bool, limit: usize) -> Vec<P> {
    if is_reversed {
        inside.reverse();
    }
    inside.retain(|place| after.is_none_or(|after| if is_reversed { place < after } else { place > after }));
    inside.truncate(limit);
    inside
}
