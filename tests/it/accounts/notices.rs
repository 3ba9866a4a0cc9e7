//! Users are told by mail of what changes the protection of their accounts, and of logins by new clients.

use std::time::Duration;

use bolide::mail::{Mail, MailKind};
use serde_json::{Value, json};

use super::{Bank, by_password, password_login, result, totp_code, with_code};
use crate::client::Client;

const SETTING: &str = "Accounts_Security_Notices";

async fn open() -> Bank {
    let bank = Bank::open().await;
    bank.set(SETTING, true).await;
    bank
}

/// Waits for `count` mails and returns the last one, which is a notice.
async fn notice(bank: &Bank, count: usize) -> Mail {
    let mut mails = bank.mails(count).await;
    assert_eq!(mails.len(), count, "{mails:?}");
    let last = mails.pop().unwrap();
    assert_eq!(last.kind, MailKind::SecurityNotice, "{last:?}");
    last
}

async fn log_in_by_password(bank: &Bank, name: &str) -> Value {
    let login = bank.connect().await.ask("login", password_login(name, &format!("{name}'s password"))).await;
    result(&login).clone()
}

/// Makes a change, and expects a notice to alice with this sentence.
async fn told(bank: &Bank, count: &mut usize, alice: &mut Client, call: (&str, Value), what: &str) -> Value {
    let made = alice.ask(call.0, by_password("alice", call.1)).await;
    let made = result(&made).clone();
    *count += 1;
    let mail = notice(bank, *count).await;
    assert_eq!(mail.subject, format!("Bolide: {what}"));
    assert_eq!(mail.to, ["alice@example.com"]);
    assert!(mail.text.contains("127.0.0.1"), "{}", mail.text);
    made
}

#[tokio::test]
async fn each_new_or_removed_factor_token_and_password_is_told() {
    let bank = open().await;
    let mut alice = bank.log_in("alice").await;
    let mut count = 0;
    let name = || json!([{ "tokenName": "ci" }]);
    let token = |action: &str| format!("personalAccessTokens:{action}Token");
    told(&bank, &mut count, &mut alice, (&token("generate"), name()), "The access token “ci” was created").await;
    told(&bank, &mut count, &mut alice, (&token("regenerate"), name()), "The access token “ci” was replaced").await;
    told(&bank, &mut count, &mut alice, (&token("remove"), name()), "The access token “ci” was removed").await;
    told(&bank, &mut count, &mut alice, ("2fa:enable-email", json!([])), "Codes by e-mail were turned on").await;
    bank.app.accounts().unwrap().store().set_email_codes(&"user-alice".into(), false).await.unwrap();
    let unchanged = json!(["alice's password", "alice's password"]);
    told(&bank, &mut count, &mut alice, ("changePassword", unchanged), "The password was changed").await;
    let begun = alice.ask("2fa:enable", by_password("alice", json!([]))).await;
    let secret = result(&begun)["secret"].as_str().unwrap().to_owned();
    let code = json!([totp_code(&secret, &bank.clock)]);
    let set_up = "An authenticator app was set up";
    let made = told(&bank, &mut count, &mut alice, ("2fa:validateTempToken", code), set_up).await;
    let replaced = "The backup codes were replaced";
    let made = told(&bank, &mut count, &mut alice, ("2fa:regenerateCodes", json!([made["codes"][0]])), replaced).await;
    let removed = "The authenticator app was removed";
    told(&bank, &mut count, &mut alice, ("2fa:disable", json!([made["codes"][0]])), removed).await;
}

#[tokio::test]
async fn another_address_is_told_to_the_old_one() {
    let bank = open().await;
    let mut alice = bank.log_in("alice").await;
    let change = by_password("alice", json!([{ "email": "new@example.com" }]));
    result(&alice.ask("saveUserProfile", change).await);
    let mails = bank.mails(2).await;
    let notice = mails.iter().find(|mail| mail.kind == MailKind::SecurityNotice).unwrap();
    assert_eq!(notice.to, ["alice@example.com"]);
    assert!(notice.text.contains("The e-mail address was changed to new@example.com."), "{}", notice.text);
    // The new one is not verified, so it is told nothing.
    result(&alice.ask("changePassword", json!(["alice's password", "another"])).await);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bank.mails(2).await.len(), 2);
}

