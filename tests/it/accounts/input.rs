//! Invalid input: every field of every account method with values of the wrong type and with meaningless texts. The
//! answer is the documented error, and nothing is written.

use bolide::prelude::*;
use bolide::protocol::error::ErrorCode;
use bolide::store::{LoginToken, User, UserFilter};
use serde_json::{Value, json};

use super::Bank;

/// The placeholder for a value.
const HOLE: &str = "@";

/// Calls with one placeholder each. With a valid value, each of them would succeed, or fail because the user or link
/// is missing.
fn calls() -> Vec<(&'static str, Value)> {
    let digest = "0".repeat(64);
    vec![
        ("login", json!([HOLE])),
        ("login", json!([{ "user": HOLE, "password": "x" }])),
        ("login", json!([{ "user": { "username": HOLE }, "password": "x" }])),
        ("login", json!([{ "user": { "email": HOLE }, "password": "x" }])),
        ("login", json!([{ "user": { "id": HOLE }, "password": "x" }])),
        ("login", json!([{ "user": { "username": "bob" }, "password": HOLE }])),
        ("login", json!([{ "user": { "username": "bob" }, "password": { "digest": HOLE, "algorithm": "sha-256" } }])),
        ("login", json!([{ "user": { "username": "bob" }, "password": { "digest": digest, "algorithm": HOLE } }])),
        ("login", json!([{ "user": { "username": "bob" }, "password": "bob's password", "code": HOLE }])),
        ("login", json!([{ "totp": HOLE }])),
        ("login", json!([{ "totp": { "login": HOLE, "code": "123456" } }])),
        ("login", json!([{ "totp": { "login": { "resume": HOLE } } }])),
        (
            "login",
            json!([{ "totp": { "login": { "user": { "username": "bob" }, "password": "bob's password" }, "code": HOLE } }]),
        ),
        ("login", json!([{ "resume": HOLE }])),
        ("createUser", json!([HOLE])),
        ("createUser", json!([{ "username": HOLE, "password": "x" }])),
        ("createUser", json!([{ "username": "carol", "email": HOLE, "password": "x" }])),
        ("createUser", json!([{ "username": "carol", "password": HOLE }])),
        ("createUser", json!([{ "username": "carol", "password": { "digest": HOLE, "algorithm": "sha-256" } }])),
        ("changePassword", json!([HOLE, "new"])),
        ("changePassword", json!(["alice's password", HOLE])),
        ("forgotPassword", json!([HOLE])),
        ("forgotPassword", json!([{ "email": HOLE }])),
        ("resetPassword", json!([HOLE, "new"])),
        ("verifyEmail", json!([HOLE])),
        ("sendVerificationEmail", json!([HOLE])),
        ("setUsername", json!([HOLE])),
    ]
}

/// None of these is a string, a password or an object that a method accepts.
fn other_types() -> Vec<Value> {
    vec![
        json!(1),
        json!(1.5),
        json!(true),
        json!([]),
        json!(["alice"]),
        json!([{}]),
        json!({ "$ne": "" }),
        json!({ "$gt": "" }),
        json!({ "$regex": ".*" }),
        json!({ "$date": 0 }),
        json!({ "$binary": "AAAA" }),
        json!({ "toString": "alice", "length": 5 }),
    ]
}

/// Strings that are not the name, address, token or code of a user. They are not tried as passwords, where they are
/// valid.
fn strange_texts() -> Vec<Value> {
    vec![
        json!("x".repeat(1 << 20)),
        json!("a\u{0}b"),
        json!("a\r\nBcc: everybody@example.com"),
        json!("a\u{202e}b"),
        json!("\u{feff}"),
        json!("\u{430}lice"),
        json!("\u{430}lice@"),
        json!(" \t "),
        json!("alice@"),
    ]
}

fn fill(template: &Value, value: &Value) -> Value {
    match template {
        Value::String(text) if text == HOLE => value.clone(),
        Value::Array(values) => values.iter().map(|inner| fill(inner, value)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, inner)| (name.clone(), fill(inner, value))).collect(),
        other => other.clone(),
    }
}

