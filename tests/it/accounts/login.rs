//! Logging in, staying logged in, and logging out.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Bank, error, password_login, result};

#[tokio::test]
async fn a_password_logs_in_by_name_address_and_id() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    for user in [json!({ "username": "ALICE" }), json!({ "email": "Alice@example.com" }), json!({ "id": "user-alice" })]
    {
        let answer = client.ask("login", json!([{ "user": user, "password": "alice's password" }])).await;
        let login = result(&answer);
        assert_eq!(login["id"], "user-alice");
        assert_eq!(login["type"], "password");
        assert_eq!(login["token"].as_str().unwrap().len(), 43);
        assert!(login["tokenExpires"]["$date"].is_i64());
    }
    assert_eq!(result(&client.ask("whoami", json!([])).await), "user-alice");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_get_the_same_answer() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    let wrong = client.ask("login", password_login("alice", "wrong")).await;
    let unknown = client.ask("login", password_login("nobody", "wrong")).await;
    assert_eq!(wrong["error"], unknown["error"]);
    assert_eq!(error(&wrong), 403);
    assert_eq!(error(&client.ask("whoami", json!([])).await), "error-invalid-user");
}

#[tokio::test]
async fn a_token_resumes_until_it_expires_or_is_logged_out() {
    let bank = Bank::open().await;
    let mut first = bank.connect().await;
    let login = first.ask("login", password_login("alice", "alice's password")).await;
    let token = result(&login)["token"].clone();
    let mut second = bank.connect().await;
    let resumed = second.ask("login", json!([{ "resume": token }])).await;
    assert_eq!(result(&resumed)["token"], token);
    assert_eq!(result(&resumed)["tokenExpires"], result(&login)["tokenExpires"]);
    result(&second.ask("logout", json!([])).await);
    assert_eq!(error(&second.ask("whoami", json!([])).await), "error-invalid-user");
    first.wait_for_end().await;
    let mut third = bank.connect().await;
    assert_eq!(error(&third.ask("login", json!([{ "resume": token }])).await), 403);
}

#[tokio::test]
async fn a_login_expires_after_ninety_days() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    let token = result(&client.ask("login", password_login("alice", "alice's password")).await)["token"].clone();
    bank.clock.advance(Duration::from_hours(24 * 91));
    let answer = client.ask("login", json!([{ "resume": token }])).await;
    assert_eq!(answer["error"]["reason"], "Your session has expired. Please log in again.");
}

#[tokio::test]
async fn values_of_the_wrong_type_are_rejected_and_change_nothing() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    let wrong = [Value::Null, json!(1), json!(true), json!([]), json!({ "$ne": "" }), json!({ "a": { "$gt": 1 } })];
    for value in wrong {
        for options in [
            json!([{ "user": { "username": value }, "password": "x" }]),
            json!([{ "user": value, "password": "x" }]),
            json!([{ "totp": { "login": { "user": { "username": "bob" }, "password": "bob's password" }, "code": [value] } }]),
        ] {
            let answer = client.ask("login", options.clone()).await;
            assert_eq!(error(&answer), 400, "{options}");
        }
        let created = client.ask("createUser", json!([{ "username": "x", "email": [value], "password": "y" }])).await;
        assert_eq!(error(&created), 400);
    }
    assert!(bank.app.accounts().unwrap().find("x").await.is_err());
}

#[tokio::test]
async fn a_new_user_can_change_the_password_and_gets_their_document() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    let new = json!([{ "username": "carol", "email": "carol@example.com", "password": "one" }]);
    let login = client.ask("createUser", new.clone()).await;
    assert_eq!(result(&login)["type"], "password");
    assert_eq!(error(&client.ask("createUser", new).await), 403);
    assert_eq!(error(&client.ask("changePassword", json!(["wrong", "two"])).await), 403);
    let changed = client.ask("changePassword", json!(["one", "two"])).await;
    assert_eq!(result(&changed), &json!({ "passwordChanged": true }));
    let mut other = bank.connect().await;
    assert_eq!(error(&other.ask("login", password_login("carol", "one")).await), 403);
}

#[tokio::test]
async fn a_forgotten_password_is_reset_by_a_link_that_is_valid_once() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    result(&client.ask("forgotPassword", json!([{ "email": "nobody@example.com" }])).await);
    result(&client.ask("forgotPassword", json!([{ "email": "alice@example.com" }])).await);
    let mails = bank.mails(1).await;
    let link = mails[0].text.split_whitespace().find(|word| word.contains("reset-password/")).unwrap();
    let token = link.rsplit('/').next().unwrap();
    result(&client.ask("resetPassword", json!([token, "new"])).await);
    assert_eq!(error(&client.ask("resetPassword", json!([token, "newer"])).await), 403);
    let mut other = bank.connect().await;
    result(&other.ask("login", password_login("alice", "new")).await);
}

#[tokio::test]
async fn ten_failures_block_a_name_whether_it_exists_or_not() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    for name in ["alice", "nobody"] {
        for _ in 0..10 {
            assert_eq!(error(&client.ask("login", password_login(name, "wrong")).await), 403);
        }
        let blocked = client.ask("login", password_login(name, "alice's password")).await;
        assert_eq!(error(&blocked), "error-login-blocked-for-user");
    }
    bank.clock.advance(Duration::from_secs(301));
    result(&client.ask("login", password_login("alice", "alice's password")).await);
}

#[tokio::test]
async fn removed_logins_end() {
    let bank = Bank::open().await;
    let mut other = bank.log_in("alice").await;
    let mut client = bank.log_in("alice").await;
    result(&client.ask("removeOtherTokens", json!([])).await);
    other.wait_for_end().await;
    assert_eq!(result(&client.ask("whoami", json!([])).await), "user-alice");
}
