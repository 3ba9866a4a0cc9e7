//! A node whose link to PostgreSQL swallows what is sent, and another one whose link is sound.

use std::time::Duration;

use bolide::prelude::*;
use bolide::store::{DatabaseOptions, SqlStore};
use bolide::testing::TestClient;
use bolide_test_servers::{Link, Postgres};
use serde_json::Value;
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::http::request;
use crate::server::Server;

/// A node with the stored collection `items`, a publication of all of them, and a method that adds one.
struct Node {
    items: Collection,
    server: Server,
}

impl Node {
    async fn new(address: &str) -> Self {
        let mut options = DatabaseOptions::default();
        options.connections = 3;
        options.statement_timeout = Duration::from_millis(100);
        let items: Collection = Collection::stored("items");
        let (published, written) = (items.clone(), items.clone());
        let app = App::builder()
            .store(SqlStore::open_with(address, options).await.unwrap())
            .collection(&items)
            .publish("all", async move |subscription: Subscription| {
                subscription.publish(published.find(Filter::everything())).await
            })
            .method("add", TwoFactor::none(), async move |_: Context, id: String| {
                written.insert(id, &[("by".to_owned(), "a method".into())].into_iter().collect()).await?;
                Ok(())
            });
        Self { items, server: Server::start(app.build().unwrap()).await }
    }

    async fn add(&self, id: &str) {
        self.items.insert(id, &[("by".to_owned(), "a node".into())].into_iter().collect()).await.unwrap();
    }

    async fn subscriber(&self) -> TestClient {
        let mut subscriber = TestClient::connect(&self.server.app).await.with_timeout(Duration::from_secs(30));
        subscriber.subscribe("all", &()).await.unwrap();
        subscriber
    }

    async fn ready(&self) -> Result<(), String> {
        let answer = request(self.server.address, "GET", "/ready", &[], "").await;
        let is_ready = answer.status() == 200;
        let body: Value = serde_json::from_str(&answer.body().await).unwrap();
        if is_ready { Ok(()) } else { Err(body["reason"].as_str().unwrap().to_owned()) }
    }

    /// Waits until `/ready` answers so.
    async fn becomes(&self, wanted: Result<(), &str>) {
        let becomes = async {
            while self.ready().await.as_ref().map(|&()| ()).map_err(String::as_str) != wanted {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), becomes).await.unwrap();
    }
}

async fn shows(subscriber: &mut TestClient, ids: &[&str]) {
    subscriber.wait_until("what is stored is shown", |client| client.document_ids("items") == ids).await;
}

fn through(link: &Link, server: &Postgres, address: &str) -> String {
    address.replace(&format!(":{}/", server.port()), &format!(":{}/", link.port()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_whose_link_swallows_everything_is_not_ready_until_its_views_are_right_again() {
    let server = Postgres::shared();
    let address = server.database();
    let link = Link::to(server.port());
    let (here, there) = (Node::new(&through(&link, &server, &address)).await, Node::new(&address).await);
    let mut subscriber = here.subscriber().await;
    there.add("a").await;
    shows(&mut subscriber, &["a"]).await;
    here.becomes(Ok(())).await;

    link.swallow();
    there.add("b").await;
    here.becomes(Err("the store cannot be reached")).await;
    there.becomes(Ok(())).await;

    link.restore();
    here.becomes(Ok(())).await;
    shows(&mut subscriber, &["a", "b"]).await;
    // It hears of changes again.
    there.add("c").await;
    shows(&mut subscriber, &["a", "b", "c"]).await;
    here.add("d").await;
    shows(&mut subscriber, &["a", "b", "c", "d"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_are_dead_without_a_sign_are_replaced_by_others() {
    let server = Postgres::shared();
    let address = server.database();
    let link = Link::to(server.port());
    let (here, there) = (Node::new(&through(&link, &server, &address)).await, Node::new(&address).await);
    let mut subscriber = here.subscriber().await;
    for round in 0..3 {
        // Those that exist are dead from now on, and others are not.
        link.swallow();
        link.restore();
        there.add(&format!("{round}")).await;
        let ids: Vec<String> = (0..=round).map(|round| round.to_string()).collect();
        shows(&mut subscriber, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
        here.becomes(Ok(())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_cannot_read_the_changes_of_others_is_not_ready_although_its_store_answers() {
    let address = Postgres::shared().database();
    let node = Node::new(&address).await;
    let mut subscriber = node.subscriber().await;
    node.becomes(Ok(())).await;
    let mut operator = PgConnection::connect(&address).await.unwrap();
    let mut holding = operator.begin().await.unwrap();
    holding.execute("LOCK TABLE heads IN ACCESS EXCLUSIVE MODE").await.unwrap();
    node.becomes(Err("the stored collections are more than 5 seconds behind")).await;
    holding.commit().await.unwrap();
    node.becomes(Ok(())).await;
    node.add("a").await;
    shows(&mut subscriber, &["a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_whose_answer_is_swallowed_is_answered_with_an_error_that_says_so() {
    let server = Postgres::shared();
    let address = server.database();
    let link = Link::to(server.port());
    let node = Node::new(&through(&link, &server, &address)).await;
    let mut subscriber = node.subscriber().await;
    // The commit of a document takes until the lock is released.
    let mut operator = PgConnection::connect(&address).await.unwrap();
    let slow = "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN SET LOCAL statement_timeout = 0; PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON documents DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION wait()";
    operator.execute(slow).await.unwrap();
    let mut holding = operator.begin().await.unwrap();
    holding.execute("SELECT pg_advisory_xact_lock(1)").await.unwrap();

    let app = node.server.app.clone();
    let written = tokio::spawn(async move {
        let mut writer = TestClient::connect(&app).await.with_timeout(Duration::from_secs(30));
        writer.call::<()>("add", &["a"]).await
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut *holding).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    link.swallow();
    let error = written.await.unwrap().unwrap_err();
    assert_eq!(error.error, "outcome-unknown".into());
    holding.commit().await.unwrap();
    link.restore();
    // It was stored, which live queries show.
    shows(&mut subscriber, &["a"]).await;
    node.becomes(Ok(())).await;
}
