//! Sessions whose client is away, beyond the cases in `protocol/conformance/resumption.json`.

use std::sync::Arc;
use std::time::Duration;

use bolide::Limits;
use bolide::prelude::*;
use bolide::protocol::ejson::Object;
use bolide::testing::TestClient;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::client::{Client, resume};
use crate::messages::Messages as _;
use crate::metrics;
use crate::server::Server;
use crate::waiting::{until, until_it};

const MESSAGES: usize = 10;

/// The size of an event that is large beside what else is counted.
const LARGE: usize = 10_000;

/// A stream with one listener, and a signal for its end.
struct Listening {
    app: App,
    stream: Stream,
    ends: Arc<Mutex<Vec<&'static str>>>,
}

impl Listening {
    async fn start(limits: Limits) -> (Self, TestClient) {
        let stream = Stream::new("s").allow_read(|_, _| true);
        let ends: Arc<Mutex<Vec<_>>> = Arc::default();
        let (stopped, closed) = (Arc::clone(&ends), Arc::clone(&ends));
        let app = App::builder()
            .limits(limits)
            .stream(&stream)
            .publish("p", async move |subscription: Subscription| {
                subscription.on_stop(move || stopped.lock().push("stop"));
                Ok(())
            })
            .on_connection(move |connection| {
                let closed = Arc::clone(&closed);
                connection.on_close(move || closed.lock().push("close"));
            });
        let app = app.build().expect("the app fits together");
        let mut subscriber = TestClient::connect(&app).await;
        subscriber.subscribe("p", &json!([])).await.expect("a subscription");
        subscriber.subscribe("stream-s", &json!(["event"])).await.expect("a subscription");
        (Self { app, stream, ends }, subscriber)
    }

    fn emit(&self, count: usize) {
        for number in 0..count {
            self.stream.emit("event", &(number,)).expect("a list");
        }
    }

    async fn expect_end(&self) {
        until(|| self.app.session_count() == 0).await;
        assert_eq!(*self.ends.lock(), ["stop", "close"]);
        assert_eq!((self.app.subscription_count(), self.stream.listener_count("event")), (0, 0));
    }
}

#[tokio::test]
async fn messages_sent_meanwhile_arrive_in_order_after_connected() {
    let (listening, subscriber) = Listening::start(Limits { resume_messages: MESSAGES, ..Limits::default() }).await;
    let away = subscriber.cut();
    listening.emit(MESSAGES);
    let session = away.session().to_owned();
    let mut back = away.resume(&listening.app).await;
    assert_eq!(back.session(), session);
    for number in 0..MESSAGES {
        assert_eq!(back.next().await["fields"]["args"], json!([number]));
    }
    listening.emit(1);
    assert_eq!(back.heard().await.len(), 1);
    assert_eq!(*listening.ends.lock(), [""; 0]);
}

