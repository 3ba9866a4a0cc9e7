//! Importing users of a Meteor or Rocket.Chat server, who can log in as before with all their factors.

use std::time::Duration;

use bolide::accounts::{Import, ImportError, Imported};
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

async fn bank_with_imported_users() -> (Bank, Vec<Result<Import, ImportError>>) {
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
        assert_eq!(good.unwrap().outcome, Imported::Added);
    }
    assert!(matches!(broken, Err(ImportError::NoJson(_))));
    assert_eq!(
        hash.unwrap_err().to_string(),
        "`services.password` must be a bcrypt or argon2id hash of a reasonable cost"
    );
    assert!(matches!(name, Err(ImportError::Taken(Unique::Username))));
    assert!(matches!(id, Err(ImportError::Field { field: "_id", .. })));
    assert!(matches!(list, Err(ImportError::Malformed(_))));
    let again = bank.app.accounts().unwrap().import(users(bank.app.now()).lines().next().unwrap()).await;
    assert_eq!(again.unwrap().outcome, Imported::AlreadyThere);
}

#[tokio::test]
async fn a_large_profile_is_imported_as_it_is_and_reported() {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    let document = |id: &str, size: usize| {
        json!({ "_id": id, "username": id, "profile": { "text": "x".repeat(size) } }).to_string()
    };
    let warned = async |document: String| {
        let import = accounts.import(&document).await.unwrap();
        assert_eq!(import.outcome, Imported::Added);
        import.warnings.iter().map(|warning| warning.field).collect::<Vec<_>>()
    };
    assert_eq!(warned(document("small", 8_000)).await, [] as [&str; 0]);
    assert_eq!(warned(document("large", 9_000)).await, ["profile"]);
    let fields = json!({ "_id": "fields", "username": "fields", "customFields": { "text": "x".repeat(9_000) } });
    assert_eq!(warned(fields.to_string()).await, ["the further fields"]);
    let large = accounts.store().user(&"large".into()).await.unwrap().unwrap();
    assert!(large.profile.is_some_and(|profile| profile.contains_key("text")));
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

/// Imports a user `ada` with further members, and returns it with the warnings as text.
async fn import_ada(members: &str) -> (bolide::store::User, Vec<String>) {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    let hash = "$2b$10$RT7M0QhSFAGVS97/RD4E3uydcke0ZmLlkSa838wNiA0hjGeaQlWOG";
    let document = format!(r#"{{"_id":"imported","username":"ada-imported",{members}}}"#).replace("@HASH@", hash);
    let checked = accounts.check_import(&document).await.unwrap();
    assert!(accounts.find("ada-imported").await.is_err(), "a check stores nothing");
    let import = accounts.import(&document).await.unwrap();
    assert_eq!(checked.warnings, import.warnings);
    let warnings = import.warnings.iter().map(ToString::to_string).collect();
    (accounts.find("ada-imported").await.unwrap(), warnings)
}

#[tokio::test]
async fn dates_of_any_form_are_read() {
    for date in [r#"{"$date":"2014-03-10T12:00:00.000-0700"}"#, r#""2014-03-10T19:00:00Z""#, "1394478000000"] {
        let (ada, warnings) = import_ada(&format!(r#""createdAt":{date}"#)).await;
        assert_eq!(ada.created_at.milliseconds(), 1_394_478_000_000, "{date}");
        assert_eq!(warnings, [""; 0], "{date}");
    }
    let (_, warnings) = import_ada(r#""createdAt":"last spring""#).await;
    assert_eq!(warnings, ["`createdAt` is not a date; it was dropped"]);
}

#[tokio::test]
async fn roles_by_group_are_united() {
    let (ada, _) = import_ada(r#""roles":{"__global_roles__":["user","admin"],"shop":["cashier","user"]}"#).await;
    assert_eq!(ada.roles, ["user", "admin", "cashier"]);
    let (ada, warnings) = import_ada(r#""roles":["user",null,{"_id":"guest"}]"#).await;
    assert_eq!(ada.roles, ["user", "guest"]);
    assert_eq!(warnings, ["`roles` has an entry that is not a name; it was dropped"]);
}

#[tokio::test]
async fn unusual_addresses_are_read_or_dropped() {
    let emails = r#""emails":[null,{"address":{"address":"ada@example.com"},"verified":"true"},{"verified":true}]"#;
    let (ada, warnings) = import_ada(emails).await;
    let addresses: Vec<_> = ada.emails.iter().map(|email| (&*email.address, email.is_verified)).collect();
    assert_eq!(addresses, [("ada@example.com", true)]);
    assert_eq!(
        warnings,
        [
            "`emails` has an entry without an address; it was dropped",
            "`emails.verified` is not a boolean; it was read as true"
        ]
    );
    let google = r#""services":{"google":{"id":"7","email":"ada@example.com","verified_email":true}}"#;
    let (ada, _) = import_ada(google).await;
    assert_eq!((&*ada.emails[0].address, ada.emails[0].is_verified), ("ada@example.com", true));
}

#[tokio::test]
async fn secondary_values_do_not_cost_a_user_with_a_good_password() {
    let (ada, warnings) = import_ada(
        r#""profile":"none","active":"true","services":{"password":{"bcrypt":"@HASH@"},"resume":{"loginTokens":[
            {"when":1362085063102},{"hashedToken":"aGFzaA==","type":"personalAccessToken","createdAt":1362085063102}]}}"#,
    )
    .await;
    assert!(ada.password.is_some() && ada.is_active && ada.profile.is_none());
    assert_eq!(
        warnings,
        [
            "`profile` is not an object; it was dropped",
            "`active` is not a boolean; it was read as true",
            "`services.resume.loginTokens.hashedToken` is missing; the token was dropped",
            "`services.resume.loginTokens.name` of a personal access token is missing; the token was dropped",
        ]
    );
}

#[tokio::test]
async fn users_who_would_lose_their_login_or_factor_are_rejected() {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    for (document, reason) in [
        (r#"{"username":"ada"}"#, "`_id` must be a text or an ObjectId"),
        (r#"{"_id":"a","profile":{}}"#, "it has no username, address, token or other service"),
        (r#"{"_id":"a","username":"x","services":{"totp":"on"}}"#, "`services.totp` must be an object"),
        (
            r#"{"_id":"a","username":"x","services":{"totp":{"enabled":"true","secret":"1"}}}"#,
            "`services.totp.secret` must be a secret in base32",
        ),
        (
            r#"{"_id":"a","username":"x","services":{"twoFactorAuthentication":{"type":"otp"}}}"#,
            "`services.twoFactorAuthentication.secret` must be a secret in base32",
        ),
        (r#"{"_id":"a","username":"x","services":{"email2fa":{"enabled":{}}}}"#, "must be true or false"),
    ] {
        let rejected = accounts.import(document).await.unwrap_err().to_string();
        assert!(rejected.starts_with(reason) || rejected.ends_with(reason), "{document}: {rejected}");
    }
}
