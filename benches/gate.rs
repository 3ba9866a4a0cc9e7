//! What the gate costs: an open method of an app without accounts and of one with them, and a gated method whose client is
//! trusted. All of it through a session, there and back, on one thread.
//!
//! `cargo bench --bench gate`. Budgets: an open method costs the same with and without accounts; a trusted gated call costs
//! at most 20 µs more.

use std::sync::Arc;

use bolide::accounts::Accounts;
use bolide::accounts::password::HashingCost;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::prelude::*;
use bolide::store::{NewUser, SqlStore, StoredHash, User};
use bolide::{AppBuilder, FromServer, MemoryConnection};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::runtime::{Builder, Runtime};

const OPEN: &str = r#"{"msg":"method","id":"17","method":"open","params":[1,2]}"#;
const GATED: &str = r#"{"msg":"method","id":"17","method":"gated","params":[1,2]}"#;
const PASSWORD: &str = "correct horse";

fn gate(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (bare, with_accounts) = runtime.block_on(async {
        let bare = methods(App::builder()).build().expect("an app");
        (bare, app_with_accounts().await)
    });
    let mut client = runtime.block_on(connect(&bare));
    criterion.bench_function("an open method, without accounts", |bencher| {
        bencher.iter(|| call(&runtime, &mut client, OPEN));
    });
    let mut client = runtime.block_on(connect_trusted(&with_accounts));
    criterion.bench_function("an open method, with accounts", |bencher| {
        bencher.iter(|| call(&runtime, &mut client, OPEN));
    });
    criterion.bench_function("a gated method, trusted", |bencher| {
        bencher.iter(|| call(&runtime, &mut client, GATED));
    });
}

fn methods(app: AppBuilder) -> AppBuilder {
    app.method("open", TwoFactor::none(), async |_: Context, a: f64, b: f64| Ok(a + b)).method(
        "gated",
        TwoFactor::required(),
        async |_: SignedIn, a: f64, b: f64| Ok(a + b),
    )
}

async fn app_with_accounts() -> App {
    let store = SqlStore::open("sqlite::memory:").await.expect("a store");
    let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.expect("accounts");
    let accounts = accounts.hashing_cost(HashingCost::new(8, 1, 1).expect("a cost"));
    let password = accounts.hash_password(PASSWORD, Arc::new(SystemChance)).await.expect("a hash");
    accounts.add_user(user(password)).await.expect("a user");
    let app = methods(App::builder().accounts(accounts)).build().expect("an app");
    let handle = app.accounts().expect("accounts");
    // The client is trusted for as long as this may run.
    handle.set("Accounts_TwoFactorAuthentication_RememberFor", 86_400.into()).await.expect("a setting");
    app
}

fn user(password: StoredHash) -> NewUser {
    let mut user = User::new("alice".into(), bolide::clock::Timestamp::from_milliseconds(0));
    user.username = Some("alice".into());
    user.password = Some(password);
    user.into()
}

async fn connect(app: &App) -> MemoryConnection {
    let mut client = app.connect();
    client.send(r#"{"msg":"connect","version":"1","support":["1"]}"#).await;
    assert!(matches!(client.receive().await, Some(FromServer::Frame(_))));
    client
}

/// A client that has logged in and shown the second factor.
async fn connect_trusted(app: &App) -> MemoryConnection {
    let mut client = connect(app).await;
    let token = app.accounts().expect("accounts").issue_token("alice").await.expect("a token");
    let digest = Sha256::digest(PASSWORD).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let code = json!({ "twoFactorCode": digest, "twoFactorMethod": "password" });
    for (method, params) in [("login", json!([{ "resume": token }])), ("gated", json!([1, 2, code]))] {
        let message = json!({ "msg": "method", "id": "first", "method": method, "params": params });
        client.send(message.to_string()).await;
        let result = answer(&mut client).await;
        assert!(result.get("error").is_none(), "{result}");
    }
    client
}

async fn answer(client: &mut MemoryConnection) -> Value {
    loop {
        let Some(FromServer::Frame(frame)) = client.receive().await else { panic!("the connection ended") };
        let message: Value = serde_json::from_str(&frame).expect("JSON");
        if message["msg"] == "result" {
            return message;
        }
    }
}

/// A call, its `updated` and its `result`.
fn call(runtime: &Runtime, client: &mut MemoryConnection, frame: &'static str) -> Option<FromServer> {
    runtime.block_on(async {
        client.send(frame).await;
        client.receive().await;
        client.receive().await
    })
}

criterion_group!(benches, gate);
criterion_main!(benches);
