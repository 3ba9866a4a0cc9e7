//! Passkeys: registered, shown as second factors and as logins of their own, and refused whenever anything is not as it was
//! requested. A software authenticator answers.

use std::time::Duration;

use bolide::client::{CallError, Challenge, Login, PasskeyFuture, Passkeys, RestClient, TwoFactorMethod};
use bolide::store::{AuditEvent, AuditFilter};
use bolide::testing::PasskeyAuthenticator;
use serde_json::{Value, json};

use super::{Bank, by_password, error, password_login, result, sha256, totp_code, with_code};
use crate::client::Client;

const ORIGIN: &str = "http://localhost:3000";

/// Registers a passkey for a user without another factor. Returns the authenticator and the backup codes.
async fn register(client: &mut Client, name: &str) -> (PasskeyAuthenticator, Vec<String>) {
    let mut authenticator = PasskeyAuthenticator::new(ORIGIN);
    let begun = client.ask("passkeys:beginRegistration", by_password(name, json!([]))).await;
    let finished = finish(client, &authenticator.register(result(&begun))).await;
    let codes = result(&finished)["codes"].as_array().into_iter().flatten();
    (authenticator, codes.map(|code| code.as_str().unwrap().to_owned()).collect())
}

async fn finish(client: &mut Client, credential: &Value) -> Value {
    let finished = json!([{ "credential": credential.to_string(), "name": "My phone" }]);
    client.ask("passkeys:finishRegistration", finished).await
}

/// Returns the request in the details of an error.
fn request(answer: &Value) -> &Value {
    assert_eq!(error(answer), "totp-required", "{answer}");
    &answer["error"]["details"]["webauthn"]
}

/// Makes a call that asks for a second factor, and returns the assertion for it.
async fn assertion(client: &mut Client, authenticator: &mut PasskeyAuthenticator, method: &str) -> String {
    let asked = client.ask(method, json!([])).await;
    authenticator.get(request(&asked)).unwrap().to_string()
}

async fn show(client: &mut Client, method: &str, assertion: &str) -> Value {
    client.ask(method, with_code(assertion, "webauthn")).await
}

/// Returns how often an event was recorded.
async fn recorded(bank: &Bank, event: AuditEvent) -> u32 {
    let filter = AuditFilter { event: Some(event.as_str().to_owned()), limit: 100, ..AuditFilter::default() };
    bank.app.accounts().unwrap().store().audit(filter).await.unwrap().iter().map(|entry| entry.count).sum()
}

#[tokio::test]
async fn a_user_registers_a_passkey_and_shows_it_once_per_challenge() {
    let bank = Bank::open().await;
    let mut other = bank.log_in("alice").await;
    let mut alice = bank.log_in("alice").await;
    assert_eq!(error(&alice.ask("passkeys:beginRegistration", json!([])).await), "totp-required");
    let (mut authenticator, codes) = register(&mut alice, "alice").await;
    assert_eq!(codes.len(), 12);
    other.wait_for_end().await;
    let asked = alice.ask("gated", json!([])).await;
    let details = &asked["error"]["details"];
    assert_eq!(details["method"], "totp", "what clients know that do not know passkeys");
    assert_eq!(details["availableMethods"], json!(["totp", "webauthn"]));
    let options = &details["webauthn"];
    assert_eq!((&options["rpId"], &options["timeout"]), (&json!("localhost"), &json!(300_000)));
    assert_eq!(options["userVerification"], "preferred");
    assert_eq!(options["allowCredentials"][0]["type"], "public-key");
    let shown = authenticator.get(options).unwrap().to_string();
    assert_eq!(result(&show(&mut alice, "gated", &shown).await), "ok");
    assert_eq!(result(&alice.ask("gated", json!([])).await), "ok", "the client is trusted");
    let shown = assertion(&mut alice, &mut authenticator, "strict").await;
    assert_eq!(result(&show(&mut alice, "strict", &shown).await), "ok");
    let again = show(&mut alice, "strict", &shown).await;
    assert_eq!(error(&again), "totp-invalid");
    assert_eq!(again["error"]["details"]["method"], "totp");
    let next = authenticator.get(&again["error"]["details"]["webauthn"]).unwrap().to_string();
    assert_eq!(result(&show(&mut alice, "strict", &next).await), "ok", "a refusal has another challenge");
    assert_eq!(result(&alice.ask("strict", with_code(&codes[0], "totp")).await), "ok");
    assert_eq!(error(&alice.ask("strict", with_code(&codes[0], "totp")).await), "totp-invalid");
    assert_eq!(result(&alice.ask("2fa:checkCodesRemaining", json!([])).await)["remaining"], 11);
    let list = alice.ask("passkeys:list", json!([])).await;
    assert_eq!(result(&list)[0]["name"], "My phone");
    assert!(result(&list)[0]["lastUsedAt"]["$date"].is_i64());
}

