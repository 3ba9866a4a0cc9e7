//! WebSocket frames: what clients may send, and what closes their connection.

use bolide::{App, Limits};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::application::{application, register};
use crate::client::{Client, call};
use crate::metrics;
use crate::raw::{CLOSE, FIRST_TEXT, FURTHER, LAST, PING, PONG, Raw, TEXT, frame, unmasked_frame, upgrade_request};
use crate::server::Server;
use crate::waiting::until_it;

const CONNECT: &[u8] = br#"{"msg":"connect","version":"1","support":["1"]}"#;
const ADD: &[u8] = br#"{"msg":"method","id":"1","method":"add","params":[1,2]}"#;
const SUM: &str = r#"{"msg":"result","id":"1","result":3}"#;

/// A server that accepts messages of up to 4 KiB.
async fn server_for_short_messages() -> Server {
    let limits = Limits { message_bytes: 4 << 10, ..Limits::default() };
    let app = register(App::builder()).limits(limits).build().expect("the app fits together");
    Server::start(app).await
}

/// Returns a call of `echo` that is `length` bytes long.
fn echo_of_length(length: usize) -> String {
    let around = call("1", "echo", json!([""])).to_string().len();
    call("1", "echo", json!(["x".repeat(length - around)])).to_string()
}

#[tokio::test]
async fn a_message_as_long_as_the_limit_is_answered() {
    let server = server_for_short_messages().await;
    let mut client = Client::connect(server.address).await;
    client.send_text(&echo_of_length(4 << 10)).await;
    assert!(client.answer("1").await["result"].is_string());
}

#[tokio::test]
async fn a_message_over_the_limit_closes_only_its_connection_with_1009() {
    let server = server_for_short_messages().await;
    let mut other = Client::connect(server.address).await;
    let mut client = Client::connect(server.address).await;
    client.send_text(&echo_of_length((4 << 10) + 1)).await;
    assert_eq!(client.close_code().await, 1009);
    other.ping().await;
}

#[tokio::test]
async fn fragments_that_are_too_long_together_close_with_1009() {
    let server = server_for_short_messages().await;
    let mut raw = Raw::upgraded(server.address).await;
    raw.send(&frame(FIRST_TEXT, &[b'x'; 100])).await;
    for _ in 0..41 {
        raw.send(&frame(FURTHER, &[b'x'; 100])).await;
    }
    assert_eq!(raw.read_close_code().await, 1009);
}

#[tokio::test]
async fn a_frame_that_announces_too_many_bytes_closes_with_1009() {
    let server = Server::start(application()).await;
    let mut raw = Raw::upgraded(server.address).await;
    let announced = (u64::MAX >> 1).to_be_bytes();
    raw.send(&[&[TEXT, 0xFF], announced.as_slice(), &[0; 4]].concat()).await;
    assert_eq!(raw.read_close_code().await, 1009);
}

#[tokio::test]
async fn text_that_is_not_utf8_closes_with_1007() {
    let server = Server::start(application()).await;
    let mut raw = Raw::upgraded(server.address).await;
    raw.send(&frame(TEXT, b"\xFF\xFE")).await;
    assert_eq!(raw.read_close_code().await, 1007);
}

#[tokio::test]
async fn violations_of_the_websocket_protocol_close_with_1002() {
    let server = Server::start(application()).await;
    let garbage: [&[u8]; 6] = [
        &unmasked_frame(TEXT, ADD),
        b"GET / HTTP/1.1\r\n\r\n",
        &frame(0xC1, ADD),
        &frame(0x83, ADD),
        &frame(LAST, ADD),
        &[[PING, 0xFE, 0, 126].as_slice(), &[0; 4 + 126]].concat(),
    ];
    for bytes in garbage {
        let mut raw = Raw::upgraded(server.address).await;
        raw.send(bytes).await;
        assert_eq!(raw.read_close_code().await, 1002, "{bytes:?}");
    }
}

#[tokio::test]
async fn messages_after_a_protocol_violation_are_ignored() {
    let server = Server::start(application()).await;
    let mut raw = Raw::upgraded(server.address).await;
    raw.send(&frame(0x83, b"")).await;
    assert_eq!(raw.read_close_code().await, 1002);
    raw.send(&frame(TEXT, CONNECT)).await;
    raw.send(&frame(CLOSE, b"")).await;
    drop(raw);
    crate::waiting::until(|| server.app.session_count() == 0).await;
}

#[tokio::test]
async fn a_socket_ends_when_the_client_has_answered_the_close_for_a_protocol_violation() {
    let server = server_for_short_messages().await;
    let too_long = (4_u16 << 10) + 1;
    let announced = [&[TEXT, 0xFE], too_long.to_be_bytes().as_slice(), &[0; 4], &vec![b'x'; too_long.into()]].concat();
    let violations: [(u16, &[u8]); 4] = [
        (1002, &frame(0xC1, ADD)),
        (1002, b"GET / HTTP/1.1\r\n\r\n"),
        (1007, &frame(TEXT, b"\xFF")),
        (1009, &announced),
    ];
    for (code, bytes) in violations {
        let mut raw = Raw::upgraded(server.address).await;
        raw.send(bytes).await;
        assert_eq!(raw.read_close_code().await, code);
        raw.answers_and_ends(code).await;
    }
}

