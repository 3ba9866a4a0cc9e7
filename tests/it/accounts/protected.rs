//! What changes the protection of an account asks for a factor in the same call: every such method and endpoint is tried
//! with a trusted client and with a bypass token, through every way to call it, and then with the proof.

use std::time::Duration;

use bolide::MethodSummary;
use bolide::chance::SystemChance;
use bolide::clock::Clock as _;
use bolide::store::{
    BackupCodes, HashedToken, KeyedHash, LoginToken, Passkey, PendingTotp, Sealed, TokenKind, UsedChallenge, User,
    UserFilter,
};
use serde_json::{Value, json};

use super::{Bank, SECRET, by_password, error, password_login, result, totp_code, with_code};
use crate::client::Client;

const SETTING: &str = "Accounts_TwoFactorAuthentication_Enabled";

/// A bank whose admins are bob, who has an app, and emma, who has codes by e-mail. A thief has a session of each that is
/// still trusted, and a token of each that bypasses the second factor.
struct Robbed {
    bank: Bank,
    /// The secret of an app that emma is about to confirm.
    secret: Sealed,
    session: Client,
    tokens: [(&'static str, String); 2],
}

/// How a door is tried: by whom, and with which parameters.
struct Try {
    name: String,
    user: &'static str,
    params: Value,
}

/// Everything that the doors protect.
#[derive(Debug, PartialEq)]
struct Protected {
    users: Vec<User>,
    tokens: Vec<(HashedToken, TokenKind)>,
    settings: Vec<(String, String)>,
    passkeys: Vec<Passkey>,
    backup_codes: u32,
}

impl Robbed {
    async fn open(user: &'static str) -> Self {
        let mut sealed = None;
        let bank = Bank::open_with(|accounts| {
            sealed = Some(accounts.seal_totp_secret(&"user-emma".into(), SECRET, &SystemChance));
            accounts
        })
        .await;
        let store = bank.app.accounts().unwrap().store().clone();
        for id in ["user-bob", "user-emma"] {
            store.set_roles(&id.into(), vec!["admin".to_owned()]).await.unwrap();
        }
        let passkey = Passkey::new("passkey".into(), "user-bob".into(), "Phone".into(), vec![1], bank.clock.now());
        let challenge = UsedChallenge::new(KeyedHash::new("challenge"), bank.clock.now());
        store.add_passkey(passkey, challenge, None, BackupCodes::default(), 1).await.unwrap();
        let token = bank.token(user).await;
        let mut session = bank.connect().await;
        result(&session.ask("login", json!([{ "resume": token }])).await);
        let mut robbed =
            Self { bank, secret: sealed.unwrap(), session, tokens: [("session", token), ("bypass", String::new())] };
        let options = json!([{ "tokenName": "bypass", "bypassTwoFactor": true }]);
        let proof = robbed.proof(user).await;
        let bypass = robbed.session.ask("personalAccessTokens:generateToken", with(options, &proof)).await;
        robbed.tokens[1] = ("bypass", result(&bypass).as_str().unwrap().to_owned());
        let proof = robbed.proof(user).await;
        assert_eq!(result(&robbed.session.ask("gated", with(json!([]), &proof)).await), "ok");
        assert_eq!(result(&robbed.session.ask("gated", json!([])).await), "ok", "the session is not trusted");
        robbed
    }

    /// Returns a code that the user can show now.
    async fn proof(&mut self, user: &str) -> Value {
        self.bank.clock.advance(Duration::from_secs(30));
        if user == "bob" {
            return with_code(&self.bank.code(), "totp")[0].clone();
        }
        let before = self.bank.mailer.sent().len();
        result(&self.session.ask("sendEmailCode", json!([])).await);
        with_code(&self.bank.mailed_code(before + 1).await, "email")[0].clone()
    }

    async fn protected(&self) -> Protected {
        let store = self.bank.app.accounts().unwrap().store().clone();
        let users = store.users(UserFilter { limit: 100, ..UserFilter::default() }).await.unwrap().users;
        let mut tokens = Vec::new();
        for user in &users {
            let own = store.tokens_of(&user.id).await.unwrap();
            tokens.extend(own.into_iter().map(|token: LoginToken| (token.hashed, token.kind)));
        }
        let passkeys = store.passkeys_of(&"user-bob".into()).await.unwrap();
        let mut backup_codes = 0;
        for user in &users {
            backup_codes += store.backup_codes_left(&user.id).await.unwrap();
        }
        Protected { users, tokens, settings: store.settings().await.unwrap(), passkeys, backup_codes }
    }

    /// Begins to set up emma's app with one of the tokens, if the door is there to confirm one.
    async fn begin_what_is_confirmed(&self, door: &Try, token: &str) {
        if !["2fa:validateTempToken", "enableUser2fa", "POST users.validateTotp"].contains(&door.name.as_str()) {
            return;
        }
        let store = self.bank.app.accounts().unwrap().store().clone();
        let all = store.tokens_of(&"user-emma".into()).await.unwrap();
        let is_session = |own: &&LoginToken| matches!(own.kind, TokenKind::Session { .. }) == (token == "session");
        let own = all.iter().find(is_session).unwrap().hashed.clone();
        let pending = PendingTotp::new(self.secret.clone(), Some(own), self.bank.clock.now());
        assert!(store.begin_totp(&"user-emma".into(), pending).await.unwrap());
    }

    /// Tries the door in every way with one of the tokens. Returns the error of each way.
    async fn attempts(&self, door: &Try, token: &str, proof: Option<&Value>) -> Vec<(&'static str, Value)> {
        let Try { name, user, params } = door;
        if let Some(path) = name.strip_prefix("POST ") {
            let mut call = self.bank.post(&path.replace("{_id}", SETTING)).by(user, token).json(params);
            if let Some(proof) = proof {
                let text = |key: &str| proof[key].as_str().unwrap().to_owned();
                call = call.code(&text("twoFactorCode"), &text("twoFactorMethod"));
            }
            return vec![("REST", call.send().await.body.get("errorType").cloned().unwrap_or_default())];
        }
        let params = proof.map_or_else(|| params.clone(), |proof| with(params.clone(), proof));
        let mut client = self.bank.connect().await;
        result(&client.ask("login", json!([{ "resume": token }])).await);
        let code_of = |answer: &Value| answer["error"]["error"].clone();
        let direct = code_of(&client.ask(name, params.clone()).await);
        if proof.is_some() {
            return vec![("DDP", direct)];
        }
        let wrapped = json!([{ "ddpMethod": name, "params": params }]);
        let wrapped = code_of(&client.ask("callWithTwoFactorRequired", wrapped).await);
        let message = json!({ "msg": "method", "id": "1", "method": name, "params": params }).to_string();
        let call = self.bank.post("method.call/any").by(user, token).json(&json!({ "message": message }));
        let answer = call.send().await.body["message"].as_str().unwrap().to_owned();
        let by_rest = code_of(&serde_json::from_str(&answer).unwrap());
        vec![("DDP", direct), ("callWithTwoFactorRequired", wrapped), ("method.call", by_rest)]
    }
}

fn with(mut params: Value, proof: &Value) -> Value {
    params.as_array_mut().unwrap().push(proof.clone());
    params
}

/// Returns a call of a door that changes something. A new door needs one.
fn change_by(name: String, code: &str) -> Try {
    let setting = json!({ "_id": SETTING, "value": false });
    let bypass = json!({ "tokenName": "bypass" });
    let (user, params) = match &*name {
        "2fa:enable" | "generate2faActivationQrCode" | "2fa:disable-email" => ("emma", json!([])),
        "2fa:validateTempToken" | "enableUser2fa" => ("emma", json!([code])),
        "2fa:enable-email" | "disableUser2fa" | "passkeys:beginRegistration" | "passkeys:regenerateCodes" => {
            ("bob", json!([]))
        }
        "changePassword" => ("bob", json!(["bob's password", "another password"])),
        "saveUserProfile" => ("bob", json!([{ "email": "new@example.com" }])),
        "personalAccessTokens:generateToken" => ("bob", json!([{ "tokenName": "new", "bypassTwoFactor": true }])),
        "personalAccessTokens:regenerateToken" | "personalAccessTokens:removeToken" => ("bob", json!([bypass])),
        "saveSetting" => ("bob", json!([SETTING, false])),
        "saveSettings" => ("bob", json!([[setting]])),
        "admin:setRoles" => ("bob", json!(["user-alice", ["admin"]])),
        "admin:setRole" => ("bob", json!(["auditor", { "mandatory2fa": true }])),
        "admin:setActive" => ("bob", json!(["user-alice", false])),
        "admin:addUser" => ("bob", json!([{ "username": "nora", "password": "nora's password" }])),
        "admin:resetSecondFactors" => ("bob", json!(["user-emma"])),
        "passkeys:rename" => ("bob", json!([{ "id": "passkey", "name": "Stick" }])),
        "passkeys:remove" => ("bob", json!([{ "id": "passkey" }])),
        "POST users.passkeys.rename" => ("bob", json!({ "id": "passkey", "name": "Stick" })),
        "POST users.passkeys.remove" => ("bob", json!({ "id": "passkey" })),
        "POST users.enableTotp" | "POST users.2fa.disableEmail" => ("emma", json!({})),
        "POST users.validateTotp" => ("emma", json!({ "code": code })),
        "POST users.2fa.enableEmail"
        | "POST users.resetTOTP"
        | "POST users.passkeys.beginRegistration"
        | "POST users.passkeys.regenerateCodes" => ("bob", json!({})),
        "POST users.updateOwnBasicInfo" => ("bob", json!({ "data": { "newPassword": "another password" } })),
        "POST users.generatePersonalAccessToken" => ("bob", json!({ "tokenName": "new" })),
        "POST users.regeneratePersonalAccessToken" | "POST users.removePersonalAccessToken" => ("bob", bypass),
        "POST settings" => ("bob", json!({ "settings": [setting] })),
        "POST settings/{_id}" => ("bob", json!({ "value": false })),
        other => panic!("{other} requires a second factor from everybody: say here how it is called"),
    };
    Try { name, user, params }
}

/// Returns the names of all doors of the app that the gate is asked about.
fn doors(bank: &Bank) -> Vec<String> {
    let changes_settings = ["saveSetting", "saveSettings", "settings", "settings/{_id}"];
    let is_door = |method: &&MethodSummary| {
        let Some(requirement) = method.policy.requirement() else { return false };
        let is_own = !["strict"].contains(&method.name.as_str());
        (requirement.is_second_factor_required() && is_own) || changes_settings.contains(&method.name.as_str())
    };
    let name = |method: &MethodSummary| match method.kind.verb() {
        Some(verb) => format!("{verb} {}", method.name),
        None => method.name.clone(),
    };
    bank.app.methods().iter().filter(is_door).map(name).collect()
}

#[tokio::test]
async fn no_trusted_client_and_no_bypass_token_opens_a_door_and_the_proof_does() {
    let names = doors(&Bank::open().await);
    assert!(names.len() > 25, "{names:?}");
    let all = names.into_iter().map(async |name| {
        let user = change_by(name.clone(), "").user;
        let mut robbed = Robbed::open(user).await;
        let proof = robbed.proof(user).await;
        let door = change_by(name, &robbed.bank.code());
        for (kind, token) in robbed.tokens.clone() {
            robbed.begin_what_is_confirmed(&door, kind).await;
            let before = robbed.protected().await;
            for (way, refusal) in robbed.attempts(&door, &token, None).await {
                assert_eq!(refusal, "totp-required", "{} by {way} with the {kind}", door.name);
            }
            assert_eq!(robbed.protected().await, before, "{} with the {kind}", door.name);
        }
        robbed.begin_what_is_confirmed(&door, "session").await;
        let before = robbed.protected().await;
        let session = robbed.tokens[0].1.clone();
        for (way, refusal) in robbed.attempts(&door, &session, Some(&proof)).await {
            assert_eq!(refusal, Value::Null, "{} by {way} with the proof", door.name);
        }
        // What begins a registration returns a challenge, and stores nothing.
        let changes = !door.name.ends_with("beginRegistration");
        assert_eq!(robbed.protected().await != before, changes, "{}", door.name);
    });
    for door in all {
        door.await;
    }
}

/// Begins to set up an app with alice's password. Returns its secret.
async fn begin(client: &mut Client, method: &str) -> String {
    let begun = client.ask(method, by_password("alice", json!([]))).await;
    result(&begun)["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_app_is_confirmed_by_the_login_that_began_it_and_no_other() {
    let bank = Bank::open().await;
    for (begins, confirms, refusal) in [
        ("2fa:enable", "2fa:validateTempToken", json!("invalid-totp")),
        ("generate2faActivationQrCode", "enableUser2fa", json!(500)),
    ] {
        let (mut own, mut other) = (bank.log_in("alice").await, bank.log_in("alice").await);
        let secret = begin(&mut own, begins).await;
        let code = by_password("alice", json!([totp_code(&secret, &bank.clock)]));
        assert_eq!(error(&other.ask(confirms, code.clone()).await), &refusal, "{confirms}");
        let token = bank.token("alice").await;
        let validate = bank.post("users.validateTotp").by("alice", &token).json(&json!({ "code": code[0] }));
        let shown = code[1]["twoFactorCode"].as_str().unwrap();
        assert_eq!(validate.code(shown, "password").send().await.error(), "invalid-totp");
        result(&own.ask(confirms, code).await);
        result(&own.ask("2fa:checkCodesRemaining", json!([])).await);
        bank.app.accounts().unwrap().reset_second_factors("alice").await.unwrap();
    }
}

#[tokio::test]
async fn an_app_that_was_begun_ends_after_ten_minutes() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let secret = begin(&mut alice, "2fa:enable").await;
    bank.clock.advance(Duration::from_mins(10));
    let late = by_password("alice", json!([totp_code(&secret, &bank.clock)]));
    assert_eq!(error(&alice.ask("2fa:validateTempToken", late).await), "invalid-totp");
    let secret = begin(&mut alice, "2fa:enable").await;
    bank.clock.advance(Duration::from_secs(599));
    let code = by_password("alice", json!([totp_code(&secret, &bank.clock)]));
    result(&alice.ask("2fa:validateTempToken", code).await);
}

#[tokio::test]
async fn an_app_that_was_begun_ends_when_the_protection_of_the_account_changes() {
    let bank = Bank::open().await;
    let changes = [
        ("changePassword", json!(["alice's password", "alice's password"])),
        ("saveUserProfile", by_password("alice", json!([{ "email": "alice2@example.com" }]))),
    ];
    for (method, params) in changes {
        let mut alice = bank.log_in("alice").await;
        let secret = begin(&mut alice, "2fa:enable").await;
        result(&alice.ask(method, params).await);
        let code = by_password("alice", json!([totp_code(&secret, &bank.clock)]));
        assert_eq!(error(&alice.ask("2fa:validateTempToken", code).await), "invalid-totp", "{method}");
    }
    let accounts = bank.app.accounts().unwrap();
    accounts.store().verify_email(&"user-alice".into(), "alice2@example.com").await.unwrap();
    let mut alice = bank.log_in("alice").await;
    let secret = begin(&mut alice, "2fa:enable").await;
    result(&alice.ask("2fa:enable-email", by_password("alice", json!([]))).await);
    let code = json!([totp_code(&secret, &bank.clock)]);
    assert_eq!(error(&alice.ask("2fa:validateTempToken", code).await), "invalid-totp");
}

#[tokio::test]
async fn a_wrong_first_code_uses_up_no_mailed_code() {
    let bank = Bank::open().await;
    let mut emma = bank.log_in("emma").await;
    error(&emma.ask("2fa:enable", json!([])).await);
    let enabled = emma.ask("2fa:enable", with_code(&bank.mailed_code(1).await, "email")).await;
    let code = totp_code(result(&enabled)["secret"].as_str().unwrap(), &bank.clock);
    let asked = emma.ask("2fa:validateTempToken", json!([code])).await;
    assert_eq!(asked["error"]["details"]["method"], "email", "{asked}");
    let proof = with_code(&bank.mailed_code(2).await, "email")[0].clone();
    let wrong = emma.ask("2fa:validateTempToken", json!(["000000x", proof])).await;
    assert_eq!(error(&wrong), "invalid-totp");
    result(&emma.ask("2fa:validateTempToken", json!([code, proof])).await);
}

#[tokio::test]
async fn a_password_is_changed_with_the_old_one_and_the_factor_of_the_user() {
    let bank = Bank::open().await;
    let (mut alice, mut bob) = (bank.log_in("alice").await, bank.log_in("bob").await);
    result(&alice.ask("changePassword", json!(["alice's password", "new"])).await);
    let params = json!(["bob's password", "new"]);
    assert_eq!(error(&bob.ask("changePassword", json!(["wrong", "new"])).await), 403);
    assert_eq!(error(&bob.ask("changePassword", params.clone()).await), "totp-required");
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("login", password_login("bob", "new")).await), 403);
    result(&bob.ask("changePassword", with(params, &with_code(&bank.code(), "totp")[0])).await);
    assert_eq!(error(&client.ask("login", password_login("bob", "new")).await), "totp-required");
}

