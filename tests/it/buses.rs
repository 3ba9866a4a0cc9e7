//! The bus: apps that share one receive each other's changes, and do not repeat what they received.

use std::sync::Arc;

use bolide::AppBuilder;
use bolide::bus::{Bus, BusReceiver, BusSender, ClusterName, LocalBus};
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

/// Records what a node sends, and can hand messages to it.
#[derive(Clone, Default)]
struct Recorder {
    sent: Arc<Mutex<Vec<Value>>>,
    receiver: Arc<Mutex<Option<BusReceiver>>>,
    /// The number of the last message from the other node.
    told: Arc<Mutex<u64>>,
    /// The maximum size of a message; 0 for the usual one.
    maximum: usize,
}

impl Bus for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn max_message_bytes(&self) -> usize {
        if self.maximum == 0 { usize::MAX } else { self.maximum }
    }

    fn is_lossless(&self) -> bool {
        true
    }

    fn join(&self, _: &ClusterName, receiver: BusReceiver) -> BusSender {
        *self.receiver.lock() = Some(receiver);
        let sent = Arc::clone(&self.sent);
        BusSender::new(move |message| sent.lock().push(serde_json::from_slice(&message).expect("JSON")))
    }
}

impl Recorder {
    /// Hands over an event of another node, as its next one.
    fn tell(&self, event: &Value) {
        *self.told.lock() += 1;
        let n = *self.told.lock();
        self.tell_text(&envelope(n, event).to_string());
    }

    fn tell_text(&self, message: &str) {
        let receiver = self.receiver.lock().clone().expect("a node");
        receiver.message(message.as_bytes());
    }

    fn events(&self) -> Vec<Value> {
        self.sent.lock().iter().map(|message| message["event"].clone()).collect()
    }
}

fn envelope(n: u64, event: &Value) -> Value {
    json!({"version": 1, "cluster": "bolide", "node": "abcd", "epoch": "1", "n": n, "event": event})
}

fn with(field: &str, value: Value) -> String {
    let event = json!({"Stream": {"stream": "s", "event": "event", "args": ["forged"]}});
    let mut changed = envelope(1, &event);
    changed[field] = value;
    changed.to_string()
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
    assert_eq!(bus.events(), [] as [Value; 0]);
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
    bus.tell(&json!({"Unknown": {"of": "a newer version"}}));
    bus.tell(&json!({"Stream": {"stream": 1, "event": [], "args": {}}}));
    bus.tell(&json!(null));
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    assert_eq!(node.items.count().await, Ok(0));
    bus.tell(&json!({"Stream": {"stream": "s", "event": "event", "args": [1]}}));
    assert_eq!(kinds(&subscriber.heard().await), ["changed"], "it goes on");
    assert_eq!(node.app.bus_report().expect("a bus").unreadable, 3);
}

#[tokio::test]
async fn a_node_numbers_what_it_sends() {
    let bus = Recorder::default();
    let node = Node::join(bus.clone());
    node.insert("1", 1).await;
    node.stream.emit("event", &["hello"]).expect("a list");
    let sent = bus.sent.lock().clone();
    let [first, second] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((&first["n"], &second["n"]), (&json!(1), &json!(2)));
    assert_eq!((&first["version"], &first["cluster"]), (&json!(1), &json!("bolide")));
    assert_eq!(first["node"], node.app.node_id());
    let epoch = first["epoch"].as_str().expect("a text");
    assert_eq!((epoch.len(), &second["epoch"]), (17, &first["epoch"]));
    assert_ne!(epoch, Node::join(bus.clone()).app.node_id());
}

