//! Importing users of a Meteor or Rocket.Chat server, who can log in as before with all their factors.

use std::time::Duration;

use bolide::accounts::{ImportError, Imported};
use bolide::clock::Clock as _;
use bolide::protocol::ejson::Date;
use bolide::store::{TokenKind, Totp, Unique};
use serde_json::json;
use totp_rs::Secret;

use super::{Bank, error, result, with_code};

/// One line per user; some are malformed. The tokens in it are recent, whenever the tests run.
pub(crate) fn users(now: Date) -> String {
    let milliseconds = now.milliseconds().expect("a date").to_string();
    include_str!("users.json").replace("@NOW@", &now.to_iso_string().expect("a date")).replace("@MS@", &milliseconds)
}

const PASSWORD: &str = "correct horse battery staple";
const ADAS_SECRET: &[u8] = b"12345678901234567890123456789012";
const BOBS_SECRET: &[u8] = b"12345678901234567890";

fn code(bank: &Bank, secret: &[u8]) -> String {
    super::code_of(Secret::new(Box::from(secret)), bank.clock.now())
}

async fn bank_with_imported_users() -> (Bank, Vec<Result<Imported, ImportError>>) {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().expect("accounts");
    let mut outcomes = Vec::new();
    for line in users(bank.app.now()).lines() {
        outcomes.push(accounts.import(line).await);
    }
    (bank, outcomes)
}

#[tokio::test]
async fn malformed_lines_are_reported_with_a_reason_and_the_others_are_imported() {
    let (bank, outcomes) = bank_with_imported_users().await;
    let [ada, bob, broken, eve, hash, name, id, list, zoe] = outcomes.try_into().unwrap();
    for good in [ada, bob, eve, zoe] {
        assert_eq!(good.unwrap(), Imported::Added);
    }
    assert!(matches!(broken, Err(ImportError::NoJson(_))));
    assert_eq!(
        hash.unwrap_err().to_string(),
        "`services.password` must be a bcrypt or argon2id hash of a reasonable cost"
    );
    assert!(matches!(name, Err(ImportError::Taken(Unique::Username))));
    assert!(matches!(id, Err(ImportError::Field { field: "_id", .. })));
    assert!(matches!(list, Err(ImportError::Field { .. })));
    let again = bank.app.accounts().unwrap().import(users(bank.app.now()).lines().next().unwrap()).await;
    assert_eq!(again.unwrap(), Imported::AlreadyThere);
}

#[tokio::test]
async fn fields_are_kept_and_secrets_of_other_services_are_dropped() {
    let (bank, _) = bank_with_imported_users().await;
    let accounts = bank.app.accounts().unwrap();
    let ada = accounts.find("ada.lovelace").await.unwrap();
    assert_eq!((ada.id.as_str(), &*ada.roles), ("rocketAda23456789", &["user".to_owned(), "admin".to_owned()][..]));
    assert_eq!(ada.created_at.milliseconds(), 1_620_118_800_000);
    assert_eq!(ada.fields["name"].as_str(), Some("Ada Lovelace"));
    assert_eq!(
        ada.fields["services"],
        bolide::prelude::Ejson::from_typed(&json!({ "google": { "id": "1085" } })).unwrap()
    );
    assert!(ada.has_email_codes && ada.emails[0].is_verified && !ada.emails[1].is_verified);
    let bob = accounts.store().user_by_username("bob@work").await.unwrap().unwrap();
    assert_eq!(bob.profile.unwrap()["born"].as_date(), Some(Date::from_milliseconds(-1000)));
    assert_eq!(bob.fields["karma"], 7.into());
    assert!(matches!(bob.totp, Totp::On(_)));
    let eve = accounts.find("eve@example.com").await.unwrap();
    assert_eq!(eve.id.as_str(), "5f1e9c3b8c8b4e0012345678");
    assert!(!eve.is_active && eve.must_change_password);
}