#[tokio::test]
async fn a_challenge_counts_for_one_user_action_and_session_and_for_five_minutes() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (mut authenticator, _) = register(&mut alice, "alice").await;
    let for_strict = assertion(&mut alice, &mut authenticator, "strict").await;
    assert_eq!(error(&show(&mut alice, "noRemember", &for_strict).await), "totp-invalid");
    let mut elsewhere = bank.log_in("alice").await;
    assert_eq!(error(&show(&mut elsewhere, "strict", &for_strict).await), "totp-invalid");
    assert_eq!(result(&show(&mut alice, "strict", &for_strict).await), "ok", "it was not used up");
    // Another user's passkey, for one's own challenge.
    let mut admin = bank.log_in("admin").await;
    let (mut others, _) = register(&mut admin, "admin").await;
    let asked = alice.ask("strict", json!([])).await;
    let mut request = request(&asked).clone();
    request["allowCredentials"] = json!([]);
    let shown = others.get(&request).unwrap().to_string();
    assert_eq!(error(&show(&mut alice, "strict", &shown).await), "totp-invalid");
    assert_eq!(error(&show(&mut admin, "strict", &shown).await), "totp-invalid");
    // A challenge of a registration.
    let begun = alice.ask("passkeys:beginRegistration", json!([])).await;
    let step_up = authenticator.get(&begun["error"]["details"]["webauthn"]).unwrap().to_string();
    let begun = show(&mut alice, "passkeys:beginRegistration", &step_up).await;
    let mut wrong = result(&begun).clone();
    wrong["rpId"] = "localhost".into();
    let shown = authenticator.get(&wrong).unwrap().to_string();
    assert_eq!(error(&show(&mut alice, "strict", &shown).await), "totp-invalid");
    let late = assertion(&mut alice, &mut authenticator, "strict").await;
    bank.clock.advance(Duration::from_mins(5));
    assert_eq!(error(&show(&mut alice, "strict", &late).await), "totp-invalid");
}

#[tokio::test]
async fn an_assertion_of_another_origin_or_with_a_changed_byte_is_refused() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (mut authenticator, _) = register(&mut alice, "alice").await;
    authenticator.visit("http://localhost:3001");
    let phished = assertion(&mut alice, &mut authenticator, "strict").await;
    assert_eq!(error(&show(&mut alice, "strict", &phished).await), "totp-invalid");
    authenticator.visit(ORIGIN);
    let asked = alice.ask("strict", json!([])).await;
    let right = authenticator.get(request(&asked)).unwrap();
    for member in ["signature", "authenticatorData", "clientDataJSON"] {
        let mut changed = right.clone();
        let text = changed["response"][member].as_str().unwrap().to_owned();
        let (start, end) = text.split_at(text.len() - 8);
        let end: String = end.chars().map(|letter| if letter == 'A' { 'B' } else { 'A' }).collect();
        changed["response"][member] = format!("{start}{end}").into();
        assert_eq!(error(&show(&mut alice, "strict", &changed.to_string()).await), "totp-invalid", "{member}");
    }
    for nonsense in ["{}", "{", "[]", "123456", "{\"id\":1}"] {
        assert_eq!(error(&show(&mut alice, "strict", nonsense).await), "totp-invalid", "{nonsense}");
    }
    bank.clock.advance(Duration::from_secs(1));
    assert_eq!(recorded(&bank, AuditEvent::TwoFactorFailed).await, 9);
}

#[tokio::test]
async fn the_app_and_codes_by_mail_go_on_beside_a_passkey() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    let begun = bob.ask("passkeys:beginRegistration", with_code(&bank.code(), "totp")).await;
    let mut authenticator = PasskeyAuthenticator::new(ORIGIN);
    result(&finish(&mut bob, &authenticator.register(result(&begun))).await);
    let asked = bob.ask("strict", json!([])).await;
    assert_eq!(asked["error"]["details"]["method"], "totp");
    assert_eq!(asked["error"]["details"]["availableMethods"], json!(["totp", "webauthn"]));
    bank.clock.advance(Duration::from_secs(30));
    assert_eq!(result(&bob.ask("strict", with_code(&bank.code(), "totp")).await), "ok");
    let shown = assertion(&mut bob, &mut authenticator, "strict").await;
    assert_eq!(result(&show(&mut bob, "strict", &shown).await), "ok");
    // The passkey keeps its backup codes when the app goes, and the other way round.
    bank.clock.advance(Duration::from_secs(30));
    assert_eq!(*result(&bob.ask("2fa:disable", json!([bank.code()])).await), true);
    assert_eq!(bob.ask("strict", json!([])).await["error"]["details"]["method"], "totp");
    assert_eq!(result(&bob.ask("2fa:checkCodesRemaining", json!([])).await)["remaining"], 12);

    let mut emma = bank.log_in("emma").await;
    emma.ask("passkeys:beginRegistration", json!([])).await;
    let code = bank.mailed_code(1).await;
    let begun = emma.ask("passkeys:beginRegistration", with_code(&code, "email")).await;
    let mut authenticator = PasskeyAuthenticator::new(ORIGIN);
    result(&finish(&mut emma, &authenticator.register(result(&begun))).await);
    let asked = emma.ask("strict", json!([])).await;
    assert_eq!(asked["error"]["details"]["method"], "email");
    assert_eq!(asked["error"]["details"]["availableMethods"], json!(["totp", "email", "webauthn"]));
    let shown = authenticator.get(request(&asked)).unwrap().to_string();
    assert_eq!(result(&show(&mut emma, "strict", &shown).await), "ok");
    let code = bank.mailed_code(2).await;
    assert_eq!(result(&emma.ask("strict", with_code(&code, "email")).await), "ok");
    assert_eq!(error(&show(&mut emma, "strict", "{}").await), "totp-invalid");
    assert_eq!(bank.mailer.sent().len(), 2, "a wrong assertion sends no mail");
}

