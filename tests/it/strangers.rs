//! What clients can take from a server before it knows them: connections, sessions without `connect`, answers that they do
//! not read. Each network has a share, and takes nothing from others.

use std::net::SocketAddr;
use std::time::Duration;

use bolide::Limits;
use bolide::accounts::Accounts;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::prelude::*;
use bolide::store::SqlStore;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::application::register;
use crate::client::{Client, call, connect};
use crate::http::request;
use crate::log::Log;
use crate::raw::{Raw, upgrade_request};
use crate::server::Server;
use crate::waiting::{A_MOMENT, until};

/// A server whose clients come from the network that `x-forwarded-for` names, as behind a trusted proxy.
async fn behind_proxy(limits: Limits) -> Server {
    let proxy = "127.0.0.1".parse().expect("an address");
    let app = register(App::builder())
        .method("long", TwoFactor::none(), async |_: Context| Ok("x".repeat(200_000)))
        .trusted_proxy(proxy)
        .limits(limits);
    Server::start(app.build().expect("the app fits together")).await
}

async fn server(limits: Limits) -> Server {
    Server::start(register(App::builder()).limits(limits).build().expect("the app fits together")).await
}

/// Returns the statuses of so many polls of new SockJS sessions, which are sent at once over one socket.
async fn open_sockjs_sessions(server: &Server, count: usize, from: impl Fn(usize) -> String) -> Vec<String> {
    let mut raw = Raw::open(server.address).await;
    for number in 0..count {
        let last = if number + 1 == count { "connection: close\r\n" } else { "" };
        let from = from(number);
        let poll = format!(
            "POST /sockjs/000/{number}/xhr HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: {from}\r\n\
             content-length: 0\r\n{last}\r\n"
        );
        raw.send(poll.as_bytes()).await;
    }
    let answers = raw.read_to_end().await;
    answers.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].to_owned()).collect()
}

async fn upgrade_from(server: &Server, network: &str) -> (Raw, String) {
    let mut raw = Raw::open(server.address).await;
    raw.send(upgrade_request("/websocket", &format!("x-forwarded-for: {network}\r\n")).as_bytes()).await;
    let head = raw.read_head().await;
    (raw, head)
}

async fn is_served(address: SocketAddr) -> bool {
    let Ok(mut socket) = TcpStream::connect(address).await else { return false };
    let asked = socket.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let mut answer = String::new();
    let _reset = tokio::io::AsyncReadExt::read_to_string(&mut socket, &mut answer).await;
    asked.is_ok() && answer.starts_with("HTTP/1.1 200 ")
}

pub(crate) async fn until_served(address: SocketAddr) {
    let serving = async {
        while !is_served(address).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    crate::waiting::soon(serving).await;
}

#[tokio::test]
async fn sockjs_sessions_without_connect_of_one_network_leave_the_places_of_others() {
    let server = behind_proxy(Limits { unopened_sessions_per_network: 5, ..Limits::default() }).await;
    let statuses = open_sockjs_sessions(&server, 200, |_| "192.0.2.1".to_owned()).await;
    assert_eq!(statuses.iter().filter(|status| *status == "200").count(), 5);
    assert_eq!(statuses.iter().filter(|status| *status == "503").count(), 195);
    assert_eq!(server.app.session_count(), 5);
    let (_refused, head) = upgrade_from(&server, "192.0.2.1").await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    let (_other, head) = upgrade_from(&server, "192.0.2.2").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
}

#[tokio::test]
async fn the_addresses_of_one_ipv6_network_share_their_places() {
    let server = behind_proxy(Limits { unopened_sessions_per_network: 5, ..Limits::default() }).await;
    let statuses = open_sockjs_sessions(&server, 50, |number| format!("2001:db8::{number}")).await;
    assert_eq!(statuses.iter().filter(|status| *status == "200").count(), 5);
    let (_other, head) = upgrade_from(&server, "2001:db8:0:1::1").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
}

#[tokio::test]
async fn sessions_without_connect_are_bounded_in_total() {
    let server = behind_proxy(Limits { unopened_sessions: 5, ..Limits::default() }).await;
    let statuses = open_sockjs_sessions(&server, 50, |number| format!("192.0.2.{number}")).await;
    assert_eq!(statuses.iter().filter(|status| *status == "200").count(), 5);
}

#[tokio::test]
async fn a_session_that_was_connected_frees_its_place_for_the_next_one() {
    let server = server(Limits { unopened_sessions: 1, ..Limits::default() }).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Client::connect(server.address).await);
    }
    assert_eq!(server.app.session_count(), 5);
}

