//! Clients that read slowly or not at all: handlers wait, memory is bounded, and other clients are not delayed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bolide::prelude::*;
use bolide::publication::Strategy;
use bolide::testing::TestClient;
use bolide::{AppBuilder, Heartbeat, Limits};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::messages::Messages as _;
use crate::server::Server;
use crate::waiting::{A_MOMENT, SOON, until};

const DOCUMENTS: usize = 100_000;

/// An app that publishes very many documents and counts those it has sent.
fn very_many() -> (App, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let app = App::builder()
        .publish("p", async move |subscription: Subscription| {
            subscription.unblock();
            for number in 0..DOCUMENTS {
                subscription.added("c", number.to_string(), &json!({"number": number})).await?;
                counter.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        })
        .build()
        .expect("the app fits together");
    (app, sent)
}

/// Connects a client that waits long enough for very many documents.
async fn connect(app: &App) -> TestClient {
    TestClient::connect(app).await.with_timeout(6 * SOON)
}

/// Waits until a publication stops sending, and returns the number of documents sent.
async fn when_it_waits(sent: &AtomicUsize) -> usize {
    let mut before = usize::MAX;
    while before != sent.load(Ordering::Relaxed) {
        before = sent.load(Ordering::Relaxed);
        tokio::time::sleep(A_MOMENT).await;
    }
    before
}

/// Forwards a connection to a server, and limits the rate of the data from it.
async fn slow_line_to(address: SocketAddr) -> DuplexStream {
    const BYTES: usize = 64 << 10;
    let (near, far) = tokio::io::duplex(BYTES);
    let (mut from_server, mut to_server) = TcpStream::connect(address).await.expect("a listening server").into_split();
    let (mut from_client, mut to_client) = tokio::io::split(far);
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    tokio::spawn(async move {
        let mut piece = vec![0; BYTES];
        loop {
            let Ok(count @ 1..) = from_server.read(&mut piece).await else { return };
            tokio::time::sleep(Duration::from_millis(10)).await;
            if to_client.write_all(&piece[..count]).await.is_err() {
                return;
            }
        }
    });
    near
}

#[tokio::test]
async fn a_client_slower_than_the_heartbeat_interval_keeps_its_session() {
    const BYTES: usize = 15 << 20;
    let heartbeat = Heartbeat { interval: Duration::from_millis(400), timeout: Duration::from_millis(400) };
    let app = App::builder()
        .heartbeat(heartbeat)
        .limits(Limits { outbox_bytes: 2 * BYTES, ..Limits::default() })
        .method("long", TwoFactor::none(), async |_: Context| Ok("x".repeat(BYTES)))
        .build()
        .expect("the app fits together");
    let server = Server::start(app).await;
    let mut client = Client::open_over(slow_line_to(server.address).await, "ws://localhost/websocket").await;
    client.start_session().await;
    client.call("1", "long", json!([])).await;
    assert_eq!(client.answer("1").await["result"].as_str().map(str::len), Some(BYTES));
}

#[tokio::test]
async fn a_handler_waits_until_its_client_reads() {
    let (app, sent) = very_many();
    let mut slow = connect(&app).await;
    slow.ask("s", "p", json!([])).await;
    until(|| sent.load(Ordering::Relaxed) > 0).await;
    let before = when_it_waits(&sent).await;
    assert!(before < 10_000, "{before} documents were sent to a client that does not read");
    let mut other = connect(&app).await;
    assert_eq!(other.heard().await, [] as [Value; 0], "others are answered meanwhile");
    slow.ready("s").await;
    assert_eq!(slow.document_ids("c").len(), DOCUMENTS);
}

#[tokio::test]
async fn a_handler_waiting_for_a_client_ends_when_the_client_leaves() {
    let (app, sent) = very_many();
    let slow = connect(&app).await;
    slow.ask("s", "p", json!([])).await;
    until(|| sent.load(Ordering::Relaxed) > 0).await;
    let before = when_it_waits(&sent).await;
    drop(slow);
    until(|| app.session_count() == 0).await;
    assert!(sent.load(Ordering::Relaxed) < before + 10_000, "it continued without a client");
}

#[tokio::test]
async fn only_a_client_with_too_many_waiting_broadcasts_is_closed_with_1013() {
    let audience = Audience::default();
    let joined = audience.clone();
    let app = App::builder()
        .publish("feed", async move |subscription: Subscription| {
            subscription.added("feed", "x", &json!({"n": null})).await?;
            joined.join(&subscription);
            Ok(())
        })
        .limits(Limits { outbox_messages: 200, ..Limits::default() })
        .build()
        .expect("the app fits together");
    let (mut slow, mut quick) = (connect(&app).await, connect(&app).await);
    slow.subscribe_by_name("feed", json!([])).await;
    quick.subscribe_by_name("feed", json!([])).await;
    for number in 0..1_000 {
        audience.changed("feed", "x", &json!({"n": number}), &[]).expect("fields");
        quick.next().await;
    }
    assert_eq!(quick.documents::<Value>("feed")["x"], json!({"n": 999}));
    assert_eq!(slow.close_code().await, 1013);
    until(|| audience.len() == 1).await;
}

/// An app with a stream `s`.
async fn listener(stream: Stream, events: &[&str]) -> TestClient {
    let app = App::builder().stream(&stream).build().expect("the app fits together");
    let mut subscriber = connect(&app).await;
    for event in events {
        subscriber.ask(event, "stream-s", json!([event])).await;
        subscriber.ready(event).await;
    }
    subscriber
}

/// Sends a thousand events with each of two names while the client does not read.
async fn emit_thousands(stream: &Stream) {
    for number in 0..1_000 {
        stream.emit("a", &(number,)).expect("a list");
        stream.emit("b", &(number,)).expect("a list");
        if number == 100 {
            // By then, the connection's buffers are full.
            tokio::task::yield_now().await;
        }
    }
}

fn events(messages: &[Value], name: &str) -> Vec<u64> {
    let events = messages.iter().filter(|message| message["fields"]["eventName"] == name);
    events.map(|event| event["fields"]["args"][0].as_u64().expect("a number")).collect()
}

#[tokio::test]
async fn a_stream_drops_no_events_for_a_client_that_reads_late() {
    let stream = Stream::new("s").allow_read(|_, _| true);
    let mut subscriber = listener(stream.clone(), &["a", "b"]).await;
    emit_thousands(&stream).await;
    let heard = subscriber.heard().await;
    for name in ["a", "b"] {
        assert_eq!(events(&heard, name), (0..1_000).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_volatile_stream_sends_a_slow_client_the_latest_of_each_event() {
    let stream = Stream::new("s").allow_read(|_, _| true).volatile();
    let mut subscriber = listener(stream.clone(), &["a", "b"]).await;
    emit_thousands(&stream).await;
    let heard = subscriber.heard().await;
    for name in ["a", "b"] {
        let numbers = events(&heard, name);
        assert!(numbers.len() < 200, "only the latest waits: {numbers:?}");
        assert!(numbers.is_sorted(), "{numbers:?}");
        assert_eq!(numbers.last(), Some(&999));
    }
}

/// An app that publishes a collection of long documents, too many for the outbox of a client.
async fn long_documents(app: AppBuilder) -> (App, Collection) {
    let items: Collection = Collection::new("items");
    for number in 0..3_000 {
        insert(&items, number).await;
    }
    let published = items.clone();
    let app = app
        .publish("items", async move |subscription: Subscription| {
            subscription.publish(published.find(Filter::everything())).await
        })
        .build()
        .expect("the app fits together");
    (app, items)
}

async fn insert(items: &Collection, number: u32) {
    let fields = [("number", Ejson::from(number)), ("text", Ejson::from("x".repeat(1_000)))];
    let document = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    items.insert(number.to_string(), &document).await.expect("a new document");
}

#[tokio::test]
async fn changes_during_the_initial_documents_are_correct_with_every_strategy() {
    let strategies = [Strategy::Merge, Strategy::NoMergeMulti, Strategy::NoMerge, Strategy::NoMergeNoHistory];
    for strategy in strategies {
        let (app, items) = long_documents(App::builder().strategy("items", strategy)).await;
        let mut slow = connect(&app).await;
        slow.ask("s", "items", json!([])).await;
        until(|| items.live_query_count() == 1).await;
        // Some have been sent by now, and some have not.
        for number in (0..3_000).step_by(100) {
            let update = Update::new().set("number", number + 1).unset("text");
            assert_eq!(items.update(number.to_string(), update).await, Ok(true));
            assert_eq!(items.remove((number + 1).to_string()).await, Ok(true));
            assert_eq!(items.remove((number + 2).to_string()).await, Ok(true));
            insert(&items, number + 2).await;
            insert(&items, number + 100_000).await;
        }
        slow.ready("s").await;
        let shown = slow.documents::<Ejson>("items");
        assert_eq!(Ok(shown.len()), items.count().await, "{strategy:?}");
        for (id, document) in shown {
            let mut expected = items.get(id.as_str()).await.expect("it is readable").expect("it exists");
            expected.shift_remove("_id");
            assert_eq!(document, Ejson::Object(expected), "{strategy:?}");
        }
    }
}

#[tokio::test]
async fn a_query_of_long_documents_waits_for_the_client_too() {
    let files: Collection = Collection::new("files");
    for number in 0..100 {
        let document = [("content".to_owned(), Ejson::from("x".repeat(200_000)))].into_iter().collect();
        files.insert(number.to_string(), &document).await.expect("a new document");
    }
    let published = files.clone();
    let app = App::builder()
        .publish("files", async move |subscription: Subscription| {
            subscription.publish(published.find(Filter::everything())).await
        })
        .build()
        .expect("the app fits together");
    let mut subscriber = connect(&app).await;
    subscriber.subscribe_by_name("files", json!([])).await;
    assert_eq!(subscriber.document_ids("files").len(), 100);
}

#[tokio::test]
async fn a_client_can_unsubscribe_from_very_many_documents_at_once() {
    let (app, _) = very_many();
    let mut subscriber = connect(&app).await;
    subscriber.subscribe_by_name("p", json!([])).await;
    subscriber.stop("p").await;
    assert_eq!(subscriber.nosub("p").await, Value::Null);
    assert_eq!(subscriber.document_ids("c").len(), 0);
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
}

#[tokio::test]
async fn very_many_documents_can_change_with_the_user() {
    let app = App::builder()
        .publish("own", async |subscription: Subscription| {
            let user = subscription.user_id().map_or("nobody", UserId::as_str).to_owned();
            for number in 0..20_000 {
                subscription.added("own", format!("{user}-{number}"), &json!({})).await?;
                subscription.added("own", format!("shared-{number}"), &json!({"user": user})).await?;
            }
            Ok(())
        })
        .method("become", TwoFactor::none(), async |context: Context, user: String| {
            context.set_user_id(Some(user.into())).await
        });
    let app = app.build().expect("the app fits together");
    let mut subscriber = connect(&app).await;
    subscriber.subscribe_by_name("own", json!([])).await;
    subscriber.call::<()>("become", &json!(["alice"])).await.expect("a user");
    assert_eq!(subscriber.document_ids("own").len(), 40_000);
    assert_eq!(subscriber.documents::<Value>("own")["shared-7"], json!({"user": "alice"}));
}

#[tokio::test]
async fn limits_apply_after_documents_were_unsubscribed() {
    let stream = Stream::new("s").allow_read(|_, _| true);
    let app = App::builder()
        .stream(&stream)
        .publish("p", async |subscription: Subscription| {
            for number in 0..1_000 {
                subscription.added("c", number.to_string(), &json!({})).await?;
            }
            Ok(())
        })
        .limits(Limits { outbox_messages: 200, ..Limits::default() })
        .build()
        .expect("the app fits together");
    let mut slow = connect(&app).await;
    for (publication, params) in [("p", json!([])), ("stream-s", json!(["event"]))] {
        slow.subscribe_by_name(publication, params).await;
    }
    slow.stop("p").await;
    until(|| app.subscription_count() == 1).await;
    for _ in 0..100 {
        stream.emit("event", &[1]).expect("a list");
    }
    slow.nosub("p").await;
    assert_eq!(events(&slow.heard().await, "event").len(), 100, "as many as may wait");
    slow.subscribe_by_name("p", json!([])).await;
    slow.stop("p").await;
    until(|| app.subscription_count() == 1).await;
    for _ in 0..300 {
        stream.emit("event", &[1]).expect("a list");
    }
    assert_eq!(slow.close_code().await, 1013);
}
