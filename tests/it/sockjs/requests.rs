//! Connections over HTTP requests: polls, streams, and posted messages.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bolide::Limits;
use bolide::protocol::sockjs::{Frame, Payload};
use serde_json::{Value, json};

use super::websocket::{expect_close, next_frame, open_session};
use super::{NOT_CACHED, in_frame, post, results, server_with};
use crate::application::application;
use crate::client::{Client, call, connect};
use crate::http::{Answer, request};
use crate::limits::assert_is_idle;
use crate::server::{Server, ServerThread};
use crate::waiting::{soon, until};

const SECOND_POLL: &str = "c[2010,\"Another connection still open\"]\n";

/// A polling client.
struct Polling {
    address: SocketAddr,
    path: String,
    received: VecDeque<Value>,
    /// The number of messages received, which it would send to resume its session.
    count: u64,
}

impl Polling {
    async fn open(address: SocketAddr, id: &str) -> Self {
        let path = format!("/sockjs/000/{id}");
        let client = Self { address, path, received: VecDeque::new(), count: 0 };
        let answer = client.poll().await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("content-type"), Some("application/javascript; charset=UTF-8"));
        assert_eq!(answer.header("cache-control"), Some(NOT_CACHED));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.body().await, "o\n");
        client
    }

    async fn connect(address: SocketAddr, id: &str) -> (Self, String) {
        let mut client = Self::open(address, id).await;
        client.send(&[connect()]).await;
        let connected = client.next().await;
        let session = connected["session"].as_str().expect("a session's id").to_owned();
        (client, session)
    }

    /// Sends a request for frames, and waits until its answer has begun.
    async fn poll(&self) -> Answer {
        request(self.address, "POST", &format!("{}/xhr", self.path), &[], "").await
    }

    async fn next(&mut self) -> Value {
        while self.received.is_empty() {
            let body = self.poll().await.body().await;
            let frame = Frame::parse(body.strip_suffix('\n').expect("a line")).expect("a frame");
            self.received.extend(in_frame(frame));
        }
        self.count += 1;
        self.received.pop_front().expect("a message")
    }

    async fn send(&self, messages: &[Value]) {
        let messages: Vec<String> = messages.iter().map(Value::to_string).collect();
        let answer = self.send_text(&Payload::write(messages.iter().map(String::as_str))).await;
        assert_eq!(answer.status(), 204);
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!(answer.header("cache-control"), Some(NOT_CACHED));
    }

    async fn send_text(&self, body: &str) -> Answer {
        request(self.address, "POST", &format!("{}/xhr_send", self.path), &[], body).await
    }
}

