//! What an application's hooks are told of logins and logouts, and how long logins last.

use std::sync::Arc;
use std::time::Duration;

use bolide::accounts::{Accounts, AccountsHandle, ExternalLogin, LoginAttempt, LoginRequest, Logout};
use bolide::prelude::*;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{Bank, error, password_login, result};

type Seen = Arc<Mutex<Vec<String>>>;

/// Records what the hooks are told.
fn recording(seen: &Seen) -> impl FnOnce(Accounts) -> Accounts + use<> {
    let (logins, failures, logouts) = (Arc::clone(seen), Arc::clone(seen), Arc::clone(seen));
    move |accounts| {
        accounts
            .on_login(move |attempt: LoginAttempt| {
                logins.lock().push(format!("in {}", described(&attempt)));
                std::future::ready(())
            })
            .on_login_failure(move |attempt: LoginAttempt| {
                let error = attempt.error().map(|error| json!(error.error)).unwrap_or_default();
                failures.lock().push(format!("failed {} {error}", described(&attempt)));
                std::future::ready(())
            })
            .on_logout(move |logout: Logout| {
                logouts.lock().push(format!("out {} {}", logout.user(), logout.connection().is_some()));
                std::future::ready(())
            })
    }
}

fn described(attempt: &LoginAttempt) -> String {
    let name = attempt.user().and_then(|user| user.username.as_deref()).unwrap_or("?");
    format!("{} {} {name}", attempt.method(), attempt.kind())
}

#[tokio::test]
async fn the_application_is_told_of_logins_failures_and_logouts_over_every_door() {
    let seen = Seen::default();
    let bank = Bank::open_with(recording(&seen)).await;
    let mut client = bank.connect().await;
    let token = result(&client.ask("login", password_login("alice", "alice's password")).await)["token"].clone();
    result(&client.ask("login", json!([{ "resume": token }])).await);
    client.ask("login", password_login("alice", "wrong")).await;
    client.ask("login", password_login("nobody", "wrong")).await;
    client.ask("login", password_login("bob", "bob's password")).await;
    client.ask("login", json!([{ "resume": "unknown" }])).await;
    client.ask("login", json!([{ "card": "unknown" }])).await;
    client.ask("login", json!([{ "user": "alice", "password": "x" }])).await;
    result(&client.ask("logout", json!([])).await);
    result(&client.ask("logout", json!([])).await);
    result(&client.ask("createUser", json!([{ "username": "carol", "password": "carol's password" }])).await);
    let login = json!({ "user": "alice", "password": "alice's password" });
    let reply = bank.post("login").json(&login).send().await;
    let token = reply.body["data"]["authToken"].as_str().unwrap();
    assert_eq!(bank.post("logout").by("alice", token).send().await.status, 200);
    bank.app.accounts().unwrap().issue_token("alice").await.unwrap();
    let expected = [
        "in login password alice",
        "in login resume alice",
        "failed login password alice 403",
        "failed login password ? 403",
        "failed login password bob \"totp-required\"",
        "failed login resume ? 403",
        "failed login  ? 400",
        "failed login password ? 400",
        "out user-alice true",
        "in createUser password carol",
        "in login password alice",
        "out user-alice true",
    ];
    assert_eq!(*seen.lock(), expected);
}

#[tokio::test]
async fn the_application_is_told_of_logins_by_another_service_and_their_challenges() {
    let seen = Seen::default();
    let bank = Bank::open_with(recording(&seen)).await;
    let (accounts, visitor) = (bank.app.accounts().unwrap(), bank.app.visitor(None, &http::HeaderMap::new()));
    assert!(matches!(accounts.log_in(&"user-alice".into(), &visitor).await.unwrap(), ExternalLogin::LoggedIn(_)));
    let ExternalLogin::Challenged(challenge) = accounts.log_in(&"user-bob".into(), &visitor).await.unwrap() else {
        panic!("bob has an app");
    };
    let answer = async |code: &str| {
        let body = json!({ "challengeId": challenge.id, "code": code });
        bank.post("twoFactorChallenges.verifyChallenge").json(&body).send().await.status
    };
    assert_eq!(answer("000000").await, 400);
    assert_eq!(answer(&bank.code()).await, 200);
    let expected =
        ["in login external alice", "failed login challenge bob \"error-invalid-code\"", "in login challenge bob"];
    assert_eq!(*seen.lock(), expected);
}

