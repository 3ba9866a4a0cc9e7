//! What is particular to SQLite: plans, a full disk, interrupted work, and temporary files.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions};
use sqlx::{Connection as _, Row as _, Sqlite, SqliteConnection};

use super::page::{query, statement};
use super::{indexes, rows};
use crate::collection::storage::{Batch, CollectionNumber, DocumentStore, IndexNumber, Page};
use crate::store::private::StoresDocuments as _;
use crate::store::sqlite::migrations::MIGRATIONS;
use crate::store::sqlite::{connect, file_options};
use crate::store::tests::{File, head, key, open, put, write};
use crate::store::{OpenError, SqlStore};

/// Returns the query that tells how a page is read.
fn explained(page: Page) -> Query<'static, Sqlite, SqliteArguments> {
    let mut explained = statement(page).unwrap();
    explained.text.insert_str(0, "EXPLAIN QUERY PLAN ");
    query(explained)
}

#[tokio::test]
async fn pages_and_rows_are_found_by_primary_keys() {
    let file = File::new("plans");
    let store = file.open().await;
    let mut connection = store.sqlite_writer().acquire().await.unwrap();
    let after = Some((b"k".to_vec(), "a".to_owned()));
    for (after, is_reversed) in [(None, false), (None, true), (after.clone(), false), (after, true)] {
        for index in [Some(IndexNumber(1)), None] {
            let (from, to) = (b"a".to_vec(), b"z".to_vec());
            let page =
                Page { collection: CollectionNumber(1), index, from, to, after: after.clone(), is_reversed, limit: 9 };
            let plan = explained(page).fetch_all(&mut *connection).await.unwrap();
            let plan: Vec<String> = plan.iter().map(|row| row.get(3)).collect();
            let expected: &[&str] = match index {
                Some(_) => &[
                    "SEARCH k USING PRIMARY KEY (index_number=? AND ",
                    "SEARCH d USING INDEX sqlite_autoindex_documents_1 (collection=? AND id=?)",
                ],
                None => &["SEARCH documents USING INDEX sqlite_autoindex_documents_1 (collection=? AND id>? AND id<?)"],
            };
            assert_eq!(plan.len(), expected.len(), "{plan:?}");
            assert!(plan.iter().zip(expected).all(|(step, start)| step.starts_with(start)), "{plan:?}");
        }
    }
    for (statement, expected) in [
        (&rows::SELECT_DOCUMENTS, "SEARCH documents USING INDEX sqlite_autoindex_documents_1 (collection=? AND id=?)"),
        (&rows::SELECT_HOLDERS, "SEARCH document_keys USING PRIMARY KEY (index_number=? AND key=?)"),
        (&rows::DELETE_ENTRIES, "SEARCH document_keys USING PRIMARY KEY (index_number=? AND key=? AND id=?)"),
    ] {
        let (text, _) = statement.chunks(&[(); 4]).next().unwrap();
        let text = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", text.0));
        let plan = sqlx::query(text).fetch_all(&mut *connection).await.unwrap();
        assert_eq!(plan[0].get::<&str, _>(3), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_database_refuses_writes_and_keeps_reads() {
    let file = File::new("full");
    let store = file.open().await;
    let documents = store.documents();
    let items = open(&documents, "items").await;
    write(&documents, Batch { documents: vec![put(items, "before", "{}", 1)], ..Batch::default() }).await;
    let limit = |pages: u32| sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::query(limit(1)).execute(store.sqlite_writer()).await.unwrap();
    for round in 0..5 {
        let mut writer = documents.write(vec![items]).await.unwrap();
        let large = put(items, &format!("large {round}"), &"x".repeat(100_000), 2);
        let error = writer.put(Batch { documents: vec![large], ..Batch::default() }).await.unwrap_err();
        assert!(error.to_string().contains("its disk is full"), "{error}");
        drop(writer);
        assert_eq!(documents.documents(items, vec!["before".into()]).await.unwrap().len(), 1);
        assert_eq!(documents.read().await.unwrap().changes(items, 0, 9).await.unwrap().len(), 1);
        // A connection that was stuck has been replaced, and has no limit yet.
        sqlx::query(limit(1)).execute(store.sqlite_writer()).await.unwrap();
    }
    sqlx::query(limit(1_000_000)).execute(store.sqlite_writer()).await.unwrap();
    let large = put(items, "large", &"x".repeat(100_000), 2);
    write(&documents, Batch { documents: vec![large], ..Batch::default() }).await;
    assert_eq!(documents.documents(items, vec!["large".into()]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_start_a_full_disk_and_a_locked_file_are_not_taken_for_damage() {
    let file = File::new("full-at-start");
    std::fs::write(file.path(), "").unwrap();
    let options = file_options(&file.path()).busy_timeout(std::time::Duration::from_millis(20));
    let refused = async |options: SqliteConnectOptions, advice: &str| {
        let error = connect(&file.path(), &options).await.err().expect("the database cannot be opened");
        assert!(matches!(error, OpenError::Failed { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(advice) && !text.contains("move it away"), "{text}");
    };
    refused(options.clone().pragma("max_page_count", "1"), "its disk is full").await;
    drop(connect(&file.path(), &options).await.unwrap());
    let mut other = SqliteConnection::connect_with(&options.clone().pragma("locking_mode", "EXCLUSIVE")).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    refused(options, "another program has locked it").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_transaction_sqlite_has_ended_is_replaced() {
    let file = File::new("stuck");
    let store = file.open().await;
    let mut transaction = store.sqlite_writer().begin_with("BEGIN IMMEDIATE").await.unwrap();
    // What SQLite does itself after some errors.
    sqlx::query("ROLLBACK").execute(&mut *transaction).await.unwrap();
    drop(transaction);
    let documents = store.documents();
    let items = open(&documents, "items").await;
    write(&documents, Batch { documents: vec![put(items, "a", "{}", 1)], ..Batch::default() }).await;
    assert_eq!(documents.documents(items, vec!["a".into()]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_becomes_damaged_is_told() {
    let file = File::new("damaged");
    let store = file.open().await;
    let documents = store.documents();
    let items = open(&documents, "items").await;
    let many = (0..2_000).map(|id| put(items, &id.to_string(), &"x".repeat(200), 1)).collect();
    write(&documents, Batch { documents: many, ..Batch::default() }).await;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(store.sqlite_writer()).await.unwrap();
    let path: String = sqlx::query("PRAGMA database_list").fetch_one(store.sqlite_writer()).await.unwrap().get("file");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100_000..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let ids = (0..2_000).map(|id| id.to_string()).collect();
    let error = documents.documents(items, ids).await.unwrap_err();
    assert!(error.to_string().contains("its file is damaged"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_removal_of_an_index_goes_on_after_an_interruption() {
    let file = File::new("interrupted");
    let store = file.open().await;
    let documents = store.documents();
    let items = open(&documents, "items").await;
    let index = documents.add_index(items, "field").await.unwrap();
    let added_entries = (0..3).map(|id| (key(index, b"k"), id.to_string(), 0)).collect();
    write(&documents, Batch { added_entries, ..Batch::default() }).await;
    let interrupted = "UPDATE document_indexes SET collection = NULL";
    sqlx::query(interrupted).execute(store.sqlite_writer()).await.unwrap();

    assert!(documents.open("items").await.unwrap().indexes.is_empty());
    assert_ne!(documents.add_index(items, "field").await.unwrap(), index, "the number is still in use");
    indexes::finish_removals(store.sqlite_writer().clone()).await;

    let left =
        "SELECT (SELECT count(*) FROM document_keys) + (SELECT count(*) FROM document_indexes WHERE number = $1)";
    let left: i64 = sqlx::query_scalar(left).bind(index.0).fetch_one(store.sqlite_writer()).await.unwrap();
    assert_eq!(left, 0);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn documents_in_memory_leave_no_files() {
    let store = SqlStore::open("sqlite::memory:").await.unwrap();
    let documents = store.documents();
    let items = open(&documents, "items").await;
    let prefix = format!("bolide-documents-{}-", std::process::id());
    let directories = || {
        let names = std::fs::read_dir(std::env::temp_dir()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with(&prefix)).count()
    };
    assert_eq!(directories(), 1);
    // More than the log holds before it is copied into the database.
    for batch in 0..20_u64 {
        let fields = "x".repeat(1_000);
        let many = (0..1_000).map(|id| put(items, &format!("{batch}-{id}"), &fields, batch)).collect();
        write(&documents, Batch { documents: many, heads: vec![(items, head(batch, 1))], ..Batch::default() }).await;
        let mut reader = documents.read().await.unwrap();
        assert_eq!(reader.head(items).await.unwrap().version, batch);
        assert_eq!(reader.documents(items, vec![format!("{batch}-999")]).await.unwrap().len(), 1);
    }
    drop((documents, store));
    // The task that began when they were opened may hold them for a moment.
    for _ in 0..1_000 {
        if directories() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the directory stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_an_older_version_are_kept() {
    let file = File::new("older");
    let options = SqliteConnectOptions::new().filename(file.path()).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&options).await.unwrap();
    for migration in &MIGRATIONS[..6] {
        sqlx::raw_sql(*migration).execute(&mut old).await.unwrap();
    }
    let documents = "PRAGMA user_version = 6; INSERT INTO documents (collection, id, fields) VALUES \
         ('items', 'b', '{}'), ('items', 'a', '{\"a\":\"é\"}'), ('others', 'a', '{}')";
    sqlx::raw_sql(documents).execute(&mut old).await.unwrap();
    old.close().await.unwrap();

    let store: Arc<dyn DocumentStore> = file.open().await.documents();

    let items = open(&store, "items").await;
    let mut reader = store.read().await.unwrap();
    let changes = reader.changes(items, 0, 9).await.unwrap();
    assert_eq!(changes, [put(items, "a", "{\"a\":\"é\"}", 1).1, put(items, "b", "{}", 2).1]);
    let head = reader.head(items).await.unwrap();
    assert_eq!((head.version, head.documents, head.bytes), (2, 2, 12));
}
