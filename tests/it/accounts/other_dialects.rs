//! The second factor in other dialects: `callWithTwoFactorRequired`, and Meteor's `accounts-2fa`.

use serde_json::json;

use super::{Bank, by_password, error, password_login, result, totp_code};

#[tokio::test]
async fn a_wrapped_call_is_gated_by_the_policy_of_its_method() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    let wrapped = |method: &str, code: Option<&str>| json!([{ "ddpMethod": method, "method": "totp", "code": code, "params": [] }]);
    assert_eq!(error(&bob.ask("callWithTwoFactorRequired", wrapped("strict", None)).await), "totp-required");
    assert_eq!(error(&bob.ask("callWithTwoFactorRequired", wrapped("strict", Some("000000"))).await), "totp-invalid");
    let code = bank.code();
    assert_eq!(result(&bob.ask("callWithTwoFactorRequired", wrapped("gated", Some(&code))).await), "ok");
    // The client is trusted now, but this method always asks.
    assert_eq!(result(&bob.ask("callWithTwoFactorRequired", wrapped("gated", None)).await), "ok");
    assert_eq!(error(&bob.ask("callWithTwoFactorRequired", wrapped("strict", None)).await), "totp-required");
    assert_eq!(error(&bob.ask("callWithTwoFactorRequired", wrapped("strict", Some(&code))).await), "totp-invalid");
}

#[tokio::test]
async fn a_wrapped_call_takes_values_of_custom_types() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let decimal = json!({ "$type": "Decimal", "$value": "1.5" });
    let wrapped = json!([{ "ddpMethod": "echo", "params": [decimal] }]);
    assert_eq!(*result(&alice.ask("callWithTwoFactorRequired", wrapped).await), decimal);
}

#[tokio::test]
async fn a_wrapped_call_of_an_open_method_needs_no_code_and_passes_none_on() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    let wrapped = json!([{ "ddpMethod": "whoami", "method": "totp", "code": "123456", "params": [] }]);
    assert_eq!(result(&bob.ask("callWithTwoFactorRequired", wrapped).await), "user-bob");
    let missing = json!([{ "ddpMethod": "noSuchMethod", "params": [] }]);
    assert_eq!(error(&bob.ask("callWithTwoFactorRequired", missing).await), 404);
    for wrong in
        [json!([]), json!(["x"]), json!([{ "ddpMethod": { "$ne": 1 } }]), json!([{ "ddpMethod": "gated", "code": 1 }])]
    {
        assert_eq!(error(&bob.ask("callWithTwoFactorRequired", wrong).await), 400);
    }
    let itself = json!([{ "ddpMethod": "callWithTwoFactorRequired", "params": [] }]);
    assert_eq!(error(&bob.ask("callWithTwoFactorRequired", itself).await), 400);
    let mut nobody = bank.connect().await;
    let refused = nobody.ask("callWithTwoFactorRequired", json!([{ "ddpMethod": "gated" }])).await;
    assert_eq!(error(&refused), "error-invalid-user");
}

#[tokio::test]
async fn an_app_can_be_set_up_with_meteors_methods() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    assert_eq!(result(&alice.ask("has2faEnabled", json!([])).await), &json!(false));
    assert_eq!(error(&alice.ask("enableUser2fa", json!(["123456"])).await), 500);
    let named = by_password("alice", json!(["My Shop"]));
    let enrolment = result(&alice.ask("generate2faActivationQrCode", named).await).clone();
    let uri = enrolment["uri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/My%20Shop:alice?secret=") && uri.ends_with("&issuer=My%20Shop"), "{uri}");
    assert!(enrolment["svg"].as_str().unwrap().contains("<svg"));
    assert_eq!(error(&alice.ask("enableUser2fa", json!(["000000x"])).await), "invalid-2fa-code");
    let secret = enrolment["secret"].as_str().unwrap();
    let code = json!([totp_code(secret, &bank.clock)]);
    assert_eq!(error(&alice.ask("enableUser2fa", code.clone()).await), "totp-required");
    result(&alice.ask("enableUser2fa", by_password("alice", code)).await);
    assert_eq!(result(&alice.ask("has2faEnabled", json!([])).await), &json!(true));
    assert_eq!(error(&alice.ask("generate2faActivationQrCode", json!([])).await), "2fa-activated");
    // The login requires a code, also in Meteor's form.
    bank.clock.advance(std::time::Duration::from_mins(1));
    let mut login = password_login("alice", "alice's password");
    login[0]["code"] = "000000".into();
    assert_eq!(error(&bank.connect().await.ask("login", login.clone()).await), "invalid-2fa-code");
    login[0]["code"] = totp_code(secret, &bank.clock).into();
    result(&bank.connect().await.ask("login", login).await);
}

#[tokio::test]
async fn an_app_cannot_be_removed_without_a_code() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    assert_eq!(error(&bob.ask("disableUser2fa", json!([])).await), "totp-required");
    result(&bob.ask("disableUser2fa", super::with_code(&bank.code(), "totp")).await);
    assert_eq!(result(&bob.ask("has2faEnabled", json!([])).await), &json!(false));
}

#[tokio::test]
async fn meteors_code_at_a_login_may_be_grouped_as_a_person_types_it() {
    let bank = Bank::open().await;
    let code = bank.code();
    let grouped = format!(" {} {}", &code[..3], &code[3..]);
    let login = json!([{ "user": { "username": "bob" }, "password": "bob's password", "code": grouped }]);
    assert_eq!(result(&bank.connect().await.ask("login", login).await)["type"], "password");
}
