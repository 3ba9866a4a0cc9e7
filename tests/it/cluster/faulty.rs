//! Nodes on a bus that drops, delays, reorders and duplicates. When it has come to rest, no revoked session answers, and the
//! settings of all nodes are equal. Each schedule is decided by its seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bolide::bus::{Bus, BusReceiver, BusSender, ClusterName};
use futures::future::join_all;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{Node, Shared};
use crate::client::Client;

const SETTINGS: [&str; 3] =
    ["Accounts_Registration_Enabled", "Web_Pages_Enabled", "Accounts_TwoFactorAuthentication_Enabled"];

/// How long the nodes may take to agree once the bus works: a beat, and a question to the store.
const AT_REST: Duration = Duration::from_secs(5);

/// A bus with faults, until it is calmed.
#[derive(Clone)]
struct FaultyBus {
    receivers: Arc<Mutex<Vec<BusReceiver>>>,
    chance: Arc<Mutex<StdRng>>,
    is_calm: Arc<AtomicBool>,
}

/// What happens to a message: it arrives so often, each time after a while.
type Fate = Vec<Duration>;

impl FaultyBus {
    fn new(seed: u64) -> Self {
        Self {
            receivers: Arc::default(),
            chance: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
            is_calm: Arc::default(),
        }
    }

    fn fate(&self) -> Fate {
        let mut chance = self.chance.lock();
        let count = match chance.random_range(0..20) {
            0..6 => 0,
            6..9 => 2,
            _ => 1,
        };
        (0..count).map(|_| Duration::from_millis(chance.random_range(0..300))).collect()
    }

    fn calm(&self) {
        self.is_calm.store(true, Ordering::Relaxed);
    }
}

impl Bus for FaultyBus {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn join(&self, _: &ClusterName, receiver: BusReceiver) -> BusSender {
        self.receivers.lock().push(receiver);
        let bus = self.clone();
        BusSender::new(move |message| {
            let receivers = bus.receivers.lock().clone();
            for receiver in receivers {
                if bus.is_calm.load(Ordering::Relaxed) {
                    receiver.message(&message);
                    continue;
                }
                for delay in bus.fate() {
                    let (receiver, message) = (receiver.clone(), Arc::clone(&message));
                    tokio::spawn(async move {
                        sleep(delay).await;
                        receiver.message(&message);
                    });
                }
            }
        })
    }
}

/// Sessions on the second node.
struct Session {
    client: Client,
    token: Option<String>,
}

async fn run(seed: u64) {
    let (bus, shared) = (FaultyBus::new(seed), Shared::new().await);
    let nodes = [shared.node(bus.clone()).await, shared.node(bus.clone()).await];
    let mut chance = StdRng::seed_from_u64(seed);
    let mut sessions = Vec::new();
    for number in 0..12 {
        let (client, token) = nodes[1].log_in(if number % 2 == 0 { "alice" } else { "bob" }).await;
        sessions.push(Session { client, token: Some(token) });
    }
    for _ in 0..30 {
        let node = &nodes[chance.random_range(0..nodes.len())];
        if chance.random_bool(0.7) {
            node.set(SETTINGS[chance.random_range(0..SETTINGS.len())], chance.random_bool(0.5)).await;
        } else {
            let session = chance.random_range(0..sessions.len());
            if let Some(token) = sessions[session].token.take() {
                nodes[0].revoke(&token).await;
            }
        }
        sleep(Duration::from_millis(chance.random_range(0..40))).await;
    }
    bus.calm();
    // Those that are under way arrive as well, or not.
    let agreed = timeout(AT_REST, agree(&nodes)).await;
    assert!(agreed.is_ok(), "seed {seed}: {:?}", nodes.each_ref().map(values));
    for Session { client, token } in &mut sessions {
        match token {
            Some(_) => assert!(client.ask("whoami", json!([])).await["result"].is_string(), "seed {seed}"),
            None => assert!(timeout(AT_REST, client.wait_for_end()).await.is_ok(), "seed {seed}: a revoked session"),
        }
    }
}

fn values(node: &Node) -> Vec<Option<Value>> {
    SETTINGS.iter().map(|setting| node.value(setting)).collect()
}

/// Waits until both nodes have what is in the store, and stay so.
async fn agree(nodes: &[Node; 2]) {
    let mut agreed = 0;
    while agreed < 20 {
        agreed = if values(&nodes[0]) == values(&nodes[1]) { agreed + 1 } else { 0 };
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_the_bus_does_the_nodes_agree_when_it_is_at_rest() {
    join_all((0..12).map(run)).await;
}
