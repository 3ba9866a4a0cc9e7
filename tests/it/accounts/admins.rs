//! What admins see and change, live, and that other users cannot.

use bolide::protocol::two_factor::TwoFactorCode;
use bolide::testing::TestClient;
use serde_json::{Value, json};

use super::{Bank, error, result, sha256, with_code};
use crate::messages::Messages as _;

const PUBLICATIONS: [&str; 9] = [
    "admin:overview",
    "admin:settings",
    "admin:roles",
    "admin:methods",
    "admin:collections",
    "admin:sessions",
    "admin:mails",
    "admin:users",
    "admin:audit",
];

const METHODS: [&str; 11] = [
    "admin:auditPage",
    "admin:methods",
    "admin:setRoles",
    "admin:setActive",
    "admin:addUser",
    "admin:endSession",
    "admin:logOut",
    "admin:resetSecondFactors",
    "admin:setRole",
    "admin:retryMail",
    "admin:discardMail",
];

async fn subscriber(bank: &Bank, name: &str) -> TestClient {
    let mut subscriber = TestClient::connect(&bank.app).await;
    let token = bank.app.accounts().unwrap().issue_token(name).await.unwrap();
    subscriber.login_with_token(&token).await.unwrap();
    subscriber
}

/// Calls a method that the client may call. Returns its result.
async fn allowed(client: &mut TestClient, method: &str, params: &Value) -> Value {
    client.call(method, params).await.unwrap()
}

/// Calls a method that asks the admin for the password each time.
async fn proven(admin: &mut TestClient, method: &str, params: &Value) -> Value {
    admin.call_with_code(method, params, &password_of("admin")).await.unwrap()
}

/// Calls a method that the client may not call. Returns the code of the error.
async fn refusal(client: &mut TestClient, method: &str, params: &Value) -> String {
    client.call::<Value>(method, params).await.unwrap_err().error.to_string()
}

/// Connects as an admin whose client is trusted.
async fn trusted_admin(bank: &Bank) -> TestClient {
    let mut admin = subscriber(bank, "admin").await;
    admin.call_with_code::<Value>("gated", &(), &password_of("admin")).await.unwrap();
    admin
}

/// Returns a user's password as the code of a second factor.
fn password_of(name: &str) -> TwoFactorCode {
    TwoFactorCode::new(sha256(&format!("{name}'s password")), "password")
}

/// Reads messages until a collection is as expected.
async fn until(
    subscriber: &mut TestClient,
    collection: &str,
    is_so: impl Fn(&std::collections::BTreeMap<String, Value>) -> bool,
) {
    let what = format!("`{collection}` to be as expected");
    subscriber.wait_until(&what, |subscriber| is_so(&subscriber.documents(collection))).await;
}

#[tokio::test]
async fn users_who_are_not_admins_see_and_change_nothing() {
    let bank = Bank::open().await;
    let mut alice = subscriber(&bank, "alice").await;
    alice.call_with_code::<Value>("gated", &(), &password_of("alice")).await.unwrap();
    for publication in PUBLICATIONS {
        let refusal = alice.subscribe(publication, &()).await.unwrap_err();
        assert_eq!(refusal.error, "not-authorized".into(), "{publication}");
    }
    for method in METHODS {
        let params = json!(["user-bob", true]);
        let refusal = refusal(&mut alice, method, &params).await;
        // Some always ask for the factor first; with a correct code, the answer is the same.
        assert!(refusal == "error-action-not-allowed" || refusal == "totp-required", "{method}: {refusal}");
    }
    let mut nobody = TestClient::connect(&bank.app).await;
    for publication in PUBLICATIONS {
        let refusal = nobody.subscribe(publication, &()).await.unwrap_err();
        assert_eq!(refusal.error, "not-authorized".into(), "{publication}");
    }
}

#[tokio::test]
async fn changes_by_admins_require_the_second_factor() {
    let bank = Bank::open().await;
    let mut admin = subscriber(&bank, "admin").await;
    for method in &METHODS[2..] {
        assert_eq!(refusal(&mut admin, method, &json!(["user-bob", true])).await, "totp-required", "{method}");
    }
}

#[tokio::test]
async fn a_changed_setting_reaches_all_subscribers() {
    let bank = Bank::open().await;
    let mut admin = trusted_admin(&bank).await;
    admin.subscribe("admin:settings", &()).await.unwrap();
    let mut nobody = TestClient::connect(&bank.app).await;
    nobody.subscribe("settings:public", &()).await.unwrap();
    let setting = "Accounts_Registration_Enabled";
    assert_eq!(admin.documents::<Value>("settings")[setting]["value"], true);
    assert_eq!(nobody.documents::<Value>("publicSettings")[setting], json!({ "value": true }));
    allowed(&mut admin, "saveSettings", &json!([[{ "_id": setting, "value": false }]])).await;
    until(&mut admin, "settings", |settings| settings[setting]["value"] == false).await;
    until(&mut nobody, "publicSettings", |settings| settings[setting]["value"] == false).await;
    assert!(!nobody.documents::<Value>("publicSettings").contains_key("Audit_Log_Days"));
}

