//! Two nodes with one store, connected by a real bus or by one that misbehaves.
//!
//! The nodes ask the store again only every hour, so that whatever takes effect does so through the bus, or because a node
//! has noticed that the bus has lost something.

#![expect(clippy::unwrap_used, reason = "what a test prepares works, or the test fails")]

mod admins;
mod faulty;
mod half_open;
mod nats;
mod postgres;
mod ready;

use std::sync::Arc;
use std::time::Duration;

use bolide::accounts::password::HashingCost;
use bolide::accounts::{Accounts, AccountsHandle};
use bolide::bus::{Bus, BusReport, ClusterName};
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::prelude::*;
use bolide::store::{SqlStore, Store};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::accounts::{add, result};
use crate::client::Client;
use crate::http::request;
use crate::server::Server;
use crate::waiting::until;

/// A node with accounts, a stream `news` and a method `whoami`.
struct Node {
    server: Server,
    news: Stream,
}

/// What nodes of one cluster share.
struct Shared {
    store: Arc<dyn Store>,
    keys: KeyRing,
    name: ClusterName,
}

impl Shared {
    /// Returns a store with the users admin, alice and bob.
    async fn new() -> Self {
        Self::in_store("sqlite::memory:").await
    }

    async fn in_store(address: &str) -> Self {
        let store: Arc<dyn Store> = Arc::new(SqlStore::open(address).await.unwrap());
        let shared = Self { store, keys: KeyRing::generate(&SystemChance), name: ClusterName::default() };
        let accounts = shared.accounts().await;
        for name in ["admin", "alice", "bob"] {
            add(&accounts, name, false, false).await;
        }
        shared
    }

    /// Returns the same over connections of its own, with caches of its own.
    async fn again(&self, address: &str) -> Self {
        let store = Arc::new(SqlStore::open(address).await.unwrap());
        Self { store, keys: self.keys.clone(), name: self.name.clone() }
    }

    async fn accounts(&self) -> Accounts {
        let accounts = Accounts::open_shared(Arc::clone(&self.store), self.keys.clone(), []).await.unwrap();
        accounts.hashing_cost(HashingCost::new(8, 1, 1).unwrap()).recheck_every(Duration::from_hours(1))
    }

    async fn node(&self, bus: impl Bus) -> Node {
        let news = Stream::new("news").allow_read(|_, _| true);
        let app = App::builder()
            .accounts(self.accounts().await)
            .without_default_rate_limits()
            .bus(bus)
            .cluster(self.name.clone())
            .stream(&news)
            .method("whoami", TwoFactor::none(), async |me: SignedIn| Ok(me.user().clone()))
            .build()
            .unwrap();
        Node { server: Server::start(app).await, news }
    }
}

impl Node {
    fn accounts(&self) -> AccountsHandle {
        self.server.app.accounts().unwrap()
    }

    fn report(&self) -> BusReport {
        self.server.app.bus_report().unwrap()
    }

    /// Waits until this node hears others, so many of them.
    async fn hears(&self, others: usize) {
        until(|| self.report().is_connected && self.report().nodes.len() == others).await;
    }

    /// Logs a user in with a new token, which is returned.
    async fn log_in(&self, name: &str) -> (Client, String) {
        let token = self.accounts().issue_token(name).await.unwrap();
        let mut client = Client::connect(self.server.address).await;
        result(&client.ask("login", json!([{ "resume": token }])).await);
        (client, token)
    }

    /// Logs out with a token.
    async fn revoke(&self, token: &str) {
        let mut client = Client::connect(self.server.address).await;
        result(&client.ask("login", json!([{ "resume": token }])).await);
        client.call("out", "logout", json!([])).await;
        // A node that asks the store meanwhile may be faster than the logout.
        while let Some(Message::Text(text)) = client.next_frame().await {
            if text.contains("\"result\"") {
                return;
            }
        }
    }

    async fn set(&self, id: &str, value: impl Into<Value>) {
        self.accounts().set(id, value.into()).await.unwrap();
    }

    fn value(&self, id: &str) -> Option<Value> {
        self.accounts().settings().value(id)
    }

    /// Listens to the event `today` of `news`.
    async fn listen(&self) -> Client {
        let mut client = Client::connect(self.server.address).await;
        client.send(json!({ "msg": "sub", "id": "s", "name": "stream-news", "params": ["today", false] })).await;
        assert_eq!(client.next().await["msg"], "ready");
        client
    }

    /// Asks `/ready`: the status and the body.
    async fn ready(&self) -> (u16, Value) {
        let answer = request(self.server.address, "GET", "/ready", &[], "").await;
        let status = answer.status();
        (status, serde_json::from_str(&answer.body().await).unwrap())
    }

    /// Waits until `/ready` answers 200 and names what is away.
    async fn is_ready_without(&self, away: &[&str]) {
        let wanted = (200, json!({ "status": "ready", "degraded": away }));
        let begun = std::time::Instant::now();
        loop {
            let answer = self.ready().await;
            if answer == wanted {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{answer:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The arguments of the next event of a stream.
async fn next_event(client: &mut Client) -> Value {
    loop {
        let message = client.next().await;
        if message["msg"] == "changed" {
            return message["fields"]["args"].clone();
        }
    }
}