#[tokio::test]
async fn a_login_takes_a_passkey_after_the_password_in_each_form_of_the_code() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (mut authenticator, codes) = register(&mut alice, "alice").await;
    let first = password_login("alice", "alice's password");
    let mut client = bank.connect().await;
    let asked = client.ask("login", first.clone()).await;
    assert_eq!(asked["error"]["details"]["method"], "totp");
    let shown = authenticator.get(request(&asked)).unwrap().to_string();
    assert_eq!(error(&show(&mut alice, "strict", &shown).await), "totp-invalid", "a call is not a login");
    let second = json!([{ "totp": { "login": first[0], "code": shown } }]);
    assert_eq!(result(&client.ask("login", second.clone()).await)["type"], "password");
    assert_eq!(error(&client.ask("login", second).await), "totp-invalid");
    // In Meteor's form, and by a client that knows codes only.
    let asked = client.ask("login", first.clone()).await;
    let mut meteor = first.clone();
    meteor[0]["code"] = authenticator.get(request(&asked)).unwrap().to_string().into();
    result(&client.ask("login", meteor).await);
    let by_code = json!([{ "totp": { "login": first[0], "code": codes[0] } }]);
    result(&client.ask("login", by_code).await);
    // Over HTTP.
    let body = json!({ "user": "alice", "password": "alice's password" });
    let asked = bank.post("login").json(&body).send().await;
    assert_eq!((asked.status, &asked.body["error"]), (401, &json!("totp-required")));
    let shown = authenticator.get(&asked.body["details"]["webauthn"]).unwrap().to_string();
    let done = bank.post("login").header("x-2fa-code", &shown).json(&body).send().await;
    assert_eq!(done.status, 200, "{}", done.body);
    // A new password ends the challenges of the time before.
    let asked = client.ask("login", first.clone()).await;
    let shown = authenticator.get(request(&asked)).unwrap().to_string();
    bank.app.accounts().unwrap().set_password("alice", "another password").await.unwrap();
    let second = json!([{ "totp": { "login": password_login("alice", "another password")[0], "code": shown } }]);
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("login", second).await), "totp-invalid");
}