#[tokio::test]
async fn a_polling_client_calls_methods() {
    let server = Server::start(application()).await;
    let (mut client, _) = Polling::connect(server.address, "calls").await;
    client.send(&[call("1", "add", json!([1, 2])), call("2", "echo", json!(["\u{2028}"]))]).await;
    let mut answers = Vec::new();
    while answers.len() < 2 {
        let message = client.next().await;
        if message["msg"] == "result" {
            answers.push(message["result"].clone());
        }
    }
    assert_eq!(answers, [json!(3), json!("\u{2028}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_calls_in_one_request_is_answered_in_order() {
    let server = Server::start(application()).await;
    let (mut client, _) = Polling::connect(server.address, "burst").await;
    let adds: Vec<Value> = (0..500).map(|number| call(&number.to_string(), "add", json!([number, 1]))).collect();
    client.send(&adds).await;
    let mut sums = Vec::new();
    while sums.len() < 500 {
        sums.extend(results(vec![client.next().await]));
    }
    assert_eq!(sums, (1..=500).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_servers_number_does_not_matter() {
    let server = Server::start(application()).await;
    let client = Polling::open(server.address, "number").await;
    client.send(&[json!({"msg": "ping"})]).await;
    let answer = post(&server, "/sockjs/999/number/xhr/", "").await.body().await;
    assert!(answer.starts_with("a[\"{\\\"msg\\\":\\\"error\\\""), "{answer}");
}

#[tokio::test]
async fn a_request_without_messages_gets_an_error() {
    let server = Server::start(application()).await;
    let client = Polling::open(server.address, "errors").await;
    for (body, expected) in [
        ("", "Payload expected."),
        ("{}", "Payload expected."),
        ("\"a\"", "Payload expected."),
        ("[\"x", "Broken JSON encoding."),
        ("x", "Broken JSON encoding."),
    ] {
        let answer = client.send_text(body).await;
        assert_eq!(answer.status(), 500, "{body}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.body().await, expected, "{body}");
    }
    let answer = post(&server, "/sockjs/000/nobody/xhr_send", "[\"a\"]").await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.body().await, "404 Error: Page not found\n");
}

#[tokio::test]
async fn messages_are_accepted_with_the_content_types_of_browsers() {
    let server = Server::start(application()).await;
    let client = Polling::open(server.address, "types").await;
    let path = "/sockjs/000/types/xhr_send";
    for content_type in [
        "text/plain",
        "T",
        "application/json",
        "application/xml",
        "",
        "text/xml",
        "application/json; charset=utf-8",
        "text/xml; charset=utf-8",
    ] {
        let header = format!("content-type: {content_type}");
        let answer = request(client.address, "POST", path, &[&header], "[\"a\"]").await;
        assert_eq!(answer.status(), 204, "{content_type}");
    }
    let form = ["content-type: application/x-www-form-urlencoded"];
    let answer = request(client.address, "POST", path, &form, "[\"a\"]").await;
    assert_eq!(answer.body().await, "Payload expected.");
}

#[tokio::test]
async fn a_second_poll_is_rejected_and_the_first_continues() {
    let server = Server::start(application()).await;
    let (client, _) = Polling::connect(server.address, "second").await;
    let first = client.poll().await;
    assert_eq!(client.poll().await.body().await, SECOND_POLL);
    client.send(&[json!({"msg": "ping"})]).await;
    assert_eq!(first.body().await, "a[\"{\\\"msg\\\":\\\"pong\\\"}\"]\n");
}

#[tokio::test]
async fn a_client_that_disappears_during_a_poll_frees_its_slot() {
    let limits = Limits { connections: 1, resume_grace: Duration::ZERO, ..Limits::default() };
    let server = server_with(limits).await;
    for transport in ["xhr", "xhr_streaming"] {
        let (client, _) = Polling::connect(server.address, "vanishes").await;
        assert_eq!(post(&server, "/sockjs/000/other/xhr", "").await.status(), 503);
        let path = format!("{}/{transport}", client.path);
        drop(post(&server, &path, "").await);
        until(|| server.app.session_count() == 0).await;
        assert_eq!(client.send_text("[\"a\"]").await.status(), 404);
    }
}

#[tokio::test]
async fn a_client_whose_poll_was_cut_resumes_its_session_over_a_websocket() {
    let server = Server::start(application()).await;
    let (mut client, session) = Polling::connect(server.address, "resumes").await;
    client.send(&[json!({"msg": "ping", "id": "1"})]).await;
    while client.next().await["msg"] != "pong" {}
    // A pong is not counted.
    let received = client.count - 1;
    drop(client.poll().await);
    let mut back = Client::come_back(server.address, &session, received).await;
    while back.session() != session {
        // The server had not noticed yet.
        back = Client::come_back(server.address, &session, received).await;
    }
    back.ping().await;
}

#[tokio::test]
async fn a_stream_begins_with_a_prelude_and_continues() {
    let server = Server::start(application()).await;
    let mut stream = post(&server, "/sockjs/000/stream/xhr_streaming", "").await;
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.header("content-type"), Some("application/javascript; charset=UTF-8"));
    assert_eq!(stream.header("cache-control"), Some(NOT_CACHED));
    let mut begin = String::new();
    while begin.len() < 2051 {
        begin.push_str(&stream.next_part().await.expect("more of the prelude"));
    }
    assert_eq!(begin, format!("{}\no\n", "h".repeat(2048)));
    let address = server.address;
    let client = Polling { address, path: "/sockjs/000/stream".to_owned(), received: VecDeque::new(), count: 0 };
    for _ in 0..3 {
        client.send(&[json!({"msg": "method"})]).await;
        let part = stream.next_part().await.expect("an error");
        assert!(part.starts_with("a[\"{\\\"msg\\\":\\\"error\\\"") && part.ends_with("\"]\n"), "{part}");
    }
    assert_eq!(client.poll().await.body().await, SECOND_POLL);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_closes_with_1009() {
    let server = server_with(Limits { message_bytes: 1 << 10, queued_bytes: 4 << 10, ..Limits::default() }).await;
    for (id, body) in [
        ("message", Payload::write(["x".repeat(1025).as_str()])),
        ("body", Payload::write(["x".repeat(1000).as_str(); 17])),
    ] {
        let client = Polling::open(server.address, id).await;
        assert_eq!(client.send_text(&body).await.status(), 413, "{id}");
        for _ in 0..2 {
            let told = client.poll().await.body().await;
            assert_eq!(told, "c[1009,\"The message is too long\"]\n", "{id}");
        }
    }
}

#[tokio::test]
async fn waiting_requests_are_answered_on_shutdown() {
    let server = Server::start(application()).await;
    let (client, _) = Polling::connect(server.address, "waits").await;
    let (_between_polls, _) = Polling::connect(server.address, "between").await;
    let mut websocket = open_session(server.address).await;
    let waiting = client.poll().await;
    let goodbye = "c[1001,\"The server is shutting down\"]";
    let told = async {
        assert_eq!(waiting.body().await, format!("{goodbye}\n"));
        assert_eq!(next_frame(&mut websocket).await.to_text(), goodbye);
        expect_close(&mut websocket, 1001, "The server is shutting down").await;
        // tungstenite answers the close while it is read.
        assert!(soon(futures::StreamExt::next(&mut websocket)).await.is_none());
    };
    let begin = std::time::Instant::now();
    futures::join!(server.shut_down(), told);
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_client_that_does_not_poll_costs_no_cpu_time() {
    let server = ServerThread::start(application());
    let (client, _) = Polling::connect(server.address, "lazy").await;
    let echo = call("1", "echo", json!(["x".repeat(200_000)]));
    client.send(&[echo.clone(), echo.clone(), echo]).await;
    assert_is_idle(&server).await;
    client.send(&[call("2", "closeConnection", json!([]))]).await;
    assert_is_idle(&server).await;
}