#[tokio::test]
async fn settings_that_protect_nothing_are_changed_by_a_trusted_admin() {
    let bank = Bank::open().await;
    let mut admin = bank.log_in("admin").await;
    result(&admin.ask("gated", by_password("admin", json!([]))).await);
    assert_eq!(result(&admin.ask("saveSetting", json!(["Accounts_LoginExpiration", 30])).await), true);
    let both = json!([[{ "_id": "Accounts_LoginExpiration", "value": 31 }, { "_id": SETTING, "value": false }]]);
    assert_eq!(error(&admin.ask("saveSettings", both.clone()).await), "totp-required");
    assert_eq!(bank.app.accounts().unwrap().settings().value("Accounts_LoginExpiration"), Some(json!(30)));
    assert_eq!(result(&admin.ask("saveSettings", by_password("admin", both)).await), true);
}

#[tokio::test]
async fn users_without_a_password_prove_themselves_by_a_recent_login() {
    let bank = Bank::open().await;
    let olga = bank.app.accounts().unwrap().add_user("olga", &[], &[], None).await.unwrap();
    let mut client = bank.log_in("olga").await;
    result(&client.ask("2fa:enable", json!([])).await);
    bank.clock.advance(Duration::from_mins(10));
    assert_eq!(error(&client.ask("2fa:enable", json!([])).await), "error-recent-login-required");
    assert_eq!(error(&client.ask("strict", json!([])).await), "totp-required", "only doors accept a login");
    let tokens = bank.app.accounts().unwrap().store().tokens_of(&olga.id).await.unwrap();
    assert_eq!(tokens.len(), 1);
}

