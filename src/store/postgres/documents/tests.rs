//! What is particular to PostgreSQL: plans, messages, a server that fails, and several nodes.

use std::sync::Arc;
use std::time::Duration;

use bolide_test_servers::Postgres;
use futures::future::join_all;
use sqlx::postgres::{PgArguments, PgListener, PgNotification};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres as PostgresDriver, Row as _};

use super::connections::Connections;
use super::page::{query, statement};
use super::{CHANNEL, FIND, PostgresDocuments};
use crate::collection::storage::{Batch, CollectionNumber, DocumentStore, IndexNumber, Page, StorageError};
use crate::store::SqlStore;
use crate::store::tests::{head, key, open, put, write};

const PATIENCE: Duration = Duration::from_secs(3);

/// Makes the tables, and returns the documents as several nodes see them.
async fn nodes(url: &str, count: usize) -> Vec<Arc<dyn DocumentStore>> {
    drop(SqlStore::open(url).await.unwrap());
    let node = || PostgresDocuments::new(url.parse().unwrap(), 4, PATIENCE);
    (0..count).map(|_| Arc::new(node()) as Arc<dyn DocumentStore>).collect()
}

async fn one_node(url: &str) -> Arc<dyn DocumentStore> {
    nodes(url, 1).await.remove(0)
}

/// Returns the query that tells how a page is read.
fn explained(page: Page) -> Query<'static, PostgresDriver, PgArguments> {
    let mut explained = statement(page).unwrap();
    explained.text.insert_str(0, "EXPLAIN ");
    query(explained)
}

async fn plan_of(connections: &Connections, page: Page) -> String {
    let query = explained(page);
    let rows = query.fetch_all(&connections.reader).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0) + "\n").collect()
}

