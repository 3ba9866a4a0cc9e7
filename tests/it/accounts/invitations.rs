//! Mails by which users choose their first password or verify an address.

use bolide::mail::{Mail, MailKind};
use serde_json::{Value, json};

use super::{Bank, error, password_login, result};

/// Returns the token of the link in a mail.
fn token(mail: &Mail) -> String {
    let link = mail.text.split_whitespace().find(|word| word.contains("/#/")).unwrap();
    link.rsplit('/').next().unwrap().to_owned()
}

async fn is_verified(bank: &Bank, name: &str) -> bool {
    bank.app.accounts().unwrap().find(name).await.unwrap().verified_addresses().next().is_some()
}

#[tokio::test]
async fn an_invited_user_chooses_a_password_by_the_link_which_verifies_the_address_once() {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    let user = accounts.invite_user("carol", "carol@example.com", &["editor"]).await.unwrap();
    assert_eq!((user.roles, user.password), (vec!["editor".to_owned()], None));
    assert!(!is_verified(&bank, "carol").await);
    let mail = bank.mails(1).await.remove(0);
    assert_eq!((mail.kind, mail.to.as_slice()), (MailKind::EnrollAccount, ["carol@example.com".to_owned()].as_slice()));
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("login", password_login("carol", "carol's password")).await), 403);
    let login = client.ask("resetPassword", json!([token(&mail), "carol's password"])).await;
    assert_eq!(result(&login)["id"], json!(user.id));
    assert!(is_verified(&bank, "carol").await);
    result(&client.ask("login", password_login("carol", "carol's password")).await);
    let again = client.ask("resetPassword", json!([token(&mail), "another password"])).await;
    assert_eq!((error(&again), &again["error"]["reason"]), (&json!(403), &json!("Token expired")));
}

#[tokio::test]
async fn nobody_is_invited_under_a_name_or_address_that_is_taken() {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    for (name, address) in [("Alice", "new@example.com"), ("carol", "Alice@example.com"), ("carol", "no address")] {
        assert!(accounts.invite_user(name, address, &[]).await.is_err(), "{name} {address}");
    }
    assert!(accounts.find("carol").await.is_err());
    assert_eq!(bank.mails(0).await.len(), 0);
}

#[tokio::test]
async fn an_enrolment_mail_goes_to_an_address_of_an_active_user_only() {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    let refused = async |name: &str, address: Option<&str>| {
        let refusal = accounts.send_enrollment_email(name, address).await.unwrap_err();
        serde_json::to_value(&refusal.for_client().unwrap().error).unwrap()
    };
    assert_eq!(refused("nobody", None).await, "error-invalid-user");
    assert_eq!(refused("alice", Some("bob@example.com")).await, "error-invalid-email");
    accounts.set_active("emma", false).await.unwrap();
    assert_eq!(refused("emma", None).await, "error-user-is-not-activated");
    accounts.add_user("dave", &[], &[], None).await.unwrap();
    assert_eq!(refused("dave", None).await, "error-invalid-email");
    accounts.add_user("erin", &["one@example.com", "two@example.com"], &[], None).await.unwrap();
    accounts.send_enrollment_email("erin", None).await.unwrap();
    accounts.send_enrollment_email("erin", Some("two@example.com")).await.unwrap();
    let mails = bank.mails(2).await;
    assert_eq!([&mails[0].to[0], &mails[1].to[0]], ["one@example.com", "two@example.com"]);
    let mut client = bank.connect().await;
    let replaced = client.ask("resetPassword", json!([token(&mails[0]), "erin's password"])).await;
    assert_eq!(error(&replaced), 403, "the second link replaces the first");
    result(&client.ask("resetPassword", json!([token(&mails[1]), "erin's password"])).await);
}

#[tokio::test]
async fn a_deactivation_ends_an_invitation() {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    accounts.invite_user("carol", "carol@example.com", &[]).await.unwrap();
    let mail = bank.mails(1).await.remove(0);
    accounts.set_active("carol", false).await.unwrap();
    accounts.set_active("carol", true).await.unwrap();
    let late = bank.connect().await.ask("resetPassword", json!([token(&mail), "carol's password"])).await;
    assert_eq!(error(&late), 403);
}

#[tokio::test]
async fn the_application_sends_a_link_that_verifies_the_first_unverified_address() {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    assert!(accounts.send_verification_email("alice", None).await.is_err(), "all of hers are verified");
    let carol = json!([{ "username": "carol", "email": "carol@example.com", "password": "carol's password" }]);
    result(&bank.connect().await.ask("createUser", carol).await);
    accounts.send_verification_email("carol", None).await.unwrap();
    let mail = bank.mails(1).await.remove(0);
    assert_eq!(mail.kind, MailKind::VerifyEmail);
    bank.connect().await.ask("verifyEmail", json!([token(&mail)])).await;
    assert!(is_verified(&bank, "carol").await);
}

#[tokio::test]
async fn new_users_are_sent_a_link_over_every_door_if_the_setting_says_so() {
    let bank = Bank::open().await;
    let sign_up = async |name: &str| {
        let options: Value =
            json!({ "username": name, "email": format!("{name}@example.com"), "password": "x y z 1 2" });
        result(&bank.connect().await.ask("createUser", json!([options])).await);
    };
    sign_up("carol").await;
    bank.set("Accounts_SendVerificationEmail", true).await;
    sign_up("dave").await;
    let body = json!({ "username": "erin", "email": "erin@example.com", "pass": "x y z 1 2" });
    assert_eq!(bank.post("users.register").json(&body).send().await.status, 200);
    result(&bank.connect().await.ask("createUser", json!([{ "username": "frank", "password": "x y z 1 2" }])).await);
    let mails = bank.mails(2).await;
    assert_eq!(
        mails.iter().map(|mail| mail.to[0].as_str()).collect::<Vec<_>>(),
        ["dave@example.com", "erin@example.com"]
    );
    for (mail, name) in mails.iter().zip(["dave", "erin"]) {
        assert_eq!(mail.kind, MailKind::VerifyEmail);
        assert!(!is_verified(&bank, name).await);
        bank.connect().await.ask("verifyEmail", json!([token(mail)])).await;
        assert!(is_verified(&bank, name).await);
    }
}

#[tokio::test]
async fn a_username_that_was_taken_away_logs_in_nobody_and_is_free() {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    let mut client = bank.log_in("alice").await;
    bank.set("Accounts_AllowUsernameChange", false).await;
    assert!(accounts.remove_username("alice").await.unwrap());
    assert!(!accounts.remove_username("alice@example.com").await.unwrap(), "it is gone already");
    assert!(accounts.remove_username("alice").await.is_err(), "there is no such user any more");
    let mut other = bank.connect().await;
    assert_eq!(error(&other.ask("login", password_login("alice", "alice's password")).await), 403);
    let by_address = json!([{ "user": { "email": "alice@example.com" }, "password": "alice's password" }]);
    result(&other.ask("login", by_address).await);
    assert_eq!(result(&client.ask("whoami", json!([])).await), "user-alice", "logins stay");
    accounts.add_user("alice", &[], &[], None).await.unwrap();
    assert_eq!(error(&client.ask("setUsername", json!(["alice"])).await), "error-field-unavailable");
    assert_eq!(result(&client.ask("setUsername", json!(["alice2"])).await), "alice2");
}
