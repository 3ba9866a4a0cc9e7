//! Nodes that share a database: what one writes, the subscribers of all see.

use std::collections::BTreeMap;
use std::time::Duration;

use bolide::collection::CollectionError;
use bolide::prelude::*;
use bolide::protocol::ejson::Object;
use bolide::testing::TestClient;
use bolide_test_servers::Postgres;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::places::{Place, node};
use crate::messages::Messages as _;

/// A node with a collection, and a subscriber to it.
struct Node {
    items: Collection,
    subscriber: TestClient,
    _app: App,
}

impl Node {
    async fn start(database: &str) -> Self {
        let items = Place::Postgres.items(["room", "number"].map(Into::into));
        let published = items.clone();
        let app =
            node(database, &items).await.publish("room", async move |subscription: Subscription, room: String| {
                subscription.publish(published.find(Filter::eq("room", room))).await
            });
        let published = items.clone();
        let app = app.publish("first", async move |subscription: Subscription| {
            let first = published.find(Filter::everything()).sort("number", Direction::Ascending).limit(3);
            subscription.publish(first).await
        });
        let app = app.build().expect("the app fits together");
        let subscriber = TestClient::connect(&app).await;
        Self { items, subscriber, _app: app }
    }

    async fn subscribed(database: &str, publication: &str, parameters: Value) -> Self {
        let mut node = Self::start(database).await;
        node.subscriber.subscribe(publication, &parameters).await.expect("a subscription");
        node
    }

    /// Waits until the subscriber has these documents, and nothing else.
    async fn expect(&mut self, expected: &BTreeMap<String, Value>) {
        let shows = async {
            loop {
                self.subscriber.heard().await;
                if self.subscriber.documents("items").into_iter().collect::<BTreeMap<_, _>>() == *expected {
                    return;
                }
                sleep(Duration::from_millis(1)).await;
            }
        };
        let shows = timeout(Duration::from_secs(20), shows).await;
        assert!(shows.is_ok(), "{:?} instead of {expected:?}", self.subscriber.documents::<Value>("items"));
    }
}

fn item(room: &str, number: u32) -> Object {
    [("room".to_owned(), Ejson::from(room)), ("number".to_owned(), Ejson::from(number))].into_iter().collect()
}