#[tokio::test]
async fn one_waiting_message_over_the_limit_ends_the_session() {
    let (listening, subscriber) = Listening::start(Limits { resume_messages: MESSAGES, ..Limits::default() }).await;
    let away = subscriber.cut();
    listening.emit(MESSAGES + 1);
    listening.expect_end().await;
    let session = away.session().to_owned();
    let mut back = away.resume(&listening.app).await;
    assert_ne!(back.session(), session);
    assert_eq!(back.heard().await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_client_that_stays_away_too_long_loses_its_session() {
    let grace = Duration::from_millis(50);
    let (listening, subscriber) = Listening::start(Limits { resume_grace: grace, ..Limits::default() }).await;
    let away = subscriber.cut();
    listening.expect_end().await;
    let session = away.session().to_owned();
    assert_ne!(away.resume(&listening.app).await.session(), session);
}

#[tokio::test]
async fn a_client_that_disconnects_ends_its_session_at_once() {
    let (listening, subscriber) = Listening::start(Limits::default()).await;
    subscriber.disconnect().await;
    listening.expect_end().await;
}

#[tokio::test]
async fn without_a_grace_period_sessions_end_at_once() {
    let grace = Duration::ZERO;
    let (listening, subscriber) = Listening::start(Limits { resume_grace: grace, ..Limits::default() }).await;
    drop(subscriber);
    listening.expect_end().await;
}

#[tokio::test]
async fn documents_and_subscriptions_survive_a_resumption() {
    let items: Collection = Collection::new("items");
    let insert = async |id: &str| items.insert(id, &Object::new()).await.expect("a new document");
    let published = items.clone();
    let app = App::builder()
        .publish("items", async move |subscription: Subscription| {
            subscription.publish(published.find(Filter::everything())).await
        })
        .build()
        .expect("the app fits together");
    insert("old").await;
    let mut subscriber = TestClient::connect(&app).await;
    subscriber.subscribe("items", &json!([])).await.expect("a subscription");
    for round in 0..5 {
        let away = subscriber.cut();
        insert(&format!("new in round {round}")).await;
        assert_eq!(items.update("old", Update::new().set("round", round)).await, Ok(true));
        subscriber = away.resume(&app).await;
        subscriber.heard().await;
        assert_eq!(Ok(subscriber.document_ids("items").len()), items.count().await, "round {round}");
        assert_eq!(subscriber.documents::<Value>("items")["old"], json!({"round": round}));
    }
    assert_eq!(app.session_count(), 1);
}

#[tokio::test]
async fn a_resumed_session_has_the_address_of_its_new_socket() {
    let app = App::builder()
        .forwarded_count(1)
        .method("address", TwoFactor::none(), async |context: Context| {
            Ok(context.connection().and_then(bolide::Connection::client_address))
        })
        .build()
        .expect("the app fits together");
    let server = Server::start(app).await;
    let mut client = open_from(&server, "192.0.2.1").await;
    client.start_session().await;
    assert_eq!(client.ask("address", json!([])).await["result"], "192.0.2.1");
    let session = client.session().to_owned();
    client.leave().await;
    let mut client = open_from(&server, "192.0.2.2").await;
    client.send(resume(&session, 3)).await;
    client.expect_connected().await;
    assert_eq!(client.session(), session);
    assert_eq!(client.ask("address", json!([])).await["result"], "192.0.2.2");
}

#[tokio::test]
async fn what_waits_for_clients_that_are_away_is_bounded_in_total_and_by_network() {
    let limit = 3 * LARGE / 2;
    let by_network = Limits { away_bytes_per_network: limit, ..Limits::default() };
    let in_total = Limits { away_bytes: limit, ..Limits::default() };
    for (limits, networks, ended) in [
        (by_network.clone(), ["192.0.2.1", "192.0.2.1"], Some("away_bytes_per_network")),
        (in_total, ["192.0.2.1", "192.0.2.2"], Some("away_bytes")),
        (by_network, ["192.0.2.1", "192.0.2.2"], None),
    ] {
        let stream = Stream::new("s").allow_read(|_, _| true);
        let app =
            App::builder().forwarded_count(1).limits(limits).stream(&stream).build().expect("the app fits together");
        let server = Server::start(app).await;
        let mut sessions = Vec::new();
        for network in networks {
            let mut client = open_from(&server, network).await;
            client.start_session().await;
            client.send(json!({"msg": "sub", "id": "s", "name": "stream-s", "params": ["event"]})).await;
            assert_eq!(client.next().await["msg"], "ready");
            sessions.push((network, client.session().to_owned()));
            client.leave().await;
        }
        until(|| server.app.connection_count() == 0).await;
        assert_eq!(server.app.session_count(), 2);
        stream.emit("event", &("x".repeat(LARGE),)).expect("a list");
        let left = if ended.is_some() { 1 } else { 2 };
        until_counted(&server.app, "bolide_away_messages", &[], left).await;
        until(|| server.app.session_count() == 2 - usize::from(ended.is_some())).await;
        if let Some(limit) = ended {
            assert_eq!(counted(&server.app, "bolide_refusals_total", &[("limit", limit)]).await, 1);
        }
        let (mut back, mut resumed) = (Vec::new(), 0);
        for (network, session) in sessions {
            let mut client = open_from(&server, network).await;
            client.send(resume(&session, 2)).await;
            client.expect_connected().await;
            if client.session() == session {
                resumed += 1;
                assert_eq!(client.next().await["fields"]["args"][0].as_str().map(str::len), Some(LARGE));
            }
            client.ping().await;
            back.push(client);
        }
        assert_eq!(resumed, left);
        assert_eq!(counted(&server.app, "bolide_limit_used", &[("limit", "away_bytes")]).await, 0);
    }
}

#[tokio::test]
async fn subscriptions_and_the_ids_of_running_calls_count_for_a_client_that_is_away() {
    const LONG: usize = 50_000;
    let app = App::builder()
        .method("wait", TwoFactor::none(), async |_: Context| {
            std::future::pending::<()>().await;
            Ok(())
        })
        .publish("p", async |_: Subscription, _: String| Ok(()));
    let server = Server::start(app.build().expect("the app fits together")).await;
    let mut client = Client::connect(server.address).await;
    client.send(json!({"msg": "sub", "id": "s", "name": "p", "params": ["x".repeat(LONG)]})).await;
    assert_eq!(client.next().await["msg"], "ready");
    client.call(&"i".repeat(LONG), "wait", json!([])).await;
    client.ping().await;
    let session = client.session().to_owned();
    client.leave().await;
    let used = async |limit| counted(&server.app, "bolide_limit_used", &[("limit", limit)]).await;
    until_it(async || used("away_bytes").await > 2 * LONG as u64).await;
    let mut client = Client::come_back(server.address, &session, 2).await;
    assert_eq!(client.session(), session);
    client.ping().await;
    assert_eq!(used("away_bytes").await, 0);
    // The id is remembered, since the client may send the call again.
    assert!(used("held_bytes").await > LONG as u64);
}

#[tokio::test]
async fn absences_are_counted_by_their_end() {
    let ended = async |app: &App, outcome| counted(app, "bolide_absences_total", &[("outcome", outcome)]).await;
    let limits = Limits { resume_messages: MESSAGES, ..Limits::default() };
    let (listening, subscriber) = Listening::start(limits.clone()).await;
    let away = subscriber.cut();
    listening.emit(MESSAGES);
    until_counted(&listening.app, "bolide_away_messages", &[], MESSAGES as u64).await;
    let back = away.resume(&listening.app).await;
    until_counted(&listening.app, "bolide_away_messages", &[], 0).await;
    assert_eq!(ended(&listening.app, "resumed").await, 1);
    let _away = back.cut();
    listening.emit(MESSAGES + 1);
    listening.expect_end().await;
    assert_eq!([ended(&listening.app, "resumed").await, ended(&listening.app, "overflowed").await], [1, 1]);

    let (listening, subscriber) = Listening::start(Limits { resume_grace: Duration::from_millis(50), ..limits }).await;
    let _away = subscriber.cut();
    listening.expect_end().await;
    assert_eq!(ended(&listening.app, "expired").await, 1);

    let server = Server::start(App::builder().build().expect("the app fits together")).await;
    let client = Client::connect(server.address).await;
    let session = client.session().to_owned();
    client.leave().await;
    let other = Client::come_back(server.address, &session, 100).await;
    assert_ne!(other.session(), session);
    assert_eq!(ended(&server.app, "refused").await, 1);

    let (listening, subscriber) = Listening::start(Limits::default()).await;
    let _away = subscriber.cut();
    until_counted(&listening.app, "bolide_sessions_away", &[], 1).await;
    listening.app.shutdown().await;
    assert_eq!(ended(&listening.app, "closed").await, 1);
}

#[tokio::test]
async fn clients_that_are_away_are_subscribed_but_not_connected() {
    let (stream, audience) = (Stream::new("s").allow_read(|_, _| true), Audience::default());
    let joined = audience.clone();
    let app = App::builder()
        .stream(&stream)
        .publish("feed", async move |subscription: Subscription| {
            subscription.added("feed", "x", &json!({"p": null})).await?;
            joined.join(&subscription);
            Ok(())
        })
        .build()
        .expect("the app fits together");
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = TestClient::connect(&app).await;
        client.subscribe("feed", &json!([])).await.expect("a subscription");
        client.subscribe("stream-s", &json!(["event"])).await.expect("a subscription");
        clients.push(client);
    }
    let change = |payload: &str| audience.changed("feed", "x", &json!({"p": payload}), &[]).expect("fields");
    assert_eq!(change("all"), 3);
    let away: Vec<_> = clients.drain(1..).map(TestClient::cut).collect();
    until(|| app.connection_count() == 1).await;
    assert_eq!(change("one"), 1);
    assert_eq!((audience.connected_len(), stream.connected_listener_count("event")), (1, 1));
    assert_eq!((audience.len(), stream.listener_count("event"), app.session_count()), (3, 3, 3));
    for away in away {
        let mut back = away.resume(&app).await;
        back.heard().await;
        assert_eq!(back.documents::<Value>("feed")["x"], json!({"p": "one"}), "the change waited");
        clients.push(back);
    }
    assert_eq!(change("all again"), 3);
    assert_eq!((audience.connected_len(), stream.connected_listener_count("event"), app.connection_count()), (3, 3, 3));
}

/// Returns what a metric counts.
async fn counted(app: &App, name: &str, labels: &[(&str, &str)]) -> u64 {
    metrics::read(app).await.count(name, labels)
}

async fn until_counted(app: &App, name: &str, labels: &[(&str, &str)], count: u64) {
    until_it(async || counted(app, name, labels).await == count).await;
}

async fn open_from(server: &Server, address: &'static str) -> Client {
    let mut request = server.url().into_client_request().expect("a request");
    request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static(address));
    Client::open_with(server.address, request).await
}
