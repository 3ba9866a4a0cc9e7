//! What strangers can make the server hold: profiles, names, the audit log, lines before a login.

use bolide::accounts::Accounts;
use bolide::prelude::*;
use bolide::protocol::error::ErrorCode;
use bolide::store::{AuditFilter, UserFilter};
use bolide::testing::TestClient;
use serde_json::{Value, json};

use super::{Bank, error, password_login, result};

/// Names that are not possible by default.
const STRANGE: [&str; 5] = ["ada lovelace", "Зоя", "a/b", "ädа", "🦀"];

async fn user_count(bank: &Bank) -> u64 {
    let all = UserFilter { limit: 1, ..UserFilter::default() };
    bank.app.accounts().unwrap().store().users(all).await.unwrap().total
}

async fn audit_rows(bank: &Bank) -> Vec<(String, u32)> {
    let all = AuditFilter { limit: 10_000, ..AuditFilter::default() };
    let entries = bank.app.accounts().unwrap().store().audit(all).await.unwrap();
    entries.into_iter().map(|entry| (entry.event, entry.count)).collect()
}

/// Calls without a socket, which would reject a message of a megabyte.
async fn refusal(bank: &Bank, method: &str, params: &Value) -> Option<ErrorCode> {
    let called = bank.app.call::<Ejson>(&Caller::anonymous(), method, params).await;
    called.err().map(|error| error.error)
}

fn levels(count: usize) -> Value {
    (1..count).fold(json!({}), |inner, _| json!({ "a": inner }))
}

#[tokio::test]
async fn a_profile_that_is_too_large_is_400_and_no_user_is_made() {
    let bank = Bank::open().await;
    let before = user_count(&bank).await;
    let many: serde_json::Map<String, Value> = (0..65).map(|number| (format!("m{number}"), json!(1))).collect();
    for profile in [json!({ "text": "x".repeat(1 << 20) }), json!(many), levels(5), json!({ "list": vec![0; 64] })] {
        let params = json!([{ "username": "carol", "password": "secret", "profile": profile }]);
        assert_eq!(refusal(&bank, "createUser", &params).await, Some(400.into()));
    }
    assert_eq!(user_count(&bank).await, before);
    let params = json!([{ "username": "carol", "password": "secret", "profile": levels(4) }]);
    assert_eq!(refusal(&bank, "createUser", &params).await, None);
}

#[tokio::test]
async fn a_hook_that_copies_what_the_client_sent_does_not_lift_the_bounds() {
    let bank = Bank::open_with(|accounts| {
        accounts.on_create_user(async |options: bolide::protocol::ejson::Object, mut user| {
            user.profile = options.get("mine").and_then(Ejson::as_object).cloned();
            user.fields.extend(options.get("more").map(|more| ("more".to_owned(), more.clone())));
            Ok(user)
        })
    })
    .await;
    let large = "x".repeat(9_000);
    for options in [json!({ "mine": { "text": large } }), json!({ "more": large })] {
        let mut options = options;
        options["username"] = "carol".into();
        assert_eq!(refusal(&bank, "createUser", &json!([options])).await, Some(400.into()));
    }
    assert_eq!(refusal(&bank, "createUser", &json!([{ "username": "carol", "more": "x" }])).await, None);
}

#[tokio::test]
async fn a_limit_of_the_app_replaces_the_default() {
    let accounts = Accounts::sqlite(":memory:").await.unwrap();
    let limits = bolide::Limits { profile_members: 1, ..bolide::Limits::default() };
    let app = App::builder().accounts(accounts).limits(limits).build().unwrap();
    let create = async |profile: Value| {
        let params = json!([{ "username": "carol", "profile": profile }]);
        app.call::<Ejson>(&Caller::anonymous(), "createUser", &params).await.err().map(|error| error.error)
    };
    assert_eq!(create(json!({ "a": 1, "b": 2 })).await, Some(400.into()));
    assert_eq!(create(json!({ "a": 1 })).await, None);
}

