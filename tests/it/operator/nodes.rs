//! Nodes as processes that share a PostgreSQL database, and tell each other of changes through it.

use std::time::Duration;

use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide_test_servers::{Nats, Postgres};

use super::{Data, Serving};
use crate::http::request;

const READY: &str = r#"{"degraded":[],"status":"ready"}"#;
const AWAY: &str = r#"{"reason":"the store cannot be reached","status":"unavailable"}"#;

fn node(data: &Data, database: &str, keys: &str, arguments: &[&str]) -> Serving {
    let mut command = data.bolide(&["serve", "--listen", "127.0.0.1:0"]);
    command.args(arguments).env("BOLIDE_DATABASE", database).env("BOLIDE_KEYS", keys);
    Serving::start(command)
}

async fn answers(node: &Serving, expected: &str) {
    let begun = std::time::Instant::now();
    loop {
        let answer = request(node.address, "GET", "/ready", &[], "").await.body().await;
        if answer == expected {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_ready_while_their_database_answers() {
    let (server, data) = (Postgres::private(), Data::new("nodes"));
    let (database, keys) = (server.database(), KeyRing::generate(&SystemChance).to_text().expose().to_owned());
    let nats = Nats::start();
    let with_nats = ["--nats", &nats.url()].map(str::to_owned);
    let with_nats: Vec<&str> = with_nats.iter().map(String::as_str).collect();
    for arguments in [&[][..], &with_nats] {
        let nodes = [node(&data, &database, &keys, arguments), node(&data, &database, &keys, arguments)];
        for node in &nodes {
            answers(node, READY).await;
        }
        server.stop_immediately();
        for node in &nodes {
            answers(node, AWAY).await;
            assert_eq!(request(node.address, "GET", "/health", &[], "").await.status(), 200);
        }
        server.start();
        for node in &nodes {
            answers(node, READY).await;
        }
    }
}
