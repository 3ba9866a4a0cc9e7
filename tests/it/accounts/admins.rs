//! What admins see and change, live, and that other users cannot.

use serde_json::{Value, json};

use super::{Bank, error, result, sha256, with_code};
use crate::subscriber::Subscriber;

const PUBLICATIONS: [&str; 7] =
    ["admin:settings", "admin:roles", "admin:methods", "admin:sessions", "admin:mails", "admin:users", "admin:audit"];

const METHODS: [&str; 9] = [
    "admin:auditPage",
    "admin:methods",
    "admin:setRoles",
    "admin:setActive",
    "admin:logOut",
    "admin:resetSecondFactors",
    "admin:setRole",
    "admin:retryMail",
    "admin:discardMail",
];

async fn subscriber(bank: &Bank, name: &str) -> Subscriber {
    let mut subscriber = Subscriber::connect(&bank.app).await;
    let token = bank.app.accounts().unwrap().issue_token(name).await.unwrap();
    result(&subscriber.call("login", json!([{ "resume": token }])).await);
    subscriber
}

/// Connects as an admin whose client is trusted.
async fn trusted_admin(bank: &Bank) -> Subscriber {
    let mut admin = subscriber(bank, "admin").await;
    result(&admin.call("gated", with_code(&sha256("admin's password"), "password")).await);
    admin
}

/// Reads messages until a collection is as expected.
async fn until(
    subscriber: &mut Subscriber,
    collection: &str,
    is_so: impl Fn(&std::collections::BTreeMap<String, Value>) -> bool,
) {
    while !is_so(&subscriber.documents(collection)) {
        subscriber.next().await;
    }
}

#[tokio::test]
async fn users_who_are_not_admins_see_and_change_nothing() {
    let bank = Bank::open().await;
    let mut alice = subscriber(&bank, "alice").await;
    result(&alice.call("gated", with_code(&sha256("alice's password"), "password")).await);
    for publication in PUBLICATIONS {
        alice.ask("s", publication, json!([])).await;
        assert_eq!(alice.nosub("s").await["error"], "not-authorized", "{publication}");
    }
    for method in METHODS {
        let params = json!(["user-bob", true]);
        let refused = alice.call(method, params).await;
        let refusal = error(&refused);
        // Some always ask for the factor first; with a correct code, the answer is the same.
        assert!(refusal == "error-action-not-allowed" || refusal == "totp-required", "{method}: {refused}");
    }
    let mut nobody = Subscriber::connect(&bank.app).await;
    for publication in PUBLICATIONS {
        nobody.ask("s", publication, json!([])).await;
        assert_eq!(nobody.nosub("s").await["error"], "not-authorized", "{publication}");
    }
}

#[tokio::test]
async fn changes_by_admins_require_the_second_factor() {
    let bank = Bank::open().await;
    let mut admin = subscriber(&bank, "admin").await;
    for method in &METHODS[2..] {
        assert_eq!(error(&admin.call(method, json!(["user-bob", true])).await), "totp-required", "{method}");
    }
}

#[tokio::test]
async fn a_changed_setting_reaches_all_subscribers() {
    let bank = Bank::open().await;
    let mut admin = trusted_admin(&bank).await;
    admin.subscribe("admin:settings", json!([])).await;
    let mut nobody = Subscriber::connect(&bank.app).await;
    nobody.subscribe("settings:public", json!([])).await;
    let setting = "Accounts_Registration_Enabled";
    assert_eq!(admin.documents("settings")[setting]["value"], true);
    assert_eq!(nobody.documents("publicSettings")[setting], json!({ "value": true }));
    result(&admin.call("saveSettings", json!([[{ "_id": setting, "value": false }]])).await);
    until(&mut admin, "settings", |settings| settings[setting]["value"] == false).await;
    until(&mut nobody, "publicSettings", |settings| settings[setting]["value"] == false).await;
    assert!(!nobody.documents("publicSettings").contains_key("Audit_Log_Days"));
}

#[tokio::test]
async fn users_can_be_searched_and_are_updated_live() {
    let bank = Bank::open().await;
    let mut admin = trusted_admin(&bank).await;
    admin.subscribe("admin:users", json!([{ "search": "BOB" }])).await;
    assert_eq!(admin.ids("adminUsers"), ["user-bob"]);
    assert_eq!(admin.documents("counts")["adminUsers"], json!({ "total": 1 }));
    let shown = admin.documents("adminUsers")["user-bob"].clone();
    assert_eq!(shown["twoFactor"], json!({ "totp": true, "email": false }));
    assert!(shown.get("services").is_none() && shown.get("password").is_none());
    result(&admin.call("admin:setRoles", json!(["user-bob", ["auditor"]])).await);
    until(&mut admin, "adminUsers", |users| users["user-bob"]["roles"] == json!(["auditor"])).await;
}

#[tokio::test]
async fn a_reset_removes_factors_and_logins_and_notifies_the_user() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    let mut admin = trusted_admin(&bank).await;
    let mut params = json!(["user-bob"]);
    params
        .as_array_mut()
        .unwrap()
        .extend(with_code(&sha256("admin's password"), "password").as_array().unwrap().clone());
    result(&admin.call("admin:resetSecondFactors", params).await);
    assert_eq!(bob.close_code().await, 1000);
    assert_eq!(bank.mails(1).await[0].to, ["bob@example.com"]);
    let mut bob = bank.log_in("bob").await;
    assert_eq!(bob.ask("gated", json!([])).await["error"]["details"]["method"], "password");
}