fn shown(documents: &[(&str, &str, u32)]) -> BTreeMap<String, Value> {
    let shown = |(id, room, number): &(&str, &str, u32)| ((*id).to_owned(), json!({ "room": room, "number": number }));
    documents.iter().map(shown).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn subscribers_of_a_node_see_what_another_one_writes() {
    for version in Postgres::versions() {
        let database = version.shared().database();
        let writer = Node::start(&database).await;
        let mut reader = Node::subscribed(&database, "room", json!(["red"])).await;
        writer.items.insert("a", &item("red", 1)).await.expect("a write");
        writer.items.insert("b", &item("blue", 2)).await.expect("a write");
        reader.expect(&shown(&[("a", "red", 1)])).await;
        let move_to = |room: &str| Update::new().set("room", room);
        assert_eq!(writer.items.update("b", move_to("red")).await, Ok(true));
        reader.expect(&shown(&[("a", "red", 1), ("b", "red", 2)])).await;
        assert_eq!(writer.items.update("a", Update::new().increment("number", 5)).await, Ok(true));
        reader.expect(&shown(&[("a", "red", 6), ("b", "red", 2)])).await;
        assert_eq!(writer.items.update("a", move_to("blue")).await, Ok(true));
        reader.expect(&shown(&[("b", "red", 2)])).await;
        assert_eq!(writer.items.remove("b").await, Ok(true));
        reader.expect(&shown(&[])).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn windows_of_a_node_are_filled_after_what_another_one_writes() {
    let database = Postgres::shared().database();
    let writer = Node::start(&database).await;
    for number in 0..60 {
        writer.items.insert(format!("{number:02}"), &item("red", number)).await.expect("a write");
    }
    let mut reader = Node::subscribed(&database, "first", json!([])).await;
    reader.expect(&shown(&[("00", "red", 0), ("01", "red", 1), ("02", "red", 2)])).await;
    assert_eq!(writer.items.remove_many(Filter::below("number", 50)).await, Ok(50));
    reader.expect(&shown(&[("50", "red", 50), ("51", "red", 51), ("52", "red", 52)])).await;
    writer.items.insert("new", &item("red", 1)).await.expect("a write");
    reader.expect(&shown(&[("new", "red", 1), ("50", "red", 50), ("51", "red", 51)])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_sees_what_another_node_has_written_before() {
    let database = Postgres::shared().database();
    let first = Node::start(&database).await;
    let mut second = Node::subscribed(&database, "room", json!(["red"])).await;
    for number in 0..50 {
        // The second node overwrites what the first one has moved out of its room a moment ago.
        first.items.insert("a", &item("red", number)).await.expect("a write");
        assert_eq!(first.items.update("a", Update::new().set("room", "blue")).await, Ok(true));
        assert_eq!(second.items.update("a", Update::new().set("number", 1_000)).await, Ok(true));
        second.subscriber.heard().await;
        assert_eq!(second.subscriber.document_ids("items"), Vec::<String>::new(), "in round {number}");
        assert_eq!(first.items.remove("a").await, Ok(true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_nodes_that_write_the_same_documents_lose_no_field_and_show_the_same() {
    let database = Postgres::shared().database();
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::subscribed(&database, "room", json!(["red"])).await);
    }
    for document in 0..5 {
        nodes[0].items.insert(format!("{document}"), &item("red", 0)).await.expect("a write");
    }
    let mut writers = JoinSet::new();
    for (place, node) in nodes.iter().enumerate() {
        for _ in 0..2 {
            let items = node.items.clone();
            writers.spawn(async move {
                for round in 0..50 {
                    let update = Update::new().increment("number", 1).increment(&format!("of {place}"), 1);
                    assert_eq!(items.update(format!("{}", round % 5), update).await, Ok(true));
                }
            });
        }
    }
    writers.join_all().await;
    let fields = json!({ "room": "red", "number": 60, "of 0": 20, "of 1": 20, "of 2": 20 });
    let expected = (0..5).map(|document| (document.to_string(), fields.clone())).collect();
    for node in &mut nodes {
        node.expect(&expected).await;
        assert_eq!(node.items.find(Filter::eq("number", 60)).count().await, Ok(5));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn subscribers_are_right_after_the_server_has_crashed() {
    let server = Postgres::private();
    let database = server.database();
    let writer = Node::start(&database).await;
    let mut reader = Node::subscribed(&database, "room", json!(["red"])).await;
    writer.items.insert("a", &item("red", 1)).await.expect("a write");
    writer.items.insert("b", &item("red", 2)).await.expect("a write");
    reader.expect(&shown(&[("a", "red", 1), ("b", "red", 2)])).await;
    server.restart_immediately();
    assert_eq!(writer.items.update("a", Update::new().increment("number", 5)).await, Ok(true));
    assert_eq!(writer.items.remove("b").await, Ok(true));
    reader.expect(&shown(&[("a", "red", 6)])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn subscribers_show_what_is_stored_after_a_write_with_an_unknown_outcome() {
    let server = Postgres::private();
    let mut node = Node::subscribed(&server.database(), "room", json!(["red"])).await;
    for round in 0..2 {
        let items = node.items.clone();
        let writing = tokio::spawn(async move {
            for number in 0_u32.. {
                if let Err(error) = items.insert(format!("{round}-{number}"), &item("red", number)).await {
                    return (number, error);
                }
            }
            unreachable!("the server ends first")
        });
        sleep(Duration::from_millis(150)).await;
        server.pause();
        sleep(Duration::from_millis(50)).await;
        server.kill();
        let (number, error) = timeout(Duration::from_secs(40), writing).await.expect("an end").expect("no panic");
        let is_expected = matches!(error, CollectionError::OutcomeUnknown { .. } | CollectionError::Unavailable { .. });
        assert!(is_expected, "{error:?}");
        server.start();
        let stored = node.items.find(Filter::everything()).fetch().await.expect("the server is back");
        // All that was acknowledged is there; the last one may be.
        let of_round = stored
            .iter()
            .filter(|document| document["_id"].as_str().is_some_and(|id| id.starts_with(&format!("{round}-"))));
        let count = u32::try_from(of_round.count()).expect("a small number");
        assert!(count == number || count == number + 1, "{count} of {number}");
        let with_id = |mut document: Object| {
            let id = document.shift_remove("_id").expect("an id");
            let value = bolide::protocol::ejson::to_raw(&document).expect("EJSON");
            (id.as_str().expect("a string").to_owned(), serde_json::from_str(value.get()).expect("JSON"))
        };
        node.expect(&stored.into_iter().map(with_id).collect()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_declare_an_index_keeps_it_for_those_that_do() {
    let database = Postgres::shared().database();
    let newer = Place::Postgres.items(["room"].map(Into::into));
    let _newer = node(&database, &newer).await.build().expect("the app fits together");
    put(&newer, "a", "red").await;
    uses_its_index(&newer).await;

    // As in a rolling upgrade, an older node starts once more.
    let older = Place::Postgres.items([]);
    let _older = node(&database, &older).await.build().expect("the app fits together");
    put(&older, "b", "red").await;
    put(&older, "a", "blue").await;
    uses_its_index(&newer).await;
    assert_eq!(newer.find(Filter::eq("room", "red")).count().await, Ok(1));
    assert_eq!(newer.find(Filter::eq("room", "blue")).count().await, Ok(1));
    assert!(older.remove("b").await.expect("a removal"));
    assert_eq!(newer.find(Filter::eq("room", "red")).count().await, Ok(0));
}

async fn put(items: &Collection, id: &str, room: &str) {
    items.upsert(id, Update::new().set("room", room)).await.expect("a document");
}

/// Waits until a query for a room is read by the index.
async fn uses_its_index(items: &Collection) {
    let used = async {
        while items.find(Filter::eq("room", "red")).explain().await.expect("an explanation").index.is_none() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), used).await.expect("the index is built");
}
