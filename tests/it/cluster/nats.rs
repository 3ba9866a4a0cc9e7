//! Nodes connected by a real NATS server, which is killed, hangs, and carries what others send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bolide::bus::{NatsBus, NatsCredentials};
use bolide_test_servers::Nats;
use serde_json::{Value, json};

use super::{Node, Shared, next_event};
use crate::log::Log;
use crate::waiting::{A_MOMENT, soon, until};

const SETTING: &str = "Accounts_Registration_Enabled";

fn bus(nats: &Nats) -> NatsBus {
    NatsBus::new([nats.url()]).unwrap()
}

/// Starts two nodes that hear each other.
async fn pair(nats: &Nats) -> (Node, Node) {
    let shared = Shared::new().await;
    let (here, there) = (shared.node(bus(nats)).await, shared.node(bus(nats)).await);
    here.hears(1).await;
    there.hears(1).await;
    (here, there)
}

/// A client of NATS that knows three words.
pub(super) struct Stranger(TcpStream);

impl Stranger {
    pub(super) fn connect(nats: &Nats) -> Self {
        let mut socket = TcpStream::connect(("127.0.0.1", nats.port())).unwrap();
        socket.write_all(b"CONNECT {\"verbose\":false}\r\n").unwrap();
        Self(socket)
    }

    pub(super) fn publish(&mut self, cluster: &str, message: &[u8]) {
        let head = format!("PUB bolide.{cluster}.events {}\r\n", message.len());
        for part in [head.as_bytes(), message, b"\r\n"] {
            self.0.write_all(part).unwrap();
        }
    }