#[tokio::test]
async fn a_deactivated_user_is_logged_out_and_the_last_admin_cannot_be_deactivated() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let token = bank.app.accounts().unwrap().issue_token("alice").await.unwrap();
    let mut admin = trusted_admin(&bank).await;
    result(&admin.call("admin:setActive", json!(["user-alice", false])).await);
    assert_eq!(alice.close_code().await, 1000);
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("login", json!([{ "resume": token }])).await), 403);
    assert_eq!(error(&client.ask("login", super::password_login("alice", "alice's password")).await), 403);
    for (method, value) in [("admin:setActive", json!(false)), ("admin:setRoles", json!([]))] {
        assert_eq!(error(&admin.call(method, json!(["user-admin", value])).await), "error-admin-required");
    }
}

#[tokio::test]
async fn a_former_admin_gets_no_more_updates() {
    let bank = Bank::open().await;
    let mut admin = trusted_admin(&bank).await;
    result(&admin.call("admin:setRoles", json!(["user-alice", ["admin"]])).await);
    let mut alice = subscriber(&bank, "alice").await;
    alice.subscribe("admin:settings", json!([])).await;
    result(&admin.call("admin:setRoles", json!(["user-alice", []])).await);
    assert_eq!(alice.nosub("admin:settings").await["error"], "not-authorized");
    assert!(alice.ids("settings").is_empty());
}

#[tokio::test]
async fn the_audit_log_is_paged_and_contains_no_secrets() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    let code = bank.code();
    error(&bob.ask("gated", json!([])).await);
    error(&bob.ask("gated", with_code("123450", "totp")).await);
    result(&bob.ask("gated", with_code(&code, "totp")).await);
    let mut admin = trusted_admin(&bank).await;
    admin.subscribe("admin:audit", json!([{ "user": "user-bob", "event": "two-factor." }])).await;
    let events = |documents: &std::collections::BTreeMap<String, Value>| -> Vec<String> {
        documents.values().map(|entry| entry["event"].as_str().unwrap().to_owned()).collect()
    };
    let shown = admin.documents("audit");
    assert_eq!(events(&shown), ["two-factor.asked", "two-factor.failed", "two-factor.passed"]);
    // The name selects the user as well.
    admin.unsubscribe("admin:audit").await;
    assert!(admin.nosub("admin:audit").await.is_null());
    admin.subscribe("admin:audit", json!([{ "user": "bob", "event": "two-factor." }])).await;
    assert_eq!(admin.documents("audit").len(), 3);
    let text = format!("{shown:?}");
    assert!(!text.contains(&code) && !text.contains("123450"), "{text}");
    let page = admin.call("admin:auditPage", json!([{ "user": "user-bob", "limit": 2 }])).await;
    let page = result(&page).as_array().unwrap().clone();
    let before = page[1]["id"].as_i64().unwrap();
    let next = admin.call("admin:auditPage", json!([{ "user": "user-bob", "before": before, "limit": 2 }])).await;
    assert!(page.len() == 2 && result(&next)[0]["id"].as_i64().unwrap() < before);
}

#[tokio::test]
async fn methods_are_listed_with_their_policies_and_counts() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    for _ in 0..3 {
        result(&alice.ask("whoami", json!([])).await);
    }
    error(&alice.ask("strict", json!([])).await);
    let mut admin = trusted_admin(&bank).await;
    admin.subscribe("admin:methods", json!([])).await;
    let methods = admin.documents("methods");
    assert_eq!((&methods["method whoami"]["calls"], &methods["method whoami"]["gated"]), (&json!(3), &json!(false)));
    let strict = &methods["method strict"];
    assert_eq!((&strict["errors"], &strict["secondFactorRequired"]), (&json!(1), &json!(true)));
    assert_eq!(methods["POST gated"]["gated"], true);
}

#[tokio::test]
async fn sessions_are_listed_without_the_ids_that_resume_them() {
    let bank = Bank::open().await;
    let alice = bank.log_in("alice").await;
    let mut admin = trusted_admin(&bank).await;
    admin.subscribe("admin:sessions", json!([])).await;
    let sessions = admin.documents("sessions");
    assert!(sessions.values().any(|session| session["username"] == "alice" && session["address"] == "127.0.0.1"));
    assert!(!format!("{sessions:?}").contains(alice.session()));
}

#[tokio::test]
async fn users_can_list_and_end_their_own_logins() {
    let bank = Bank::open().await;
    let mut other = bank.log_in("alice").await;
    let mut alice = subscriber(&bank, "alice").await;
    let mut bob = subscriber(&bank, "bob").await;
    alice.subscribe("account:tokens", json!([])).await;
    let tokens = alice.documents("tokens");
    assert_eq!(tokens.len(), 2);
    let theirs = tokens.iter().find(|(_, token)| token["current"] == false).unwrap().0.clone();
    assert_eq!(error(&bob.call("account:revokeToken", json!([theirs])).await), "error-token-does-not-exists");
    result(&alice.call("account:revokeToken", json!([theirs])).await);
    assert_eq!(other.close_code().await, 1000);
    until(&mut alice, "tokens", |tokens| tokens.len() == 1).await;
}