/// At 300 documents without statistics, PostgreSQL prefers other indexes the most.
#[tokio::test(flavor = "multi_thread")]
async fn documents_are_looked_up_by_their_ids_whatever_the_tables_hold() {
    for version in Postgres::versions() {
        let url = version.shared().database();
        let documents = one_node(&url).await;
        let connections = Connections::open(&url.parse().unwrap(), 1, PATIENCE).await.unwrap();
        let items = open(&documents, "items").await;
        for round in 0..6 {
            let prepare = AssertSqlSafe(format!("PREPARE find_{round}(bigint, text[]) AS {FIND}"));
            sqlx::raw_sql(prepare).execute(&connections.reader).await.unwrap();
            let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE find_{round}({}, '{{a, b}}')", items.0));
            let rows = sqlx::raw_sql(explain).fetch_all(&connections.reader).await.unwrap();
            let plan: String = rows.iter().map(|row| row.get::<String, _>(0) + "\n").collect();
            assert!(plan.contains("using documents_pkey"), "{round}: {plan}");
            let ids = (0..300).map(|number| put(items, &format!("{round} {number}"), "{}", 1)).collect();
            write(&documents, Batch { documents: ids, ..Batch::default() }).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_read_in_the_order_of_an_index_whatever_the_tables_hold() {
    for version in Postgres::versions() {
        let url = version.shared().database();
        let documents = one_node(&url).await;
        let connections = Connections::open(&url.parse().unwrap(), 1, PATIENCE).await.unwrap();
        sqlx::query("SET plan_cache_mode = force_generic_plan").execute(&connections.reader).await.unwrap();
        let items = open(&documents, "items").await;
        let index = documents.add_index(items, "field").await.unwrap();
        for round in ["empty", "filled", "analyzed"] {
            if round == "filled" {
                let ids: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
                let documents_of = ids.iter().map(|id| put(items, id, "{}", 1)).collect();
                let added_entries = ids.iter().map(|id| (key(index, id.as_bytes()), id.clone(), 0)).collect();
                write(&documents, Batch { documents: documents_of, added_entries, ..Batch::default() }).await;
            } else if round == "analyzed" {
                sqlx::query("ANALYZE documents, document_keys").execute(&connections.writer).await.unwrap();
            }
            check_plans(&connections, items, index, round).await;
        }
    }
}

async fn check_plans(connections: &Connections, collection: CollectionNumber, index: IndexNumber, round: &str) {
    let after = Some((b"k".to_vec(), "a".to_owned()));
    for (after, is_reversed) in [(None, false), (None, true), (after.clone(), false), (after, true)] {
        for index in [Some(index), None] {
            let (from, to) = (b"a".to_vec(), b"z".to_vec());
            let page = Page { collection, index, from, to, after: after.clone(), is_reversed, limit: 9 };
            let plan = plan_of(connections, page).await;
            assert!(!plan.contains("Sort") && !plan.contains("Seq Scan"), "{round}, {plan}");
            assert!(plan.contains("documents_pkey"), "{round}, {plan}");
            assert_eq!(plan.contains("document_keys_pkey"), index.is_some(), "{round}, {plan}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_open_a_collection_at_once_make_one() {
    let nodes = nodes(&Postgres::shared().database(), 4).await;
    let numbers = join_all((0..20).map(|number| open(&nodes[number % 4], "items"))).await;
    assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
    assert_eq!(nodes[0].collections().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn increments_of_several_nodes_are_all_counted() {
    for version in Postgres::versions() {
        let nodes = nodes(&version.shared().database(), 3).await;
        let items = open(&nodes[0], "items").await;
        let tasks: Vec<_> = (0..6).map(|task| tokio::spawn(increment(Arc::clone(&nodes[task % 3]), items))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let found = nodes[0].documents(items, vec!["counter".into()]).await.unwrap();
        assert_eq!((found[0].fields.as_str(), found[0].version), ("300", 300));
    }
}

async fn increment(store: Arc<dyn DocumentStore>, items: CollectionNumber) {
    for _ in 0..50 {
        let mut writer = store.write(vec![items]).await.unwrap();
        let version = writer.head(items).await.unwrap().version + 1;
        let found = writer.documents(items, vec!["counter".into()]).await.unwrap();
        let count: u64 = found.first().map_or(0, |document| document.fields.parse().unwrap());
        let documents = vec![put(items, "counter", &(count + 1).to_string(), version)];
        writer.put(Batch { heads: vec![(items, head(version, 1))], documents, ..Batch::default() }).await.unwrap();
        writer.commit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_tells_of_its_changes_and_a_dropped_write_does_not() {
    let url = Postgres::shared().database();
    let documents = one_node(&url).await;
    let (items, other) = (open(&documents, "items").await, open(&documents, "other").await);
    let mut listener = PgListener::connect(&url).await.unwrap();
    listener.listen(CHANNEL).await.unwrap();
    let mut dropped = documents.write(vec![items]).await.unwrap();
    dropped.put(Batch { heads: vec![(items, head(1, 0))], ..Batch::default() }).await.unwrap();
    drop(dropped);
    write(&documents, Batch { heads: vec![(items, head(7, 0)), (other, head(9, 0))], ..Batch::default() }).await;
    let mut told = [listener.recv().await.unwrap(), listener.recv().await.unwrap()];
    told.sort_by_key(|message| message.payload().to_owned());
    let told: Vec<&str> = told.iter().map(PgNotification::payload).collect();
    assert_eq!(told, [format!("{} 7", items.0), format!("{} 9", other.0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_of_a_commit_whose_connection_is_lost_is_unknown() {
    for version in Postgres::versions() {
        let server = version.private();
        let documents = one_node(&server.database()).await;
        let items = open(&documents, "items").await;
        let mut writer = documents.write(vec![items]).await.unwrap();
        writer.put(Batch { documents: vec![put(items, "a", "{}", 1)], ..Batch::default() }).await.unwrap();
        server.pause();
        let commit = tokio::spawn(writer.commit());
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.kill();
        let error = commit.await.unwrap().unwrap_err();
        assert!(matches!(error, StorageError::Unknown(_)), "{error:?}");
        server.start();
        // Connections that were cut are replaced.
        write(&documents, Batch { documents: vec![put(items, "b", "{}", 2)], ..Batch::default() }).await;
        assert_eq!(documents.documents(items, vec!["b".into()]).await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_cut_before_its_commit_has_failed() {
    let server = Postgres::private();
    let documents = one_node(&server.database()).await;
    let items = open(&documents, "items").await;
    let mut writer = documents.write(vec![items]).await.unwrap();
    writer.put(Batch { documents: vec![put(items, "a", "{}", 1)], ..Batch::default() }).await.unwrap();
    server.restart_immediately();
    let error = writer.documents(items, vec!["a".into()]).await.unwrap_err();
    assert!(matches!(error, StorageError::Failed(_)), "{error:?}");
    drop(writer);
    assert!(documents.documents(items, vec!["a".into()]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_given_up() {
    let server = Postgres::private();
    let documents = one_node(&server.database()).await;
    let items = open(&documents, "items").await;
    let mut reader = documents.read().await.unwrap();
    let mut writer = documents.write(vec![items]).await.unwrap();
    writer.put(Batch { documents: vec![put(items, "a", "{}", 1)], ..Batch::default() }).await.unwrap();
    server.pause();
    let error = reader.head(items).await.unwrap_err();
    assert!(error.to_string().contains("does not answer"), "{error}");
    let error = writer.commit().await.unwrap_err();
    assert!(matches!(error, StorageError::Unknown(_)), "{error:?}");
    server.resume();
    write(&documents, Batch { documents: vec![put(items, "b", "{}", 2)], ..Batch::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_with_the_character_nul_is_refused() {
    let documents = one_node(&Postgres::shared().database()).await;
    let items = open(&documents, "items").await;
    let mut writer = documents.write(vec![items]).await.unwrap();
    let batch = Batch { documents: vec![put(items, "a\0b", "{}", 1)], ..Batch::default() };
    let error = writer.put(batch).await.unwrap_err();
    assert!(error.to_string().contains("U+0000"), "{error}");
    let error = documents.open("a\0b").await.err().unwrap();
    assert!(error.to_string().contains("U+0000"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_removal_of_an_index_goes_on_after_an_interruption() {
    let url = Postgres::shared().database();
    let nodes = nodes(&url, 2).await;
    let items = open(&nodes[0], "items").await;
    let index = nodes[0].add_index(items, "field").await.unwrap();
    let added_entries = (0..3).map(|id| (key(index, b"k"), id.to_string(), 0)).collect();
    write(&nodes[0], Batch { added_entries, ..Batch::default() }).await;
    let connections = Connections::open(&url.parse().unwrap(), 1, PATIENCE).await.unwrap();
    let interrupted = "UPDATE document_indexes SET collection = NULL";
    sqlx::query(interrupted).execute(&connections.writer).await.unwrap();

    assert!(nodes[1].open("items").await.unwrap().indexes.is_empty());

    let left = "SELECT (SELECT count(*) FROM document_keys) + (SELECT count(*) FROM document_indexes)";
    for _ in 0..1_000 {
        let left: i64 = sqlx::query_scalar(AssertSqlSafe(left)).fetch_one(&connections.reader).await.unwrap();
        if left == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the entries stay");
}
