//! A code is valid once: on any connection, for any factor, at any time, and in a race.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bolide::clock::{Clock, Timestamp};
use futures::future::join_all;
use serde_json::{Value, json};

use super::{Bank, by_password, code_at, error, password_login, result, totp_code, with_code};

#[tokio::test]
async fn a_used_code_is_not_valid_on_another_connection_or_at_login() {
    let bank = Bank::open().await;
    let (mut first, mut second) = (bank.log_in("bob").await, bank.log_in("bob").await);
    let code = bank.code();
    result(&first.ask("noRemember", with_code(&code, "totp")).await);
    for client in [&mut first, &mut second] {
        assert_eq!(error(&client.ask("noRemember", with_code(&code, "totp")).await), "totp-invalid");
    }
    let login = json!([{ "totp": { "login": password_login("bob", "bob's password")[0], "code": code } }]);
    assert_eq!(error(&bank.connect().await.ask("login", login).await), "totp-invalid");
    // The code of the previous step, from a slow clock, is not valid either.
    bank.clock.advance(Duration::from_secs(30));
    assert_eq!(error(&second.ask("noRemember", with_code(&code, "totp")).await), "totp-invalid");
    result(&second.ask("noRemember", with_code(&bank.code(), "totp")).await);
}

#[tokio::test]
async fn of_twenty_parallel_logins_with_one_code_exactly_one_passes() {
    let bank = Bank::open().await;
    let code = bank.code();
    let login = json!([{ "totp": { "login": password_login("bob", "bob's password")[0], "code": code } }]);
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(bank.connect().await);
    }
    let answers = join_all(clients.iter_mut().map(|client| client.ask("login", login.clone()))).await;
    assert_eq!(answers.iter().filter(|answer| answer.get("error").is_none()).count(), 1);
}

#[tokio::test]
async fn of_many_parallel_calls_with_one_backup_or_emailed_code_one_passes() {
    let bank = Bank::open().await;
    let backup = enrol(&bank, "alice").await.remove(0);
    bank.log_in("emma").await.ask("noRemember", json!([])).await;
    let mailed = bank.mailed_code(1).await;
    for (name, code, method) in [("alice", backup, "totp"), ("emma", mailed, "email")] {
        let mut clients = Vec::new();
        for _ in 0..8 {
            clients.push(bank.log_in(name).await);
        }
        let calls = clients.iter_mut().map(|client| client.ask("noRemember", with_code(&code, method)));
        let passed = join_all(calls).await.iter().filter(|answer| answer.get("error").is_none()).count();
        assert_eq!(passed, 1, "{name}");
    }
}

/// Sets up an authenticator app for a user. Returns the backup codes.
async fn enrol(bank: &Bank, name: &str) -> Vec<String> {
    let mut client = bank.log_in(name).await;
    let enrolment = result(&client.ask("2fa:enable", by_password(name, json!([]))).await).clone();
    let code = totp_code(enrolment["secret"].as_str().unwrap(), &bank.clock);
    let codes = client.ask("2fa:validateTempToken", by_password(name, json!([code]))).await;
    result(&codes)["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_code_that_set_up_an_app_is_used_up() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let enrolment = result(&alice.ask("2fa:enable", by_password("alice", json!([]))).await).clone();
    let code = totp_code(enrolment["secret"].as_str().unwrap(), &bank.clock);
    result(&alice.ask("2fa:validateTempToken", by_password("alice", json!([code]))).await);
    assert_eq!(error(&alice.ask("gated", with_code(&code, "totp")).await), "totp-invalid");
}

/// A clock that the test sets.
#[derive(Clone)]
struct SetClock(Arc<AtomicI64>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_milliseconds(self.0.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn setting_the_clock_back_does_not_make_a_code_valid_again() {
    const MINUTE: i64 = 60_000;
    let clock = SetClock(Arc::new(AtomicI64::new(1_700_000_000_000)));
    let bank = Bank::open_at(clock.clone()).await;
    let mut bob = bank.log_in("bob").await;
    let code = |clock: &SetClock| code_at(clock.now());
    let used = code(&clock);
    result(&bob.ask("noRemember", with_code(&used, "totp")).await);
    clock.0.fetch_sub(10 * MINUTE, Ordering::SeqCst);
    for wrong in [used.clone(), code(&clock)] {
        assert_eq!(error(&bob.ask("noRemember", with_code(&wrong, "totp")).await), "totp-invalid");
    }
    clock.0.fetch_add(11 * MINUTE, Ordering::SeqCst);
    result(&bob.ask("noRemember", with_code(&code(&clock), "totp")).await);
    // After the clock is set ahead, trust and e-mailed codes have expired.
    let mut emma = bank.log_in("emma").await;
    let asked: Value = emma.ask("noRemember", json!([])).await;
    assert_eq!(error(&asked), "totp-required");
    let mailed = bank.mailed_code(1).await;
    clock.0.fetch_add(120 * MINUTE, Ordering::SeqCst);
    assert_eq!(error(&emma.ask("noRemember", with_code(&mailed, "email")).await), "totp-invalid");
}

#[tokio::test]
async fn a_code_emailed_for_a_login_is_not_valid_for_a_call_and_the_reverse() {
    let bank = Bank::open().await;
    let login = password_login("emma", "emma's password");
    let mut visitor = bank.connect().await;
    assert_eq!(error(&visitor.ask("login", login.clone()).await), "totp-required");
    let for_login = bank.mailed_code(1).await;
    let mut emma = bank.log_in("emma").await;
    assert_eq!(error(&emma.ask("noRemember", with_code(&for_login, "email")).await), "totp-invalid");
    let for_call = bank.mailed_code(2).await;
    let wrapped = |code: &str| json!([{ "totp": { "login": login[0], "code": code } }]);
    assert_eq!(error(&visitor.ask("login", wrapped(&for_call)).await), "totp-invalid");
    // Each is still valid for its own purpose.
    result(&visitor.ask("login", wrapped(&for_login)).await);
    result(&emma.ask("noRemember", with_code(&for_call, "email")).await);
    // A code requested without a login does not invalidate them.
    emma.ask("noRemember", json!([])).await;
    let own = bank.mailed_code(3).await;
    result(&bank.connect().await.ask("sendEmailCode", json!(["emma"])).await);
    bank.mailed_code(4).await;
    result(&emma.ask("noRemember", with_code(&own, "email")).await);
    // A code requested explicitly is valid for the next call, and invalidates earlier ones.
    emma.ask("noRemember", json!([])).await;
    let before = bank.mailed_code(4).await;
    result(&emma.ask("sendEmailCode", json!([])).await);
    let by_hand = bank.mailed_code(5).await;
    assert_eq!(error(&emma.ask("noRemember", with_code(&before, "email")).await), "totp-invalid");
    result(&visitor.ask("login", wrapped(&by_hand)).await);
    assert_eq!(error(&emma.ask("noRemember", with_code(&by_hand, "email")).await), "totp-invalid");
}