#[tokio::test]
async fn a_client_that_sends_a_message_far_over_the_limit_to_its_end_can_read_the_close() {
    let server = server_for_short_messages().await;
    let mut raw = Raw::upgraded(server.address).await;
    let length: u64 = 1 << 20;
    raw.send(&[&[TEXT, 0xFF], length.to_be_bytes().as_slice(), &[0; 4]].concat()).await;
    for _ in 0..length >> 10 {
        raw.send(&[b'x'; 1 << 10]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.read_close_code().await, 1009);
    raw.answers_and_ends(1009).await;
}

#[tokio::test]
async fn what_was_read_of_a_message_is_not_kept_until_the_client_answers_the_close() {
    let server = Server::start(application()).await;
    let held = async || metrics::read(&server.app).await.count("bolide_limit_used", &[("limit", "held_bytes")]);
    let mut raw = Raw::upgraded(server.address).await;
    let length: u64 = 100_000;
    let header = [&[FIRST_TEXT, 0xFF], length.to_be_bytes().as_slice(), &[0; 4]].concat();
    raw.send(&[header, vec![b'x'; 100_000]].concat()).await;
    until_it(async || held().await > 0).await;
    raw.send(&frame(0xC1, ADD)).await;
    assert_eq!(raw.read_close_code().await, 1002);
    until_it(async || held().await == 0).await;
    assert_eq!(server.app.session_count(), 1, "the client's answer is awaited");
    raw.send(&frame(CLOSE, &1002_u16.to_be_bytes())).await;
    raw.ends().await;
}

#[tokio::test]
async fn json_of_200_levels_is_rejected_and_the_connection_stays_open() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    client.send_text(&format!("{}{}", "[".repeat(200), "]".repeat(200))).await;
    let error = client.next().await;
    assert_eq!(error, json!({"msg": "error", "reason": "Message nested too deeply"}));
    assert_eq!(client.ask("add", json!([1, 2])).await["result"], json!(3));
}

#[tokio::test]
async fn json_of_any_depth_is_answered() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    for depth in 100..140 {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        client.send_text(&format!(r#"{{"msg":"method","id":"1","method":"echo","params":[{nested}]}}"#)).await;
        client.ping().await;
    }
}

#[tokio::test]
async fn a_binary_frame_of_utf8_is_a_message() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    client.send_frame(Message::binary(ADD)).await;
    assert_eq!(client.answer("1").await["result"], json!(3));
}

#[tokio::test]
async fn a_binary_frame_of_invalid_utf8_is_answered_and_the_connection_stays_open() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    client.send_frame(Message::binary(b"\xFF\x00".as_slice())).await;
    assert_eq!(client.next().await, json!({"msg": "error", "reason": "Bad request"}));
    client.ping().await;
}

#[tokio::test]
async fn a_message_can_arrive_in_fragments_with_a_ping_between_them() {
    let server = Server::start(application()).await;
    let mut raw = Raw::upgraded(server.address).await;
    raw.send(&frame(TEXT, CONNECT)).await;
    assert!(raw.read_text().await.starts_with(r#"{"msg":"connected""#));
    raw.send(&frame(FIRST_TEXT, &ADD[..10])).await;
    raw.send(&frame(PING, b"now")).await;
    assert_eq!(raw.read_frame().await, (PONG, b"now".to_vec()));
    raw.send(&frame(FURTHER, &ADD[10..20])).await;
    raw.send(&frame(LAST, &ADD[20..])).await;
    assert_eq!(raw.read_text().await, r#"{"msg":"updated","methods":["1"]}"#);
    assert_eq!(raw.read_text().await, SUM);
}

#[tokio::test]
async fn a_conversation_can_arrive_byte_by_byte() {
    let server = Server::start(application()).await;
    let mut raw = Raw::open(server.address).await;
    let request = upgrade_request("/websocket", "");
    let conversation = [request.as_bytes(), &frame(TEXT, CONNECT), &frame(TEXT, ADD)].concat();
    for byte in conversation {
        raw.send(&[byte]).await;
    }
    expect_sum(&mut raw).await;
}

#[tokio::test]
async fn a_conversation_can_arrive_in_one_piece_with_the_upgrade_request() {
    let server = Server::start(application()).await;
    let mut raw = Raw::open(server.address).await;
    let request = upgrade_request("/websocket", "");
    raw.send(&[request.as_bytes(), &frame(TEXT, CONNECT), &frame(TEXT, ADD)].concat()).await;
    expect_sum(&mut raw).await;
}

async fn expect_sum(raw: &mut Raw) {
    assert!(raw.read_head().await.starts_with("HTTP/1.1 101 "));
    assert!(raw.read_text().await.starts_with(r#"{"msg":"connected""#));
    assert_eq!(raw.read_text().await, r#"{"msg":"updated","methods":["1"]}"#);
    assert_eq!(raw.read_text().await, SUM);
}

#[tokio::test]
async fn a_ping_is_answered_with_a_pong_of_the_same_bytes() {
    let server = Server::start(application()).await;
    let mut client = Client::open(server.address).await;
    client.send_frame(Message::Ping(b"\x00\xFF".as_slice().into())).await;
    assert_eq!(client.next_frame().await, Some(Message::Pong(b"\x00\xFF".as_slice().into())));
}

#[tokio::test]
async fn an_unsolicited_pong_is_ignored() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    client.send_frame(Message::Pong(b"unasked".as_slice().into())).await;
    client.ping().await;
}

#[tokio::test]
async fn a_close_is_answered_with_the_clients_code() {
    let server = Server::start(application()).await;
    let close = CloseFrame { code: CloseCode::Library(4321), reason: "done".into() };
    let client = Client::connect(server.address).await;
    assert_eq!(client.close_with(Some(close)).await.map(|answer| answer.code), Some(4321.into()));
}

#[tokio::test]
async fn a_close_without_a_code_is_answered() {
    let server = Server::start(application()).await;
    Client::connect(server.address).await.close_with(None).await;
}