/// Calls as alice without a socket, which would reject a message of a megabyte.
async fn code_of(bank: &Bank, method: &str, parameters: &Value) -> Option<ErrorCode> {
    let caller = Caller::user("user-alice");
    bank.app.call::<Ejson>(&caller, method, parameters).await.err().map(|error| error.error)
}

/// Everything that the methods could write.
async fn written(bank: &Bank) -> (Vec<User>, Vec<LoginToken>) {
    let accounts = bank.app.accounts().expect("accounts");
    let all = UserFilter { limit: 100, ..UserFilter::default() };
    let users = accounts.store().users(all).await.expect("users").users;
    let mut tokens = Vec::new();
    for user in &users {
        tokens.extend(accounts.store().tokens_of(&user.id).await.expect("tokens"));
    }
    (users, tokens)
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_400_in_every_field_and_nothing_is_written() {
    let bank = Bank::open().await;
    let before = written(&bank).await;
    for (method, template) in calls() {
        for value in other_types() {
            let parameters = fill(&template, &value);
            let code = code_of(&bank, method, &parameters).await;
            assert_eq!(code, Some(400.into()), "{method} {parameters}");
        }
    }
    assert!(written(&bank).await == before);
}

#[tokio::test]
async fn a_profile_must_be_an_object() {
    let bank = Bank::open().await;
    let before = written(&bank).await;
    for value in [json!(1), json!("x"), json!([]), json!(true)] {
        let parameters = json!([{ "username": "carol", "profile": value }]);
        assert_eq!(code_of(&bank, "createUser", &parameters).await, Some(400.into()), "{parameters}");
    }
    assert!(written(&bank).await == before);
}

#[tokio::test]
async fn a_meaningless_text_is_a_documented_error_and_nothing_is_written() {
    let bank = Bank::open().await;
    let before = written(&bank).await;
    for (method, template) in calls() {
        let is_password = template.to_string().contains(r#""password":"@""#) || method == "changePassword";
        for value in strange_texts() {
            if is_password && value.as_str().is_some_and(|text| text.len() < 256) {
                continue;
            }
            // Failures expire before the next call, so that a block does not hide the expected error.
            bank.clock.advance(std::time::Duration::from_mins(6));
            let code = code_of(&bank, method, &fill(&template, &value)).await;
            let is_silent = matches!(method, "forgotPassword" | "sendVerificationEmail");
            let is_documented = match &code {
                Some(ErrorCode::Number(number)) => [400, 403].contains(number),
                Some(ErrorCode::Name(name)) => {
                    ["totp-required", "totp-invalid", "totp-max-attempts", "invalid-2fa-code"].contains(&&**name)
                }
                None => is_silent,
            };
            let shown: String = value.to_string().chars().take(40).collect();
            assert!(is_documented, "{method} {template} {shown}: {code:?}");
        }
    }
    assert!(written(&bank).await == before);
}

#[tokio::test]
async fn a_name_that_looks_like_another_is_rejected() {
    let bank = Bank::open().await;
    for name in ["ALICE", "\u{ff21}lice", "alice\u{200b}", "\u{430}lice", " alice ", "a\u{301}lice\u{0}"] {
        let code = code_of(&bank, "createUser", &json!([{ "username": name }])).await;
        assert!(code == Some(400.into()) || code == Some(403.into()), "{name:?}: {code:?}");
    }
    for address in ["ALICE@EXAMPLE.COM", "\u{ff41}lice@example.com", "alice@example.com\u{0}"] {
        let code = code_of(&bank, "createUser", &json!([{ "email": address }])).await;
        assert!(code == Some(400.into()) || code == Some(403.into()), "{address:?}: {code:?}");
    }
}

#[tokio::test]
async fn too_many_or_too_few_parameters_change_nothing() {
    let bank = Bank::open().await;
    let before = written(&bank).await;
    for method in
        ["login", "createUser", "changePassword", "forgotPassword", "resetPassword", "verifyEmail", "setUsername"]
    {
        assert_eq!(code_of(&bank, method, &json!([])).await, Some(400.into()), "{method}");
        assert_eq!(code_of(&bank, method, &json!([null, null, null])).await, Some(400.into()), "{method}");
    }
    assert!(written(&bank).await == before);
}
