//! Admins see the sessions and methods of all nodes, and which nodes do not answer.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bolide::bus::{Bus, NatsBus, PostgresBus};
use bolide::testing::TestClient;
use bolide_test_servers::{Nats, Postgres};
use serde_json::{Value, json};

use super::nats::Stranger;
use super::{Node, Shared};
use crate::accounts::result;
use crate::client::Client;
use crate::messages::Messages as _;
use crate::waiting::SOON;

async fn admin(node: &Node) -> TestClient {
    let mut admin = TestClient::connect(&node.server.app).await;
    let token = node.accounts().issue_token("admin").await.unwrap();
    admin.call_with_password::<Value>("login", &json!([{ "resume": token }]), "admin's password").await.unwrap();
    admin
}

async fn sees_all_nodes(bus: impl Bus + Clone) {
    let shared = Shared::new().await;
    let (here, there) = (shared.node(bus.clone()).await, shared.node(bus).await);
    let ids: BTreeSet<String> = [&here, &there].map(|node| node.server.app.node_id().to_owned()).into();
    let (mut alice, _) = there.log_in("alice").await;
    for _ in 0..3 {
        result(&alice.ask("whoami", json!([])).await);
    }
    // So many that they do not fit into one message.
    let mut others = Vec::new();
    for _ in 0..60 {
        others.push(Client::connect(there.server.address).await);
    }
    let mut admin = admin(&here).await;
    admin.subscribe("admin:sessions", &()).await.unwrap();
    admin.subscribe("admin:methods", &()).await.unwrap();
    admin.subscribe("admin:overview", &()).await.unwrap();
    let sampled = |admin: &TestClient| -> BTreeSet<String> {
        let overview = admin.documents::<Value>("overview");
        let samples = overview.values().filter(|shown| shown["kind"] == "samples");
        samples.map(|shown| shown["node"].as_str().unwrap().to_owned()).collect()
    };
    let begun = Instant::now();
    while admin.documents::<Value>("nodes").len() < 2
        || admin.documents::<Value>("sessions").len() < 62
        || sampled(&admin).len() < 2
    {
        assert!(begun.elapsed() < SOON, "{:?}", admin.documents::<Value>("nodes"));
        tokio::time::sleep(Duration::from_millis(100)).await;
        admin.heard().await;
    }
    let nodes = admin.documents::<Value>("nodes");
    assert_eq!(nodes.keys().cloned().collect::<BTreeSet<_>>(), ids);
    assert_eq!(nodes[here.server.app.node_id()], json!({ "own": true, "answers": true }));
    assert_eq!(nodes[there.server.app.node_id()], json!({ "own": false, "answers": true }));
    let sessions = admin.documents::<Value>("sessions");
    let alice = sessions.values().find(|session| session["username"] == "alice").unwrap();
    assert_eq!((&alice["node"], &alice["address"]), (&json!(there.server.app.node_id()), &json!("127.0.0.1")));
    let calls = |node: &Node| {
        let methods = admin.documents::<Value>("methods");
        let whoami = |method: &&Value| method["name"] == "whoami" && method["node"] == node.server.app.node_id();
        methods.values().find(whoami).unwrap()["calls"].clone()
    };
    assert_eq!((calls(&here), calls(&there)), (json!(0), json!(3)));
    let overview = admin.documents::<Value>("overview");
    assert_eq!(sampled(&admin), ids);
    let shared = overview.values().filter(|shown| shown["kind"] == "problem" && shown["node"].is_null());
    assert_eq!(shared.count(), 1, "the admin without a second factor is told once: {overview:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn admins_see_the_sessions_and_methods_of_all_nodes_over_nats() {
    let nats = Nats::start();
    sees_all_nodes(NatsBus::new([nats.url()]).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_does_not_answer_is_named() {
    let nats = Nats::start();
    let node = Shared::new().await.node(NatsBus::new([nats.url()]).unwrap()).await;
    node.hears(0).await;
    let mut admin = admin(&node).await;
    // A node that is heard and says nothing else.
    let mut silent = Stranger::connect(&nats);
    let message = json!({ "version": 1, "cluster": "bolide", "node": "mute", "epoch": "1", "n": 1, "event": "Alive" });
    silent.publish("bolide", message.to_string().as_bytes());
    silent.flush();
    node.hears(1).await;
    let begun = Instant::now();
    admin.subscribe("admin:sessions", &()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "it took {:?}", begun.elapsed());
    assert_eq!(admin.documents::<Value>("nodes")["mute"], json!({ "own": false, "answers": false }));
    assert_eq!(admin.documents::<Value>("sessions").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn admins_see_the_sessions_and_methods_of_all_nodes_over_small_notifications() {
    let server = Postgres::shared();
    sees_all_nodes(PostgresBus::new(&server.database()).unwrap()).await;
}
