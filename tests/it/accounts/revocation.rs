//! What ends a login and what does not, and races between links and passwords.

use bolide::prelude::*;
use bolide::store::{Kept, PasswordProof};
use futures::future::join_all;
use serde_json::{Value, json};

use super::{Bank, error, password_login, result};

async fn reset_token(bank: &Bank) -> String {
    bank.app.accounts().unwrap().password_link("alice").await.unwrap().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn logging_other_clients_out_gives_the_caller_a_valid_token() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    let login = client.ask("login", password_login("alice", "alice's password")).await;
    let old = result(&login)["token"].clone();
    let mut other = bank.log_in("alice").await;
    let answer = client.ask("getNewToken", json!([])).await;
    let new = result(&answer).clone();
    assert_eq!(new["tokenExpires"], result(&login)["tokenExpires"]);
    assert_eq!(new.get("type"), None);
    result(&client.ask("removeOtherTokens", json!([])).await);
    other.wait_for_end().await;
    assert_eq!(result(&client.ask("whoami", json!([])).await), "user-alice");
    let mut again = bank.connect().await;
    assert_eq!(result(&again.ask("login", json!([{ "resume": new["token"] }])).await)["id"], "user-alice");
    assert_eq!(error(&again.ask("login", json!([{ "resume": old }])).await), 403);
}

#[tokio::test]
async fn a_new_token_does_not_inherit_the_trust_of_another() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    result(&bob.ask("gated", super::with_code(&bank.code(), "totp")).await);
    assert_eq!(result(&bob.ask("gated", json!([])).await), "ok");
    result(&bob.ask("getNewToken", json!([])).await);
    assert_eq!(error(&bob.ask("gated", json!([])).await), "totp-required");
}

#[tokio::test]
async fn a_new_token_requires_a_login() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    for method in ["getNewToken", "removeOtherTokens"] {
        let refused = client.ask(method, json!([])).await;
        assert_eq!((error(&refused), refused["error"].get("reason")), (&json!("You are not logged in."), None));
    }
}

#[tokio::test]
async fn of_twenty_parallel_uses_of_a_link_exactly_one_sets_the_password() {
    let bank = Bank::open().await;
    let token = reset_token(&bank).await;
    let calls = (0..20).map(|number| {
        let (app, token) = (bank.app.clone(), token.clone());
        async move {
            let parameters = (token, format!("password {number}"));
            app.call::<Ejson>(&Caller::anonymous(), "resetPassword", &parameters).await.is_ok().then_some(number)
        }
    });
    let winners: Vec<i32> = join_all(calls).await.into_iter().flatten().collect();
    let [winner] = winners[..] else { panic!("{winners:?}") };
    let mut client = bank.connect().await;
    result(&client.ask("login", password_login("alice", &format!("password {winner}"))).await);
}

#[tokio::test]
async fn an_invalid_password_does_not_use_up_a_link() {
    let bank = Bank::open().await;
    let token = reset_token(&bank).await;
    let mut client = bank.connect().await;
    for wrong in [Value::Null, json!(""), json!(5), json!({ "$ne": "" }), json!("x".repeat(1 << 18)), json!(["x"])] {
        assert_eq!(error(&client.ask("resetPassword", json!([token, wrong])).await), 400);
    }
    result(&client.ask("resetPassword", json!([token, "new"])).await);
}

#[tokio::test]
async fn a_password_reset_ends_all_logins_and_all_other_links() {
    let bank = Bank::open().await;
    let mut thief = bank.log_in("alice").await;
    let (first, second) = (reset_token(&bank).await, reset_token(&bank).await);
    let mut client = bank.connect().await;
    let replaced = client.ask("resetPassword", json!([first, "new"])).await;
    assert_eq!((error(&replaced), &replaced["error"]["reason"]), (&json!(403), &json!("Token expired")));
    result(&client.ask("resetPassword", json!([second, "new"])).await);
    thief.wait_for_end().await;
}

#[tokio::test]
async fn after_a_link_a_user_with_a_second_factor_must_log_in() {
    let bank = Bank::open().await;
    let link = bank.app.accounts().unwrap().password_link("bob").await.unwrap();
    let token = link.rsplit('/').next().unwrap();
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("resetPassword", json!([token, "new"])).await), "2fa-enabled");
    assert_eq!(error(&client.ask("whoami", json!([])).await), "error-invalid-user");
    assert_eq!(error(&client.ask("login", password_login("bob", "new")).await), "totp-required");
}

#[tokio::test]
async fn the_old_password_is_invalid_once_another_is_set() {
    let bank = Bank::open().await;
    let mut client = bank.log_in("alice").await;
    let mut thief = bank.log_in("alice").await;
    result(&client.ask("changePassword", json!(["alice's password", "new"])).await);
    thief.wait_for_end().await;
    assert_eq!(error(&client.ask("changePassword", json!(["alice's password", "newer"])).await), 403);
    result(&bank.connect().await.ask("login", password_login("alice", "new")).await);
    // The store itself rejects a proof of a password that has been replaced.
    let accounts = bank.app.accounts().unwrap();
    let now = accounts.find("alice").await.unwrap().password.unwrap();
    let stale = bolide::store::StoredHash::new("$argon2id$stale");
    let alice = "user-alice".into();
    let renewed = async |proof| {
        let renewed = accounts.store().renew_password(&alice, proof, now.clone(), Kept::Nothing);
        renewed.await.unwrap().is_some()
    };
    assert!(!renewed(PasswordProof::Present(&stale)).await);
    assert!(renewed(PasswordProof::Present(&now)).await);
}

#[tokio::test]
async fn parallel_wrong_passwords_are_all_counted_before_the_correct_one() {
    let bank = Bank::open().await;
    let mut clients = Vec::new();
    for _ in 0..30 {
        clients.push(bank.connect().await);
    }
    let guesses = clients.iter_mut().map(|client| client.ask("login", password_login("alice", "wrong")));
    let answers = join_all(guesses).await;
    let masked = answers.iter().filter(|answer| *error(answer) == 403).count();
    assert_eq!(masked, 10, "each guess is counted before the next is looked at");
    let mut client = bank.connect().await;
    let blocked = client.ask("login", password_login("alice", "alice's password")).await;
    assert_eq!(error(&blocked), "error-login-blocked-for-user");
}
