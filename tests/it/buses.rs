//! The bus: apps that share one receive each other's changes, and do not repeat what they received.

use std::sync::Arc;

use bolide::AppBuilder;
use bolide::bus::{Bus, BusEvent, BusMember, BusReceiver, LocalBus};
use bolide::prelude::*;
use bolide::testing::TestClient;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::messages::Messages as _;

/// One node: a collection `items`, a stream `s`, and an app that publishes both.
struct Node {
    items: Collection,
    stream: Stream,
    app: App,
}

impl Node {
    fn join(bus: impl Bus) -> Self {
        let items: Collection = Collection::new("items");
        let stream = Stream::new("s").allow_read(|_, _| true);
        let app = Self::publish(&items).stream(&stream).collection(&items).bus(bus).build();
        Self { items, stream, app: app.expect("the app fits together") }
    }

    fn publish(items: &Collection) -> AppBuilder {
        let items = items.clone();
        App::builder().publish("items", async move |subscription: Subscription| {
            subscription.publish(items.find(Filter::everything())).await
        })
    }

    async fn subscriber(&self) -> TestClient {
        let mut subscriber = TestClient::connect(&self.app).await;
        subscriber.subscribe("items", &json!([])).await.expect("a subscription");
        subscriber.subscribe("stream-s", &json!(["event"])).await.expect("a subscription");
        subscriber
    }

    async fn insert(&self, id: &str, number: i32) {
        self.items.insert(id, &document(number)).await.expect("a new document");
    }
}

fn document(number: i32) -> bolide::protocol::ejson::Object {
    [("number".to_owned(), Ejson::from(number))].into_iter().collect()
}

fn kinds(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["msg"].as_str().expect("a kind")).collect()
}

#[tokio::test]
async fn nodes_see_each_others_changes_and_events_once() {
    let bus = LocalBus::default();
    let (here, there) = (Node::join(bus.clone()), Node::join(bus));
    let (mut near, mut far) = (here.subscriber().await, there.subscriber().await);
    here.insert("1", 1).await;
    assert_eq!(here.items.update("1", Update::new().set("number", 2)).await, Ok(true));
    here.stream.emit("event", &["hello"]).expect("a list");
    for subscriber in [&mut near, &mut far] {
        assert_eq!(kinds(&subscriber.heard().await), ["added", "changed", "changed"]);
        assert_eq!(subscriber.documents::<Value>("items")["1"], json!({"number": 2}));
    }
    let seen = there.items.get("1").await.expect("it is readable").expect("it exists");
    assert_eq!(seen["number"], Ejson::from(2));
    assert_eq!(there.items.remove("1").await, Ok(true));
    for subscriber in [&mut near, &mut far] {
        assert_eq!(kinds(&subscriber.heard().await), ["removed"]);
    }
    assert_eq!(here.items.count().await, Ok(0));
}

#[tokio::test]
async fn messages_from_other_nodes_that_change_nothing_are_not_sent_to_clients() {
    let bus = LocalBus::default();
    let (here, there) = (Node::join(bus.clone()), Node::join(bus));
    here.insert("1", 1).await;
    let mut far = there.subscriber().await;
    assert_eq!(here.items.update("1", Update::new().set("number", 1)).await, Ok(true));
    assert_eq!(far.heard().await, [] as [Value; 0]);
}

#[tokio::test]
async fn apps_without_a_common_bus_are_independent() {
    let (here, there) = (Node::join(LocalBus::default()), Node::join(LocalBus::default()));
    here.insert("1", 1).await;
    assert_eq!(there.items.count().await, Ok(0));
}

/// Records what a node publishes, and can deliver messages to it.
#[derive(Clone, Default)]
struct Recorder {
    said: Arc<Mutex<Vec<BusEvent>>>,
    receiver: Arc<Mutex<Option<BusReceiver>>>,
}

impl Bus for Recorder {
    fn join(&self, receiver: BusReceiver) -> BusMember {
        *self.receiver.lock() = Some(receiver);
        let said = Arc::clone(&self.said);
        BusMember::new(move |event| said.lock().push(event.clone()))
    }
}

impl Recorder {
    fn tell(&self, event: &Value) {
        let event = serde_json::from_value(event.clone()).expect("an event");
        let receiver = self.receiver.lock().clone().expect("a node");
        receiver(&event);
    }
}

#[tokio::test]
async fn a_node_does_not_repeat_messages_from_others() {
    let bus = Recorder::default();
    let node = Node::join(bus.clone());
    let mut subscriber = node.subscriber().await;
    bus.tell(&json!({"DocumentStored": {"collection": "items", "id": "1", "fields": {"number": 1}}}));
    bus.tell(&json!({"Stream": {"stream": "s", "event": "event", "args": [1]}}));
    bus.tell(&json!({"DocumentRemoved": {"collection": "items", "id": "1"}}));
    assert_eq!(kinds(&subscriber.heard().await), ["added", "changed", "removed"]);
    assert_eq!(*bus.said.lock(), []);
}

#[tokio::test]
async fn unknown_messages_do_not_harm_a_node() {
    let bus = Recorder::default();
    let node = Node::join(bus.clone());
    let mut subscriber = node.subscriber().await;
    bus.tell(&json!({"DocumentStored": {"collection": "items", "id": "1", "fields": [1]}}));
    bus.tell(&json!({"DocumentStored": {"collection": "unknown", "id": "1", "fields": {}}}));
    bus.tell(&json!({"DocumentRemoved": {"collection": "items", "id": "unknown"}}));
    bus.tell(&json!({"Stream": {"stream": "unknown", "event": "event", "args": []}}));
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    assert_eq!(node.items.count().await, Ok(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_publishes_its_changes_in_order() {
    let bus = LocalBus::default();
    let (here, there) = (Node::join(bus.clone()), Node::join(bus));
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let items = here.items.clone();
        writers.spawn(async move {
            for number in 0..500 {
                let _is_there_already = items.insert("1", &document(number)).await;
                let _is_there = items.update("1", Update::new().set("number", number * 10 + writer)).await;
                let _is_there = items.remove("1").await;
            }
            let _is_there_already = items.insert("1", &document(writer)).await;
        });
    }
    writers.join_all().await;
    assert_eq!(there.items.get("1").await, here.items.get("1").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_write_at_the_same_time_do_not_deadlock() {
    let bus = LocalBus::default();
    let nodes = [Node::join(bus.clone()), Node::join(bus)];
    let mut writers = JoinSet::new();
    for (place, node) in nodes.iter().enumerate() {
        let items = node.items.clone();
        writers.spawn(async move {
            for number in 0..2_000 {
                items.insert(format!("{place}-{number}"), &document(number)).await.expect("a new document");
            }
        });
    }
    writers.join_all().await;
    for node in nodes {
        assert_eq!(node.items.count().await, Ok(4_000));
    }
}
