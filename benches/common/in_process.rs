//! An app whose user has shown a second factor, and clients in the same process.

use std::sync::Arc;

use bolide::accounts::Accounts;
use bolide::accounts::password::HashingCost;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::prelude::*;
use bolide::store::{NewUser, SqlStore, StoredHash, User};
use bolide::{AppBuilder, FromServer, MemoryConnection};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const PASSWORD: &str = "correct horse";

/// Adds an open and a gated method.
pub(crate) fn methods(app: AppBuilder) -> AppBuilder {
    app.method("open", TwoFactor::none(), async |_: Context, a: f64, b: f64| Ok(a + b)).method(
        "gated",
        TwoFactor::required(),
        async |_: SignedIn, a: f64, b: f64| Ok(a + b),
    )
}

pub(crate) async fn app_with_accounts() -> App {
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

pub(crate) async fn connect(app: &App) -> MemoryConnection {
    let mut client = app.connect();
    client.send(r#"{"msg":"connect","version":"1","support":["1"]}"#).await;
    assert!(matches!(client.receive().await, Some(FromServer::Frame(_))));
    client
}

/// Connects a client that has logged in and shown the second factor.
pub(crate) async fn connect_trusted(app: &App) -> MemoryConnection {
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
