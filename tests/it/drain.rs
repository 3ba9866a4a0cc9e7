//! The drain of a server that many clients use: what a shutdown promises to each call.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bolide::Limits;
use bolide::prelude::*;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::client::Client;
use crate::raw::{CLOSE, Raw, TEXT, frame};
use crate::server::Server;
use crate::waiting::{soon, until};

const CLIENTS: usize = 2_000;

/// How long a call takes, and how long a client waits before its next one: of the clients, half have a call in flight.
const A_CALL: Duration = Duration::from_millis(500);

/// What the methods of the test note.
#[derive(Default)]
struct Begun {
    calls: Mutex<HashSet<(usize, usize)>>,
    /// The number of clients whose connection was closed.
    closed: AtomicUsize,
    /// The number of calls that have begun after the first connection was closed.
    during_the_drain: AtomicUsize,
}

/// A client that calls until its connection is closed.
struct Caller {
    raw: Raw,
    number: usize,
    next: usize,
}

impl Caller {
    async fn connect(address: SocketAddr, number: usize) -> Self {
        let mut raw = Raw::upgraded(address).await;
        raw.send(&frame(TEXT, br#"{"msg":"connect","version":"1","support":["1"]}"#)).await;
        while !raw.read_text().await.contains(r#""msg":"connected""#) {}
        Self { raw, number, next: 0 }
    }

    async fn send_call(&mut self) {
        let (number, next) = (self.number, self.next);
        let call = format!(r#"{{"msg":"method","method":"work","id":"{next}","params":[{number},{next}]}}"#);
        self.raw.send(&frame(TEXT, call.as_bytes())).await;
        self.next += 1;
    }

    /// Returns the calls that were answered, and the code with which the connection was closed.
    async fn call_until_closed(mut self, begun: Arc<Begun>) -> (HashSet<(usize, usize)>, u16) {
        let mut answered = HashSet::new();
        self.send_call().await;
        loop {
            let (kind, payload) = self.raw.read_frame().await;
            if kind == CLOSE {
                begun.closed.fetch_add(1, Ordering::SeqCst);
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                self.raw.answers_and_ends(code).await;
                return (answered, code);
            }
            let message: Value = serde_json::from_slice(&payload).expect("a message");
            if message["msg"] == "result" {
                let id = message["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
                assert_eq!(message["result"], json!(id), "{message}");
                answered.insert((self.number, id));
                sleep(A_CALL).await;
                self.send_call().await;
            }
        }
    }
}

fn application(limits: Limits, begun: &Arc<Begun>) -> App {
    let noted = Arc::clone(begun);
    let app = App::builder().limits(limits).method(
        "work",
        TwoFactor::none(),
        async move |_: Context, client: usize, call: usize| {
            noted.calls.lock().insert((client, call));
            if noted.closed.load(Ordering::SeqCst) > 0 {
                noted.during_the_drain.fetch_add(1, Ordering::SeqCst);
            }
            sleep(A_CALL).await;
            Ok(call)
        },
    );
    app.build().expect("the app fits together")
}

/// Each client has a socket here, and one in the server.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("the hard limit is allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_that_has_begun_is_answered_while_2000_clients_are_drained() {
    raise_open_files();
    let begun = Arc::new(Begun::default());
    let limits = Limits { drain_time: Duration::from_secs(4), ..Limits::default() };
    let server = Server::start(application(limits, &begun)).await;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push(Caller::connect(server.address, number).await);
    }
    let calling: Vec<_> =
        clients.into_iter().map(|client| tokio::spawn(client.call_until_closed(Arc::clone(&begun)))).collect();
    until(|| begun.calls.lock().len() >= CLIENTS).await;
    let stopped = tokio::spawn(server.shut_down());
    let mut answered = HashSet::new();
    for client in calling {
        let (calls, code) = client.await.expect("a client that is answered");
        assert_eq!(code, 1001);
        answered.extend(calls);
    }
    soon(stopped).await.expect("a server that ends well");
    let begun_calls = begun.calls.lock().clone();
    let lost: Vec<_> = begun_calls.symmetric_difference(&answered).collect();
    assert!(lost.is_empty(), "{} of {} calls were begun and not answered: {lost:?}", lost.len(), begun_calls.len());
    assert!(begun.during_the_drain.load(Ordering::SeqCst) > 0, "the sessions were closed in waves");
}

#[tokio::test]
async fn a_server_that_will_shut_down_is_not_ready_and_takes_clients_until_the_delay_is_over() {
    let limits = Limits { drain_delay: Duration::from_secs(3), ..Limits::default() };
    let server = Server::start(application(limits, &Arc::default())).await;
    let address = server.address;
    assert!(ready(address).await.starts_with("HTTP/1.1 200 "));
    let stopped = tokio::spawn(server.shut_down());
    soon(async { while !ready(address).await.starts_with("HTTP/1.1 503 ") {} }).await;
    let mut client = Client::connect(address).await;
    assert_eq!(client.ask("work", json!([1, 1])).await["result"], 1);
    assert_eq!(client.close_code().await, 1001);
    assert!(TcpStream::connect(address).await.is_err(), "its connections are refused before its sessions are closed");
    client.wait_for_end().await;
    soon(stopped).await.expect("a server that ends well");
}

async fn ready(address: SocketAddr) -> String {
    let mut raw = Raw::open(address).await;
    raw.send(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    raw.read_to_end().await
}
