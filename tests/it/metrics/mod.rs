//! What the metrics tell, and that they tell it in `OpenMetrics`, with bounded labels and without secrets.

#![expect(clippy::unwrap_used, reason = "what a test prepares works, or the test fails")]

mod documents;
mod open_metrics;

use std::time::Duration;

use bolide::bus::LocalBus;
use bolide::call::RateLimitRule;
use bolide::prelude::*;
use bolide::{Error, Limits};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::accounts::{Bank, password_login, with_code};
use crate::client::Client;
use crate::http::request;
use crate::server::Server;
use crate::waiting::until_it;
use open_metrics::Exposition;

/// Reads the metrics of an app.
pub(super) async fn read(app: &App) -> Exposition {
    let text = app.metrics().await;
    Exposition::parse(&text).unwrap_or_else(|broken| panic!("{broken}\n{text}"))
}

async fn fail(_: Context) -> MethodResult<()> {
    Err(MethodError::internal("the disk is full"))
}

async fn refuse(_: Context) -> MethodResult<()> {
    Err(MethodError::new("no-amount", "Say how much"))
}

async fn store(context: Context, id: String) -> MethodResult<()> {
    let items = context.state::<Collection>()?;
    Ok(items.upsert(&*id, Update::new().set("kind", "pen")).await.map(drop)?)
}

async fn show(subscription: Subscription) -> MethodResult<()> {
    let items = subscription.state::<Collection>()?.find(Filter::eq("kind", "pen"));
    subscription.publish(items).await
}

/// An app with a method of each outcome, a publication, and a collection on a bus.
fn shop(limits: Limits) -> App {
    let items: Collection = Collection::new("items");
    App::builder()
        .collection(&items)
        .limits(limits)
        .bus(LocalBus::default())
        .method("add", TwoFactor::none(), async |_: Context, a: f64, b: f64| Ok(a + b))
        .method("fail", TwoFactor::none(), fail)
        .method("refuse", TwoFactor::none(), refuse)
        .state(items)
        .method("store", TwoFactor::none(), store)
        .method("rare", TwoFactor::none(), async |_: Context| Ok(()))
        .rate_limit(RateLimitRule::new(1, Duration::from_hours(1)).methods(["rare"]).per_connection())
        .publish("items", show)
        .build()
        .unwrap()
}

#[tokio::test]
async fn calls_are_counted_by_method_and_outcome() {
    let server = Server::start(shop(Limits::default())).await;
    let mut client = Client::connect(server.address).await;
    for (method, parameters) in
        [("add", json!([1, 2])), ("add", json!([3, 4])), ("fail", json!([])), ("refuse", json!([]))]
    {
        client.ask(method, parameters).await;
    }
    client.ask("rare", json!([])).await;
    client.ask("rare", json!([])).await;
    client.ask("nothing", json!([])).await;
    let metrics = read(&server.app).await;
    let calls = |method, outcome| {
        metrics.count("bolide_calls_total", &[("kind", "method"), ("method", method), ("outcome", outcome)])
    };
    assert_eq!([calls("add", "ok"), calls("add", "failed")], [2, 0]);
    assert_eq!([calls("fail", "failed"), calls("refuse", "rejected")], [1, 1]);
    assert_eq!([calls("rare", "ok"), calls("rare", "limited")], [1, 1]);
    assert_eq!(metrics.count("bolide_call_duration_seconds_count", &[("method", "add")]), 2);
    assert!(metrics.value("bolide_call_duration_seconds_sum", &[("method", "add")]) > 0.0);
    assert_eq!(metrics.count("bolide_unknown_methods_total", &[]), 1);
    assert_eq!(metrics.count("bolide_refusals_total", &[("limit", "rate_limit")]), 1);
}