#[tokio::test]
async fn a_strange_username_is_400_at_every_door() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let token = bank.app.accounts().unwrap().issue_token("alice").await.unwrap();
    for name in STRANGE.iter().copied().chain([&*"x".repeat(1 << 16)]) {
        let created = json!([{ "username": name, "password": "secret" }]);
        assert_eq!(refusal(&bank, "createUser", &created).await, Some(400.into()), "{name}");
        assert_eq!(error(&alice.ask("setUsername", json!([name])).await), 400, "{name}");
        assert_eq!(error(&alice.ask("saveUserProfile", json!([{ "username": name }])).await), 400, "{name}");
        let basic = json!({ "data": { "username": name } });
        let updated = bank.post("users.updateOwnBasicInfo").by("alice", &token).json(&basic).send().await;
        assert_eq!(updated.status, 400, "{name}");
        let registration = json!({ "username": name, "email": "carol@example.com", "pass": "secret", "name": "Carol" });
        assert_eq!(bank.post("users.register").json(&registration).send().await.status, 400, "{name}");
        assert!(bank.app.accounts().unwrap().add_user(name, &[], &[], None).await.is_err(), "{name}");
    }
    // Imported names stay.
    let document = json!({ "_id": "zoe", "username": "Зоя Иванова" }).to_string();
    bank.app.accounts().unwrap().import(&document).await.unwrap();
    assert_eq!(bank.app.accounts().unwrap().find("зоя иванова").await.unwrap().id.as_str(), "zoe");
}

#[tokio::test]
async fn a_name_of_another_alphabet_that_looks_like_a_users_name_is_taken() {
    let bank = Bank::open().await;
    bank.set("UTF8_User_Names_Validation", r"[\p{L}\p{N}_.-]+").await;
    let accounts = bank.app.accounts().unwrap();
    accounts.add_user("coco", &[], &[], None).await.unwrap();
    let cyrillic = "\u{441}\u{43e}\u{441}\u{43e}";
    assert_eq!(refusal(&bank, "createUser", &json!([{ "username": cyrillic }])).await, Some(403.into()));
    let mut alice = bank.log_in("alice").await;
    assert_eq!(error(&alice.ask("setUsername", json!([cyrillic])).await), "error-field-unavailable");
    // Mixed alphabets, and characters that cannot be seen, are not possible at all.
    for name in ["c\u{43e}co", "coco\u{3164}"] {
        assert_eq!(refusal(&bank, "createUser", &json!([{ "username": name }])).await, Some(400.into()), "{name:?}");
    }
    // In ASCII alone, names may look alike, as in Rocket.Chat.
    accounts.add_user("c0co", &[], &[], None).await.unwrap();
    accounts.add_user("Łukasz", &[], &[], None).await.unwrap();
    // One's own name in another spelling is free.
    let zoe = accounts.add_user("Зоя", &[], &[], None).await.unwrap();
    assert!(accounts.store().set_username(&zoe.id, "зоя").await.unwrap());
    // An import stays as it is, and then keeps others away from its look.
    let document = json!({ "_id": "other", "username": "\u{440}\u{430}\u{441}\u{435}" }).to_string();
    accounts.import(&document).await.unwrap();
    assert_eq!(refusal(&bank, "createUser", &json!([{ "username": "pace" }])).await, Some(403.into()));
}

#[tokio::test]
async fn a_pattern_that_is_malformed_or_too_large_is_refused_with_a_sentence() {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    for wrong in ["(", "(?=a)", &"a".repeat(2_000), r"(?:\p{L}{1000}){1000}"] {
        let refused = accounts.set("UTF8_User_Names_Validation", wrong.into()).await.unwrap_err().to_string();
        assert!(refused.contains("`UTF8_User_Names_Validation` must be a regular expression"), "{refused}");
    }
    assert_eq!(refusal(&bank, "createUser", &json!([{ "username": "carol" }])).await, None);
}

#[tokio::test]
async fn logouts_of_clients_that_are_not_signed_in_leave_no_rows() {
    let bank = Bank::open().await;
    let before = audit_rows(&bank).await.len();
    let mut client = bank.connect().await;
    for _ in 0..1_000 {
        result(&client.ask("logout", json!([])).await);
    }
    assert_eq!(audit_rows(&bank).await.len(), before);
    let mut alice = bank.log_in("alice").await;
    result(&alice.ask("logout", json!([])).await);
    assert_eq!(audit_rows(&bank).await[0].0, "logout");
}

