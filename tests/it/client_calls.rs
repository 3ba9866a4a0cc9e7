//! The client library against our own server: calls, subscriptions and the local documents.

use bolide::client::{CallError, Change, Client, ClientLimits, ConnectError, SubscriptionStatus};
use bolide::protocol::Ejson;
use bolide::protocol::ejson::Date;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::application::application;
use crate::server::Server;
use crate::waiting::{soon, until};

async fn connect(server: &Server) -> Client {
    soon(Client::connect(&server.url())).await.expect("a session")
}

#[tokio::test]
async fn results_are_read_as_the_requested_type() {
    let server = Server::start(application()).await;
    let client = connect(&server).await;
    let sum: f64 = soon(client.call("add", &(1, 2)).into_future()).await.expect("a sum");
    assert!((sum - 3.0).abs() < f64::EPSILON);
    let date: Date = client.call("echo", &[Date::from_milliseconds(5)]).await.expect("a date");
    assert_eq!(date, Date::from_milliseconds(5));
    let anything: Ejson = client.call("echo", &(json!({"a": [1, null]}),)).await.expect("anything");
    assert_eq!(anything.to_plain_json(), r#"{"a":[1,null]}"#);
    let nothing: () = client.call("nothing", &()).await.expect("nothing");
    assert_eq!(nothing, ());
}

#[tokio::test]
async fn errors_keep_code_reason_and_details() {
    let server = Server::start(application()).await;
    let client = connect(&server).await;
    let outcome = client.call::<Value>("failWith", &("no-tea", "There is no tea", json!({"pots": 0}))).await;
    let error = outcome.expect_err("a failure");
    let error = error.server().expect("the server's own");
    assert_eq!(error.message(), "There is no tea [no-tea]");
    assert_eq!(error.details.as_ref().expect("details").get(), r#"{"pots":0}"#);
}

#[tokio::test]
async fn serialisation_and_deserialisation_errors_are_distinct() {
    let server = Server::start(application()).await;
    let client = connect(&server).await;
    assert!(matches!(client.call::<Value>("echo", &"no array").await, Err(CallError::Parameters(_))));
    assert!(matches!(client.call::<String>("add", &(1, 2)).await, Err(CallError::Result(_))));
}

#[tokio::test]
async fn parallel_calls_run_in_parallel_up_to_the_limit() {
    let server = Server::start(application()).await;
    let limits = ClientLimits { calls: 3, ..ClientLimits::default() };
    let client = Client::builder(&server.url()).limits(limits).connect().await.expect("a session");
    let calls = (0..200).map(|number| client.call::<i64>("add", &(number, 1)).into_future());
    let sums: Vec<i64> = soon(join_all(calls)).await.into_iter().map(|sum| sum.expect("a sum")).collect();
    assert_eq!(sums, (1..=200).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_dropped_call_does_not_affect_others() {
    let server = Server::start(application()).await;
    let client = connect(&server).await;
    let mut slow = client.call::<u64>("sleep", &(50,)).into_future();
    assert!(futures::poll!(&mut slow).is_pending());
    drop(slow);
    let sum: f64 = soon(client.call("add", &(1, 2)).into_future()).await.expect("a sum");
    assert!((sum - 3.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_subscription_yields_the_documents_and_then_the_changes() {
    let server = Server::start(application()).await;
    let client = connect(&server).await;
    let id: String = client.call("insertItem", &(json!({"name": "tea"}),)).await.expect("an id");
    let mut items = client.subscribe("items", &()).expect("a subscription");
    soon(items.ready()).await.expect("documents");
    let tea = client.document("items", id.as_str()).expect("it is here");
    assert_eq!(tea.field::<String>("name").expect("a text").as_deref(), Some("tea"));
    let Some(Change::Added { document, .. }) = soon(items.next()).await else { panic!("it is new") };
    assert_eq!(document.id(), &id.as_str().into());
    let change = json!({"set": {"name": "coffee"}, "unset": []});
    client.call::<Value>("updateItem", &(&id, change)).await.expect("a change");
    let Some(Change::Changed { fields, cleared, .. }) = soon(items.next()).await else { panic!("it is different") };
    assert_eq!((fields["name"].get(), cleared.len()), (r#""coffee""#, 0));
    client.call::<Value>("removeItem", &(&id,)).await.expect("a removal");
    assert!(matches!(soon(items.next()).await, Some(Change::Removed { .. })));
    assert_eq!(client.documents("items"), []);
}

#[tokio::test]
async fn changes_made_by_a_call_have_arrived_when_it_returns() {
    let server = Server::start(application()).await;
    let client = connect(&server).await;
    let items = client.subscribe("items", &()).expect("a subscription");
    soon(items.ready()).await.expect("documents");
    for number in 0..50 {
        let id: String =
            soon(client.call("insertItem", &(json!({"number": number}),)).into_future()).await.expect("an id");
        assert!(client.document("items", id.as_str()).is_some());
        soon(client.call::<Value>("removeItem", &(&id,)).into_future()).await.expect("a removal");
        assert!(client.document("items", id.as_str()).is_none());
    }
}

#[tokio::test]
async fn documents_are_removed_with_the_last_subscription_to_them() {
    let server = Server::start(application()).await;
    let client = connect(&server).await;
    let ticks = client.subscribe("tick", &(3,)).expect("a subscription");
    soon(ticks.ready()).await.expect("documents");
    assert_eq!(client.documents("ticks").len(), 3);
    drop(ticks);
    until(|| client.documents("ticks").is_empty()).await;
}

#[tokio::test]
async fn a_failed_subscription_reports_the_reason() {
    let server = Server::start(application()).await;
    let client = connect(&server).await;
    let unknown = client.subscribe("noSuchThing", &()).expect("a subscription");
    let error = soon(unknown.ready()).await.expect_err("a refusal");
    assert_eq!(error.to_string(), "Subscription 'noSuchThing' not found [404]");
    assert!(matches!(unknown.status(), SubscriptionStatus::Stopped(Some(_))));
}

#[tokio::test]
async fn a_change_stream_that_falls_behind_restarts_with_the_current_documents() {
    let server = Server::start(application()).await;
    let limits = ClientLimits { changes: 4, ..ClientLimits::default() };
    let client = Client::builder(&server.url()).limits(limits).connect().await.expect("a session");
    let mut changes = client.changes_of("ticks");
    let ticks = client.subscribe("tick", &(20,)).expect("a subscription");
    soon(ticks.ready()).await.expect("documents");
    assert_eq!(soon(changes.next()).await, Some(Change::Reset));
    for _ in 0..20 {
        assert!(matches!(soon(changes.next()).await, Some(Change::Added { .. })));
    }
}

#[tokio::test]
async fn closing_a_client_fails_everything_that_waits() {
    let server = Server::start(application()).await;
    let client = connect(&server).await;
    let mut changes = client.changes();
    let mut slow = client.call::<u64>("sleep", &(60_000,)).into_future();
    assert!(futures::poll!(&mut slow).is_pending());
    soon(client.clone().close()).await;
    assert!(matches!(soon(slow).await, Err(CallError::Closed(None))));
    assert_eq!(soon(changes.next()).await, None);
    assert!(matches!(client.call::<u64>("add", &(1, 2)).await, Err(CallError::Closed(None))));
}

#[tokio::test]
async fn documents_over_the_limit_are_not_kept() {
    let server = Server::start(application()).await;
    let limits = ClientLimits { documents: 5, ..ClientLimits::default() };
    let client = Client::builder(&server.url()).limits(limits).connect().await.expect("a session");
    let ticks = client.subscribe("tick", &(6,)).expect("a subscription");
    soon(ticks.ready()).await.expect_err("the end");
    let Err(CallError::Closed(Some(reason))) = client.call::<u64>("add", &(1, 2)).await else { panic!("it is closed") };
    assert!(matches!(*reason, ConnectError::TooManyDocuments(5)));
}

#[tokio::test]
async fn a_failed_connection_reports_the_reason() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nobody = format!("ws://{}", listener.local_addr().expect("an address"));
    drop(listener);
    assert!(matches!(Client::connect(&nobody).await, Err(ConnectError::Unreachable { .. })));
    assert!(matches!(Client::connect("localhost").await, Err(ConnectError::Address(_))));
    let server = Server::start(application()).await;
    let elsewhere = format!("ws://{}/elsewhere", server.address);
    let error = Client::connect(&elsewhere).await.expect_err("no WebSocket");
    assert!(error.to_string().contains("404"), "{error}");
}
