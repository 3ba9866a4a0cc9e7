//! SockJS frames over a WebSocket.

use std::net::SocketAddr;

use bolide::Limits;
use bolide::protocol::sockjs::{Frame, Payload};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::{forgetful_server, in_frame, results, server_with};
use crate::application::application;
use crate::client::{call, connect};
use crate::limits::assert_is_idle;
use crate::raw::{Raw, TEXT, frame};
use crate::server::{Server, ServerThread};
use crate::waiting::{A_MOMENT, soon, until};

pub(super) type Socket = WebSocketStream<TcpStream>;

async fn open(address: SocketAddr) -> Socket {
    let stream = TcpStream::connect(address).await.expect("a listening server");
    let url = format!("ws://{address}/sockjs/000/abcdefgh/websocket");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.expect("a server that upgrades");
    assert_eq!(next_frame(&mut socket).await, Frame::Open);
    socket
}

pub(super) async fn open_session(address: SocketAddr) -> Socket {
    let mut socket = open(address).await;
    send(&mut socket, &Payload::write([connect().to_string().as_str()])).await;
    let messages = next_messages(&mut socket).await;
    assert_eq!(messages[0]["msg"], "connected");
    socket
}

async fn send(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.expect("an open socket");
}

async fn next(socket: &mut Socket) -> Message {
    soon(socket.next()).await.expect("a message").expect("a message")
}

pub(super) async fn next_frame(socket: &mut Socket) -> Frame {
    let message = next(socket).await;
    Frame::parse(message.to_text().expect("text")).expect("a frame")
}

async fn next_messages(socket: &mut Socket) -> Vec<Value> {
    in_frame(next_frame(socket).await)
}

pub(super) async fn expect_close(socket: &mut Socket, code: u16, reason: &str) {
    match next(socket).await {
        Message::Close(Some(frame)) => {
            assert_eq!((u16::from(frame.code), frame.reason.as_str()), (code, reason));
        }
        other => panic!("a close was expected, not {other:?}"),
    }
}

#[tokio::test]
async fn messages_arrive_in_an_array_or_alone() {
    let server = Server::start(application()).await;
    let mut socket = open_session(server.address).await;
    let ping = json!({"msg": "ping", "id": "😀"}).to_string();
    for payload in [Payload::write([ping.as_str()]), Value::from(ping.clone()).to_string()] {
        send(&mut socket, &payload).await;
        assert_eq!(next_messages(&mut socket).await, [json!({"msg": "pong", "id": "😀"})]);
    }
    send(&mut socket, &Payload::write([ping.as_str(), ping.as_str()])).await;
    let mut answers = next_messages(&mut socket).await;
    while answers.len() < 2 {
        answers.extend(next_messages(&mut socket).await);
    }
    assert!(answers.iter().all(|answer| answer["id"] == "😀"), "{answers:?}");
}

#[tokio::test]
async fn values_that_are_not_strings_are_bad_requests_and_empty_frames_are_ignored() {
    let server = Server::start(application()).await;
    let mut socket = open_session(server.address).await;
    for payload in ["", "[]", "[5]", r#"{"msg":"ping"}"#] {
        send(&mut socket, payload).await;
    }
    let mut answers = Vec::new();
    while answers.len() < 2 {
        answers.extend(next_messages(&mut socket).await);
    }
    let bad_request = json!({"msg": "error", "reason": "Bad request"});
    assert_eq!(answers, [bad_request.clone(), bad_request]);
}

#[tokio::test]
async fn broken_framing_closes_with_3000() {
    let server = forgetful_server().await;
    for broken in ["[\"a", "ping", "\u{feff}[]"] {
        let mut socket = open_session(server.address).await;
        send(&mut socket, broken).await;
        expect_close(&mut socket, 3000, "Broken framing.").await;
    }
    until(|| server.app.session_count() == 0).await;
}

