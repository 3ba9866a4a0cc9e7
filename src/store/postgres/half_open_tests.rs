//! What happens to connections over a link that swallows what is sent, without an error.

use std::time::Duration;

use bolide_test_servers::{Link, Postgres};
use futures::future::join_all;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::time::{sleep, timeout};

use crate::clock::Timestamp;
use crate::store::private::StoresDocuments as _;
use crate::store::setting::StoredSettings as _;
use crate::store::sql::layer::{Lent, query};
use crate::store::{DatabaseOptions, SqlStore};

const NOW: Timestamp = Timestamp::from_milliseconds(1);

/// The number of connections of a store.
const SLOTS: u32 = 3;

/// A database, a store whose link to it can swallow everything, and an operator whose link cannot.
struct Stage {
    link: Link,
    store: SqlStore,
    operator: PgConnection,
}

impl Stage {
    async fn new() -> Self {
        let server = Postgres::shared();
        let address = server.database();
        let link = Link::to(server.port());
        let through = address.replace(&format!(":{}/", server.port()), &format!(":{}/", link.port()));
        let options = DatabaseOptions { connections: SLOTS, statement_timeout: Duration::from_millis(100) };
        let store = SqlStore::open_with(&through, options).await.unwrap();
        Self { link, store, operator: PgConnection::connect(&address).await.unwrap() }
    }

    /// Waits until so many statements of this database wait for a lock.
    async fn wait_for_waiting(&mut self, wanted: usize) {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let wanted = i64::try_from(wanted).unwrap();
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut self.operator).await.unwrap() != wanted {
            sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn soon<T>(event: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), event).await.expect("it comes soon")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connections_of_statements_that_a_link_has_swallowed_are_replaced() {
    let mut stage = Stage::new().await;
    for round in 0..3 {
        stage.operator.execute("SELECT pg_advisory_lock(1)").await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..SLOTS {
            let mut transaction = soon(Box::pin(stage.store.begin())).await;
            waiting.push(tokio::spawn(async move {
                query("SET LOCAL statement_timeout = 0").execute(&mut transaction).await.unwrap();
                query("SELECT pg_advisory_xact_lock(1)").execute(&mut transaction).await
            }));
        }
        stage.wait_for_waiting(waiting.len()).await;
        stage.link.swallow();
        // Who has asked has gone away.
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        // Others ask, and are told.
        let refused = join_all((0..2 * SLOTS).map(|_| stage.store.put_setting("a", "1", NOW)));
        assert!(soon(refused).await.iter().all(Result::is_err), "{round}");
        stage.link.restore();
        stage.operator.execute("SELECT pg_advisory_unlock(1)").await.unwrap();
        // All of them at once.
        drop(soon(join_all((0..SLOTS).map(|_| stage.store.begin()))).await);
    }
    soon(stage.store.put_setting("a", "2", NOW)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connections_of_readers_that_a_link_has_swallowed_are_replaced() {
    let mut stage = Stage::new().await;
    let documents = stage.store.documents();
    let number = documents.open("items").await.unwrap().number;
    for _ in 0..3 {
        stage.operator.execute("BEGIN; LOCK TABLE heads IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..SLOTS {
            let mut reader = soon(documents.read()).await.unwrap();
            waiting.push(tokio::spawn(async move { reader.head(number).await }));
        }
        stage.link.swallow();
        for waiting in waiting {
            soon(waiting).await.unwrap().unwrap_err();
        }
        stage.link.restore();
        stage.operator.execute("COMMIT").await.unwrap();
        let mut readers = soon(join_all((0..SLOTS).map(|_| documents.read()))).await;
        for reader in &mut readers {
            soon(reader.as_mut().unwrap().head(number)).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_on_which_a_transaction_may_have_begun_is_not_used_again() {
    let server = Postgres::private();
    let address = server.database();
    let pool = PgPoolOptions::new().max_connections(1).test_before_acquire(false).connect(&address).await.unwrap();
    let lent = Lent::of(&pool).await.unwrap();
    server.pause();
    assert!(timeout(Duration::from_millis(50), lent.begin("BEGIN")).await.is_err(), "it hangs");
    server.resume();
    let mut next = soon(Lent::of(&pool)).await.unwrap();
    next.execute("CREATE TABLE made (id BIGINT)").await.unwrap();
    let mut other = PgConnection::connect(&address).await.unwrap();
    other.execute("SELECT id FROM made").await.expect("it was committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_dropped_writes_nothing_and_gives_its_connection_back() {
    let address = Postgres::shared().database();
    let pool = PgPoolOptions::new().max_connections(1).connect(&address).await.unwrap();
    let process = async || {
        let mut lent = Lent::of(&pool).await.unwrap();
        sqlx::query_scalar::<_, i32>("SELECT pg_backend_pid()").fetch_one(&mut *lent).await.unwrap()
    };
    let first = process().await;
    let mut dropped = Lent::of(&pool).await.unwrap().begin("BEGIN").await.unwrap();
    dropped.execute("CREATE TABLE made (id BIGINT)").await.unwrap();
    drop(dropped);
    let mut failed = soon(Lent::of(&pool)).await.unwrap().begin("BEGIN").await.unwrap();
    failed.execute("SELECT id FROM made").await.expect_err("it was rolled back");
    drop(failed);
    let mut committed = soon(Lent::of(&pool)).await.unwrap().begin("BEGIN").await.unwrap();
    committed.execute("CREATE TABLE made (id BIGINT)").await.unwrap();
    committed.commit().await.unwrap();
    assert_eq!(soon(process()).await, first);
    soon(Lent::of(&pool)).await.unwrap().execute("SELECT id FROM made").await.unwrap();
}
