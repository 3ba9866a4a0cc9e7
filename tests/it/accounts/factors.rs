//! The gate: which factor a caller is asked for, and how long a client is trusted.

use std::time::Duration;

use serde_json::json;

use super::{Bank, by_password, error, password_login, result, sha256, with_code};

#[tokio::test]
async fn a_gated_call_is_challenged_retried_and_trusted_for_a_while() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    let asked = bob.ask("gated", json!([])).await;
    assert_eq!(error(&asked), "totp-required");
    let details = json!({ "method": "totp", "codeGenerated": false, "availableMethods": ["totp"] });
    assert_eq!(asked["error"]["details"], details);
    assert_eq!(error(&bob.ask("gated", with_code("000000x", "totp")).await), "totp-invalid");
    assert_eq!(result(&bob.ask("gated", with_code(&bank.code(), "totp")).await), "ok");
    assert_eq!(result(&bob.ask("gated", json!([])).await), "ok");
    assert_eq!(error(&bob.ask("noRemember", json!([])).await), "totp-required");
    assert_eq!(error(&bob.ask("strict", json!([])).await), "totp-required");
    bank.clock.advance(Duration::from_secs(61));
    assert_eq!(error(&bob.ask("fresh", json!([])).await), "totp-required");
    assert_eq!(result(&bob.ask("gated", json!([])).await), "ok");
    bank.clock.advance(Duration::from_mins(5));
    assert_eq!(error(&bob.ask("gated", json!([])).await), "totp-required");
}

#[tokio::test]
async fn another_login_of_the_same_user_is_challenged_separately() {
    let bank = Bank::open().await;
    let mut first = bank.log_in("bob").await;
    result(&first.ask("gated", with_code(&bank.code(), "totp")).await);
    let mut second = bank.log_in("bob").await;
    assert_eq!(error(&second.ask("gated", json!([])).await), "totp-required");
}

#[tokio::test]
async fn the_password_is_used_if_there_is_no_other_factor() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    assert_eq!(alice.ask("gated", json!([])).await["error"]["details"]["method"], "password");
    assert_eq!(result(&alice.ask("noPassword", json!([])).await), "ok");
    assert_eq!(error(&alice.ask("gated", with_code(&sha256("wrong"), "password")).await), "totp-invalid");
    assert_eq!(result(&alice.ask("gated", with_code(&sha256("alice's password"), "password")).await), "ok");
}

#[tokio::test]
async fn an_emailed_code_names_the_call_and_is_valid_once() {
    let bank = Bank::open().await;
    let mut emma = bank.log_in("emma").await;
    let asked = emma.ask("noRemember", json!([])).await;
    assert_eq!(asked["error"]["details"]["codeGenerated"], true);
    assert_eq!(asked["error"]["details"]["emailOrUsername"], "emma@example.com");
    let again = emma.ask("noRemember", json!([])).await;
    assert_eq!(again["error"]["details"]["codeGenerated"], false);
    let code = bank.mailed_code(1).await;
    assert!(bank.mails(1).await[0].text.contains("noRemember"));
    assert_eq!(result(&emma.ask("noRemember", with_code(&code, "email")).await), "ok");
    assert_eq!(error(&emma.ask("noRemember", with_code(&code, "email")).await), "totp-invalid");
}

#[tokio::test]
async fn five_wrong_codes_invalidate_an_emailed_code() {
    let bank = Bank::open().await;
    let mut emma = bank.log_in("emma").await;
    emma.ask("gated", json!([])).await;
    let code = bank.mailed_code(1).await;
    for _ in 0..4 {
        assert_eq!(error(&emma.ask("gated", with_code("1", "email")).await), "totp-invalid");
    }
    assert_eq!(error(&emma.ask("gated", with_code("1", "email")).await), "totp-max-attempts");
    assert_ne!(emma.ask("gated", with_code(&code, "email")).await.get("error"), None);
}