#[tokio::test]
async fn a_passkey_that_verifies_the_user_is_a_login_of_its_own_where_the_setting_allows_it() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (mut authenticator, _) = register(&mut alice, "alice").await;
    let mut client = bank.connect().await;
    let requested = async |client: &mut Client| client.ask("passkeys:beginLogin", json!([])).await;
    let options = requested(&mut client).await;
    assert_eq!(result(&options)["userVerification"], "required");
    assert_eq!(result(&options)["allowCredentials"], json!([]));
    let shown_by = |authenticator: &mut PasskeyAuthenticator, begun: &Value| {
        let answer = authenticator.get(result(begun)).unwrap();
        json!([{ "webauthn": answer.to_string() }])
    };
    let login = shown_by(&mut authenticator, &options);
    let answer = client.ask("login", login.clone()).await;
    assert_eq!((&result(&answer)["type"], &result(&answer)["id"]), (&json!("passkey"), &json!("user-alice")));
    assert_eq!(result(&client.ask("whoami", json!([])).await), "user-alice");
    assert_eq!(error(&client.ask("gated", json!([])).await), "totp-required", "a login is not trusted");
    assert_eq!(error(&client.ask("login", login).await), 403, "a challenge counts once");
    // Over HTTP.
    let begun = bank.post("users.passkeys.beginLogin").json(&json!({})).send().await;
    let shown = authenticator.get(&begun.body["options"]).unwrap().to_string();
    let done = bank.post("login").json(&json!({ "webauthn": shown })).send().await;
    assert_eq!((done.status, &done.body["data"]["userId"]), (200, &json!("user-alice")));
    // Without a PIN, for another origin, or without saying which user it is.
    authenticator.verifies_users(false);
    let login = shown_by(&mut authenticator, &requested(&mut client).await);
    assert_eq!(error(&client.ask("login", login).await), 403);
    authenticator.verifies_users(true);
    authenticator.visit("http://localhost:1");
    let login = shown_by(&mut authenticator, &requested(&mut client).await);
    assert_eq!(error(&client.ask("login", login).await), 403);
    authenticator.visit(ORIGIN);
    for handle in [Value::Null, "AAAA".into()] {
        let mut shown = authenticator.get(result(&requested(&mut client).await)).unwrap();
        shown["response"]["userHandle"] = handle;
        assert_eq!(error(&client.ask("login", json!([{ "webauthn": shown.to_string() }])).await), 403);
    }
    let mut with_more = shown_by(&mut authenticator, &requested(&mut client).await);
    with_more[0]["user"] = json!({ "username": "admin" });
    assert_eq!(error(&client.ask("login", with_more).await), 400);
    // A factor's challenge is not a login's.
    let asked = client.ask("login", password_login("alice", "alice's password")).await;
    let shown = authenticator.get(request(&asked)).unwrap().to_string();
    assert_eq!(error(&client.ask("login", json!([{ "webauthn": shown }])).await), 403);
    // Who may not log in, may not so either.
    let login = shown_by(&mut authenticator, &requested(&mut client).await);
    bank.app.accounts().unwrap().set_active("alice", false).await.unwrap();
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("login", login).await), 403);
    bank.app.accounts().unwrap().set_active("alice", true).await.unwrap();
    let login = shown_by(&mut authenticator, &requested(&mut client).await);
    bank.set("Accounts_TwoFactorAuthentication_Passkey_Login", false).await;
    assert_eq!(error(&client.ask("login", login).await), 403);
    assert_eq!(error(&requested(&mut client).await), "error-passkeys-disabled");
    assert_eq!(recorded(&bank, AuditEvent::LoginSucceeded).await, 2);
}

#[tokio::test]
async fn a_counter_that_goes_back_is_refused_and_recorded() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (mut authenticator, _) = register(&mut alice, "alice").await;
    for _ in 0..3 {
        let shown = assertion(&mut alice, &mut authenticator, "strict").await;
        assert_eq!(result(&show(&mut alice, "strict", &shown).await), "ok");
    }
    for counter in [2, 0] {
        authenticator.set_counter(counter);
        let shown = assertion(&mut alice, &mut authenticator, "strict").await;
        assert_eq!(error(&show(&mut alice, "strict", &shown).await), "totp-invalid");
    }
    assert_eq!(recorded(&bank, AuditEvent::PasskeyCloned).await, 2);
    authenticator.set_counter(3);
    let shown = assertion(&mut alice, &mut authenticator, "strict").await;
    assert_eq!(result(&show(&mut alice, "strict", &shown).await), "ok", "the right one goes on");
    // Passkeys that are synced do not count.
    let mut admin = bank.log_in("admin").await;
    let (mut synced, _) = register(&mut admin, "admin").await;
    synced.counts(false);
    for _ in 0..2 {
        let shown = assertion(&mut admin, &mut synced, "strict").await;
        assert_eq!(result(&show(&mut admin, "strict", &shown).await), "ok");
    }
}

#[tokio::test]
async fn wrong_assertions_and_wrong_codes_use_up_one_budget() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (mut authenticator, codes) = register(&mut alice, "alice").await;
    let right = assertion(&mut alice, &mut authenticator, "strict").await;
    for _ in 0..5 {
        assert_eq!(error(&show(&mut alice, "strict", "{}").await), "totp-invalid");
    }
    for _ in 0..4 {
        assert_eq!(error(&alice.ask("strict", with_code("000000", "totp")).await), "totp-invalid");
    }
    assert_eq!(error(&show(&mut alice, "strict", "{}").await), "totp-max-attempts");
    assert_eq!(error(&show(&mut alice, "strict", &right).await), "totp-max-attempts");
    assert_eq!(error(&alice.ask("strict", with_code(&codes[0], "totp")).await), "totp-max-attempts");
    bank.clock.advance(Duration::from_secs(31));
    assert_eq!(result(&show(&mut alice, "strict", &right).await), "ok", "it was never checked");
}