#[tokio::test]
async fn codes_by_mail_are_turned_on_with_the_password_and_stay_on_unasked() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let asked = alice.ask("2fa:enable-email", json!([])).await;
    assert_eq!(asked["error"]["details"]["method"], "password", "{asked}");
    assert_eq!(result(&alice.ask("2fa:enable-email", by_password("alice", json!([]))).await), true);
    assert_eq!(result(&alice.ask("2fa:enable-email", json!([])).await), true);
}

#[tokio::test]
async fn a_new_user_sets_up_the_first_factor_in_the_login_that_made_the_account() {
    let bank = Bank::open().await;
    bank.set("Accounts_TwoFactorAuthentication_RememberFor", 86_400).await;
    let mut client = bank.connect().await;
    result(&client.ask("createUser", json!([{ "username": "newcomer", "password": "a password" }])).await);
    result(&client.ask("2fa:enable", json!([])).await);
    let bypass = json!([{ "tokenName": "bypass", "bypassTwoFactor": true }]);
    let token = result(&client.ask("personalAccessTokens:generateToken", bypass).await).clone();
    let mut robot = bank.connect().await;
    result(&robot.ask("login", json!([{ "resume": token }])).await);
    assert_eq!(error(&robot.ask("2fa:enable", json!([])).await), "totp-required");
    bank.clock.advance(Duration::from_mins(10));
    assert_eq!(error(&client.ask("2fa:enable", json!([])).await), "totp-required");
    // A later login is no sign-up, however long a client is trusted.
    result(&client.ask("login", password_login("newcomer", "a password")).await);
    assert_eq!(error(&client.ask("2fa:enable", json!([])).await), "totp-required");
}