#[tokio::test]
async fn failures_of_one_network_are_one_row_a_minute_with_a_count() {
    let bank = Bank::open_with(|accounts| accounts).await;
    // The minute must not end meanwhile.
    let now = bolide::clock::Clock::now(&bank.clock).milliseconds();
    bank.clock.advance(std::time::Duration::from_millis((60_000 - now.rem_euclid(60_000)).unsigned_abs()));
    let mut client = bank.connect().await;
    for number in 0..200 {
        let name = if number % 2 == 0 { "alice".to_owned() } else { format!("stranger{number}") };
        error(&client.ask("login", password_login(&name, "a guess")).await);
    }
    let rows = audit_rows(&bank).await;
    let count = |event: &str| {
        let counts: Vec<u32> = rows.iter().filter(|(name, _)| name == event).map(|(_, count)| *count).collect();
        (counts.len(), counts.iter().sum::<u32>())
    };
    // Alice is blocked after 10 failures, and the address after 50.
    let (failed, blocked) = (count("login.failed"), count("login.blocked"));
    assert_eq!(failed.1 + blocked.1, 200);
    assert_eq!((failed.0, blocked.0), (2, 2), "one of alice and one of unknown names each: {rows:?}");
}

#[tokio::test]
async fn the_audit_log_has_a_maximum_and_the_oldest_rows_make_room() {
    let bank = Bank::open().await;
    bank.set("Audit_Log_Max_Entries", 100).await;
    for number in 0..150 {
        bank.set("API_Enable_Rate_Limiter_Limit_Calls_Default", number + 1).await;
    }
    assert_eq!(audit_rows(&bank).await.len(), 100);
}

#[tokio::test]
async fn an_app_limits_sign_ups_of_one_network_over_ddp() {
    let accounts = Accounts::sqlite(":memory:").await.unwrap();
    let app = App::builder().accounts(accounts).forwarded_count(1).build().unwrap();
    let server = crate::server::Server::start(app).await;
    let mut outcomes = Vec::new();
    for number in 0..14 {
        // Each on a connection of its own, from another address of the same network.
        let address = format!("2001:db8::{number}");
        let mut client = crate::rate_limits::connect_from(&server, &address).await;
        let answer = client.ask("createUser", json!([{ "username": format!("user{number}") }])).await;
        outcomes.push(answer["error"]["error"].clone());
    }
    assert!(outcomes[..10].iter().all(Value::is_null), "{outcomes:?}");
    assert!(outcomes[10..].iter().all(|outcome| outcome == "too-many-requests"), "{outcomes:?}");
    let mut other = crate::rate_limits::connect_from(&server, "2001:db8:0:1::1").await;
    result(&other.ask("createUser", json!([{ "username": "another" }])).await);
}

#[tokio::test]
async fn a_line_that_is_full_is_answered_with_too_many_requests() {
    let accounts = Accounts::sqlite(":memory:").await.unwrap();
    let limits = bolide::Limits { waiting_passwords: 0, ..bolide::Limits::default() };
    let app = App::builder().accounts(accounts).without_default_rate_limits().limits(limits).build().unwrap();
    let create = async |number: usize| {
        let params = json!([{ "username": format!("user{number}"), "password": "a sentence of its own" }]);
        app.call::<Ejson>(&Caller::anonymous(), "createUser", &params).await.err().map(|error| error.error)
    };
    // As many are hashed at once as there are cores, or one fewer; the others find the line full.
    let outcomes = futures::future::join_all((0..500).map(create)).await;
    let busy = outcomes.iter().flatten().filter(|error| **error == "too-many-requests".into()).count();
    assert!(busy > 0 && outcomes.iter().flatten().count() == busy, "{outcomes:?}");
    // Nothing of a call that was refused is left, and the next one has its turn.
    assert_eq!(create(1_000).await, None);
}