#[tokio::test]
async fn messages_sessions_subscriptions_and_writes_are_counted() {
    let server = Server::start(shop(Limits::default())).await;
    let mut memory = server.app.connect();
    memory.send(r#"{"msg":"connect","version":"1","support":["1"]}"#).await;
    memory.receive().await;
    let mut client = Client::connect(server.address).await;
    client.send(json!({ "msg": "sub", "id": "1", "name": "items", "params": [] })).await;
    assert_eq!(client.next().await["msg"], "ready");
    client.ask("store", json!(["first"])).await;
    client.send(json!({ "msg": "sub", "id": "2", "name": "nothing", "params": [] })).await;
    assert_eq!(client.next().await["msg"], "nosub");
    let metrics = read(&server.app).await;
    let open = |transport| metrics.count("bolide_connections", &[("transport", transport), ("state", "open")]);
    assert_eq!([open("websocket"), open("memory"), open("sockjs_http")], [1, 1, 0]);
    // Two connects, two subscriptions and a call; connected twice, ready, nosub, added, updated and result.
    let messages = |direction| metrics.count("bolide_messages_total", &[("direction", direction)]);
    assert_eq!([messages("received"), messages("sent")], [5, 7]);
    assert!(metrics.count("bolide_message_bytes_total", &[("direction", "sent")]) > 7 * 15);
    assert_eq!(metrics.count("bolide_subscriptions", &[("publication", "items")]), 1);
    assert_eq!(metrics.count("bolide_subscriptions_started_total", &[("publication", "items")]), 1);
    assert_eq!(metrics.count("bolide_unknown_publications_total", &[]), 1);
    assert_eq!(metrics.count("bolide_live_queries", &[("collection", "items")]), 1);
    assert_eq!(metrics.count("bolide_writes_total", &[("collection", "items"), ("outcome", "ok")]), 1);
    assert_eq!(metrics.count("bolide_write_duration_seconds_count", &[("collection", "items")]), 1);
    assert_eq!(metrics.count("bolide_limit_used", &[("limit", "connections")]), 1);
    client.send(json!({ "msg": "unsub", "id": "1" })).await;
    drop(client);
    until_it(async || {
        let metrics = read(&server.app).await;
        let away = metrics.count("bolide_sessions_away", &[]);
        let open = metrics.count("bolide_connections", &[("transport", "websocket"), ("state", "open")]);
        let subscriptions = metrics.count("bolide_subscriptions", &[("publication", "items")]);
        [away, open, subscriptions] == [1, 0, 0]
    })
    .await;
}

#[tokio::test]
async fn refusals_are_counted_by_the_limit_that_was_reached() {
    let limits = Limits { message_bytes: 500, subscriptions: 1, connections_per_network: 2, ..Limits::default() };
    let server = Server::start(shop(limits)).await;
    let mut client = Client::connect(server.address).await;
    for id in ["1", "2"] {
        client.send(json!({ "msg": "sub", "id": id, "name": "items", "params": [] })).await;
        client.next().await;
    }
    let mut other = Client::connect(server.address).await;
    other.send(json!({ "msg": "method", "id": "1", "method": "add", "params": ["x".repeat(600)] })).await;
    let mut refused = String::new();
    TcpStream::connect(server.address).await.unwrap().read_to_string(&mut refused).await.unwrap();
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    until_it(async || {
        let metrics = read(&server.app).await;
        let refused = |limit| metrics.count("bolide_refusals_total", &[("limit", limit)]);
        let limits = ["message_bytes", "subscriptions", "connections_per_network", "queued_messages"];
        limits.map(refused) == [1, 1, 1, 0]
    })
    .await;
}

/// Limits that end something, or make it wait, and refuse no client.
const NOT_REFUSING: [&str; 13] = [
    "running_calls",
    "outbox_high_water",
    "write_timeout",
    "close_timeout",
    "shutdown_timeout",
    "drain_delay",
    "drain_time",
    "user_change_timeout",
    "resume_grace",
    "rate_counters",
    "failure_counters",
    // One refusal names all three.
    "profile_bytes",
    "profile_members",
];

#[tokio::test]
async fn each_limit_that_refuses_is_among_the_refusals() {
    let bank = Bank::open().await;
    let metrics = read(&bank.app).await;
    let told = |limit: &str| {
        let samples = &metrics.families["bolide_refusals"].samples;
        samples.iter().any(|sample| sample.labels["limit"] == limit)
    };
    let shown = format!("{:?}", Limits::default());
    let fields = shown.trim_start_matches("Limits { ").split(", ").filter_map(|field| field.split_once(": "));
    let mut count = 0;
    for (field, _) in fields {
        let name = if field == "profile_depth" { "profile" } else { field };
        assert_ne!(told(name), NOT_REFUSING.contains(&field), "{field}");
        count += 1;
    }
    assert!(count > 30, "the limits were not found: {shown}");
}

#[tokio::test]
async fn unknown_and_user_made_names_add_no_series() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    client.ask("known", json!([])).await;
    let before = read(&bank.app).await.series();
    for number in 0..200 {
        client.ask(&format!("flood-{number}"), json!([])).await;
        client
            .send(json!({ "msg": "sub", "id": format!("s{number}"), "name": format!("p{number}"), "params": [] }))
            .await;
        client.next().await;
        request(bank.server.address, "GET", &format!("/api/v1/flood-{number}"), &[], "").await;
        let made: Collection = Collection::new(&format!("user-made-{number}"));
        made.upsert("first", Update::new().set("a", 1)).await.unwrap();
    }
    let metrics = read(&bank.app).await;
    let new: Vec<_> = metrics.series().difference(&before).cloned().collect();
    assert!(new.is_empty(), "{new:?}");
    assert_eq!(metrics.count("bolide_unknown_methods_total", &[]), 201);
    assert_eq!(metrics.count("bolide_unknown_publications_total", &[]), 200);
}

