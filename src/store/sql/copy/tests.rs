//! Tests of copies: that no table or column is forgotten, and what refuses a copy.

use std::collections::BTreeSet;

use bolide_test_servers::Postgres;

use super::super::layer::{Pool, query};
use super::{CopyError, TABLES};
use crate::store::SqlStore;

/// Returns `table.column` for all columns of a database.
async fn columns_of(store: &SqlStore) -> BTreeSet<String> {
    let all = match &store.database.writer {
        Pool::Sqlite(_) => {
            "SELECT tables.name || '.' || columns.name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns \
             WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'"
        }
        Pool::Postgres(_) => {
            "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'"
        }
    };
    let rows = query(all).fetch_all(&store.database.writer).await.expect("the columns");
    rows.iter().map(|row| row.get(0).expect("a name")).collect()
}

async fn memory() -> SqlStore {
    SqlStore::open("sqlite::memory:").await.expect("a store")
}

async fn run(store: &SqlStore, statement: &'static str) {
    query(statement).execute(&store.database.writer).await.expect("a statement");
}

async fn with_settings() -> SqlStore {
    let store = memory().await;
    run(&store, "INSERT INTO settings (id, json, changed_at) VALUES ('a', '1', 1), ('b', '2', 2)").await;
    store
}

async fn settings_in(store: &SqlStore) -> i64 {
    let count = query("SELECT count(*) FROM settings").fetch_one(&store.database.writer).await.expect("a count");
    count.get(0).expect("a number")
}

#[tokio::test]
async fn every_column_of_every_table_is_copied() {
    let copied: BTreeSet<String> = TABLES
        .iter()
        .flat_map(|table| table.columns.iter().map(|(column, _)| format!("{}.{column}", table.name)))
        .collect();
    let mut in_sqlite = columns_of(&memory().await).await;
    // It is empty since a migration that could not drop it.
    assert!(in_sqlite.remove("users.username_folded_before"));
    assert_eq!(in_sqlite, copied);
    let postgres = SqlStore::open(&Postgres::shared().database()).await.expect("a store");
    let mut in_postgres = columns_of(&postgres).await;
    in_postgres.retain(|column| !column.starts_with("bolide_schema."));
    assert_eq!(in_postgres, copied);
}

#[tokio::test]
async fn a_target_with_data_is_refused() {
    let target = with_settings().await;
    let refused = with_settings().await.copy_to(&target, |_, _| ()).await.expect_err("a refusal");
    assert!(matches!(refused, CopyError::NotEmpty { table: "settings" }), "{refused}");
    assert_eq!(settings_in(&target).await, 2);
}

#[tokio::test]
async fn a_target_that_changes_a_row_is_noticed_and_left_empty() {
    let target = memory().await;
    run(&target, "CREATE TRIGGER t AFTER INSERT ON settings BEGIN UPDATE settings SET json = '3' WHERE id = 'b'; END")
        .await;
    let refused = with_settings().await.copy_to(&target, |_, _| ()).await.expect_err("a refusal");
    assert!(matches!(refused, CopyError::Different { table: "settings", read: 2, copied: 2 }), "{refused}");
    assert_eq!(settings_in(&target).await, 0);
}

#[tokio::test]
async fn a_copy_that_fails_in_the_middle_leaves_the_target_empty() {
    let (source, target) = (with_settings().await, memory().await);
    run(&source, "INSERT INTO heads (collection, seq, purged_to, documents, bytes) VALUES ('c', 0, 0, 0, 0)").await;
    run(&target, "CREATE TRIGGER t AFTER INSERT ON heads BEGIN SELECT raise(ABORT, 'no'); END").await;
    let refused = source.copy_to(&target, |_, _| ()).await.expect_err("a refusal");
    assert!(matches!(refused, CopyError::Failed { table: "heads", .. }), "{refused}");
    assert_eq!(settings_in(&target).await, 0);
}