    /// Waits until the server has handled what was published.
    pub(super) fn flush(&mut self) {
        self.0.write_all(b"PING\r\n").unwrap();
        let mut answer = String::new();
        while !answer.ends_with("PONG\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            answer.push(char::from(byte[0]));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_of_a_stream_reaches_the_other_node() {
    let nats = Nats::start();
    let (here, there) = pair(&nats).await;
    let mut listener = there.listen().await;
    for number in 0..200 {
        here.news.emit("today", &[number]).unwrap();
    }
    for number in 0..200 {
        assert_eq!(soon(next_event(&mut listener)).await, json!([number]));
    }
    let report = there.report();
    assert_eq!((report.gaps, report.missing, report.unreadable), (0, 0, 0), "{report:?}");
    there.is_ready_without(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_revoked_token_ends_the_session_on_the_other_node_at_once() {
    let nats = Nats::start();
    let (here, there) = pair(&nats).await;
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
    here.set(SETTING, false).await;
    until(|| there.value(SETTING) == here.value(SETTING)).await;
}

/// Loses the bus by `lose`, and has it back by `give_back`.
async fn goes_on_without_the_bus(lose: impl FnOnce(&mut Nats), give_back: impl FnOnce(&mut Nats)) {
    let log = Log::default();
    let mut nats = Nats::start();
    let (here, there) = pair(&nats).await;
    let (mut client, token) = there.log_in("alice").await;
    let (mut other, _) = there.log_in("bob").await;
    let _kept = log.keep("warn,bolide=info");
    lose(&mut nats);
    let begun = Instant::now();
    here.revoke(&token).await;
    here.set(SETTING, false).await;
    client.wait_for_end().await;
    assert!(begun.elapsed() < Duration::from_secs(6), "revoked after {:?}", begun.elapsed());
    until(|| there.value(SETTING) == Some(json!(false))).await;
    for node in [&here, &there] {
        node.is_ready_without(&["nats"]).await;
    }
    // It stays ready, and goes on to ask.
    let (mut client, token) = there.log_in("alice").await;
    here.revoke(&token).await;
    client.wait_for_end().await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    there.is_ready_without(&["nats"]).await;

    give_back(&mut nats);
    for node in [&here, &there] {
        node.is_ready_without(&[]).await;
        node.hears(1).await;
    }
    let mut listener = there.listen().await;
    here.news.emit("today", &["again"]).unwrap();
    while soon(next_event(&mut listener)).await != json!(["again"]) {}
    let (mut client, token) = there.log_in("alice").await;
    let revoked = Instant::now();
    here.revoke(&token).await;
    client.wait_for_end().await;
    assert!(revoked.elapsed() < Duration::from_millis(500), "it took {:?}", revoked.elapsed());
    assert_eq!(other.ask("whoami", json!([])).await["result"], "user-bob", "nobody else was disconnected");
    assert!(there.report().gaps > 0);
    // The runtime of the test has one thread, whose log is captured.
    let text = log.text();
    let count = |part: &str| text.lines().filter(|line| line.contains(part)).count();
    assert_eq!((count("the bus is lost"), count("the bus is back")), (2, 2), "a line for each node: {text}");
    assert!(count(" ERROR ") == 0, "{text}");
}

#[tokio::test]
async fn nodes_go_on_without_nats_and_find_it_again() {
    goes_on_without_the_bus(Nats::kill, Nats::restart).await;
}

#[tokio::test]
async fn nodes_go_on_without_a_nats_server_that_hangs() {
    goes_on_without_the_bus(|nats| nats.pause(), |nats| nats.resume()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_starts_without_nats_and_joins_when_it_is_there() {
    let mut nats = Nats::start();
    nats.kill();
    let shared = Shared::new().await;
    let node = shared.node(bus(&nats)).await;
    assert_eq!(node.ready().await, (503, json!({ "status": "unavailable", "reason": "the node starts" })));
    node.is_ready_without(&["nats"]).await;
    nats.restart();
    node.is_ready_without(&[]).await;
    let other = shared.node(bus(&nats)).await;
    node.hears(1).await;
    other.server.shut_down().await;
    until(|| node.report().nodes.is_empty()).await;
    assert_eq!(node.report().gaps, 0, "it has said that it leaves: {:?}", node.report());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clusters_on_one_server_do_not_hear_each_other() {
    let nats = Nats::start();
    let mut shared = Shared::new().await;
    let (here, there) = (shared.node(bus(&nats)).await, shared.node(bus(&nats)).await);
    shared.name = "other".parse().unwrap();
    let other = shared.node(bus(&nats)).await;
    here.hears(1).await;
    there.hears(1).await;
    other.hears(0).await;
    let mut listener = other.listen().await;
    here.news.emit("today", &[1]).unwrap();
    tokio::time::sleep(A_MOMENT).await;
    listener.ping().await;
    assert_eq!(other.report().received, 0);
    // One that writes into the subject of another cluster.
    let mut stranger = Stranger::connect(&nats);
    let forged = json!({ "version": 1, "cluster": "bolide", "node": "abcd", "epoch": "1", "n": 1, "event":
        { "Stream": { "stream": "news", "event": "today", "args": ["forged"] } } });
    stranger.publish("other", forged.to_string().as_bytes());
    stranger.flush();
    until(|| other.report().foreign == 1).await;
    listener.ping().await;
    assert_eq!((here.report().foreign, other.report().received), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_strangers_send_does_no_harm() {
    let nats = Nats::start();
    let (here, there) = pair(&nats).await;
    let mut listener = there.listen().await;
    let mut stranger = Stranger::connect(&nats);
    let forged = |n: &Value, node: &Value, event: &Value| {
        let message = json!({ "version": 1, "cluster": "bolide", "node": node, "epoch": "1", "n": n, "event": event });
        message.to_string().into_bytes()
    };
    let alive = json!("Alive");
    let mut bad: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0xff; 100],
        b"{".repeat(1_000),
        b"[".repeat(900_000),
        forged(&json!("1"), &json!("x"), &alive),
        forged(&json!(1), &json!(["x"]), &alive),
        forged(&json!(1), &json!("x"), &json!({ "TokensEnded": { "hashed": 7 } })),
        forged(&json!(2), &json!("x"), &json!({ "Unknown": {} })),
        json!({ "version": 9, "cluster": "bolide" }).to_string().into_bytes(),
    ];
    bad.push(forged(&json!(3), &json!("x"), &json!({ "UserChanged": { "user": "x".repeat(900 << 10) } })));
    for message in &bad {
        stranger.publish("bolide", message);
    }
    // One that is said to come from the node itself, with numbers that it has not used.
    stranger.publish("bolide", &forged(&json!(u64::MAX), &json!(there.server.app.node_id()), &alive));
    // So many senders that there is no room for the genuine one.
    for sender in 0..3_000 {
        stranger.publish("bolide", &forged(&json!(1), &json!(format!("forged-{sender}")), &alive));
    }
    stranger.flush();
    until(|| there.report().unreadable >= 10).await;
    // Events are sent at most once, and what the strangers have sent may still fill the queue.
    let heard = async {
        loop {
            here.news.emit("today", &["genuine"]).unwrap();
            let next = tokio::time::timeout(Duration::from_millis(500), next_event(&mut listener)).await;
            if next.is_ok_and(|event| event == json!(["genuine"])) {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), heard).await.expect("it is heard");
    let (mut client, token) = there.log_in("alice").await;
    here.revoke(&token).await;
    client.wait_for_end().await;
    until(|| there.report().nodes.len() == 1).await;
    there.is_ready_without(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_whose_numbers_were_forged_is_not_believed_and_its_revocations_still_take_effect() {
    let nats = Nats::start();
    let (here, there) = pair(&nats).await;
    let (mut client, token) = there.log_in("alice").await;
    // Whoever reads the bus knows the epoch. From now on, all that this node sends seems to be old.
    let mut reader = Stranger::connect(&nats);
    reader.0.write_all(b"SUB bolide.bolide.events 1\r\n").unwrap();
    let mut text = String::new();
    let own = format!("\"node\":\"{}\",\"epoch\":\"", here.server.app.node_id());
    let epoch = loop {
        let mut part = [0; 4_096];
        let length = reader.0.read(&mut part).unwrap();
        text.push_str(&String::from_utf8_lossy(&part[..length]));
        let found = text.split_once(&own).and_then(|(_, rest)| rest.split_once('"'));
        if let Some((epoch, _)) = found {
            break epoch.to_owned();
        }
    };
    let forged = json!({ "version": 1, "cluster": "bolide", "node": here.server.app.node_id(), "epoch": epoch,
        "n": u64::MAX, "event": "Alive" });
    reader.publish("bolide", forged.to_string().as_bytes());
    until(|| there.report().missing > 1_000_000).await;
    here.revoke(&token).await;
    client.wait_for_end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_that_want_to_know_who_connects_are_shown_credentials() {
    let nats = Nats::start_with(&["--user", "bolide", "--pass", "s3cret"]);
    let shared = Shared::new().await;
    let with_password = |password: &str| nats.url().replace("nats://", &format!("nats://bolide:{password}@"));
    let credentials: NatsCredentials = "bolide:s3cret\n".parse().unwrap();
    let here = shared.node(NatsBus::new([with_password("s3cret")]).unwrap()).await;
    let there = shared.node(bus(&nats).credentials(credentials)).await;
    here.hears(1).await;
    there.hears(1).await;
    let refused = shared.node(NatsBus::new([with_password("wrong")]).unwrap()).await;
    refused.is_ready_without(&["nats"]).await;
    assert!(!refused.report().is_connected);
    let nats = Nats::start_with(&["--auth", "t0ken"]);
    let node = shared.node(bus(&nats).credentials("t0ken".parse().unwrap())).await;
    node.hears(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_takes_another_server_when_the_first_is_away() {
    let (mut first, second) = (Nats::start(), Nats::start());
    first.kill();
    let shared = Shared::new().await;
    let urls = [first.url(), second.url()];
    let (here, there) = (shared.node(NatsBus::new(&urls).unwrap()).await, shared.node(bus(&second)).await);
    here.hears(1).await;
    there.hears(1).await;
}