#[tokio::test]
async fn users_can_be_searched_and_are_updated_live() {
    let bank = Bank::open().await;
    let mut admin = trusted_admin(&bank).await;
    admin.subscribe("admin:users", &json!([{ "search": "BOB" }])).await.unwrap();
    assert_eq!(admin.document_ids("adminUsers"), ["user-bob"]);
    assert_eq!(admin.documents::<Value>("counts")["adminUsers"], json!({ "total": 1 }));
    let shown = admin.documents::<Value>("adminUsers")["user-bob"].clone();
    assert_eq!(shown["twoFactor"], json!({ "totp": true, "email": false }));
    assert!(shown.get("services").is_none() && shown.get("password").is_none());
    proven(&mut admin, "admin:setRoles", &json!(["user-bob", ["auditor"]])).await;
    until(&mut admin, "adminUsers", |users| users["user-bob"]["roles"] == json!(["auditor"])).await;
}

#[tokio::test]
async fn a_reset_removes_factors_and_logins_and_notifies_the_user() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    let mut admin = trusted_admin(&bank).await;
    let code = password_of("admin");
    admin.call_with_code::<Value>("admin:resetSecondFactors", &["user-bob"], &code).await.unwrap();
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
    proven(&mut admin, "admin:setActive", &json!(["user-alice", false])).await;
    assert_eq!(alice.close_code().await, 1000);
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("login", json!([{ "resume": token }])).await), 403);
    assert_eq!(error(&client.ask("login", super::password_login("alice", "alice's password")).await), 403);
    for (method, value) in [("admin:setActive", json!(false)), ("admin:setRoles", json!([]))] {
        let params = json!(["user-admin", value]);
        let refused = admin.call_with_code::<Value>(method, &params, &password_of("admin")).await.unwrap_err();
        assert_eq!(refused.error, "error-admin-required".into());
    }
}