#[tokio::test]
async fn a_socket_ends_when_the_client_has_answered_the_close_for_an_error() {
    let server = server_with(Limits { message_bytes: 50, ..Limits::default() }).await;
    let too_long = Payload::write(["x".repeat(51).as_str()]);
    // The second is a violation below SockJS.
    for (code, bytes) in
        [(3000, frame(TEXT, b"[\"a")), (1002, frame(0xC1, b"[]")), (1009, frame(TEXT, too_long.as_bytes()))]
    {
        let mut raw = Raw::upgraded_at(server.address, "/sockjs/000/abcdefgh/websocket").await;
        assert_eq!(raw.read_text().await, "o");
        raw.send(&bytes).await;
        if code != 3000 {
            assert!(raw.read_text().await.starts_with("c["));
        }
        assert_eq!(raw.read_close_code().await, code);
        raw.answers_and_ends(code).await;
    }
}

#[tokio::test]
async fn frames_after_broken_framing_are_ignored() {
    let server = forgetful_server().await;
    let mut raw = Raw::upgraded_at(server.address, "/sockjs/000/abcdefgh/websocket").await;
    assert_eq!(raw.read_text().await, "o");
    for text in ["[\"a", "[\"b", &Payload::write([connect().to_string().as_str()])] {
        raw.send(&frame(TEXT, text.as_bytes())).await;
    }
    assert_eq!(raw.read_close_code().await, 3000);
    raw.answers_and_ends(3000).await;
    until(|| server.app.session_count() == 0).await;
}

#[tokio::test]
async fn a_message_over_the_limit_closes_with_1009() {
    let server = server_with(Limits { message_bytes: 4 << 10, ..Limits::default() }).await;
    let mut socket = open(server.address).await;
    // All of it is escaped, so the frame is twice as long.
    let longest = "\"".repeat(4 << 10);
    send(&mut socket, &Payload::write([longest.as_str()])).await;
    let error = json!({"msg": "error", "reason": "Bad request"});
    assert_eq!(next_messages(&mut socket).await, [error]);
    send(&mut socket, &Payload::write(["x".repeat((4 << 10) + 1).as_str()])).await;
    assert_eq!(next_frame(&mut socket).await.to_text(), "c[1009,\"The message is too long\"]");
    expect_close(&mut socket, 1009, "The message is too long").await;
}

#[tokio::test]
async fn a_connection_closed_by_the_server_gets_a_close_frame() {
    let server = Server::start(application()).await;
    let mut socket = open_session(server.address).await;
    let close = call("1", "closeConnection", json!([])).to_string();
    send(&mut socket, &Payload::write([close.as_str()])).await;
    let mut frame = next_frame(&mut socket).await;
    while matches!(frame, Frame::Messages(_)) {
        frame = next_frame(&mut socket).await;
    }
    assert_eq!(frame.to_text(), "c[1000,\"Normal closure\"]");
    expect_close(&mut socket, 1000, "Normal closure").await;
}

#[tokio::test]
async fn two_websockets_can_have_the_same_id() {
    let server = Server::start(application()).await;
    let (mut one, mut other) = (open_session(server.address).await, open_session(server.address).await);
    for socket in [&mut one, &mut other] {
        send(socket, r#"["{\"msg\":\"ping\"}"]"#).await;
        assert_eq!(next_messages(socket).await, [json!({"msg": "pong"})]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_calls_over_a_websocket_is_answered_in_order() {
    let server = Server::start(application()).await;
    let mut socket = open_session(server.address).await;
    for number in 0..500 {
        let add = call(&number.to_string(), "add", json!([number, 1])).to_string();
        send(&mut socket, &Payload::write([add.as_str()])).await;
    }
    let mut sums = Vec::new();
    while sums.len() < 500 {
        sums.extend(results(next_messages(&mut socket).await));
    }
    assert_eq!(sums, (1..=500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_no_cpu_time() {
    let server = ServerThread::start(application());
    let mut socket = open_session(server.address).await;
    let echo = call("1", "echo", json!(["x".repeat(300_000)])).to_string();
    for _ in 0..100 {
        let payload = Message::text(Payload::write([echo.as_str()]));
        if timeout(A_MOMENT, socket.send(payload)).await.is_err() {
            break;
        }
    }
    assert_is_idle(&server).await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_a_close_costs_no_cpu_time() {
    let server = ServerThread::start(application());
    let mut socket = open_session(server.address).await;
    let close = call("1", "closeConnection", json!([])).to_string();
    send(&mut socket, &Payload::write([close.as_str()])).await;
    assert_is_idle(&server).await;
}
