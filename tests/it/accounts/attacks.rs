//! Attacks on accounts, and the defences against them.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use super::{Bank, by_password, error, result, with_code};

#[tokio::test]
async fn of_twenty_parallel_calls_with_one_code_exactly_one_passes() {
    let bank = Bank::open().await;
    let code = bank.code();
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(bank.log_in("bob").await);
    }
    let calls = clients.iter_mut().map(|client| client.ask("noRemember", with_code(&code, "totp")));
    let answers = join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.get("error").is_none()).count(), 1);
}

#[tokio::test]
async fn after_thirty_wrong_codes_the_correct_one_works_only_a_day_later() {
    let bank = Bank::open().await;
    let mut trusted = bank.log_in("bob").await;
    result(&trusted.ask("gated", with_code(&bank.code(), "totp")).await);
    let mut guesser = bank.log_in("bob").await;
    for guess in 0..30 {
        assert!(guesser.ask("gated", with_code(&format!("{guess:06}"), "totp")).await.get("error").is_some());
    }
    bank.clock.advance(Duration::from_secs(29));
    assert_eq!(error(&guesser.ask("gated", with_code(&bank.code(), "totp")).await), "totp-max-attempts");
    assert_eq!(result(&trusted.ask("gated", json!([])).await), "ok");
    bank.clock.advance(Duration::from_hours(24));
    assert_eq!(result(&guesser.ask("gated", with_code(&bank.code(), "totp")).await), "ok");
}

#[tokio::test]
async fn the_delay_between_guesses_grows_so_that_few_are_possible_in_an_hour() {
    let bank = Bank::open().await;
    let mut guesser = bank.log_in("bob").await;
    let mut counted = 0;
    for _ in 0..360 {
        let answer = guesser.ask("gated", with_code("no code", "totp")).await;
        counted += usize::from(error(&answer) == "totp-invalid");
        bank.clock.advance(Duration::from_secs(10));
    }
    assert!(counted < 20, "{counted} guesses were listened to");
}

#[tokio::test]
async fn the_code_of_one_user_is_not_valid_for_another() {
    let bank = Bank::open().await;
    let mut emma = bank.log_in("emma").await;
    emma.ask("gated", json!([])).await;
    let code = bank.mailed_code(1).await;
    let mut bob = bank.log_in("bob").await;
    assert_eq!(error(&bob.ask("gated", with_code(&code, "email")).await), "totp-invalid");
    let mut alice = bank.log_in("alice").await;
    assert_eq!(error(&alice.ask("gated", with_code(&bank.code(), "totp")).await), "totp-invalid");
}

#[tokio::test]
async fn fifty_requests_for_a_code_send_at_most_twenty_mails() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    for _ in 0..50 {
        result(&client.ask("sendEmailCode", json!(["emma"])).await);
    }
    result(&client.ask("sendEmailCode", json!(["nobody"])).await);
    bank.mails(10).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let sent = bank.mails(10).await.len();
    assert!(sent <= 20, "{sent} mails were sent");
    // Requests without a login do not use up the user's own budget.
    let mut emma = bank.log_in("emma").await;
    result(&emma.ask("sendEmailCode", json!([])).await);
    bank.mails(sent + 1).await;
}

#[tokio::test]
async fn a_trailing_object_of_another_type_does_not_pass_the_gate() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    for code in [json!(123_456), json!({ "$ne": "" }), json!(["123456"]), json!(null), json!(true)] {
        let trailing = json!([{ "twoFactorCode": code, "twoFactorMethod": "totp" }]);
        assert_eq!(error(&bob.ask("gated", trailing).await), "totp-required");
    }
}

#[tokio::test]
async fn only_admins_can_change_settings() {
    let bank = Bank::open().await;
    let mut admin = bank.log_in("admin").await;
    let mut alice = bank.log_in("alice").await;
    let off = json!([[{ "_id": "Accounts_TwoFactorAuthentication_Enabled", "value": false }]]);
    assert_eq!(error(&admin.ask("saveSettings", off.clone()).await), "totp-required");
    assert_eq!(error(&alice.ask("saveSettings", by_password("alice", off.clone())).await), "error-action-not-allowed");
    assert_eq!(result(&admin.ask("saveSettings", by_password("admin", off)).await), true);
    assert_eq!(result(&bank.log_in("bob").await.ask("strict", json!([])).await), "ok");
}