#[tokio::test]
async fn a_reset_of_ones_own_app_is_told() {
    let bank = open().await;
    let token = bank.token("bob").await;
    let reset = bank.post("users.resetTOTP").by("bob", &token).json(&json!({})).code(&bank.code(), "totp").send().await;
    assert_eq!(reset.status, 200, "{reset:?}");
    assert_eq!(notice(&bank, 1).await.subject, "Bolide: The authenticator app was removed, and all logins ended");
}

#[tokio::test]
async fn a_login_by_a_new_client_is_told_once() {
    let bank = open().await;
    log_in_by_password(&bank, "alice").await;
    let mail = notice(&bank, 1).await;
    assert_eq!(mail.subject, "Bolide: A client that was not seen before has logged in");
    log_in_by_password(&bank, "alice").await;
    let login = json!({ "user": "alice", "password": "alice's password" });
    bank.post("login")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .json(&login)
        .send()
        .await;
    assert!(notice(&bank, 2).await.text.contains("Firefox on Linux"));
    bank.post("login")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .json(&login)
        .send()
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bank.mails(2).await.len(), 2);
}

#[tokio::test]
async fn the_first_login_of_a_new_account_and_failed_ones_are_not_told() {
    let bank = open().await;
    let mut client = bank.connect().await;
    let options = json!([{ "username": "newcomer", "email": "newcomer@example.com", "password": "a password" }]);
    let signed_up = client.ask("createUser", options).await;
    let id = result(&signed_up)["id"].as_str().unwrap().to_owned();
    let store = bank.app.accounts().unwrap().store().clone();
    store.verify_email(&id.as_str().into(), "newcomer@example.com").await.unwrap();
    client.ask("login", password_login("newcomer", "a wrong password")).await;
    client.ask("login", password_login("bob", "bob's password")).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(bank.mails(0).await.is_empty());
}

#[tokio::test]
async fn logins_do_not_use_up_the_mails_about_changes_and_both_are_bounded() {
    let bank = open().await;
    let login = json!({ "user": "alice", "password": "alice's password" });
    for number in 0..15 {
        let answer = bank.post("login").header("user-agent", format!("bot {number}")).json(&login).send().await;
        assert_eq!(answer.status, 200);
    }
    let mut alice = bank.log_in("alice").await;
    for number in 0..15 {
        let options = by_password("alice", json!([{ "tokenName": number.to_string() }]));
        result(&alice.ask("personalAccessTokens:generateToken", options).await);
    }
    bank.mails(20).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(bank.mails(20).await.len(), 20);
}

#[tokio::test]
async fn a_setting_turns_notices_off_and_is_protected_itself() {
    let bank = open().await;
    let mut admin = bank.log_in("admin").await;
    result(&admin.ask("gated", by_password("admin", json!([]))).await);
    let off = json!([SETTING, false]);
    assert_eq!(super::error(&admin.ask("saveSetting", off.clone()).await), "totp-required");
    result(&admin.ask("saveSetting", by_password("admin", off)).await);
    let mut bob = bank.log_in("bob").await;
    let code = with_code(&bank.code(), "totp");
    result(&bob.ask("2fa:enable-email", code).await);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(bank.mails(0).await.is_empty());
}

#[tokio::test]
async fn a_new_username_is_told() {
    let bank = open().await;
    log_in_by_password(&bank, "alice").await;
    notice(&bank, 1).await;
    let mut alice = bank.log_in("alice").await;
    result(&alice.ask("setUsername", json!(["alice2"])).await);
    assert_eq!(notice(&bank, 2).await.subject, "Bolide: The username was changed");
}
