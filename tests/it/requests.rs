//! HTTP requests: upgrades to WebSocket, and the answers to other requests.

use std::time::Duration;

use bolide::{App, Limits};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::application::{application, register};
use crate::client::Client;
use crate::raw::{PING, PONG, Raw, frame, upgrade_request};
use crate::server::Server;
use crate::waiting::until;

#[tokio::test]
async fn the_endpoint_accepts_a_trailing_slash_and_a_query() {
    let server = Server::start(application()).await;
    for path in ["/websocket", "/websocket/", "/websocket?x=1", "/websocket/?x=1"] {
        let head = head_of(&server, &upgrade_request(path, "")).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
    }
}

#[tokio::test]
async fn the_answer_to_an_upgrade_proves_that_the_key_was_read() {
    let server = Server::start(application()).await;
    let head = head_of(&server, &upgrade_request("/websocket", "")).await;
    assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
}

#[tokio::test]
async fn a_path_prefix_applies_to_all_routes() {
    let app = register(App::builder()).path_prefix("/app").build().expect("the app fits together");
    let server = Server::start(app).await;
    let head = head_of(&server, &upgrade_request("/app/websocket", "")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head_of(&server, &get("/app/health")).await.starts_with("HTTP/1.1 200 "));
    let head = head_of(&server, &upgrade_request("/websocket", "")).await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
}

#[tokio::test]
async fn compression_is_declined() {
    let server = Server::start(application()).await;
    let offer = "sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n\
                 sec-websocket-protocol: ddp\r\n";
    let head = head_of(&server, &upgrade_request("/websocket", offer)).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(!head.contains("sec-websocket-extensions"), "{head}");
    assert!(!head.contains("sec-websocket-protocol"), "{head}");
}

#[tokio::test]
async fn a_request_without_upgrade_is_400() {
    let server = Server::start(application()).await;
    let answer = answer_to(&server, &get("/websocket")).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nNot a valid websocket request"), "{answer}");
}

#[tokio::test]
async fn an_upgrade_without_a_key_is_400() {
    let server = Server::start(application()).await;
    let request = upgrade_request("/websocket", "").replace("sec-websocket-key", "x");
    assert!(head_of(&server, &request).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn another_version_of_the_websocket_protocol_is_400() {
    let server = Server::start(application()).await;
    let request = upgrade_request("/websocket", "connection: close\r\n").replace("13", "7");
    let answer = answer_to(&server, &request).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("Only supported WebSocket protocol is RFC 6455."), "{answer}");
}

#[tokio::test]
async fn health_is_200_while_the_server_runs() {
    let server = Server::start(application()).await;
    let answer = answer_to(&server, &get("/health")).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok"), "{answer}");
}

#[tokio::test]
async fn an_upgrade_can_follow_another_request_on_the_same_socket() {
    let server = Server::start(application()).await;
    let mut raw = Raw::open(server.address).await;
    let requests = ["GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n", &upgrade_request("/websocket", "")];
    raw.send(requests.concat().as_bytes()).await;
    assert!(raw.read_head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(raw.read_exactly(2).await, "ok");
    assert!(raw.read_head().await.starts_with("HTTP/1.1 101 "));
    raw.send(&frame(PING, b"now")).await;
    assert_eq!(raw.read_frame().await, (PONG, b"now".to_vec()));
}

#[tokio::test]
async fn a_connection_over_the_limit_is_503_until_another_one_closes() {
    let limits = Limits { connections: 1, resume_grace: Duration::ZERO, ..Limits::default() };
    let server = server_with(limits).await;
    let client = Client::connect(server.address).await;
    let head = head_of(&server, &upgrade_request("/websocket", "")).await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    client.leave().await;
    until(|| server.app.session_count() == 0).await;
    Client::connect(server.address).await;
}

#[tokio::test]
async fn a_websocket_that_opens_no_session_in_time_is_closed() {
    let server = server_with(short_connect_timeout()).await;
    let mut silent = Client::open(server.address).await;
    let mut talking = Client::open(server.address).await;
    talking.send(json!({"msg": "ping"})).await;
    assert_eq!(silent.close_code().await, 1000);
    assert_eq!(talking.close_code().await, 1000);
}

#[tokio::test]
async fn a_session_is_not_closed_by_the_time_limit_for_connecting() {
    let server = server_with(short_connect_timeout()).await;
    let mut client = Client::connect(server.address).await;
    let mut silent = Client::open(server.address).await;
    silent.close_code().await;
    client.ping().await;
}

#[tokio::test]
async fn a_socket_that_sends_no_request_in_time_is_closed() {
    let server = server_with(short_request_timeout()).await;
    for beginning in ["", "GET /websocket HTTP/1.1\r\nhost: x\r\nupgra", "\r\n"] {
        let mut raw = Raw::open(server.address).await;
        raw.send(beginning.as_bytes()).await;
        raw.read_to_end().await;
    }
}

#[tokio::test]
async fn a_socket_that_sends_no_second_request_in_time_is_closed() {
    let server = server_with(short_request_timeout()).await;
    let mut raw = Raw::open(server.address).await;
    raw.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(raw.read_to_end().await.ends_with("ok"));
}

#[tokio::test]
async fn invalid_http_is_400_and_closed() {
    let server = Server::start(application()).await;
    let mut raw = Raw::open(server.address).await;
    raw.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 nonsense\r\n\r\n").await;
    assert!(raw.read_to_end().await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn endless_headers_are_rejected() {
    let server = Server::start(application()).await;
    let mut raw = Raw::open(server.address).await;
    raw.send(upgrade_request("/websocket", &format!("x: {}\r\n", "x".repeat(9_000))).as_bytes()).await;
    assert!(raw.read_to_end().await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_socket_dropped_during_the_upgrade_leaks_nothing() {
    let limits = Limits { resume_grace: Duration::ZERO, ..Limits::default() };
    let server = server_with(limits).await;
    for _ in 0..20 {
        let mut raw = Raw::open(server.address).await;
        raw.send(upgrade_request("/websocket", "").as_bytes()).await;
        drop(raw);
    }
    let mut last = Client::open(server.address).await;
    last.send_frame(Message::Close(None)).await;
    until(|| server.app.session_count() == 0).await;
}

fn short_connect_timeout() -> Limits {
    Limits { connect_timeout: Duration::from_millis(200), ..Limits::default() }
}

fn short_request_timeout() -> Limits {
    Limits { request_timeout: Duration::from_millis(200), ..Limits::default() }
}

async fn server_with(limits: Limits) -> Server {
    let app = register(App::builder()).limits(limits).build().expect("the app fits together");
    Server::start(app).await
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

async fn head_of(server: &Server, request: &str) -> String {
    let mut raw = Raw::open(server.address).await;
    raw.send(request.as_bytes()).await;
    raw.read_head().await
}

async fn answer_to(server: &Server, request: &str) -> String {
    let mut raw = Raw::open(server.address).await;
    raw.send(request.as_bytes()).await;
    raw.read_to_end().await
}
