//! Tokens over REST: creation, listing, use and expiry.

use std::time::Duration;

use bolide::store::AuditFilter;
use serde_json::{Value, json};

use crate::accounts::{Bank, sha256};
use crate::waiting::soon;

async fn personal_token(bank: &Bank, token: &str, name: &str) -> String {
    let call = bank.post("users.generatePersonalAccessToken").by("alice", token);
    let call = call.code(&sha256("alice's password"), "password").json(&json!({ "tokenName": name }));
    call.send().await.body["token"].as_str().unwrap().to_owned()
}

/// Polls until a value is present.
async fn eventually<Output>(look: impl AsyncFn() -> Option<Output>) -> Output {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(looking).await
}

async fn listed(bank: &Bank, token: &str) -> Value {
    bank.get("users.getPersonalAccessTokens").by("alice", token).send().await.body["tokens"][0].clone()
}

#[tokio::test]
async fn the_use_of_a_token_is_recorded_at_most_once_a_minute() {
    let bank = Bank::open().await;
    let session = bank.token("alice").await;
    let token = personal_token(&bank, &session, "bot").await;
    assert_eq!(listed(&bank, &session).await.get("lastUsedAt"), None);
    bank.get("me").by("alice", &token).send().await;
    let first = eventually(async || listed(&bank, &session).await.get("lastUsedAt").cloned()).await;
    assert_eq!(listed(&bank, &session).await["lastAddress"], "127.0.0.1");
    bank.clock.advance(Duration::from_secs(50));
    bank.get("me").by("alice", &token).send().await;
    assert_eq!(listed(&bank, &session).await["lastUsedAt"], first);
    bank.clock.advance(Duration::from_secs(10));
    bank.get("me").by("alice", &token).send().await;
    eventually(async || (listed(&bank, &session).await["lastUsedAt"] != first).then_some(())).await;
}

#[tokio::test]
async fn a_removed_or_replaced_token_is_invalid_at_once() {
    let bank = Bank::open().await;
    let session = bank.token("alice").await;
    let first = personal_token(&bank, &session, "bot").await;
    assert_eq!(bank.get("me").by("alice", &first).send().await.status, 200);
    let name = json!({ "tokenName": "bot" });
    let ask = async |path: &str| {
        let call = bank.post(path).by("alice", &session).json(&name);
        call.code(&sha256("alice's password"), "password").send().await
    };
    let replace = ask("users.regeneratePersonalAccessToken").await;
    let second = replace.body["token"].as_str().unwrap().to_owned();
    assert_eq!(bank.get("me").by("alice", &first).send().await.status, 401);
    assert_eq!(bank.get("me").by("alice", &second).send().await.status, 200);
    let remove = ask("users.removePersonalAccessToken").await;
    assert_eq!((remove.status, remove.body), (200, json!({ "success": true })));
    assert_eq!(bank.get("me").by("alice", &second).send().await.status, 401);
    let logout = bank.post("logout").by("alice", &session).send().await;
    assert_eq!((logout.status, &logout.body["status"]), (200, &json!("success")));
    assert_eq!(bank.get("me").by("alice", &session).send().await.status, 401);
}

#[tokio::test]
async fn a_logout_is_recorded_in_the_audit_log() {
    let bank = Bank::open().await;
    let token = bank.token("alice").await;
    bank.post("logout").by("alice", &token).send().await;
    let filter = AuditFilter { event: Some("logout".into()), limit: 10, ..AuditFilter::default() };
    let entries = bank.app.accounts().unwrap().store().audit(filter).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.user.clone()).collect::<Vec<_>>(), [Some("user-alice".into())]);
}

#[tokio::test]
async fn tokens_of_a_deactivated_user_are_rejected_at_once() {
    let bank = Bank::open().await;
    let token = bank.token("alice").await;
    assert_eq!(bank.get("me").by("alice", &token).send().await.status, 200);
    bank.app.accounts().unwrap().store().set_active(&"user-alice".into(), false).await.unwrap();
    assert_eq!(bank.get("me").by("alice", &token).send().await.status, 401);
}
