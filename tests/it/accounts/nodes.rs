//! Two nodes with one store and a bus: changes on one node take effect on the other.

use std::sync::Arc;

use bolide::accounts::Accounts;
use bolide::accounts::password::HashingCost;
use bolide::bus::LocalBus;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::prelude::*;
use bolide::store::{SqliteStore, Store};
use serde_json::{Value, json};

use super::{add, error, password_login, result};
use crate::client::Client;
use crate::server::Server;
use crate::waiting::soon;

/// The nodes, with alice and admin as users.
struct Cluster {
    here: Server,
    there: Server,
}

impl Cluster {
    async fn start() -> Self {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open("sqlite::memory:").await.unwrap());
        let (keys, bus) = (KeyRing::generate(&SystemChance), LocalBus::default());
        let accounts = Accounts::open_shared(Arc::clone(&store), keys.clone(), []).await.unwrap();
        let accounts = accounts.hashing_cost(HashingCost::new(8, 1, 1).unwrap());
        for name in ["alice", "admin"] {
            add(&accounts, name, false, false).await;
        }
        let others = Accounts::open_shared(store, keys, []).await.unwrap();
        let others = others.hashing_cost(HashingCost::new(8, 1, 1).unwrap());
        Self { here: start(accounts, bus.clone()).await, there: start(others, bus).await }
    }

    async fn log_in_there(&self) -> Client {
        let token = self.here.app.accounts().unwrap().issue_token("alice").await.unwrap();
        let mut client = Client::connect(self.there.address).await;
        result(&client.ask("login", json!([{ "resume": token }])).await);
        client
    }
}

async fn start(accounts: Accounts, bus: LocalBus) -> Server {
    let app = App::builder()
        .accounts(accounts)
        .without_default_rate_limits()
        .bus(bus)
        .method("whoami", TwoFactor::none(), async |me: SignedIn| Ok(me.user().clone()))
        .build()
        .unwrap();
    Server::start(app).await
}

async fn next_of(client: &mut Client, collection: &str) -> Value {
    loop {
        let message = client.next().await;
        if message["collection"] == collection {
            return message;
        }
    }
}

#[tokio::test]
async fn a_login_that_ends_on_one_node_ends_its_connections_on_the_other() {
    let cluster = Cluster::start().await;
    let mut there = cluster.log_in_there().await;
    let mut here = Client::connect(cluster.here.address).await;
    result(&here.ask("login", password_login("alice", "alice's password")).await);
    result(&here.ask("removeOtherTokens", json!([])).await);
    there.wait_for_end().await;
    assert_eq!(result(&here.ask("whoami", json!([])).await), "user-alice");
}

#[tokio::test]
async fn a_new_password_ends_logins_on_every_node() {
    let cluster = Cluster::start().await;
    let mut there = cluster.log_in_there().await;
    cluster.here.app.accounts().unwrap().set_password("alice", "another long one").await.unwrap();
    there.wait_for_end().await;
    let mut again = Client::connect(cluster.there.address).await;
    assert_eq!(error(&again.ask("login", password_login("alice", "alice's password")).await), 403);
    result(&again.ask("login", password_login("alice", "another long one")).await);
}

#[tokio::test]
async fn a_removed_or_deactivated_user_is_logged_out_on_every_node() {
    let cluster = Cluster::start().await;
    let accounts = cluster.here.app.accounts().unwrap();
    let mut there = cluster.log_in_there().await;
    accounts.set_active("alice", false).await.unwrap();
    there.wait_for_end().await;
    accounts.set_active("alice", true).await.unwrap();
    let mut there = cluster.log_in_there().await;
    accounts.remove_user("alice").await.unwrap();
    there.wait_for_end().await;
}

#[tokio::test]
async fn a_changed_user_is_published_on_every_node() {
    let cluster = Cluster::start().await;
    let mut there = cluster.log_in_there().await;
    there
        .send(
            json!({ "msg": "sub", "id": "s", "name": "stream-notify-user", "params": ["user-alice/userData", false] }),
        )
        .await;
    there.ping().await;
    let mut here = Client::connect(cluster.here.address).await;
    result(&here.ask("login", password_login("alice", "alice's password")).await);
    result(&here.ask("setUsername", json!(["alicia"])).await);
    assert_eq!(next_of(&mut there, "users").await["fields"], json!({ "username": "alicia" }));
    let told = next_of(&mut there, "stream-notify-user").await;
    assert_eq!(told["fields"]["args"][0]["diff"]["username"], "alicia");
}

#[tokio::test]
async fn a_changed_setting_takes_effect_on_every_node() {
    let cluster = Cluster::start().await;
    let here = cluster.here.app.accounts().unwrap();
    here.set("Accounts_Registration_Enabled", false.into()).await.unwrap();
    let there = cluster.there.app.accounts().unwrap();
    soon(async {
        while there.settings().value("Accounts_Registration_Enabled") != Some(false.into()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut client = Client::connect(cluster.there.address).await;
    let refused = client.ask("createUser", json!([{ "username": "x", "password": "y" }])).await;
    assert_eq!(refused["error"]["reason"], "Signups forbidden");
}

#[tokio::test]
async fn failed_logins_on_all_nodes_are_counted_together() {
    let cluster = Cluster::start().await;
    let mut here = Client::connect(cluster.here.address).await;
    let mut there = Client::connect(cluster.there.address).await;
    for _ in 0..5 {
        assert_eq!(error(&here.ask("login", password_login("alice", "wrong")).await), 403);
        assert_eq!(error(&there.ask("login", password_login("alice", "wrong")).await), 403);
    }
    for client in [&mut here, &mut there] {
        let blocked = client.ask("login", password_login("alice", "alice's password")).await;
        assert_eq!(error(&blocked), "error-login-blocked-for-user");
    }
}