#[tokio::test]
async fn a_deactivation_removes_personal_access_tokens_too() {
    let bank = Bank::open().await;
    let (mut alice, mut admin) = (bank.log_in("alice").await, trusted_admin(&bank).await);
    let code = with_code(&sha256("alice's password"), "password");
    let options = json!([{ "tokenName": "bot" }, code[0]]);
    result(&alice.ask("personalAccessTokens:generateToken", options).await);
    let store = bank.app.accounts().unwrap().store().clone();
    assert_eq!(store.tokens_of(&"user-alice".into()).await.unwrap().len(), 2);

    proven(&mut admin, "admin:setActive", &json!(["user-alice", false])).await;

    assert_eq!(store.tokens_of(&"user-alice".into()).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_former_admin_gets_no_more_updates() {
    let bank = Bank::open().await;
    let mut admin = trusted_admin(&bank).await;
    proven(&mut admin, "admin:setRoles", &json!(["user-alice", ["admin"]])).await;
    let mut alice = subscriber(&bank, "alice").await;
    let settings = alice.subscribe("admin:settings", &()).await.unwrap();
    proven(&mut admin, "admin:setRoles", &json!(["user-alice", []])).await;
    assert_eq!(alice.nosub(settings.as_str()).await["error"], "not-authorized");
    assert!(alice.document_ids("settings").is_empty());
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
    let audit = admin.subscribe("admin:audit", &json!([{ "user": "user-bob", "event": "two-factor." }])).await.unwrap();
    let events = |documents: &std::collections::BTreeMap<String, Value>| -> Vec<String> {
        documents.values().map(|entry| entry["event"].as_str().unwrap().to_owned()).collect()
    };
    let shown = admin.documents::<Value>("audit");
    assert_eq!(events(&shown), ["two-factor.asked", "two-factor.failed", "two-factor.passed"]);
    // The name selects the user as well.
    admin.unsubscribe(&audit).await;
    admin.subscribe("admin:audit", &json!([{ "user": "bob", "event": "two-factor." }])).await.unwrap();
    assert_eq!(admin.document_ids("audit").len(), 3);
    let text = format!("{shown:?}");
    assert!(!text.contains(&code) && !text.contains("123450"), "{text}");
    let page: Vec<Value> = admin.call("admin:auditPage", &json!([{ "user": "user-bob", "limit": 2 }])).await.unwrap();
    let before = page[1]["id"].as_i64().unwrap();
    let next = json!([{ "user": "user-bob", "before": before, "limit": 2 }]);
    let next: Vec<Value> = admin.call("admin:auditPage", &next).await.unwrap();
    assert!(page.len() == 2 && next[0]["id"].as_i64().unwrap() < before);
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
    admin.subscribe("admin:methods", &()).await.unwrap();
    let methods = admin.documents::<Value>("methods");
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
    admin.subscribe("admin:sessions", &()).await.unwrap();
    let sessions = admin.documents::<Value>("sessions");
    assert!(sessions.values().any(|session| session["username"] == "alice" && session["address"] == "127.0.0.1"));
    assert!(!format!("{sessions:?}").contains(alice.session()));
}

#[tokio::test]
async fn sessions_whose_client_has_lost_its_connection_are_listed_as_away() {
    let bank = Bank::open().await;
    let alice = bank.log_in("alice").await;
    let mut admin = trusted_admin(&bank).await;
    alice.leave().await;
    crate::waiting::until(|| bank.app.connection_count() == 1).await;
    admin.subscribe("admin:sessions", &()).await.unwrap();
    let sessions = admin.documents::<Value>("sessions");
    let away: Vec<_> = sessions.values().map(|session| (&session["username"], &session["away"])).collect();
    assert_eq!(away.len(), 2);
    assert!(away.contains(&(&json!("alice"), &json!(true))) && away.iter().any(|(_, away)| **away == false));
}

#[tokio::test]
async fn users_can_list_and_end_their_own_logins() {
    let bank = Bank::open().await;
    let mut other = bank.log_in("alice").await;
    let mut alice = subscriber(&bank, "alice").await;
    let mut bob = subscriber(&bank, "bob").await;
    alice.subscribe("account:tokens", &()).await.unwrap();
    let tokens = alice.documents::<Value>("tokens");
    assert_eq!(tokens.len(), 2);
    let theirs = tokens.iter().find(|(_, token)| token["current"] == false).unwrap().0.clone();
    assert_eq!(refusal(&mut bob, "account:revokeToken", &json!([theirs])).await, "error-token-does-not-exists");
    allowed(&mut alice, "account:revokeToken", &json!([theirs])).await;
    assert_eq!(other.close_code().await, 1000);
    until(&mut alice, "tokens", |tokens| tokens.len() == 1).await;
}

#[tokio::test]
async fn admins_see_what_the_server_does_and_what_is_wrong_with_it() {
    let bank = Bank::open().await;
    let mut admin = trusted_admin(&bank).await;
    admin.subscribe("admin:overview", &()).await.unwrap();
    let shown = admin.documents::<Value>("overview");
    for series in ["connections", "calls", "percentile99", "errors", "deliveries", "asked", "logins", "refusals"] {
        assert_eq!(shown[series]["kind"], "series", "{series}");
        assert!(!shown[series]["values"].as_array().unwrap().is_empty(), "{series}");
    }
    assert_eq!(shown["samples"]["every"], 5);
    let problem = |shown: &std::collections::BTreeMap<String, Value>, text: &str| {
        shown.values().any(|one| one["kind"] == "problem" && one["what"].as_str().unwrap().contains(text))
    };
    assert!(problem(&shown, "Admins without a second factor: admin."), "{shown:?}");
    assert!(!problem(&shown, "Mails"), "{shown:?}");
}

#[tokio::test]
async fn slow_calls_are_shown_with_their_users_and_without_parameters() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    result(&alice.ask("echo", json!(["a secret parameter"])).await);
    let mut admin = trusted_admin(&bank).await;
    admin.subscribe("admin:overview", &()).await.unwrap();
    let shown = admin.documents::<Value>("overview");
    let call = shown.values().find(|one| one["method"] == "echo").unwrap();
    let names: Vec<&String> = call.as_object().unwrap().keys().collect();
    assert_eq!(names, ["began", "kind", "method", "milliseconds", "userId", "username"]);
    assert_eq!((&call["username"], &call["userId"]), (&json!("alice"), &json!("user-alice")));
    assert!(!format!("{shown:?}").contains("secret parameter"));
}

#[tokio::test]
async fn admins_add_users_with_a_password_or_by_a_link() {
    let bank = Bank::open().await;
    let mut admin = trusted_admin(&bank).await;
    let with_password = json!([{ "username": "nora", "password": "nora's password", "roles": ["user"] }]);
    assert_eq!(refusal(&mut admin, "admin:addUser", &with_password).await, "totp-required");
    proven(&mut admin, "admin:addUser", &with_password).await;
    bank.log_in("nora").await;
    let by_link = json!([{ "username": "otto", "email": "otto@example.com", "password": "" }]);
    proven(&mut admin, "admin:addUser", &by_link).await;
    assert_eq!(bank.mails(1).await[0].to, ["otto@example.com"]);
    for wrong in [json!([{ "username": "nora", "password": "x" }]), json!([{ "username": "paul" }])] {
        let refused = admin.call_with_code::<Value>("admin:addUser", &wrong, &password_of("admin")).await;
        assert!(refused.is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn admins_end_one_session_of_a_user() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let other = bank.log_in("alice").await;
    let mut admin = trusted_admin(&bank).await;
    admin.subscribe("admin:sessions", &()).await.unwrap();
    let name_of = |session: &str| sha256(session)[..20].to_lowercase();
    let theirs = name_of(alice.session());
    let login = admin.documents::<Value>("sessions")[&theirs]["login"].clone();
    let unknown = refusal(&mut admin, "admin:endSession", &json!(["user-bob", login])).await;
    assert_eq!(unknown, "error-token-does-not-exists");
    allowed(&mut admin, "admin:endSession", &json!(["user-alice", login])).await;
    assert_eq!(alice.close_code().await, 1000);
    let others = name_of(other.session());
    until(&mut admin, "sessions", |sessions| !sessions.contains_key(&theirs) && sessions.contains_key(&others)).await;
}