#[tokio::test]
async fn a_registration_is_finished_once_by_the_login_that_began_it_within_five_minutes() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let mut authenticator = PasskeyAuthenticator::new(ORIGIN);
    let begun = alice.ask("passkeys:beginRegistration", by_password("alice", json!([]))).await;
    let options = result(&begun).clone();
    assert_eq!((&options["rp"]["id"], &options["attestation"]), (&json!("localhost"), &json!("none")));
    let made = authenticator.register(&options);
    // Without a login, by another user, by another login, for another origin, and with a challenge of one's own.
    let anonymous = &mut bank.connect().await;
    assert_eq!(error(&finish(anonymous, &made).await), "error-invalid-user");
    for mut other in [bank.log_in("admin").await, bank.log_in("alice").await] {
        assert_eq!(error(&finish(&mut other, &made).await), "error-passkey-invalid");
    }
    let elsewhere = PasskeyAuthenticator::new("https://evil.example").register(&options);
    assert_eq!(error(&finish(&mut alice, &elsewhere).await), "error-passkey-invalid");
    let mut own = options.clone();
    own["challenge"] = "AAAAAAAAAAAAAAAAAAAAAA".into();
    assert_eq!(error(&finish(&mut alice, &authenticator.register(&own)).await), "error-passkey-invalid");
    for malformed in [json!([]), json!([{}]), json!([{ "credential": {} }]), json!([{ "credential": 7 }])] {
        assert_eq!(error(&alice.ask("passkeys:finishRegistration", malformed).await), 400);
    }
    for name in ["x".repeat(300), "a\u{202e}b".to_owned(), "<b>".to_owned()] {
        let named = json!([{ "credential": made.to_string(), "name": name }]);
        assert_eq!(error(&alice.ask("passkeys:finishRegistration", named).await), 400);
    }
    result(&finish(&mut alice, &made).await);
    assert_eq!(error(&finish(&mut alice, &made).await), "error-passkey-invalid");
    // The id of a credential is of one user. Only an authenticator that lies has one of another.
    let mut admin = bank.log_in("admin").await;
    let begun = admin.ask("passkeys:beginRegistration", by_password("admin", json!([]))).await;
    bank.clock.advance(Duration::from_mins(5));
    assert_eq!(error(&finish(&mut admin, &authenticator.register(result(&begun))).await), "error-passkey-invalid");
}

#[tokio::test]
async fn a_registration_that_was_begun_ends_when_the_protection_of_the_account_changes() {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    for change in ["changePassword", "saveUserProfile", "2fa:enable-email"] {
        let mut alice = bank.log_in("alice").await;
        let begun = alice.ask("passkeys:beginRegistration", by_password("alice", json!([]))).await;
        let made = PasskeyAuthenticator::new(ORIGIN).register(result(&begun));
        let params = match change {
            "changePassword" => json!(["alice's password", "alice's password"]),
            "saveUserProfile" => by_password("alice", json!([{ "email": "alice2@example.com" }])),
            _ => by_password("alice", json!([])),
        };
        result(&alice.ask(change, params).await);
        assert_eq!(error(&finish(&mut alice, &made).await), "error-passkey-invalid", "{change}");
        accounts.store().verify_email(&"user-alice".into(), "alice2@example.com").await.unwrap();
    }
}

#[tokio::test]
async fn a_role_demands_no_passkey_where_there_can_be_none() {
    let bank = Bank::open_with(|accounts| accounts.site("Bank", "http://192.0.2.1:3000")).await;
    for setting in ["By_TOTP_Enabled", "By_Email_Enabled"] {
        bank.set(&format!("Accounts_TwoFactorAuthentication_{setting}"), false).await;
    }
    bank.set("Accounts_TwoFactorAuthentication_Mandatory_Roles", "admin").await;
    assert_eq!(result(&bank.log_in("admin").await.ask("whoami", json!([])).await), "user-admin");
}

#[tokio::test]
async fn a_user_has_a_bounded_number_of_passkeys() {
    let bank = Bank::open().await;
    bank.set("Accounts_TwoFactorAuthentication_RememberFor", 3600).await;
    let mut alice = bank.log_in("alice").await;
    let (mut first, _) = register(&mut alice, "alice").await;
    for number in 1..=20 {
        let shown = assertion(&mut alice, &mut first, "passkeys:beginRegistration").await;
        let begun = show(&mut alice, "passkeys:beginRegistration", &shown).await;
        if number == 20 {
            assert_eq!(error(&begun), "error-too-many-passkeys");
            break;
        }
        assert_eq!(result(&begun)["excludeCredentials"].as_array().unwrap().len(), number);
        let finished = finish(&mut alice, &PasskeyAuthenticator::new(ORIGIN).register(result(&begun))).await;
        assert_eq!(result(&finished).get("codes"), None, "the first one brought backup codes");
    }
}

