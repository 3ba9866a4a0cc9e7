//! Nodes connected by the notifications of a real PostgreSQL server, which restarts, hangs, and is away.

use std::time::{Duration, Instant};

use bolide::bus::{LocalBus, PostgresBus};
use bolide_test_servers::{Postgres, PrivatePostgres};
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{Node, Shared, next_event};
use crate::accounts::result;
use crate::client::Client;
use crate::waiting::{soon, until};

async fn pair(url: &str) -> (Node, Node) {
    let shared = Shared::new().await;
    let bus = PostgresBus::new(url).unwrap();
    let (here, there) = (shared.node(bus.clone()).await, shared.node(bus).await);
    here.hears(1).await;
    there.hears(1).await;
    (here, there)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_hear_each_other_through_the_database() {
    let server = Postgres::shared();
    let (here, there) = pair(&server.database()).await;
    let mut listener = there.listen().await;
    for number in 0..500 {
        here.news.emit("today", &[json!(number), json!("quote ' \" \\ \u{0} ü")]).unwrap();
    }
    for number in 0..500 {
        assert_eq!(soon(next_event(&mut listener)).await, json!([number, "quote ' \" \\ \u{0} ü"]));
    }
    let mut times = Vec::new();
    for _ in 0..10 {
        let (mut client, token) = there.log_in("alice").await;
        here.revoke(&token).await;
        let revoked = Instant::now();
        client.wait_for_end().await;
        times.push(revoked.elapsed());
    }
    times.sort_unstable();
    // One of ten may be late on a machine that does other things.
    assert!(times[8] < Duration::from_millis(100) && times[9] < Duration::from_secs(1), "it took {times:?}");
    let report = there.report();
    assert_eq!((report.bus, report.gaps, report.unreadable), ("postgres", 0, 0), "{report:?}");
}

/// The client of a session that ends logs in again at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_revoked_token_is_not_accepted_though_the_database_has_not_told_of_its_end() {
    let address = Postgres::shared().database();
    let first = Shared::in_store(&address).await;
    let second = first.again(&address).await;
    let bus = LocalBus::default();
    let (here, there) = (first.node(bus.clone()).await, second.node(bus).await);
    let mut operator = PgConnection::connect(&address).await.unwrap();
    for _ in 0..5 {
        let (mut client, token) = there.log_in("alice").await;
        let again = || async {
            let mut client = Client::connect(there.server.address).await;
            client.ask("login", json!([{ "resume": token }])).await
        };
        // Until the node has it in its cache.
        for _ in 0..10 {
            result(&again().await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        operator.execute("ALTER TABLE tokens DISABLE TRIGGER tell").await.unwrap();
        here.revoke(&token).await;
        client.wait_for_end().await;
        assert_eq!(again().await["error"]["error"], 403);
        operator.execute("ALTER TABLE tokens ENABLE TRIGGER tell").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_that_is_too_large_for_a_notification_makes_others_ask_the_store() {
    let server = Postgres::shared();
    let (here, there) = pair(&server.database()).await;
    let mut listener = there.listen().await;
    here.news.emit("today", &["x".repeat(7_999)]).unwrap();
    here.news.emit("today", &["x".repeat(7_700)]).unwrap();
    assert_eq!(soon(next_event(&mut listener)).await, json!(["x".repeat(7_700)]));
    assert_eq!((here.report().omitted, there.report().gaps), (1, 1));
    assert_eq!(there.report().missing, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn databases_are_separate() {
    let server = Postgres::shared();
    let (here, _there) = pair(&server.database()).await;
    let (other, _another) = pair(&server.database()).await;
    here.news.emit("today", &[1]).unwrap();
    assert_eq!((other.report().foreign, other.report().nodes.len()), (0, 1));
}

async fn goes_on_without(lose: impl FnOnce(&PrivatePostgres), give_back: impl FnOnce(&PrivatePostgres)) {
    let server = Postgres::private();
    let (here, there) = pair(&server.database()).await;
    let (mut client, token) = there.log_in("alice").await;
    lose(&server);
    here.revoke(&token).await;
    client.wait_for_end().await;
    for node in [&here, &there] {
        node.is_ready_without(&["postgres"]).await;
    }
    give_back(&server);
    for node in [&here, &there] {
        node.is_ready_without(&[]).await;
        node.hears(1).await;
    }
    let mut listener = there.listen().await;
    here.news.emit("today", &["again"]).unwrap();
    while soon(next_event(&mut listener)).await != json!(["again"]) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_go_on_without_the_server_and_find_it_again() {
    goes_on_without(PrivatePostgres::stop_immediately, PrivatePostgres::start).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_go_on_without_a_server_that_hangs() {
    goes_on_without(PrivatePostgres::pause, PrivatePostgres::resume).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restart_of_the_server_is_a_gap() {
    let server = Postgres::private();
    let (here, there) = pair(&server.database()).await;
    let (mut client, token) = there.log_in("alice").await;
    server.restart_immediately();
    here.revoke(&token).await;
    client.wait_for_end().await;
    until(|| there.report().is_connected).await;
    there.is_ready_without(&[]).await;
    here.hears(1).await;
}
