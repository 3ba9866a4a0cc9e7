//! What clients receive about their own user: the document in `users`, and the events of `stream-notify-user`.

use std::time::Duration;

use bolide::protocol::ejson::Object;
use serde_json::{Value, json};

use super::{Bank, error, result};
use crate::client::Client;
use crate::waiting::{soon, until};

/// The next message about the collection `users`.
async fn next_of_users(client: &mut Client) -> Value {
    next_where(client, |message| message["collection"] == "users").await
}

async fn next_where(client: &mut Client, is_it: impl Fn(&Value) -> bool) -> Value {
    loop {
        let message = client.next().await;
        if is_it(&message) {
            return message;
        }
    }
}

async fn subscribe(client: &mut Client, event: &str) -> Value {
    client.send(json!({ "msg": "sub", "id": event, "name": "stream-notify-user", "params": [event, false] })).await;
    next_where(client, |message| message["msg"] == "ready" || message["msg"] == "nosub").await
}

#[tokio::test]
async fn the_users_document_arrives_before_the_login_result_and_has_no_secrets() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    let token = bank.app.accounts().unwrap().issue_token("bob").await.unwrap();
    client.call("1", "login", json!([{ "resume": token }])).await;
    let added = next_of_users(&mut client).await;
    let expected = json!({
        "username": "bob",
        "emails": [{ "address": "bob@example.com", "verified": true }],
        "roles": [],
        "twoFactor": { "totp": true, "email": false },
    });
    assert_eq!((&added["msg"], &added["id"]), (&json!("added"), &json!("user-bob")));
    let shown = added["fields"].as_object().unwrap();
    for (name, value) in expected.as_object().unwrap() {
        let is_there = match name.as_str() {
            "twoFactor" => shown[name]["totp"] == value["totp"] && shown[name]["email"] == value["email"],
            _ => shown[name] == *value,
        };
        assert!(is_there, "{name}: {added}");
    }
    assert!(!added.to_string().contains("services"));
    result(&client.answer("1").await);
}

#[tokio::test]
async fn changes_of_a_user_reach_all_their_connections_and_no_others() {
    let bank = Bank::open().await;
    let (mut one, mut other, mut bob) =
        (bank.log_in("alice").await, bank.log_in("alice").await, bank.log_in("bob").await);
    result(&one.ask("setUsername", json!(["alicia"])).await);
    let changed = next_of_users(&mut other).await;
    assert_eq!(changed["fields"], json!({ "username": "alicia" }));
    bob.ping().await;
    bank.app.accounts().unwrap().store().set_profile(&"user-alice".into(), Some(Object::default())).await.unwrap();
    bank.app.accounts().unwrap().user_changed(&"user-alice".into()).await;
    assert_eq!(next_of_users(&mut other).await["fields"], json!({ "profile": {} }));
    bank.app.accounts().unwrap().store().set_profile(&"user-alice".into(), None).await.unwrap();
    bank.app.accounts().unwrap().user_changed(&"user-alice".into()).await;
    assert_eq!(next_of_users(&mut other).await["cleared"], json!(["profile"]));
}

#[tokio::test]
async fn users_get_their_own_changes_over_the_stream() {
    let bank = Bank::open().await;
    let mut client = bank.log_in("alice").await;
    assert_eq!(subscribe(&mut client, "user-alice/userData").await["msg"], "ready");
    let mut other = bank.log_in("alice").await;
    result(&other.ask("setUsername", json!(["alicia"])).await);
    let told = next_where(&mut client, |message| message["collection"] == "stream-notify-user").await;
    assert_eq!(told["fields"]["eventName"], "user-alice/userData");
    let event = &told["fields"]["args"][0];
    assert_eq!((&event["type"], &event["diff"]["username"]), (&json!("updated"), &json!("alicia")));
    assert_eq!(event["diff"]["services.totp.enabled"], false);
    assert_eq!(event["unset"]["profile"], 1);
}

#[tokio::test]
async fn users_cannot_listen_to_another_users_stream() {
    let bank = Bank::open().await;
    let mut nobody = bank.connect().await;
    assert_eq!(subscribe(&mut nobody, "user-alice/userData").await["error"]["error"], "not-allowed");
    let mut bob = bank.log_in("bob").await;
    for event in ["user-alice/userData", "user-bobby/userData", "user-bob", "/userData"] {
        assert_eq!(subscribe(&mut bob, event).await["error"]["error"], "not-allowed", "{event}");
    }
    // After a logout, a subscriber gets no more events.
    let mut alice = bank.log_in("alice").await;
    assert_eq!(subscribe(&mut alice, "user-alice/userData").await["msg"], "ready");
    alice.call("out", "logout", json!([])).await;
    let ended = next_where(&mut alice, |message| message["msg"] == "nosub" || message["id"] == "out").await;
    assert_eq!(ended["error"]["error"], "not-allowed");
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_block_changes_of_the_user() {
    let bank = Bank::open().await;
    let _silent = bank.log_in("alice").await;
    let accounts = bank.app.accounts().unwrap();
    let large: Object = Object::from_iter([("text".to_owned(), "x".repeat(200_000).into())]);
    soon(async {
        for round in 0..100 {
            let mut profile = large.clone();
            profile.insert("round".into(), round.into());
            accounts.store().set_profile(&"user-alice".into(), Some(profile)).await.unwrap();
            accounts.user_changed(&"user-alice".into()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_connections_of_a_deleted_user_lose_the_document_and_end() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let mut bob = bank.log_in("bob").await;
    let accounts = bank.app.accounts().unwrap();
    let token = accounts.issue_token("alice").await.unwrap();
    accounts.remove_user("alice").await.unwrap();
    alice.wait_for_end().await;
    assert_eq!(error(&bob.ask("login", json!([{ "resume": token }])).await), 403);
    assert!(accounts.find("alice").await.is_err());
    until(|| bank.app.session_count() == 1).await;
}

#[tokio::test]
async fn all_connections_of_a_deactivated_user_end_including_integrations() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    bank.app.accounts().unwrap().set_active("alice", false).await.unwrap();
    alice.wait_for_end().await;
    let answer = bank.connect().await.ask("login", super::password_login("alice", "alice's password")).await;
    assert_eq!(error(&answer), 403);
    bank.clock.advance(Duration::from_secs(1));
    bank.app.accounts().unwrap().set_active("alice", true).await.unwrap();
    result(&bank.connect().await.ask("login", super::password_login("alice", "alice's password")).await);
}