#[tokio::test]
async fn passkeys_are_renamed_and_removed_with_a_fresh_proof() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (mut authenticator, codes) = register(&mut alice, "alice").await;
    let id = result(&alice.ask("passkeys:list", json!([])).await)[0]["id"].clone();
    let shown = assertion(&mut alice, &mut authenticator, "gated").await;
    result(&show(&mut alice, "gated", &shown).await);
    let proven = |parameters: Value, code: &str| json!([parameters, with_code(code, "totp")[0]]);
    let renamed = json!({ "id": id, "name": "Key ring" });
    assert_eq!(error(&alice.ask("passkeys:rename", json!([renamed])).await), "totp-required");
    result(&alice.ask("passkeys:rename", proven(renamed, &codes[0])).await);
    assert_eq!(result(&alice.ask("passkeys:list", json!([])).await)[0]["name"], "Key ring");
    let mut other = bank.log_in("alice").await;
    let mut admin = bank.log_in("admin").await;
    let foreign = by_password("admin", json!([{ "id": id }]));
    assert_eq!(error(&admin.ask("passkeys:remove", foreign).await), "error-passkey-not-found");
    assert_eq!(error(&alice.ask("passkeys:remove", json!([{ "id": id }])).await), "totp-required");
    let pending = assertion(&mut alice, &mut authenticator, "strict").await;
    result(&alice.ask("passkeys:remove", proven(json!({ "id": id }), &codes[1])).await);
    other.wait_for_end().await;
    assert_eq!(error(&show(&mut alice, "strict", &pending).await), "totp-invalid");
    let asked = alice.ask("strict", json!([])).await;
    assert_eq!(
        asked["error"]["details"],
        json!({ "method": "password", "codeGenerated": false, "availableMethods": [] })
    );
    assert_eq!(error(&alice.ask("strict", with_code(&codes[2], "totp")).await), "totp-invalid");
    assert_eq!(error(&alice.ask("2fa:checkCodesRemaining", json!([])).await), "invalid-totp");
    for event in [AuditEvent::PasskeyAdded, AuditEvent::PasskeyRenamed, AuditEvent::PasskeyRemoved] {
        assert_eq!(recorded(&bank, event).await, 1, "{event}");
    }
}

#[tokio::test]
async fn the_backup_codes_of_a_passkey_are_replaced_with_the_passkey() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (mut authenticator, codes) = register(&mut alice, "alice").await;
    let shown = assertion(&mut alice, &mut authenticator, "passkeys:regenerateCodes").await;
    let renewed = show(&mut alice, "passkeys:regenerateCodes", &shown).await;
    let new = result(&renewed)["codes"][0].as_str().unwrap();
    assert_eq!(error(&alice.ask("strict", with_code(&codes[0], "totp")).await), "totp-invalid");
    assert_eq!(result(&alice.ask("strict", with_code(new, "totp")).await), "ok");
    let spare = result(&renewed)["codes"][1].as_str().unwrap();
    assert_eq!(result(&alice.ask("2fa:regenerateCodes", json!([spare])).await)["codes"].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn a_reset_removes_passkeys_and_a_new_password_keeps_them() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (mut authenticator, _) = register(&mut alice, "alice").await;
    let accounts = bank.app.accounts().unwrap();
    accounts.set_password("alice", "another password").await.unwrap();
    alice.wait_for_end().await;
    let mut alice = bank.log_in("alice").await;
    let shown = assertion(&mut alice, &mut authenticator, "strict").await;
    assert_eq!(result(&show(&mut alice, "strict", &shown).await), "ok");
    let begun = result(&alice.ask("passkeys:beginLogin", json!([])).await).clone();
    let login = json!([{ "webauthn": authenticator.get(&begun).unwrap().to_string() }]);
    accounts.reset_second_factors("alice").await.unwrap();
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("login", login).await), 403);
    assert_eq!(accounts.store().passkeys_of(&"user-alice".into()).await.unwrap(), []);
    let mut alice = bank.log_in("alice").await;
    assert_eq!(alice.ask("strict", json!([])).await["error"]["details"]["method"], "password");
}

#[tokio::test]
async fn codes_of_an_app_do_not_count_beside_a_passkey_where_apps_are_turned_off() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    let begun = bob.ask("passkeys:beginRegistration", with_code(&bank.code(), "totp")).await;
    let mut authenticator = PasskeyAuthenticator::new(ORIGIN);
    let finished = finish(&mut bob, &authenticator.register(result(&begun))).await;
    result(&finished);
    bank.set("Accounts_TwoFactorAuthentication_By_TOTP_Enabled", false).await;
    bank.clock.advance(Duration::from_secs(30));
    let refused = bob.ask("strict", with_code(&bank.code(), "totp")).await;
    assert_eq!(error(&refused), "totp-invalid");
    let shown = assertion(&mut bob, &mut authenticator, "strict").await;
    assert_eq!(result(&show(&mut bob, "strict", &shown).await), "ok");
}