#[tokio::test]
async fn gate_decisions_and_logins_are_counted() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    let wrong = client.ask("login", password_login("alice", "wrong")).await;
    assert_eq!(wrong["error"]["error"], 403);
    let mut bob = bank.log_in("bob").await;
    assert_eq!(bob.ask("strict", json!([])).await["error"]["error"], "totp-required");
    assert_eq!(bob.ask("strict", with_code("000000", "totp")).await["error"]["error"], "totp-invalid");
    assert_eq!(bob.ask("strict", with_code(&bank.code(), "totp")).await["result"], "ok");
    assert_eq!(bob.ask("gated", json!([])).await["result"], "ok");
    let metrics = read(&bank.app).await;
    let decided =
        |outcome, factor| metrics.count("bolide_gate_decisions_total", &[("outcome", outcome), ("factor", factor)]);
    assert_eq!(["asked", "failed", "passed"].map(|outcome| decided(outcome, "totp")), [1, 1, 1]);
    assert_eq!(decided("excused", "none"), 1, "the client is trusted by then");
    let events = |event| metrics.count("bolide_audit_events_total", &[("event", event)]);
    assert_eq!([events("login.failed"), events("two-factor.passed")], [1, 1]);
    let calls = |outcome| metrics.count("bolide_calls_total", &[("method", "strict"), ("outcome", outcome)]);
    assert_eq!(["ok", "challenged", "rejected"].map(calls), [1, 1, 1]);
}

#[tokio::test]
async fn no_user_no_secret_and_no_address_is_told() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    client.ask("login", password_login("alice", "alice's password")).await;
    client.ask("echo", json!(["a parameter of a call"])).await;
    let mut bob = bank.log_in("bob").await;
    let code = bank.code();
    bob.ask("gated", with_code(&code, "totp")).await;
    let token = bank.app.accounts().unwrap().issue_token("emma").await.unwrap();
    let metrics = read(&bank.app).await;
    let samples = metrics.families.values().flat_map(|family| &family.samples);
    let told: Vec<&str> = samples.flat_map(|sample| sample.labels.values().map(String::as_str)).collect();
    let session = client.session().to_owned();
    for secret in [
        "alice",
        "bob",
        "emma",
        "user-",
        "example.com",
        "127.0.0.1",
        "a parameter of a call",
        "'s password",
        &code,
        &token,
        &session,
    ] {
        assert!(told.iter().all(|told| !told.contains(secret)), "{secret}");
    }
}

#[tokio::test]
async fn the_metrics_have_a_listener_of_their_own() {
    let server = Server::start(shop(Limits::default())).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = server.app.clone();
    let serving = tokio::spawn(async move { app.serve_metrics_on(listener, std::future::pending()).await });
    let answer = request(address, "GET", "/metrics", &[], "").await;
    assert_eq!(answer.status(), 200);
    let content_type = answer.header("content-type").unwrap_or_default().to_owned();
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    Exposition::parse(&answer.body().await).unwrap();
    assert_eq!(request(address, "GET", "/websocket", &[], "").await.status(), 404);
    assert_eq!(request(server.address, "GET", "/metrics", &[], "").await.status(), 404, "clients do not reach them");
    serving.abort();
}

#[tokio::test]
async fn an_app_that_cannot_serve_its_metrics_does_not_start() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = App::builder().metrics_listen(&address).serve("127.0.0.1:0").await;
    assert!(matches!(refused, Err(Error::Listen { address: told, .. }) if told == address));
}

#[tokio::test]
async fn the_readiness_of_a_node_is_told() {
    let app = shop(Limits::default());
    assert_eq!(read(&app).await.count("bolide_ready", &[]), 1);
    app.shutdown().await;
    let metrics = read(&app).await;
    assert_eq!(metrics.count("bolide_ready", &[]), 0);
    assert_eq!(metrics.count("bolide_bus_connected", &[("bus", "local")]), 1);
}
