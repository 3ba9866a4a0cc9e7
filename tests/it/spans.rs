//! Spans for traces, and the ids of requests: what they tell, and that they tell no secret.

use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::prelude::*;
use bolide::store::SqlStore;
use serde_json::json;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::accounts::{Bank, result};
use crate::client::Client;
use crate::http::{self, Answer};
use crate::log::Log;
use crate::server::Server;
use crate::waiting::until;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn get(server: &Server, path: &str, headers: &[&str]) -> Answer {
    http::request(server.address, "GET", path, headers, "").await
}

/// Returns the lines of the spans with this name that have ended. A line begins with the spans around it.
fn ended(log: &Log, name: &str) -> Vec<String> {
    let last = |line: &str| {
        let names = ["connection", "request", "call", "subscription", "statement"];
        names.into_iter().max_by_key(|name| line.rfind(&format!("{name}{{otel.kind")))
    };
    let is_meant = |line: &&str| line.contains(": bolide::span: close") && last(line) == Some(name);
    log.text().lines().filter(is_meant).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_call_has_a_span_with_its_user_and_outcome_and_without_secrets() {
    let log = Log::default();
    let bank = Bank::open().await;
    let kept = log.keep_spans();
    let mut alice = bank.log_in("alice").await;
    result(&alice.ask("echo", json!(["a secret parameter"])).await);
    alice.ask("strict", json!([])).await;
    let session = alice.session().to_owned();
    let of = |method: &str| {
        let named = format!("method=\"{method}\"");
        ended(&log, "call").into_iter().find(|line| line.contains(&named))
    };
    until(|| of("echo").is_some() && of("strict").is_some()).await;
    drop(kept);
    for part in ["session=\"", "user=\"user-alice\"", "outcome=\"ok\""] {
        assert!(of("echo").unwrap().contains(part), "{part}: {}", log.text());
    }
    assert!(of("strict").unwrap().contains("outcome=\"challenged\""), "{}", log.text());
    assert!(!log.text().contains("secret parameter"), "{}", log.text());
    assert!(!log.text().contains(&session), "{}", log.text());
}

#[tokio::test]
async fn a_statement_has_a_span_in_its_call_with_placeholders_instead_of_values() {
    let log = Log::default();
    let bank = Bank::open().await;
    let kept = log.keep_spans();
    bank.connect()
        .await
        .ask("login", json!([{ "user": { "username": "alice" }, "password": "alice's password" }]))
        .await;
    drop(kept);
    let statements = ended(&log, "statement");
    let in_login = |line: &&String| line.contains("method=\"login\"") && line.contains("db.query.text=");
    let one = statements.iter().find(in_login).unwrap_or_else(|| panic!("{}", log.text()));
    assert!(one.contains("$1"), "{one}");
    assert!(!log.text().contains("alice's password"), "{}", log.text());
}

#[tokio::test]
async fn a_subscription_has_a_span_until_its_handler_has_ended() {
    let log = Log::default();
    let app = App::builder().publish("items", async |subscription: Subscription| {
        subscription.ready();
        Ok(())
    });
    let server = Server::start(app.build().unwrap()).await;
    let kept = log.keep_spans();
    let mut client = Client::connect(server.address).await;
    client.send(json!({ "msg": "sub", "id": "1", "name": "items", "params": [] })).await;
    client.next().await;
    drop(kept);
    let subscriptions = ended(&log, "subscription");
    assert!(subscriptions[0].contains("publication=\"items\"") && subscriptions[0].contains("outcome=\"ok\""));
}

#[tokio::test]
async fn connections_and_requests_are_part_of_the_trace_of_their_client() {
    let log = Log::default();
    let bank = Bank::open().await;
    let kept = log.keep_spans();
    let mut upgrade = format!("ws://{}/websocket", bank.server.address).into_client_request().unwrap();
    upgrade.headers_mut().insert("traceparent", PARENT.parse().unwrap());
    let mut client = Client::open_with(bank.server.address, upgrade).await;
    client.start_session().await;
    client.leave().await;
    get(&bank.server, "/api/v1/settings.public", &[&format!("traceparent: {PARENT}")]).await;
    get(&bank.server, "/api/v1/settings.public", &["traceparent: nonsense"]).await;
    while ended(&log, "connection").is_empty() {
        tokio::task::yield_now().await;
    }
    drop(kept);
    let parent = format!("trace_parent={PARENT}");
    assert!(ended(&log, "connection")[0].contains(&parent), "{}", log.text());
    let requests = ended(&log, "request");
    assert_eq!(requests.iter().filter(|line| line.contains(&parent)).count(), 1, "{requests:?}");
    assert!(!log.text().contains("nonsense"));
}

#[tokio::test]
async fn without_a_subscriber_that_asks_for_them_spans_do_not_exist() {
    let log = Log::default();
    let bank = Bank::open().await;
    let kept = log.keep("info");
    result(&bank.log_in("alice").await.ask("echo", json!([1])).await);
    drop(kept);
    assert!(!log.text().contains("call{"), "{}", log.text());
}

#[tokio::test]
async fn an_internal_error_is_logged_with_the_id_that_the_answer_has() {
    let log = Log::default();
    let store = SqlStore::open("sqlite::memory:").await.unwrap();
    let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.unwrap();
    let fail = async |_: Context, _: serde_json::Value| Err::<bool, _>(MethodError::internal("the disk is full"));
    let app = App::builder().accounts(accounts).get("fail", TwoFactor::none(), fail).build().unwrap();
    let server = Server::start(app).await;
    let kept = log.keep("info");
    let answer = get(&server, "/api/v1/fail", &[]).await;
    drop(kept);
    assert_eq!(answer.status(), 500);
    let id = answer.header("x-request-id").unwrap().to_owned();
    let entry = log.text().lines().find(|line| line.contains("the disk is full")).unwrap().to_owned();
    assert!(entry.contains(&format!("request=\"{id}\"")), "{entry}");
}

#[tokio::test]
async fn the_id_of_a_request_is_kept_from_trusted_proxies_only() {
    let id = |answer: Answer| answer.header("x-request-id").unwrap().to_owned();
    let path = "/api/v1/settings.public";
    let stranger = Bank::open().await;
    let own = id(get(&stranger.server, path, &["x-request-id: chosen"]).await);
    assert_ne!(own, "chosen");
    assert_ne!(own, id(get(&stranger.server, path, &[]).await));
    let behind = Bank::open_behind(["127.0.0.1".parse().unwrap()]).await;
    assert_eq!(id(get(&behind.server, path, &["x-request-id: chosen-1"]).await), "chosen-1");
    assert_ne!(id(get(&behind.server, path, &["x-request-id: two words"]).await), "two words");
}
