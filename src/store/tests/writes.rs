//! A write is one transaction: all of it or nothing, one after the other.

use std::sync::Arc;

use super::{document, every_document_store, head, key, open, put, read, removed, write};
use crate::collection::storage::{Batch, CollectionNumber, DocumentStore, Head, Page};

every_document_store!(
    what_was_committed_is_read,
    a_dropped_write_leaves_everything_as_it_was,
    a_write_that_is_aborted_leaves_the_store_usable,
    a_failed_statement_leaves_the_store_usable,
    a_writer_reads_what_it_wrote,
    a_reader_keeps_its_state_while_others_write,
    open_readers_do_not_stop_writers,
    parallel_increments_are_all_counted,
    a_batch_may_have_any_number_of_rows,
    collections_do_not_share_documents,
    no_document_has_an_id_with_the_character_nul,
    two_writes_of_the_same_collections_do_not_deadlock,
);

async fn what_was_committed_is_read(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    let batch = Batch {
        heads: vec![(items, Head { version: 2, documents: 2, bytes: 9 })],
        documents: vec![put(items, "a", r#"{"a":1}"#, 1), put(items, "\u{e9}\u{1}", "{}", 2)],
        ..Batch::default()
    };
    write(&store, batch).await;
    let ids = ["a", "\u{e9}\u{1}", "missing", "a"];
    assert_eq!(read(&store, items, &ids).await, [document("a", r#"{"a":1}"#, 1), document("\u{e9}\u{1}", "{}", 2)]);
    let batch = Batch {
        heads: vec![(items, Head { version: 4, documents: 1, bytes: 7 })],
        documents: vec![removed(items, "\u{e9}\u{1}", 3), put(items, "a", r#"{"a":2}"#, 4)],
        ..Batch::default()
    };
    write(&store, batch).await;
    assert_eq!(read(&store, items, &ids).await, [document("a", r#"{"a":2}"#, 4)]);
    let summaries = store.collections().await.unwrap();
    let [summary] = summaries.as_slice() else { panic!("{summaries:?}") };
    assert_eq!((summary.name.as_str(), summary.number), ("items", items));
    assert_eq!(summary.head, Head { version: 4, documents: 1, bytes: 7 });
}

async fn a_dropped_write_leaves_everything_as_it_was(store: Arc<dyn DocumentStore>) {
    let (one, other) = (open(&store, "one").await, open(&store, "other").await);
    let index = store.add_index(one, "field").await.unwrap();
    write(&store, one_document(one, "before", 1)).await;
    let mut writer = store.write(vec![one, other]).await.unwrap();
    let batch = Batch {
        heads: vec![(one, head(9, 9)), (other, head(9, 9))],
        documents: vec![put(one, "before", "{}", 9), removed(one, "before", 9), put(other, "b", "{}", 9)],
        added_entries: vec![(key(index, b"k"), "before".into(), 0)],
        ..Batch::default()
    };
    writer
        .put(Batch { documents: vec![batch.documents[1].clone(), batch.documents[2].clone()], ..batch })
        .await
        .unwrap();
    drop(writer);
    assert_eq!(read(&store, one, &["before"]).await, [document("before", "{}", 1)]);
    assert_eq!(read(&store, other, &["b"]).await, []);
    let mut writer = store.write(vec![one, other]).await.unwrap();
    assert_eq!(writer.head(one).await.unwrap(), head(1, 1));
    assert_eq!(writer.head(other).await.unwrap(), Head::default());
    assert_eq!(writer.holders(vec![key(index, b"k")]).await.unwrap(), []);
}

async fn a_write_that_is_aborted_leaves_the_store_usable(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    for round in 0..20 {
        let task = tokio::spawn({
            let store = Arc::clone(&store);
            async move {
                let mut writer = store.write(vec![items]).await.unwrap();
                loop {
                    let documents = (0..100).map(|id| put(items, &format!("{id}"), "{}", 1)).collect();
                    writer.put(Batch { documents, ..Batch::default() }).await.unwrap();
                }
            }
        });
        tokio::time::sleep(std::time::Duration::from_millis(round)).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(read(&store, items, &["1"]).await, []);
    }
    write(&store, one_document(items, "a", 1)).await;
    assert_eq!(read(&store, items, &["a"]).await.len(), 1);
}

async fn a_failed_statement_leaves_the_store_usable(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    let mut writer = store.write(vec![items]).await.unwrap();
    writer.put(one_document(items, "lost", 1)).await.unwrap();
    writer.put(one_document(items, "too large", u64::MAX)).await.unwrap_err();
    drop(writer);
    write(&store, one_document(items, "a", 1)).await;
    assert_eq!(read(&store, items, &["a", "lost", "too large"]).await, [document("a", "{}", 1)]);
}

async fn a_writer_reads_what_it_wrote(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    let index = store.add_index(items, "field").await.unwrap();
    let mut writer = store.write(vec![items]).await.unwrap();
    let batch = Batch { added_entries: vec![(key(index, b"k"), "a".into(), 0)], ..one_document(items, "a", 1) };
    writer.put(batch).await.unwrap();
    assert_eq!(writer.head(items).await.unwrap(), head(1, 1));
    assert_eq!(writer.documents(items, vec!["a".into()]).await.unwrap(), [document("a", "{}", 1)]);
    assert_eq!(writer.holders(vec![key(index, b"k")]).await.unwrap(), [(key(index, b"k"), "a".to_owned())]);
    assert_eq!(writer.changes(items, 0, 9).await.unwrap(), [put(items, "a", "{}", 1).1]);
    assert_eq!(read(&store, items, &["a"]).await, [], "others do not see it before the commit");
}

async fn a_reader_keeps_its_state_while_others_write(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    write(&store, one_document(items, "a", 1)).await;
    let mut reader = store.read().await.unwrap();
    write(&store, Batch { documents: vec![put(items, "a", "[]", 2), put(items, "b", "[]", 3)], ..Batch::default() })
        .await;
    write(&store, Batch { heads: vec![(items, head(3, 2))], ..Batch::default() }).await;
    let all = Page {
        collection: items,
        index: None,
        from: Vec::new(),
        to: Vec::new(),
        after: None,
        is_reversed: false,
        limit: 9,
    };
    let page = reader.page(all.clone()).await.unwrap();
    assert_eq!(page.into_iter().map(|entry| entry.document).collect::<Vec<_>>(), [document("a", "{}", 1)]);
    assert_eq!(reader.head(items).await.unwrap(), head(1, 1));
    assert_eq!(reader.documents(items, vec!["b".into()]).await.unwrap(), []);
    assert_eq!(reader.changes(items, 1, 9).await.unwrap(), []);
    drop(reader);
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.page(all).await.unwrap().len(), 2);
    assert_eq!(reader.head(items).await.unwrap(), head(3, 2));
}

async fn open_readers_do_not_stop_writers(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    let mut readers = Vec::new();
    for version in 1..=3 {
        readers.push(store.read().await.unwrap());
        write(&store, one_document(items, "a", version)).await;
    }
    for (version, reader) in readers.iter_mut().enumerate() {
        assert_eq!(reader.head(items).await.unwrap().version, version as u64);
    }
}

async fn parallel_increments_are_all_counted(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    let tasks: Vec<_> = (0..8).map(|_| tokio::spawn(increment_often(Arc::clone(&store), items))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(read(&store, items, &["counter"]).await, [document("counter", "200", 200)]);
}

async fn increment_often(store: Arc<dyn DocumentStore>, items: CollectionNumber) {
    for _ in 0..25 {
        let mut writer = store.write(vec![items]).await.unwrap();
        let version = writer.head(items).await.unwrap().version + 1;
        let found = writer.documents(items, vec!["counter".into()]).await.unwrap();
        let count: u64 = found.first().map_or(0, |document| document.fields.parse().unwrap());
        let documents = vec![put(items, "counter", &(count + 1).to_string(), version)];
        writer.put(Batch { heads: vec![(items, head(version, 1))], documents, ..Batch::default() }).await.unwrap();
        writer.commit().await.unwrap();
    }
}

async fn a_batch_may_have_any_number_of_rows(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    let index = store.add_index(items, "field").await.unwrap();
    for count in [0, 1, 2, 63, 64, 65, 1_000] {
        let ids: Vec<String> = (0..count).map(|number| format!("{count}-{number}")).collect();
        let documents = ids.iter().map(|id| put(items, id, "{}", 1)).collect();
        let entries: Vec<_> = ids.iter().map(|id| (key(index, id.as_bytes()), id.clone())).collect();
        let added_entries = entries.iter().map(|(key, id)| (key.clone(), id.clone(), 0)).collect();
        write(&store, Batch { documents, added_entries, ..Batch::default() }).await;
        assert_eq!(store.documents(items, ids).await.unwrap().len(), count);
        let mut writer = store.write(vec![items]).await.unwrap();
        let keys: Vec<_> = entries.iter().map(|(key, _)| key.clone()).collect();
        assert_eq!(writer.holders(keys.clone()).await.unwrap().len(), count);
        writer.put(Batch { removed_entries: entries, ..Batch::default() }).await.unwrap();
        assert_eq!(writer.holders(keys).await.unwrap().len(), 0);
    }
}

async fn collections_do_not_share_documents(store: Arc<dyn DocumentStore>) {
    let mut collections = Vec::new();
    for number in 0..50 {
        collections.push(open(&store, &format!("collection {number:02}")).await);
    }
    let batch = Batch {
        heads: collections.iter().zip(1..).map(|(collection, version)| (*collection, head(version, 1))).collect(),
        documents: collections.iter().zip(1..).map(|(collection, v)| put(*collection, "same", "{}", v)).collect(),
        ..Batch::default()
    };
    write(&store, batch).await;
    for (collection, version) in collections.iter().zip(1..) {
        assert_eq!(read(&store, *collection, &["same"]).await, [document("same", "{}", version)]);
    }
    let summaries = store.collections().await.unwrap();
    let names: Vec<_> = summaries.iter().map(|summary| (summary.name.clone(), summary.head)).collect();
    let expected: Vec<_> = (0..50).map(|number| (format!("collection {number:02}"), head(number + 1, 1))).collect();
    assert_eq!(names, expected);
}

async fn no_document_has_an_id_with_the_character_nul(store: Arc<dyn DocumentStore>) {
    let items = open(&store, "items").await;
    write(&store, one_document(items, "a", 1)).await;
    assert_eq!(read(&store, items, &["a\0", "a", "\0"]).await, [document("a", "{}", 1)]);
}

async fn two_writes_of_the_same_collections_do_not_deadlock(store: Arc<dyn DocumentStore>) {
    let (one, other) = (open(&store, "one").await, open(&store, "other").await);
    let write_both = |numbers: [CollectionNumber; 2]| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for _ in 0..20 {
                let mut writer = store.write(numbers.to_vec()).await.unwrap();
                let mut heads = Vec::new();
                for number in numbers {
                    let version = writer.head(number).await.unwrap().version + 1;
                    heads.push((number, head(version, 0)));
                }
                writer.put(Batch { heads, ..Batch::default() }).await.unwrap();
                writer.commit().await.unwrap();
            }
        })
    };
    for task in [write_both([one, other]), write_both([other, one]), write_both([one, other])] {
        task.await.unwrap();
    }
    for summary in store.collections().await.unwrap() {
        assert_eq!(summary.head, head(60, 0), "{}", summary.name);
    }
}

fn one_document(collection: CollectionNumber, id: &str, version: u64) -> Batch {
    Batch {
        heads: vec![(collection, head(version.min(9), 1))],
        documents: vec![put(collection, id, "{}", version)],
        ..Batch::default()
    }
}
