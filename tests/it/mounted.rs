//! The app's routes in other servers: axum's own, and one over a stream that is not a TCP socket, such as TLS.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use bolide::App;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use crate::application::application;
use crate::client::{Client, call};
use crate::raw::Raw;
use crate::waiting::{soon, until};

/// The stream is so small that every longer message has to wait for the other side.
const PIPE_BYTES: usize = 1_000;

async fn serve_by_axum(app: &App) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let routes = app.router().route("/mine", get(|| std::future::ready("mine")));
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// A WebSocket over an in-process pipe.
async fn open_over_pipe(app: &App) -> Client<DuplexStream> {
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    let routes: Router = app.router();
    let connection =
        http1::Builder::new().serve_connection(TokioIo::new(far), TowerToHyperService::new(routes)).with_upgrades();
    tokio::spawn(connection);
    Client::open_over(near, "ws://localhost/websocket").await
}

async fn connect_over_pipe(app: &App) -> Client<DuplexStream> {
    let mut client = open_over_pipe(app).await;
    client.start_session().await;
    client
}

#[tokio::test]
async fn the_routes_work_next_to_others_in_an_axum_server() {
    let address = serve_by_axum(&application()).await;
    let mut raw = Raw::open(address).await;
    raw.send(b"GET /mine HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(raw.read_to_end().await.ends_with("\r\n\r\nmine"));
    let mut client = Client::connect(address).await;
    assert_eq!(client.ask("add", json!([1, 2])).await["result"], json!(3));
}

#[tokio::test]
async fn methods_see_the_client_address_in_an_axum_server() {
    let mut client = Client::connect(serve_by_axum(&application()).await).await;
    let connection = client.ask("connectionInfo", json!([])).await;
    assert_eq!(connection["result"]["clientAddress"], "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_long_answers_pass_through_an_axum_server() {
    let mut client = Client::connect(serve_by_axum(&application()).await).await;
    assert_answers_all(&client.ask_all(long_calls()).await);
}

#[tokio::test]
async fn a_stream_that_is_not_a_tcp_socket_has_no_client_address() {
    let mut client = connect_over_pipe(&application()).await;
    let connection = client.ask("connectionInfo", json!([])).await;
    assert_eq!(connection["result"]["clientAddress"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_long_answers_pass_through_a_stream_that_is_not_a_tcp_socket() {
    let mut client = connect_over_pipe(&application()).await;
    assert_answers_all(&client.ask_all(long_calls()).await);
}

#[tokio::test]
async fn a_ping_is_answered_over_a_stream_that_is_not_a_tcp_socket() {
    let mut client = open_over_pipe(&application()).await;
    client.send_frame(Message::Ping(b"now".as_slice().into())).await;
    assert_eq!(client.next_frame().await, Some(Message::Pong(b"now".as_slice().into())));
}

#[tokio::test]
async fn the_server_closes_cleanly_over_a_stream_that_is_not_a_tcp_socket() {
    let app = application();
    let mut client = connect_over_pipe(&app).await;
    client.call("1", "closeConnection", json!([])).await;
    assert_eq!(client.close_code().await, 1000);
    client.wait_for_end().await;
    until(|| app.session_count() == 0).await;
}

#[tokio::test]
async fn an_oversized_message_closes_a_stream_that_is_not_a_tcp_socket_with_1009() {
    let mut client = connect_over_pipe(&application()).await;
    let too_long = Message::text("x".repeat((1 << 20) + 1));
    assert_eq!(client.close_code_after(too_long).await, 1009);
}

#[tokio::test]
async fn backpressure_works_over_a_stream_that_is_not_a_tcp_socket() {
    let mut client = connect_over_pipe(&application()).await;
    let echo = Message::text(call("1", "echo", json!(["x".repeat(100_000)])).to_string());
    let sent = client.send_until_blocked(&echo, 10 << 20).await;
    assert!(sent < 10 << 20, "the server took {sent} bytes and more");
    for _ in 0..sent / echo.len() {
        client.answer("1").await;
    }
}

#[tokio::test]
async fn an_app_in_an_axum_server_can_be_shut_down_gracefully() {
    let app = application();
    let mut client = Client::connect(serve_by_axum(&app).await).await;
    let shut_down = tokio::spawn(async move { app.shutdown().await });
    assert_eq!(client.close_code().await, 1001);
    client.wait_for_end().await;
    soon(shut_down).await.expect("an app that ends well");
}

fn long_calls() -> Vec<Value> {
    let long = "x".repeat(100_000);
    (0..20).map(|number: u32| call(&number.to_string(), "echo", json!([long]))).collect()
}

fn assert_answers_all(answered: &[String]) {
    let expected: Vec<String> = (0..20).map(|number: u32| number.to_string()).collect();
    assert_eq!(answered, expected);
}
