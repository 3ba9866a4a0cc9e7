//! Two nodes with one store and a bus: changes on one node take effect on the other.

use std::sync::Arc;
use std::time::Duration;

use bolide::accounts::Accounts;
use bolide::accounts::password::HashingCost;
use bolide::bus::LocalBus;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::prelude::*;
use bolide::store::{AuditEvent, AuditFilter, SqlStore, Store};
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
        let store: Arc<dyn Store> = Arc::new(SqlStore::open("sqlite::memory:").await.unwrap());
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
        .method("session", TwoFactor::none(), async |context: Context| {
            Ok(context.connection().map(|connection| connection.id().to_owned()))
        })
        .method("become", TwoFactor::none(), async |context: Context, user: UserId| {
            context.set_user_id(Some(user)).await
        })
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

/// Two nodes with a pool each on one file, and no bus between them.
struct Strangers {
    directory: std::path::PathBuf,
    here: Server,
    there: Server,
}

impl Strangers {
    async fn start(name: &str) -> Self {
        let directory = format!("strangers-{name}-{}", std::process::id());
        let directory = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(directory);
        std::fs::create_dir_all(&directory).unwrap();
        let keys = KeyRing::generate(&SystemChance);
        let (here, there) = (directory.join("a.db"), directory.join("again.db"));
        let accounts = open(&here, &keys).await;
        add(&accounts, "alice", true, false).await;
        add(&accounts, "bob", false, false).await;
        // By another name, or the lock on the file would keep the second out.
        std::os::unix::fs::symlink(&here, &there).unwrap();
        let others = open(&there, &keys).await;
        let (here, there) = (start(accounts, LocalBus::default()).await, start(others, LocalBus::default()).await);
        Self { directory, here, there }
    }

    /// Logs a user in on the one node with a token of the other.
    async fn log_in_there(&self, name: &str) -> (Client, String) {
        let token = self.here.app.accounts().unwrap().issue_token(name).await.unwrap();
        let mut client = Client::connect(self.there.address).await;
        result(&client.ask("login", json!([{ "resume": token }])).await);
        (client, token)
    }

    /// Runs the same call forty times at once, half of them on each node, and returns the errors.
    async fn forty_times(&self, method: &str, params: &Value) -> Vec<Value> {
        let call = async |number: usize| {
            let node = if number.is_multiple_of(2) { &self.here } else { &self.there };
            let refused = node.app.call::<Value>(&Caller::anonymous(), method, params).await.unwrap_err();
            serde_json::to_value(refused.error).unwrap()
        };
        futures::future::join_all((0..40).map(call)).await
    }
}

async fn open(path: &std::path::Path, keys: &KeyRing) -> Accounts {
    let store = SqlStore::open(&format!("sqlite:{}", path.display())).await.unwrap();
    let accounts = Accounts::open(store, keys.clone()).await.unwrap();
    accounts.hashing_cost(HashingCost::new(8, 1, 1).unwrap()).recheck_every(Duration::from_millis(20))
}

impl Drop for Strangers {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_wrong_passwords_at_once_on_two_nodes_exactly_the_budget_is_checked() {
    let nodes = Strangers::start("passwords").await;
    let errors = nodes.forty_times("login", &password_login("bob", "wrong")).await;
    let checked = errors.iter().filter(|error| **error == 403).count();
    assert_eq!(checked, 10, "{errors:?}");
    assert!(errors.iter().all(|error| *error == 403 || *error == "error-login-blocked-for-user"), "{errors:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_wrong_codes_at_once_on_two_nodes_exactly_the_budget_is_checked() {
    let nodes = Strangers::start("codes").await;
    for node in [&nodes.here, &nodes.there] {
        node.app.accounts().unwrap().set("Block_Multiple_Failed_Logins_Enabled", false.into()).await.unwrap();
    }
    let [login] = serde_json::from_value::<[Value; 1]>(password_login("alice", "alice's password")).unwrap();
    nodes.forty_times("login", &json!([{ "totp": { "login": login, "code": "000000" } }])).await;
    let filter =
        |event: AuditEvent| AuditFilter { event: Some(event.as_str().into()), limit: 100, ..AuditFilter::default() };
    let store = nodes.here.app.accounts().unwrap();
    let count = async |event| -> u32 {
        store.store().audit(filter(event)).await.unwrap().iter().map(|entry| entry.count).sum()
    };
    assert_eq!((count(AuditEvent::TwoFactorFailed).await, count(AuditEvent::TwoFactorBlocked).await), (10, 30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_right_logins_at_once_are_not_taken_for_failures() {
    let cluster = Cluster::start().await;
    // One failure is left.
    for _ in 0..9 {
        let wrong = password_login("alice", "wrong");
        assert!(cluster.here.app.call::<Value>(&Caller::anonymous(), "login", &wrong).await.is_err());
    }
    let right = async |_| {
        let params = password_login("alice", "alice's password");
        cluster.here.app.call::<Value>(&Caller::anonymous(), "login", &params).await.map(drop)
    };
    let outcomes = futures::future::join_all((0..30).map(right)).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_revoked_login_ends_on_another_node_though_no_message_comes() {
    let nodes = Strangers::start("revoked").await;
    let here = nodes.here.app.accounts().unwrap();
    let (mut bob, _) = nodes.log_in_there("bob").await;
    let (mut alice, token) = nodes.log_in_there("alice").await;
    let mut own = Client::connect(nodes.here.address).await;
    result(&own.ask("login", json!([{ "resume": token }])).await);
    result(&own.ask("logout", json!([])).await);
    alice.wait_for_end().await;
    let mut again = Client::connect(nodes.there.address).await;
    assert_eq!(error(&again.ask("login", json!([{ "resume": token }])).await), 403, "it is not cached either");
    assert_eq!(result(&bob.ask("whoami", json!([])).await), "user-bob", "other logins go on");
    here.set_active("bob", false).await.unwrap();
    bob.wait_for_end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_without_a_token_is_signed_out_though_no_message_comes() {
    let nodes = Strangers::start("tokenless").await;
    let mut client = Client::connect(nodes.there.address).await;
    result(&client.ask("become", json!(["user-bob"])).await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(result(&client.ask("whoami", json!([])).await), "user-bob");
    nodes.here.app.accounts().unwrap().remove_user("bob").await.unwrap();
    client.wait_for_end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_changed_setting_takes_effect_though_no_message_comes() {
    let nodes = Strangers::start("settings").await;
    let (here, there) = (nodes.here.app.accounts().unwrap(), nodes.there.app.accounts().unwrap());
    for value in [false, true, false] {
        here.set("Accounts_Registration_Enabled", value.into()).await.unwrap();
        soon(async {
            while there.settings().value("Accounts_Registration_Enabled") != Some(value.into()) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn sessions_name_their_node() {
    let cluster = Cluster::start().await;
    let (here, there) = (cluster.here.app.node_id(), cluster.there.app.node_id());
    assert_ne!(here, there);
    let mut client = Client::connect(cluster.there.address).await;
    let id = client.ask("session", json!([])).await;
    assert!(result(&id).as_str().unwrap().starts_with(there));
}
