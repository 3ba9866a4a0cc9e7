//! What live queries of a node show when hints are lost, and when changes are no longer known one by one.

use std::collections::BTreeSet;

use bolide_test_servers::Postgres;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::App;
use crate::collection::{Collection, Filter};
use crate::prelude::Subscription;
use crate::store::SqlStore;
use crate::testing::TestClient;

/// A node with a subscriber to the documents of a room, and the database.
struct Stage {
    items: Collection,
    _app: App,
    subscriber: TestClient,
    database: PgConnection,
}

impl Stage {
    async fn new() -> Self {
        let address = Postgres::shared().database();
        let items: Collection = Collection::stored("items");
        let published = items.clone();
        let app = App::builder().store(SqlStore::open(&address).await.unwrap()).collection(&items);
        let app = app.publish("red", async move |subscription: Subscription| {
            subscription.publish(published.find(Filter::eq("room", "red"))).await
        });
        let app = app.build().unwrap();
        let mut subscriber = TestClient::connect(&app).await;
        subscriber.subscribe("red", &()).await.unwrap();
        Self { items, _app: app, subscriber, database: PgConnection::connect(&address).await.unwrap() }
    }

    /// Changes the tables as another node does, and sends no hint.
    async fn write(&mut self, statements: &str) {
        let whole = format!("BEGIN; SELECT seq FROM heads WHERE collection = 'items' FOR UPDATE; {statements}; COMMIT");
        sqlx::raw_sql(AssertSqlSafe(whole)).execute(&mut self.database).await.unwrap();
    }

    async fn expect(&mut self, expected: &[&str]) {
        let expected: BTreeSet<String> = expected.iter().map(|id| (*id).to_owned()).collect();
        let shows = |client: &TestClient| client.document_ids("items").into_iter().collect::<BTreeSet<_>>() == expected;
        self.subscriber.wait_until("what is stored is shown", shows).await;
    }
}

const PUT: &str = "INSERT INTO documents (collection, id, fields, seq) \
     SELECT number, new.id, new.fields, heads.seq + new.n FROM heads, (VALUES ROWS) AS new (id, fields, n) \
     WHERE heads.collection = 'items' \
     ON CONFLICT (collection, id) DO UPDATE SET fields = excluded.fields, seq = excluded.seq; \
     UPDATE heads SET seq = seq + COUNT WHERE collection = 'items'";

fn put(documents: &[(&str, Option<&str>)]) -> String {
    let row = |(place, (id, room)): (usize, &(&str, Option<&str>))| {
        let fields = room.map_or("NULL".to_owned(), |room| format!("'{}'", json!({ "room": room })));
        format!("('{id}', {fields}, {})", place + 1)
    };
    let rows: Vec<String> = documents.iter().enumerate().map(row).collect();
    PUT.replace("ROWS", &rows.join(", ")).replace("COUNT", &documents.len().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_without_hints_are_found_by_looking() {
    let mut stage = Stage::new().await;
    stage.write(&put(&[("a", Some("red")), ("b", Some("blue")), ("c", Some("red"))])).await;
    stage.expect(&["a", "c"]).await;
    stage.write(&put(&[("a", Some("blue")), ("b", Some("red")), ("c", None)])).await;
    stage.expect(&["b"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_found_after_the_listening_connection_was_ended() {
    let mut stage = Stage::new().await;
    stage.write(&put(&[("a", Some("red"))])).await;
    stage.expect(&["a"]).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::raw_sql(end).execute(&mut stage.database).await.unwrap();
    stage.write(&put(&[("a", Some("blue")), ("b", Some("red"))])).await;
    stage.expect(&["b"]).await;
    let new = [("room".to_owned(), "red".into())].into_iter().collect();
    stage.items.insert("own", &new).await.unwrap();
    stage.expect(&["b", "own"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_read_again_after_changes_that_are_no_longer_kept() {
    let mut stage = Stage::new().await;
    stage.write(&put(&[("a", Some("red")), ("b", Some("red"))])).await;
    stage.expect(&["a", "b"]).await;
    let removed = put(&[("a", None), ("c", Some("red"))]);
    let purged =
        "DELETE FROM documents WHERE fields IS NULL; UPDATE heads SET purged_to = seq WHERE collection = 'items'";
    stage.write(&format!("{removed}; {purged}")).await;
    stage.expect(&["b", "c"]).await;
    stage.write(&put(&[("b", None)])).await;
    stage.expect(&["c"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_read_again_after_too_many_changes() {
    let mut stage = Stage::new().await;
    stage.write(&put(&[("a", Some("red")), ("b", Some("red"))])).await;
    stage.expect(&["a", "b"]).await;
    let many = "INSERT INTO documents (collection, id, fields, seq) \
         SELECT number, 'many' || n, '{\"room\":\"blue\"}', seq + n FROM heads, generate_series(1, 12000) AS n \
         WHERE heads.collection = 'items'; UPDATE heads SET seq = seq + 12000 WHERE collection = 'items'";
    stage.write(&format!("{}; {many}", put(&[("a", Some("blue")), ("c", Some("red"))]))).await;
    stage.expect(&["b", "c"]).await;
}