#[tokio::test]
async fn forged_messages_of_other_clusters_and_versions_are_not_applied() {
    let bus = Recorder::default();
    let node = Node::join(bus.clone());
    let mut subscriber = node.subscriber().await;
    let [foreign, newer] = [with("cluster", json!("other")), with("version", json!(2))];
    let wrong_types =
        [("n", json!("1")), ("n", json!(-1)), ("node", json!(7)), ("epoch", json!(null)), ("cluster", json!([]))];
    bus.tell_text(&foreign);
    bus.tell_text(&newer);
    for (field, value) in wrong_types {
        bus.tell_text(&with(field, value));
    }
    bus.tell_text(&with(
        "event",
        json!({"Stream": {"stream": "s", "event": "event", "args": ["x".repeat(600 << 10)]}}),
    ));
    bus.tell_text("not JSON");
    bus.tell_text("");
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    let report = node.app.bus_report().expect("a bus");
    assert_eq!((report.foreign, report.unreadable, report.received), (1, 9, 0), "{report:?}");
    bus.tell_text(&with("n", json!(1)));
    assert_eq!(kinds(&subscriber.heard().await), ["changed"], "the genuine one");
}

#[tokio::test]
async fn a_replay_is_not_applied_and_neither_is_a_message_that_claims_to_be_its_own() {
    let bus = Recorder::default();
    let node = Node::join(bus.clone());
    let mut subscriber = node.subscriber().await;
    bus.tell_text(&with("n", json!(1)));
    bus.tell_text(&with("n", json!(2)));
    assert_eq!(kinds(&subscriber.heard().await), ["changed", "changed"]);
    // The other node has started again.
    bus.tell_text(&with("epoch", json!("2")));
    assert_eq!(kinds(&subscriber.heard().await), ["changed"]);
    for n in [1, 2] {
        bus.tell_text(&with("n", json!(n)));
    }
    assert_eq!(subscriber.heard().await, [] as [Value; 0], "a replay of the time before");
    node.stream.emit("event", &["own"]).expect("a list");
    assert_eq!(kinds(&subscriber.heard().await), ["changed"]);
    let mut own = bus.sent.lock()[0].clone();
    bus.tell_text(&own.to_string());
    own["n"] = json!(99);
    bus.tell_text(&own.to_string());
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    let report = node.app.bus_report().expect("a bus");
    assert_eq!((report.received, report.gaps), (5, 3), "two are late, one is of another process: {report:?}");
}

#[tokio::test]
async fn an_event_that_is_too_large_is_announced_as_missing() {
    let bus = Recorder { maximum: 300, ..Recorder::default() };
    let node = Node::join(bus.clone());
    node.stream.emit("event", &["small"]).expect("a list");
    node.stream.emit("event", &["large".repeat(100)]).expect("a list");
    let events = bus.events();
    assert_eq!(events[0]["Stream"]["args"], json!(["small"]));
    assert_eq!(events[1], "Omitted");
    assert!(bus.sent.lock().iter().all(|message| message.to_string().len() <= 300));
    assert_eq!(node.app.bus_report().expect("a bus").omitted, 1);
    bus.tell(&json!("Omitted"));
    assert_eq!(node.app.bus_report().expect("a bus").gaps, 1);
}

#[tokio::test]
async fn gaps_are_counted() {
    let bus = Recorder::default();
    let node = Node::join(bus.clone());
    for n in [1, 2, 5, 6, 7, 20] {
        bus.tell_text(&with("n", json!(n)));
    }
    let report = node.app.bus_report().expect("a bus");
    assert_eq!((report.received, report.gaps, report.missing, report.nodes), (6, 2, 14, vec!["abcd".to_owned()]));
    bus.tell_text(&envelope(21, &json!("Left")).to_string());
    assert_eq!(node.app.bus_report().expect("a bus").nodes, [] as [String; 0]);
}

#[test]
fn a_bus_that_needs_a_runtime_is_refused_without_one() {
    let bus = bolide::bus::NatsBus::new(["nats://127.0.0.1:1"]).expect("a URL");
    let refused = App::builder().bus(bus).build().expect_err("there is no runtime");
    assert!(refused.to_string().contains("inside a tokio runtime"), "{refused}");
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