#[tokio::test]
async fn setting_up_an_app_ends_other_logins_and_gives_one_time_backup_codes() {
    let bank = Bank::open().await;
    let mut other = bank.log_in("alice").await;
    let mut alice = bank.log_in("alice").await;
    let enabled = alice.ask("2fa:enable", by_password("alice", json!([]))).await;
    let secret = totp_rs::Secret::try_from_base32(result(&enabled)["secret"].as_str().unwrap()).unwrap();
    let seconds = u64::try_from(bolide::clock::Clock::now(&bank.clock).milliseconds() / 1000).unwrap();
    let code = totp_rs::Builder::new().with_secret(secret).build_noncompliant().generate(seconds).to_string();
    assert_eq!(error(&alice.ask("2fa:validateTempToken", json!(["000"])).await), "invalid-totp");
    let answer = alice.ask("2fa:validateTempToken", by_password("alice", json!([code]))).await;
    let codes = result(&answer)["codes"].as_array().unwrap().clone();
    assert_eq!(codes.len(), 12);
    other.wait_for_end().await;
    assert_eq!(error(&alice.ask("strict", with_code(&code, "totp")).await), "totp-invalid");
    let backup = codes[0].as_str().unwrap();
    assert_eq!(result(&alice.ask("strict", with_code(backup, "totp")).await), "ok");
    assert_eq!(error(&alice.ask("strict", with_code(backup, "totp")).await), "totp-invalid");
    assert_eq!(result(&alice.ask("2fa:checkCodesRemaining", json!([])).await)["remaining"], 11);
}

#[tokio::test]
async fn a_login_asks_for_the_second_factor_after_the_first() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    assert_eq!(error(&client.ask("login", password_login("bob", "wrong")).await), 403);
    let first = password_login("bob", "bob's password");
    assert_eq!(error(&client.ask("login", first.clone()).await), "totp-required");
    let wrong = json!([{ "totp": { "login": first[0], "code": "123" } }]);
    assert_eq!(error(&client.ask("login", wrong).await), "totp-invalid");
    let right = json!([{ "totp": { "login": first[0], "code": bank.code() } }]);
    assert_eq!(result(&client.ask("login", right).await)["type"], "password");
    assert_eq!(error(&client.ask("gated", json!([])).await), "totp-required");
}

#[tokio::test]
async fn a_bypass_token_is_not_challenged_where_the_policy_allows_it() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    let plain = json!([{ "tokenName": "plain" }, { "twoFactorCode": bank.code(), "twoFactorMethod": "totp" }]);
    let plain = result(&bob.ask("personalAccessTokens:generateToken", plain).await).clone();
    bank.clock.advance(Duration::from_secs(30));
    let bypass = json!([{ "tokenName": "bypass", "bypassTwoFactor": true }, with_code(&bank.code(), "totp")[0]]);
    let bypass = result(&bob.ask("personalAccessTokens:generateToken", bypass).await).clone();
    let mut bot = bank.connect().await;
    let login = bot.ask("login", json!([{ "resume": plain }])).await;
    assert_eq!(result(&login)["tokenExpires"], json!({ "$date": 253_402_300_799_999_i64 }));
    assert_eq!(error(&bot.ask("gated", json!([])).await), "totp-required");
    result(&bot.ask("login", json!([{ "resume": bypass }])).await);
    bank.clock.advance(Duration::from_hours(24 * 400));
    assert_eq!(result(&bot.ask("noRemember", json!([])).await), "ok");
    assert_eq!(error(&bot.ask("strict", json!([])).await), "totp-required");
    // It must not be able to remove the factor, and so reach what no token may bypass.
    for method in ["disableUser2fa", "2fa:disable-email"] {
        assert_eq!(error(&bot.ask(method, json!([])).await), "totp-required", "{method}");
    }
    for path in ["users.resetTOTP", "users.2fa.disableEmail"] {
        let answer = bank.post(path).by("bob", bypass.as_str().unwrap()).json(&json!({})).send().await;
        assert_eq!(answer.body["errorType"], "totp-required", "{path}");
    }
}

#[tokio::test]
async fn a_user_must_prove_an_existing_factor_before_setting_up_another() {
    let bank = Bank::open().await;
    let mut emma = bank.log_in("emma").await;
    for method in ["2fa:enable", "generate2faActivationQrCode"] {
        let asked = emma.ask(method, json!([])).await;
        assert_eq!(asked["error"]["details"]["method"], "email", "{method}: {asked}");
    }
    let code = bank.mailed_code(1).await;
    assert!(result(&emma.ask("2fa:enable", with_code(&code, "email")).await)["secret"].is_string());
    // A user without a factor is asked for the password.
    let mut alice = bank.log_in("alice").await;
    let asked = alice.ask("2fa:enable", json!([])).await;
    assert_eq!(asked["error"]["details"]["method"], "password", "{asked}");
    assert!(result(&alice.ask("2fa:enable", by_password("alice", json!([]))).await)["secret"].is_string());
}

#[tokio::test]
async fn nested_calls_of_an_admitted_call_are_not_challenged_again() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    assert_eq!(result(&bob.ask("outer", with_code(&bank.code(), "totp")).await), "ok");
}