#[tokio::test]
async fn connected_sessions_of_one_network_leave_the_places_of_others() {
    let server = behind_proxy(Limits { connections_per_network: 1, ..Limits::default() }).await;
    let (mut first, head) = upgrade_from(&server, "192.0.2.1").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    first.send(&crate::raw::frame(crate::raw::TEXT, connect().to_string().as_bytes())).await;
    assert!(first.read_text().await.contains("connected"));
    let (_second, head) = upgrade_from(&server, "192.0.2.1").await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    let (_other, head) = upgrade_from(&server, "192.0.2.2").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
}

#[tokio::test]
async fn a_sockjs_session_without_connect_ends_after_seconds() {
    let Limits { connect_timeout, close_timeout, .. } = Limits::default();
    assert!(connect_timeout + close_timeout <= Duration::from_secs(15));
    let short = Duration::from_millis(50);
    let server = server(Limits { connect_timeout: short, close_timeout: short, ..Limits::default() }).await;
    assert_eq!(request(server.address, "POST", "/sockjs/000/a/xhr", &[], "").await.body().await, "o\n");
    until(|| server.app.session_count() == 0).await;
}

#[tokio::test]
async fn connections_are_counted_from_accept_on_and_by_network() {
    let server = server(Limits { connections_per_network: 2, ..Limits::default() }).await;
    let silent = [Raw::open(server.address).await, Raw::open(server.address).await];
    let mut refused = Raw::open(server.address).await;
    let answer = refused.read_to_end().await;
    let body = answer.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
    assert!(answer.contains(&format!("content-length: {body}\r\n")), "{answer}");
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("This server takes no more connections"),
        "{answer}"
    );
    drop(silent);
    until_served(server.address).await;
}

