//! Shutdown: running calls are answered, waiting calls are not started, and every client is disconnected.

use std::net::SocketAddr;
use std::time::Duration;

use bolide::prelude::*;
use bolide::{AppBuilder, FromServer, Limits};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::client::Client;
use crate::long_method::LongMethod;
use crate::raw::Raw;
use crate::server::Server;
use crate::waiting::{soon, until};

/// Waits until the server accepts no more connections.
async fn until_refused(address: SocketAddr) {
    soon(async { while TcpStream::connect(address).await.is_ok() {} }).await;
}

async fn start(app: AppBuilder) -> Server {
    Server::start(app.build().expect("the app fits together")).await
}

#[tokio::test]
async fn a_running_method_is_answered_before_its_client_is_disconnected() {
    let (app, mut long) = LongMethod::register(App::builder());
    let server = start(app).await;
    let mut client = Client::connect(server.address).await;
    client.call("1", "long", json!([])).await;
    long.has_started().await;
    let stopped = tokio::spawn(server.shut_down());
    client.ping().await;
    long.let_end();
    assert_eq!(client.answer("1").await["result"], "done");
    assert_eq!(client.close_code().await, 1001);
    client.wait_for_end().await;
    soon(stopped).await.expect("a server that ends well");
}

#[tokio::test]
async fn a_publication_that_never_ends_does_not_delay_the_shutdown() {
    let app = App::builder().limits(Limits { shutdown_timeout: Duration::from_mins(10), ..Limits::default() }).publish(
        "endless",
        async |subscription: Subscription| {
            subscription.ready();
            subscription.unblock();
            std::future::pending().await
        },
    );
    let server = start(app).await;
    let mut client = Client::connect(server.address).await;
    client.send(json!({"msg": "sub", "id": "s", "name": "endless"})).await;
    assert_eq!(client.next().await, json!({"msg": "ready", "subs": ["s"]}));
    let stopped = tokio::spawn(server.shut_down());
    assert_eq!(client.close_code().await, 1001);
    client.wait_for_end().await;
    soon(stopped).await.expect("a server that ends well");
}

#[tokio::test]
async fn waiting_calls_are_not_started() {
    let (app, mut long) = LongMethod::register(App::builder());
    let server = start(app).await;
    let mut client = Client::connect(server.address).await;
    client.call("1", "long", json!([])).await;
    client.call("2", "long", json!([])).await;
    client.ping().await;
    long.has_started().await;
    let address = server.address;
    let stopped = tokio::spawn(server.shut_down());
    until_refused(address).await;
    long.let_end();
    client.answer("1").await;
    assert_eq!(client.close_code().await, 1001);
    client.wait_for_end().await;
    soon(stopped).await.expect("a server that ends well");
    long.has_ended().await;
    assert!(long.is_quiet());
}

#[tokio::test]
async fn new_connections_are_rejected_while_the_last_methods_run() {
    let (app, mut long) = LongMethod::register(App::builder());
    let server = start(app).await;
    let address = server.address;
    let mut client = Client::connect(address).await;
    client.call("1", "long", json!([])).await;
    long.has_started().await;
    let stopped = tokio::spawn(server.shut_down());
    until_refused(address).await;
    long.let_end();
    client.answer("1").await;
    client.wait_for_end().await;
    soon(stopped).await.expect("a server that ends well");
}

#[tokio::test]
async fn a_method_that_exceeds_the_deadline_is_aborted() {
    let (app, mut long) = LongMethod::register(App::builder());
    let limits = Limits { shutdown_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = start(app.limits(limits)).await;
    let mut client = Client::connect(server.address).await;
    client.call("1", "long", json!([])).await;
    long.has_started().await;
    let stopped = tokio::spawn(server.shut_down());
    assert_eq!(client.close_code().await, 1001);
    soon(stopped).await.expect("a server that ends well");
}

#[tokio::test]
async fn idle_sessions_and_sockets_without_a_session_are_closed() {
    let server = start(App::builder()).await;
    let mut idle = Client::connect(server.address).await;
    let mut silent = Client::open(server.address).await;
    let mut without_request = Raw::open(server.address).await;
    until(|| server.app.session_count() == 2).await;
    let stopped = tokio::spawn(server.shut_down());
    assert_eq!(idle.close_code().await, 1001);
    assert_eq!(silent.close_code().await, 1001);
    idle.wait_for_end().await;
    silent.wait_for_end().await;
    assert_eq!(without_request.read_to_end().await, "");
    soon(stopped).await.expect("a server that ends well");
}

#[tokio::test]
async fn the_wait_for_a_client_that_does_not_answer_the_close_is_short() {
    let limits = Limits { close_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = start(App::builder().limits(limits)).await;
    let _silent = Client::connect(server.address).await;
    soon(server.shut_down()).await;
}

#[tokio::test]
async fn sessions_waiting_for_their_client_end() {
    let (ended, end) = oneshot::channel();
    let ended = parking_lot::Mutex::new(Some(ended));
    let app = App::builder().on_connection(move |connection| {
        if let Some(ended) = ended.lock().take() {
            connection.on_close(move || ended.send(()).expect("a test that waits"));
        }
    });
    let server = start(app).await;
    Client::connect(server.address).await.leave().await;
    assert_eq!(server.app.session_count(), 1);
    let app = server.app.clone();
    soon(server.shut_down()).await;
    soon(end).await.expect("a session that ended");
    assert_eq!(app.session_count(), 0);
}

#[tokio::test]
async fn a_connection_that_arrives_too_late_is_closed() {
    let server = start(App::builder()).await;
    let app = server.app.clone();
    server.shut_down().await;
    let mut late = app.connect();
    assert_eq!(soon(late.receive()).await, Some(FromServer::Closed(1001)));
    until(|| app.session_count() == 0).await;
}

#[tokio::test]
async fn the_application_can_still_call_methods_after_shutdown() {
    let app = App::builder().method("one", TwoFactor::none(), async |_: Context| Ok(1));
    let server = start(app).await;
    let app = server.app.clone();
    server.shut_down().await;
    let one: Value = app.call(&Caller::anonymous(), "one", &()).await.expect("a number");
    assert_eq!(one, json!(1));
}