#[tokio::test]
async fn a_registration_does_not_outlive_the_login_that_began_it() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let begun = alice.ask("passkeys:beginRegistration", by_password("alice", json!([]))).await;
    let made = PasskeyAuthenticator::new(ORIGIN).register(result(&begun));
    // Revoked elsewhere, and this node was not told yet.
    let store = bank.app.accounts().unwrap().store().clone();
    let tokens = store.tokens_of(&"user-alice".into()).await.unwrap();
    for token in tokens {
        assert!(store.delete_token(&token.hashed).await.unwrap());
    }
    assert_eq!(error(&finish(&mut alice, &made).await), "error-passkey-invalid");
    assert!(store.passkeys_of(&"user-alice".into()).await.unwrap().is_empty());
}

#[tokio::test]
async fn passkeys_that_are_turned_off_do_not_count() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (mut authenticator, _) = register(&mut alice, "alice").await;
    let shown = assertion(&mut alice, &mut authenticator, "strict").await;
    bank.set("Accounts_TwoFactorAuthentication_By_Passkey_Enabled", false).await;
    assert_eq!(error(&show(&mut alice, "strict", &shown).await), "totp-invalid");
    assert_eq!(alice.ask("strict", json!([])).await["error"]["details"]["method"], "password");
    let begun = alice.ask("passkeys:beginRegistration", by_password("alice", json!([]))).await;
    assert_eq!(error(&begun), "error-passkeys-disabled");
}

#[tokio::test]
async fn a_site_without_a_domain_says_why_it_has_no_passkeys() {
    let bank = Bank::open_with(|accounts| accounts.site("Bank", "http://192.0.2.1:3000")).await;
    let mut alice = bank.log_in("alice").await;
    let begun = alice.ask("passkeys:beginRegistration", by_password("alice", json!([]))).await;
    assert_eq!(error(&begun), "error-passkeys-unavailable");
    assert_eq!(error(&alice.ask("passkeys:beginLogin", json!([])).await), "error-passkeys-unavailable");
}

#[tokio::test]
async fn a_role_that_requires_a_factor_is_satisfied_by_a_passkey() {
    let bank = Bank::open().await;
    bank.set("Accounts_TwoFactorAuthentication_Mandatory_Roles", "admin").await;
    let mut admin = bank.log_in("admin").await;
    assert_eq!(error(&admin.ask("whoami", json!([])).await), "error-two-factor-enrolment-required");
    register(&mut admin, "admin").await;
    assert_eq!(result(&admin.ask("whoami", json!([])).await), "user-admin");
}

#[tokio::test]
async fn the_endpoints_take_the_assertion_in_the_two_headers() {
    let bank = Bank::open().await;
    let token = bank.app.accounts().unwrap().issue_token("alice").await.unwrap();
    let mut authenticator = PasskeyAuthenticator::new(ORIGIN);
    let password = sha256("alice's password");
    let post = |path: &str| bank.post(path).by("alice", &token);
    let begun = post("users.passkeys.beginRegistration").header("x-2fa-code", &password).json(&json!({})).send().await;
    assert_eq!(begun.status, 200, "{}", begun.body);
    let made = authenticator.register(&begun.body["options"]).to_string();
    let done = post("users.passkeys.finishRegistration").json(&json!({ "credential": made })).send().await;
    assert_eq!((done.status, &done.body["name"]), (200, &json!("Passkey")), "{}", done.body);
    assert_eq!(done.body["codes"].as_array().unwrap().len(), 12);
    let asked = post("gated").json(&json!({})).send().await;
    assert_eq!((asked.status, &asked.body["details"]["method"]), (400, &json!("totp")));
    let shown = authenticator.get(&asked.body["details"]["webauthn"]).unwrap().to_string();
    let with = |path: &str, shown: &str| {
        let call = bank.post(path).by("alice", &token);
        call.header("x-2fa-code", shown).header("x-2fa-method", "webauthn")
    };
    assert_eq!(with("gated", &shown).json(&json!({})).send().await.status, 200);
    let listed = bank.get("users.passkeys.list").by("alice", &token).send().await;
    let id = &listed.body["passkeys"][0]["id"];
    let body = json!({ "id": id, "name": "Stick" });
    let asked = post("users.passkeys.rename").json(&body).send().await;
    let shown = authenticator.get(&asked.body["details"]["webauthn"]).unwrap().to_string();
    assert_eq!(with("users.passkeys.rename", &shown).json(&body).send().await.status, 200);
    let asked = post("users.passkeys.regenerateCodes").json(&json!({})).send().await;
    let shown = authenticator.get(&asked.body["details"]["webauthn"]).unwrap().to_string();
    assert_eq!(with("users.passkeys.regenerateCodes", &shown).json(&json!({})).send().await.status, 200);
    let body = json!({ "id": id });
    let asked = post("users.passkeys.remove").json(&body).send().await;
    let shown = authenticator.get(&asked.body["details"]["webauthn"]).unwrap().to_string();
    assert_eq!(with("users.passkeys.remove", &shown).json(&body).send().await.status, 200);
}