#[tokio::test]
async fn the_connections_of_a_trusted_proxy_count_for_the_clients_behind_it() {
    let server = behind_proxy(Limits { connections_per_network: 1, ..Limits::default() }).await;
    let _connections_of_the_proxy = [Raw::open(server.address).await, Raw::open(server.address).await];
    let slow =
        "POST /sockjs/000/a/xhr_send HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.1\r\ncontent-length: 5\r\n\r\n[";
    assert_eq!(
        request(server.address, "POST", "/sockjs/000/a/xhr", &["x-forwarded-for: 192.0.2.1"], "").await.status(),
        200
    );
    let mut waiting = Raw::open(server.address).await;
    waiting.send(slow.as_bytes()).await;
    let status = async |network: &str| {
        let from = format!("x-forwarded-for: {network}");
        request(server.address, "GET", "/health", &[&from], "").await.status()
    };
    let refused = async {
        while status("192.0.2.1").await != 503 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    crate::waiting::soon(refused).await;
    assert_eq!(status("192.0.2.2").await, 200);
    waiting.send(b"\"a\"]").await;
    assert!(waiting.read_head().await.starts_with("HTTP/1.1 204 "));
    assert_eq!(status("192.0.2.1").await, 200);
}

#[tokio::test]
async fn a_maximum_that_is_reached_is_logged_once_with_the_name_of_its_setting() {
    let log = Log::default();
    let _kept = log.keep("bolide=info");
    let server = server(Limits { connections_per_network: 1, ..Limits::default() }).await;
    let _silent = Raw::open(server.address).await;
    for _ in 0..10 {
        assert!(Raw::open(server.address).await.read_to_end().await.starts_with("HTTP/1.1 503 "));
    }
    let text = log.text();
    assert_eq!(text.matches("--max-connections-per-network").count(), 1, "{text}");
    assert!(text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_loses_its_connection() {
    let limits = Limits { connections: 1, write_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = server(limits).await;
    let mut greedy = TcpStream::connect(server.address).await.expect("a listening server");
    let ask = "GET /sockjs/info HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1_000);
    // Until the server takes no more requests, because no more answers fit.
    while matches!(tokio::time::timeout(A_MOMENT, greedy.write_all(ask.as_bytes())).await, Ok(Ok(()))) {}
    until_served(server.address).await;
}

#[tokio::test]
async fn a_stream_of_sockjs_that_is_not_read_loses_its_connection() {
    let limits = Limits {
        message_bytes: 16 << 20,
        outbox_bytes: 64 << 20,
        connections_per_network: 2,
        write_timeout: Duration::from_millis(100),
        resume_grace: Duration::ZERO,
        ..Limits::default()
    };
    let server = server(limits).await;
    let mut stream = Raw::open(server.address).await;
    let open = "POST /sockjs/000/a/xhr_streaming HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    stream.send(open.as_bytes()).await;
    stream.read_head().await;
    until(|| server.app.session_count() == 1).await;
    // It is answered with as much, which is more than the system takes for a client that does not read.
    let long = call("1", "echo", json!(["x".repeat(12 << 20)]));
    for message in [connect(), long] {
        let body = json!([message.to_string()]).to_string();
        let sent = request(server.address, "POST", "/sockjs/000/a/xhr_send", &[], &body).await;
        assert_eq!(sent.status(), 204);
    }
    until(|| server.app.session_count() == 0).await;
    let _second = Raw::open(server.address).await;
    until_served(server.address).await;
}

#[tokio::test]
async fn a_sockjs_client_that_does_not_read_has_few_bytes_taken() {
    let server = server(Limits::default()).await;
    let path = "/sockjs/000/unread";
    assert_eq!(request(server.address, "POST", &format!("{path}/xhr"), &[], "").await.body().await, "o\n");
    let mut taken = 0;
    let mut message = connect();
    while taken < 100 << 20 {
        let body = json!([message.to_string()]).to_string();
        let path = format!("{path}/xhr_send");
        let sent = request(server.address, "POST", &path, &[], &body);
        match tokio::time::timeout(A_MOMENT, sent).await {
            Ok(answer) => assert_eq!(answer.status(), 204),
            Err(_) => break,
        }
        taken += body.len();
        message = call("1", "echo", json!(["x".repeat(250_000)]));
    }
    assert!(taken < 4 << 20, "{taken} bytes were taken");
}

/// A server that holds little for each network.
async fn frugal_server() -> Server {
    behind_proxy(Limits {
        held_bytes_per_network: 300 << 10,
        close_timeout: Duration::from_hours(1),
        ..Limits::default()
    })
    .await
}

/// Sends the first half of a message that is 400 kB long.
async fn send_half_a_message(raw: &mut Raw) {
    let length = 400_000_u64.to_be_bytes();
    raw.send(&[&[crate::raw::TEXT, 0xFF], length.as_slice(), &[0; 4], &vec![b'x'; 200_000]].concat()).await;
}

#[tokio::test]
async fn parts_of_messages_of_one_network_leave_room_for_those_of_others() {
    let server = frugal_server().await;
    let (mut first, _) = upgrade_from(&server, "192.0.2.1").await;
    let (mut second, _) = upgrade_from(&server, "192.0.2.1").await;
    let (mut other, _) = upgrade_from(&server, "192.0.2.2").await;
    for raw in [&mut first, &mut second, &mut other] {
        send_half_a_message(raw).await;
    }
    let (code, is_first) = tokio::select! {
        code = first.read_close_code() => (code, true),
        code = second.read_close_code() => (code, false),
    };
    let mut refused = if is_first { first } else { second };
    assert_eq!(code, 1013);
    // What was read of the message is dropped with the connection, without waiting for the client's closing frame.
    assert_eq!(refused.read_to_end().await, "");
    other.send(&vec![b'x'; 200_000]).await;
    assert_eq!(other.read_text().await, r#"{"msg":"error","reason":"Bad request"}"#);
}

#[tokio::test]
async fn messages_that_wait_for_clients_of_one_network_leave_room_for_those_of_others() {
    let server = frugal_server().await;
    let mut answers = Vec::new();
    for (id, network) in [("a", "192.0.2.1"), ("b", "192.0.2.1"), ("c", "192.0.2.2")] {
        let from = format!("x-forwarded-for: {network}");
        let path = format!("/sockjs/000/{id}");
        let send = async |kind: &str, body: &str| {
            request(server.address, "POST", &format!("{path}/{kind}"), &[&from], body).await
        };
        assert_eq!(send("xhr", "").await.body().await, "o\n");
        let messages = [connect(), call("1", "long", json!([]))].map(|message| message.to_string());
        assert_eq!(send("xhr_send", &json!(messages).to_string()).await.status(), 204);
        // The answer waits before that of the next session.
        tokio::time::sleep(A_MOMENT).await;
        answers.push((path, from));
    }
    let mut told = Vec::new();
    for (path, from) in answers {
        told.push(request(server.address, "POST", &format!("{path}/xhr"), &[&from], "").await.body().await);
    }
    let closed = "c[1013,\"Too much waits for the clients of this network\"]\n";
    assert_eq!(told[..2].iter().filter(|told| *told == closed).count(), 1);
    assert!(told.iter().filter(|told| told.len() > 200_000).count() == 2 && told[2] != closed);
}

#[tokio::test]
async fn documents_that_clients_of_one_network_hold_leave_room_for_those_of_others() {
    let server = behind_proxy(Limits { held_documents_per_network: 1_500, ..Limits::default() }).await;
    let mut told = Vec::new();
    for (id, network) in [("a", "192.0.2.1"), ("b", "192.0.2.1"), ("c", "192.0.2.2")] {
        let from = format!("x-forwarded-for: {network}");
        let path = format!("/sockjs/000/{id}");
        let send = async |kind: &str, body: &str| {
            request(server.address, "POST", &format!("{path}/{kind}"), &[&from], body).await
        };
        assert_eq!(send("xhr", "").await.body().await, "o\n");
        let subscribe = json!({ "msg": "sub", "id": "s", "name": "tick", "params": [900] });
        let messages = [connect(), subscribe].map(|message| message.to_string());
        assert_eq!(send("xhr_send", &json!(messages).to_string()).await.status(), 204);
        told.push(loop {
            let body = send("xhr", "").await.body().await;
            if body.contains("ready") || body.starts_with('c') {
                break body;
            }
        });
    }
    assert!(told[0].contains("ready") && told[2].contains("ready"));
    assert_eq!(told[1], "c[1013,\"Too many documents are shown to the clients of this network\"]\n");
}

#[tokio::test]
async fn bodies_of_one_network_leave_room_for_those_of_others() {
    let store = SqlStore::open("sqlite::memory:").await.expect("a database in memory");
    let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.expect("accounts");
    let app = App::builder().accounts(accounts).trusted_proxy("127.0.0.1".parse().expect("an address"));
    let limits = Limits { held_bytes_per_network: 300 << 10, ..Limits::default() };
    let server = Server::start(app.limits(limits).build().expect("the app fits together")).await;
    for network in ["192.0.2.1", "192.0.2.2"] {
        for session in ["a", "b"] {
            let path = format!("/sockjs/000/{network}-{session}/xhr").replace('.', "-");
            let from = format!("x-forwarded-for: {network}");
            assert_eq!(request(server.address, "POST", &path, &[&from], "").await.body().await, "o\n");
        }
    }
    let begin = async |path: &str, network: &str| {
        let mut raw = Raw::open(server.address).await;
        let path = path.replace("NETWORK", &network.replace('.', "-"));
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: {network}\r\ncontent-length: 200000\r\n\r\n"
        );
        raw.send(head.as_bytes()).await;
        raw
    };
    for (path, another) in
        [("/api/v1/login", "/api/v1/login"), ("/sockjs/000/NETWORK-a/xhr_send", "/sockjs/000/NETWORK-b/xhr_send")]
    {
        let _first = begin(path, "192.0.2.1").await;
        let mut other = begin(path, "192.0.2.2").await;
        let refused = async {
            loop {
                let mut second = begin(another, "192.0.2.1").await;
                if let Ok(head) = tokio::time::timeout(A_MOMENT, second.read_head()).await {
                    break head;
                }
            }
        };
        assert!(crate::waiting::soon(refused).await.starts_with("HTTP/1.1 503 "), "{path}");
        assert!(tokio::time::timeout(A_MOMENT, other.read_head()).await.is_err(), "{path}");
    }
}
