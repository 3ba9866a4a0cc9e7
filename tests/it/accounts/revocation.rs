//! What ends a log-in, and what does not; and links and passwords that are used at the same time.

use bolide::prelude::*;
use futures::future::join_all;
use serde_json::{Value, json};

use super::{Bank, error, password_login, result};

async fn reset_token(bank: &Bank) -> String {
    bank.app.accounts().unwrap().password_link("alice").await.unwrap().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn logging_other_clients_out_leaves_the_caller_a_token_that_resumes() {
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
async fn a_new_token_is_not_trusted_for_a_code_that_was_shown_with_another() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    result(&bob.ask("gated", super::with_code(&bank.code(), "totp")).await);
    assert_eq!(result(&bob.ask("gated", json!([])).await), "ok");
    result(&bob.ask("getNewToken", json!([])).await);
    assert_eq!(error(&bob.ask("gated", json!([])).await), "totp-required");
}

#[tokio::test]
async fn nobody_without_a_login_gets_a_new_token() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    for method in ["getNewToken", "removeOtherTokens"] {
        let refused = client.ask(method, json!([])).await;
        assert_eq!((error(&refused), refused["error"].get("reason")), (&json!("You are not logged in."), None));
    }
}

#[tokio::test]
async fn of_twenty_who_use_one_link_at_once_exactly_one_sets_the_password() {
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
async fn a_link_is_not_used_up_by_a_password_that_cannot_be_one() {
    let bank = Bank::open().await;
    let token = reset_token(&bank).await;
    let mut client = bank.connect().await;
    for wrong in [Value::Null, json!(""), json!(5), json!({ "$ne": "" }), json!("x".repeat(1 << 18)), json!(["x"])] {
        assert_eq!(error(&client.ask("resetPassword", json!([token, wrong])).await), 400);
    }
    result(&client.ask("resetPassword", json!([token, "new"])).await);
}

#[tokio::test]
async fn a_reset_password_ends_all_log_ins_and_every_other_link() {
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
async fn who_came_by_a_link_and_has_a_second_factor_is_told_to_sign_in() {
    let bank = Bank::open().await;
    let link = bank.app.accounts().unwrap().password_link("bob").await.unwrap();
    let token = link.rsplit('/').next().unwrap();
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("resetPassword", json!([token, "new"])).await), "2fa-enabled");
    assert_eq!(error(&client.ask("whoami", json!([])).await), "error-invalid-user");
    assert_eq!(error(&client.ask("login", password_login("bob", "new")).await), "totp-required");
}

#[tokio::test]
async fn the_old_password_is_worth_nothing_once_another_is_set() {
    let bank = Bank::open().await;
    let mut client = bank.log_in("alice").await;
    let mut thief = bank.log_in("alice").await;
    result(&client.ask("changePassword", json!(["alice's password", "new"])).await);
    thief.wait_for_end().await;
    assert_eq!(error(&client.ask("changePassword", json!(["alice's password", "newer"])).await), 403);
    result(&bank.connect().await.ask("login", password_login("alice", "new")).await);
    // The store itself refuses who has proven what is not the password any more.
    let accounts = bank.app.accounts().unwrap();
    let now = accounts.find("alice").await.unwrap().password.unwrap();
    let stale = bolide::store::StoredHash::new("$argon2id$stale");
    assert!(!accounts.store().exchange_password(&"user-alice".into(), &stale, now.clone()).await.unwrap());
    assert!(accounts.store().exchange_password(&"user-alice".into(), &now, now.clone()).await.unwrap());
}

#[tokio::test]
async fn wrong_passwords_at_once_are_all_counted_before_the_right_one_is_heard() {
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