#[tokio::test]
async fn a_wrapped_call_is_answered_for_the_method_that_it_names() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (mut authenticator, _) = register(&mut alice, "alice").await;
    let wrapped = |code: &str| json!([{ "ddpMethod": "strict", "params": [], "code": code, "method": "webauthn" }]);
    let asked = alice.ask("callWithTwoFactorRequired", wrapped("")).await;
    let shown = authenticator.get(request(&asked)).unwrap().to_string();
    assert_eq!(result(&alice.ask("callWithTwoFactorRequired", wrapped(&shown)).await), "ok");
    let asked = alice.ask("outer", json!([])).await;
    let shown = authenticator.get(request(&asked)).unwrap().to_string();
    assert_eq!(result(&show(&mut alice, "outer", &shown).await), "ok", "a call that it makes is not asked again");
}

#[tokio::test]
async fn an_app_that_is_set_up_beside_a_passkey_needs_the_passkey() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (mut authenticator, _) = register(&mut alice, "alice").await;
    let by_password = by_password("alice", json!([]));
    assert_eq!(error(&alice.ask("2fa:enable", by_password).await), "totp-invalid");
    let shown = assertion(&mut alice, &mut authenticator, "2fa:enable").await;
    let enabled = show(&mut alice, "2fa:enable", &shown).await;
    let code = totp_code(result(&enabled)["secret"].as_str().unwrap(), &bank.clock);
    let asked = alice.ask("2fa:validateTempToken", json!([code])).await;
    let shown = authenticator.get(request(&asked)).unwrap().to_string();
    let parameters = json!([code, with_code(&shown, "webauthn")[0]]);
    assert_eq!(result(&alice.ask("2fa:validateTempToken", parameters).await)["codes"].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn users_who_sign_up_register_a_passkey_at_once() {
    let bank = Bank::open().await;
    let mut new = bank.connect().await;
    let options = json!([{ "username": "nina", "password": "a long enough one" }]);
    result(&new.ask("createUser", options).await);
    let mut authenticator = PasskeyAuthenticator::new(ORIGIN);
    let begun = new.ask("passkeys:beginRegistration", json!([])).await;
    result(&finish(&mut new, &authenticator.register(result(&begun))).await);
    assert_eq!(error(&new.ask("gated", json!([])).await), "totp-required", "there is a factor now");
}

struct InSoftware(std::sync::Mutex<PasskeyAuthenticator>);

impl Passkeys for InSoftware {
    fn get<'request>(&'request self, request: &'request Value) -> PasskeyFuture<'request> {
        Box::pin(async move { self.0.lock().unwrap().get(request).map(|answer| answer.to_string()) })
    }
}

#[tokio::test]
async fn the_client_shows_passkeys_by_itself_and_asks_for_a_code_if_it_has_none() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (authenticator, codes) = register(&mut alice, "alice").await;
    let client = bolide::client::Client::builder(&format!("ws://{}", bank.server.address));
    let client = client.passkeys(InSoftware(authenticator.into())).connect().await.unwrap();
    client.login(Login::password("alice", "alice's password")).await.unwrap();
    assert_eq!(client.call::<String>("strict", &()).await.unwrap(), "ok");
    let mut rest = RestClient::new(&format!("http://{}", bank.server.address)).unwrap();
    let refused = rest.login("alice", "alice's password").await.unwrap_err();
    assert!(matches!(refused, CallError::Server(_)), "without a passkey and a prompt: {refused}");
    let empty = PasskeyAuthenticator::new(ORIGIN);
    let code = codes[0].clone();
    let asked = async move |challenge: Challenge| {
        assert_eq!((challenge.method(), challenge.passkey_site()), (TwoFactorMethod::Totp, Some("localhost")));
        code
    };
    let mut rest = rest.two_factor(asked).passkeys(InSoftware(empty.into()));
    rest.login("alice", "alice's password").await.unwrap();
}

#[tokio::test]
async fn the_client_logs_in_with_a_passkey_alone() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let (mut authenticator, _) = register(&mut alice, "alice").await;
    let client = bolide::client::Client::builder(&format!("ws://{}", bank.server.address)).connect().await.unwrap();
    let options: Value = client.call("passkeys:beginLogin", &()).await.unwrap();
    let answer = authenticator.get(&options).unwrap().to_string();
    client.login(Login::passkey(&answer)).await.unwrap();
    assert_eq!(client.call::<String>("whoami", &()).await.unwrap(), "user-alice");
}
