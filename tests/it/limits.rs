//! Limits: a client that asks for too much or reads too slowly harms only itself, and costs little.

use bolide::{App, AppBuilder, Limits};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::application::{application, register};
use crate::client::{Client, call};
use crate::long_method::LongMethod;
use crate::server::{Server, ServerThread};
use crate::waiting::A_MOMENT;

/// More than the buffers of two sockets and the server's queue can hold.
const MORE_THAN_BUFFERS: usize = 64 << 20;

async fn start(app: AppBuilder) -> Server {
    Server::start(app.build().expect("the app fits together")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_the_queue_holds_end_in_an_error_and_close_with_1008() {
    let server = Server::start(application()).await;
    let mut other = Client::connect(server.address).await;
    let mut client = Client::connect(server.address).await;
    client.call("long", "sleep", json!([60_000])).await;
    for number in 0..10_000 {
        client.call(&number.to_string(), "add", json!([1, number])).await;
    }
    expect_too_many(&mut client).await;
    other.ping().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn longer_messages_than_the_queue_holds_end_in_an_error_and_close_with_1008() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    client.call("long", "sleep", json!([60_000])).await;
    let megabyte = Message::text(call("1", "nothing", json!(["x".repeat(1_000_000)])).to_string());
    for _ in 0..17 {
        client.send_frame(megabyte.clone()).await;
    }
    expect_too_many(&mut client).await;
}

async fn expect_too_many(client: &mut Client) {
    assert_eq!(client.next().await, json!({"msg": "error", "reason": "Too many messages are waiting"}));
    assert_eq!(client.close_code().await, 1008);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_calls_in_a_row_are_answered_in_order() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    let ids: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let calls = ids.iter().map(|id| call(id, "add", json!([1, 2]))).collect();
    assert_eq!(client.ask_all(calls).await, ids);
}

/// In the single thread of this test, the client does not read while the server starts the waiting calls.
#[tokio::test]
async fn long_answers_to_queued_calls_reach_a_client_that_reads() {
    let (app, long) = LongMethod::register(register(App::builder()));
    let server = start(app.limits(Limits { outbox_bytes: 512 << 10, ..Limits::default() })).await;
    let mut client = Client::connect(server.address).await;
    client.call("long", "long", json!([])).await;
    let text = "x".repeat(100_000);
    let ids = (0..150).map(|number: u32| number.to_string());
    for id in ids.clone() {
        client.call(&id, "echo", json!([text])).await;
    }
    client.ping().await;
    long.let_end();
    client.answer("long").await;
    for id in ids {
        assert_eq!(client.next().await, json!({"msg": "updated", "methods": [id]}));
        assert_eq!(client.next().await["id"], id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_stops_reading_from_a_client_that_does_not_read() {
    let server = Server::start(application()).await;
    let mut other = Client::connect(server.address).await;
    let mut client = Client::connect(server.address).await;
    let echo = Message::text(call("1", "echo", json!(["x".repeat(300_000)])).to_string());
    let sent = client.send_until_blocked(&echo, MORE_THAN_BUFFERS).await;
    assert!(sent < MORE_THAN_BUFFERS, "the server took {sent} bytes and more");
    other.ping().await;
    for _ in 0..sent / echo.len() {
        client.answer("1").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_pings_from_a_client_that_does_not_read_is_stopped() {
    let server = Server::start(application()).await;
    let mut other = Client::connect(server.address).await;
    let mut client = Client::connect(server.address).await;
    let ping = Message::text(json!({"msg": "ping", "id": "x".repeat(10_000)}).to_string());
    let sent = client.send_until_blocked(&ping, MORE_THAN_BUFFERS).await;
    assert!(sent < MORE_THAN_BUFFERS, "the server took {sent} bytes and more");
    other.ping().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_websocket_pings_from_a_client_that_does_not_read_is_stopped() {
    let server = Server::start(application()).await;
    let mut other = Client::connect(server.address).await;
    let mut client = Client::connect(server.address).await;
    let ping = Message::Ping(vec![b'x'; 125].into());
    let sent = client.send_until_blocked(&ping, MORE_THAN_BUFFERS).await;
    assert!(sent < MORE_THAN_BUFFERS, "the server took {sent} bytes and more");
    other.ping().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_no_cpu_time() {
    let server = ServerThread::start(application());
    let mut client = Client::connect(server.address).await;
    let echo = Message::text(call("1", "echo", json!(["x".repeat(300_000)])).to_string());
    client.send_until_blocked(&echo, MORE_THAN_BUFFERS).await;
    assert_is_idle(&server).await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_a_close_costs_no_cpu_time() {
    let server = ServerThread::start(application());
    let mut client = Client::connect(server.address).await;
    client.call("1", "closeConnection", json!([])).await;
    assert_is_idle(&server).await;
    assert_eq!(client.close_code().await, 1000);
}

pub(crate) async fn assert_is_idle(server: &ServerThread) {
    tokio::time::sleep(A_MOMENT).await;
    let before = server.processor_time();
    tokio::time::sleep(A_MOMENT).await;
    let spent = server.processor_time().saturating_sub(before);
    assert!(spent < A_MOMENT / 4, "the server was busy for {spent:?} of {A_MOMENT:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_client_whose_outbox_overflows_is_closed_with_1013() {
    let server = Server::start(application()).await;
    let mut slow = Client::connect(server.address).await;
    slow.send(json!({"msg": "sub", "id": "s", "name": "feed"})).await;
    slow.ping().await;
    let mut other = Client::connect(server.address).await;
    let long = "x".repeat(300_000);
    for number in 0.. {
        if other.ask("broadcast", json!([[number, long]])).await["result"] == json!(0) {
            break;
        }
    }
    assert_eq!(slow.close_code().await, 1013);
    other.ping().await;
}

#[tokio::test]
async fn the_number_of_parallel_calls_is_limited() {
    let (app, mut long) = LongMethod::register(App::builder());
    let server = start(app.limits(Limits { running_calls: 2, ..Limits::default() })).await;
    let mut client = Client::connect(server.address).await;
    for id in ["1", "2", "3"] {
        client.call(id, "long", json!([true])).await;
    }
    client.ping().await;
    long.has_started().await;
    long.has_started().await;
    assert!(long.is_quiet());
    long.let_end();
    client.answer("3").await;
}

#[tokio::test]
async fn the_queue_limit_counts_waiting_messages_not_the_running_one() {
    let limits = Limits { queued_messages: 2, ..Limits::default() };
    let server = start(register(App::builder()).limits(limits)).await;
    let mut client = Client::connect(server.address).await;
    let calls = [call("0", "sleep", json!([50])), call("1", "nothing", json!([]))];
    let last = call("2", "nothing", json!([]));
    assert_eq!(client.ask_all([calls.as_slice(), &[last]].concat()).await, ["0", "1", "2"]);
}