#[tokio::test]
async fn an_imported_password_and_app_log_in_and_the_password_is_rehashed() {
    let (bank, _) = bank_with_imported_users().await;
    let accounts = bank.app.accounts().unwrap();
    for (address, secret) in [("ada@example.com", ADAS_SECRET), ("robert@example.com", BOBS_SECRET)] {
        let mut client = bank.connect().await;
        let login = json!({ "user": { "email": address }, "password": PASSWORD });
        assert_eq!(error(&client.ask("login", json!([login])).await), "totp-required");
        let with_code = json!([{ "totp": { "login": login, "code": code(&bank, secret) } }]);
        assert_eq!(result(&client.ask("login", with_code).await)["type"], "password");
        let hash = accounts.find(address).await.unwrap().password.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
    }
}

#[tokio::test]
async fn an_imported_backup_code_is_valid_once() {
    let (bank, _) = bank_with_imported_users().await;
    let login = json!({ "user": { "username": "ada.lovelace" }, "password": PASSWORD });
    let with_backup_code = json!([{ "totp": { "login": login, "code": "abcdEFGH" } }]);
    let mut client = bank.connect().await;
    result(&client.ask("login", with_backup_code.clone()).await);
    assert_eq!(result(&client.ask("2fa:checkCodesRemaining", json!([])).await), &json!({ "remaining": 1 }));
    assert_eq!(error(&client.ask("login", with_backup_code).await), "totp-invalid");
}

#[tokio::test]
async fn imported_tokens_resume_hashed_or_not_unless_they_have_expired() {
    let (bank, _) = bank_with_imported_users().await;
    let resume = |token: &str| json!([{ "resume": token }]);
    for (token, user) in [
        ("ada's session token, as a browser keeps it", "rocketAda23456789"),
        ("bob's token from before they were hashed", "meteorBob23456789"),
        ("ada's integration token with bypass", "rocketAda23456789"),
    ] {
        let mut client = bank.connect().await;
        assert_eq!(result(&client.ask("login", resume(token)).await)["id"], user);
    }
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("login", resume("ada's token that ended years ago")).await), 403);
    bank.clock.advance(Duration::from_hours(24 * 91));
    assert_eq!(error(&client.ask("login", resume("ada's session token, as a browser keeps it")).await), 403);
    result(&client.ask("login", resume("ada's integration token without")).await);
}

#[tokio::test]
async fn properties_of_imported_tokens_are_kept_if_they_are_safe() {
    let (bank, _) = bank_with_imported_users().await;
    let mut session = bank.connect().await;
    result(&session.ask("login", json!([{ "resume": "ada's session token, as a browser keeps it" }])).await);
    assert_eq!(error(&session.ask("gated", json!([])).await), "totp-required");
    let mut bypass = bank.connect().await;
    result(&bypass.ask("login", json!([{ "resume": "ada's integration token with bypass" }])).await);
    assert_eq!(result(&bypass.ask("gated", json!([])).await), "ok");
    let mut plain = bank.connect().await;
    result(&plain.ask("login", json!([{ "resume": "ada's integration token without" }])).await);
    assert_eq!(error(&plain.ask("gated", json!([])).await), "totp-required");
    result(&plain.ask("gated", with_code(&code(&bank, ADAS_SECRET), "totp")).await);
    let tokens = bank.app.accounts().unwrap().store().tokens_of(&"rocketAda23456789".into()).await.unwrap();
    let names = tokens.iter().filter_map(|token| match &token.kind {
        TokenKind::Personal { name, last_part, .. } => Some((name.as_str(), last_part.as_str())),
        _ => None,
    });
    assert_eq!(names.collect::<Vec<_>>(), [("backup", "ithout"), ("ci", "bypass")]);
}

#[tokio::test]
async fn an_imported_user_that_is_not_active_cannot_log_in() {
    let (bank, _) = bank_with_imported_users().await;
    let login = json!([{ "user": { "email": "eve@example.com" }, "password": PASSWORD }]);
    assert_eq!(error(&bank.connect().await.ask("login", login.clone()).await), 403);
    bank.app.accounts().unwrap().set_active("eve@example.com", true).await.unwrap();
    result(&bank.connect().await.ask("login", login).await);
}
