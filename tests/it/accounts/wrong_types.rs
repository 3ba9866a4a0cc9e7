//! Values of the wrong type in every field of the two-factor methods: a DDP error, and nothing changes.

use serde_json::{Value, json};

use super::{Bank, by_password, error, result};

/// Values that are sent instead of a string.
fn wrong_strings() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(123_456),
        json!(["123456"]),
        json!({ "$ne": "" }),
        json!({ "$gt": "" }),
        json!({ "$date": 0 }),
        json!({ "$regex": ".*" }),
    ]
}

#[tokio::test]
async fn a_code_that_is_not_a_string_is_ignored() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    for wrong in wrong_strings() {
        for method in ["2fa:disable", "2fa:regenerateCodes", "enableUser2fa"] {
            assert_eq!(error(&bob.ask(method, json!([wrong])).await), 400, "{method} {wrong}");
        }
        assert_eq!(error(&bob.ask("2fa:validateTempToken", json!([wrong])).await), 400, "{wrong}");
    }
    assert_eq!(result(&bob.ask("has2faEnabled", json!([])).await), &json!(true));
    // None of them was counted as a wrong code.
    result(&bob.ask("gated", super::with_code(&bank.code(), "totp")).await);
}

#[tokio::test]
async fn a_login_whose_code_is_not_a_string_fails() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    let login = super::password_login("bob", "bob's password")[0].clone();
    for wrong in wrong_strings().into_iter().filter(|wrong| !wrong.is_null()) {
        let wrapped = json!([{ "totp": { "login": login, "code": wrong } }]);
        assert_eq!(error(&client.ask("login", wrapped).await), 400, "{wrong}");
        let mut beside = login.clone();
        beside["code"] = wrong.clone();
        assert_eq!(error(&client.ask("login", json!([beside])).await), 400, "{wrong}");
        let inner = json!([{ "totp": { "login": wrong, "code": "123456" } }]);
        assert_eq!(error(&client.ask("login", inner).await), 400, "{wrong}");
    }
    let nested = json!([{ "totp": { "login": { "totp": { "login": login, "code": "1" } }, "code": "1" } }]);
    assert_eq!(error(&client.ask("login", nested).await), 400);
}

#[tokio::test]
async fn tokens_have_names_that_are_strings_and_bypass_is_true_or_false() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    for method in ["generateToken", "regenerateToken", "removeToken"] {
        let method = format!("personalAccessTokens:{method}");
        for wrong in wrong_strings() {
            for params in [json!([{ "tokenName": wrong }]), json!([wrong])] {
                assert_eq!(error(&alice.ask(&method, by_password("alice", params)).await), 400, "{method} {wrong}");
            }
        }
    }
    for wrong in [json!("true"), json!(1), json!({ "$ne": false })] {
        let options = by_password("alice", json!([{ "tokenName": "a", "bypassTwoFactor": wrong }]));
        assert_eq!(error(&alice.ask("personalAccessTokens:generateToken", options).await), 400, "{wrong}");
    }
    let user = "user-alice".into();
    let tokens = bank.app.accounts().unwrap().store().tokens_of(&user).await.unwrap();
    assert!(tokens.iter().all(|token| token.expires_at().is_some()), "a token was made");
}

#[tokio::test]
async fn changes_by_admins_must_have_the_right_type() {
    let bank = Bank::open().await;
    let mut admin = bank.log_in("admin").await;
    for wrong in wrong_strings() {
        for (method, params) in [
            ("admin:setRoles", json!(["user-bob", wrong])),
            ("admin:setActive", json!([wrong, false])),
            ("admin:setRole", json!([wrong, { "mandatory2fa": true }])),
            ("admin:retryMail", json!([wrong])),
            ("saveSetting", json!([wrong, true])),
            ("saveSettings", json!([[{ "_id": wrong, "value": true }]])),
        ] {
            // A list of one string is a list of roles.
            if method == "admin:setRoles" && wrong.is_array() {
                continue;
            }
            assert_eq!(error(&admin.ask(method, by_password("admin", params)).await), 400, "{method} {wrong}");
        }
    }
    let unusable = by_password("admin", json!(["user-bob", ["a,b"]]));
    assert_eq!(error(&admin.ask("admin:setRoles", unusable).await), 400);
}