#[tokio::test]
async fn hooks_see_the_arguments_without_passwords_tokens_and_codes() {
    let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
    let kept = Arc::clone(&seen);
    let bank = Bank::open_with(move |accounts| {
        accounts
            .login_handler("badge", async |request: LoginRequest| Ok(request.text("badge").map(UserId::from)))
            .validate_login(move |attempt: LoginAttempt| {
                kept.lock().push(serde_json::to_value(attempt.arguments()).unwrap());
                std::future::ready(Ok(true))
            })
    })
    .await;
    let mut client = bank.connect().await;
    client.ask("login", password_login("alice", "alice's password")).await;
    let login = json!({ "user": { "username": "bob" }, "password": "bob's password" });
    let code = bank.code();
    client.ask("login", json!([{ "totp": { "login": login, "code": code } }])).await;
    client.ask("login", json!([{ "badge": "user-alice", "version": "2.1" }])).await;
    client.ask("createUser", json!([{ "username": "carol", "password": "a secret", "invitation": 7 }])).await;
    let expected = [
        json!([{ "user": { "username": "alice" }, "password": null }]),
        json!([{ "totp": { "login": { "user": { "username": "bob" }, "password": null }, "code": null } }]),
        json!([{ "badge": "user-alice", "version": "2.1" }]),
        json!([{ "username": "carol", "password": null, "invitation": 7 }]),
    ];
    assert_eq!(*seen.lock(), expected);
}

#[tokio::test]
async fn the_error_of_a_validating_hook_is_what_the_hook_for_failures_sees() {
    let seen = Seen::default();
    let record = recording(&seen);
    let bank = Bank::open_with(|accounts| {
        record(accounts).validate_login(async |attempt: LoginAttempt| match attempt.method() {
            "createUser" => Ok(false),
            _ => Err(MethodError::new("error-later", "Come again later")),
        })
    })
    .await;
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("login", password_login("alice", "alice's password")).await), "error-later");
    assert_eq!(error(&client.ask("createUser", json!([{ "username": "carol" }])).await), 403);
    let expected = ["failed login password alice \"error-later\"", "failed createUser password carol 403"];
    assert_eq!(*seen.lock(), expected);
}

/// Returns how many hours a login lasts.
fn hours(bank: &Bank, login: &Value) -> i64 {
    let end = login["tokenExpires"]["$date"].as_i64().unwrap();
    let minutes = (end - bolide::clock::Clock::now(&bank.clock).milliseconds()) / 60_000;
    (minutes + 30) / 60
}

#[tokio::test]
async fn logins_of_some_roles_are_shorter_and_end_then() {
    let bank = Bank::open().await;
    bank.set("Accounts_LoginExpiration_Short_Roles", "auditor, admin").await;
    bank.set("Accounts_LoginExpiration_Short", 2).await;
    let mut client = bank.connect().await;
    let alice = client.ask("login", password_login("alice", "alice's password")).await;
    assert_eq!(hours(&bank, result(&alice)), 90 * 24);
    let admin = client.ask("login", password_login("admin", "admin's password")).await;
    assert_eq!(hours(&bank, result(&admin)), 2);
    let renewed = client.ask("getNewToken", json!([])).await;
    assert_eq!(result(&renewed)["tokenExpires"], result(&admin)["tokenExpires"]);
    let token = result(&renewed)["token"].as_str().unwrap();
    assert_eq!(bank.get("me").by("admin", token).send().await.status, 200);
    bank.clock.advance(Duration::from_hours(2));
    assert_eq!(bank.get("me").by("admin", token).send().await.status, 401);
    let mut other = bank.connect().await;
    assert_eq!(error(&other.ask("login", json!([{ "resume": token }])).await), 403);
    bank.set("Accounts_LoginExpiration_Short", 24 * 365).await;
    let admin = client.ask("login", password_login("admin", "admin's password")).await;
    assert_eq!(hours(&bank, result(&admin)), 90 * 24, "it is not longer than the usual one");
}

#[tokio::test]
async fn the_application_sets_how_long_a_login_lasts_by_its_arguments() {
    let bank = Bank::open_with(|accounts| {
        accounts
            .login_handler("badge", async |request: LoginRequest| Ok(request.text("badge").map(UserId::from)))
            .login_lifetime(|attempt: &LoginAttempt| {
                let stays = attempt.arguments().first()?.get("stay")?.as_bool()?;
                Some(if stays { Duration::MAX } else { Duration::from_hours(1) })
            })
    })
    .await;
    let mut client = bank.connect().await;
    for (stay, expected) in [(json!(true), 24 * 36_500), (json!(false), 1), (json!(null), 90 * 24)] {
        let login = client.ask("login", json!([{ "badge": "user-alice", "stay": stay }])).await;
        assert_eq!(hours(&bank, result(&login)), expected);
    }
}

#[tokio::test]
async fn a_hook_for_logins_and_failures_may_change_the_user() {
    let handle: Arc<Mutex<Option<AccountsHandle>>> = Arc::default();
    let (logins, failures) = (Arc::clone(&handle), Arc::clone(&handle));
    let unblock = async |accounts: Option<AccountsHandle>| accounts.unwrap().unblock("alice").await.unwrap();
    let bank = Bank::open_with(|accounts| {
        accounts
            .on_login(move |_: LoginAttempt| unblock(logins.lock().clone()))
            .on_login_failure(move |_: LoginAttempt| unblock(failures.lock().clone()))
    })
    .await;
    *handle.lock() = bank.app.accounts();
    let mut client = bank.connect().await;
    for _ in 0..12 {
        assert_eq!(error(&client.ask("login", password_login("alice", "wrong")).await), 403);
    }
    result(&client.ask("login", password_login("alice", "alice's password")).await);
}