#[tokio::test]
async fn two_changes_of_a_profile_at_once_keep_both_fields() {
    let bank = Bank::open().await;
    let store = bank.app.accounts().unwrap().store().clone();
    let mut alice = TestClient::connect(&bank.app).await;
    let token = bank.app.accounts().unwrap().issue_token("alice").await.unwrap();
    alice.login_with_token(&token).await.unwrap();
    // The user is cached now; another pool changes a field that this node has not read.
    store.set_field(&"user-alice".into(), "company", Some("Analytical Engines".into())).await.unwrap();
    let saved: Value = alice.call("saveUserProfile", &json!([{ "realname": "Alice" }])).await.unwrap();
    assert_eq!(saved, true);
    let user = bank.app.accounts().unwrap().find("alice").await.unwrap();
    assert_eq!(user.fields.get("name"), Some(&"Alice".into()));
    assert_eq!(user.fields.get("company"), Some(&"Analytical Engines".into()));
}

#[tokio::test]
async fn the_last_admin_can_be_neither_deactivated_nor_removed_nor_demoted() {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    let is_refused =
        |outcome: MethodResult<()>| outcome.is_err_and(|error| error.to_string().contains("error-admin-required"));
    assert!(is_refused(accounts.set_active("admin", false).await));
    assert!(is_refused(accounts.remove_user("admin").await));
    assert!(accounts.find("admin").await.unwrap().is_active);
    accounts.add_user("second", &[], &["admin"], None).await.unwrap();
    accounts.remove_user("admin").await.unwrap();
    assert!(is_refused(accounts.set_active("second", false).await));
}

#[tokio::test]
async fn reserved_names_are_given_by_operators_only() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    for name in ["system", "ALL", "here", "administrator"] {
        let sign_up = json!([{ "username": name, "password": "a sentence of its own" }]);
        assert_eq!(error(&bank.connect().await.ask("createUser", sign_up).await), 400, "{name}");
        assert_eq!(error(&alice.ask("setUsername", json!([name])).await), 400, "{name}");
        assert_eq!(error(&alice.ask("saveUserProfile", json!([{ "username": name }, {}])).await), 400, "{name}");
    }
    bank.app.accounts().unwrap().add_user("system", &[], &[], None).await.unwrap();
    bank.set("Accounts_SystemBlockedUsernameList", "").await;
    result(&alice.ask("setUsername", json!(["here"])).await);
}

#[tokio::test]
async fn a_shown_name_is_neither_empty_nor_markup() {
    let bank = Bank::open().await;
    let token = bank.token("alice").await;
    for name in ["   ", "<b>Alice</b>"] {
        let data = json!({ "data": { "name": name } });
        let answer = bank.post("users.updateOwnBasicInfo").by("alice", &token).json(&data).send().await;
        assert_eq!(answer.status, 400, "{name}");
    }
}

#[tokio::test]
async fn settings_forbid_changes_over_every_door() {
    let bank = Bank::open().await;
    let (mut alice, token) = (bank.log_in("alice").await, bank.token("alice").await);
    let proof = json!({ "twoFactorCode": super::sha256("alice's password"), "twoFactorMethod": "password" });
    for (setting, member, value) in [
        ("Accounts_AllowRealNameChange", "name", "Alice the First"),
        ("Accounts_AllowUsernameChange", "username", "alice2"),
        ("Accounts_AllowEmailChange", "email", "alice2@example.com"),
        ("Accounts_AllowPasswordChange", "newPassword", "a sentence of its own"),
    ] {
        bank.set(setting, false).await;
        let data = json!({ "data": { member: value, "currentPassword": super::sha256("alice's password") } });
        let answer = bank.post("users.updateOwnBasicInfo").by("alice", &token).json(&data).send().await;
        assert_eq!((answer.status, &answer.body["errorType"]), (400, &json!("error-not-allowed")), "{setting}");
        let member = if member == "name" { "realname" } else { member };
        let change = alice.ask("saveUserProfile", json!([{ member: value }, {}, proof])).await;
        assert_eq!(error(&change), "error-not-allowed", "{setting}");
    }
    assert_eq!(error(&alice.ask("setUsername", json!(["alice2"])).await), "error-not-allowed");
    assert_eq!(error(&alice.ask("changePassword", json!(["alice's password", "another"])).await), "error-not-allowed");
    bank.set("Accounts_PasswordReset", false).await;
    let forgot = json!([{ "email": "alice@example.com" }]);
    assert_eq!(error(&alice.ask("forgotPassword", forgot).await), "error-not-allowed");
}
