//! A role can require a second factor: users with the role and without a factor can only set one up.

use bolide::testing::TestClient;
use serde_json::{Value, json};

use super::{Bank, by_password, error, result, totp_code};

const REFUSAL: &str = "error-two-factor-enrolment-required";

async fn demand(bank: &Bank, roles: &str) {
    let setting = "Accounts_TwoFactorAuthentication_Mandatory_Roles";
    bank.set(setting, roles).await;
}

#[tokio::test]
async fn a_user_who_lacks_a_required_factor_can_only_set_one_up() {
    let bank = Bank::open().await;
    demand(&bank, "auditor, admin").await;
    let mut admin = bank.log_in("admin").await;
    // No open or gated methods, no publications, and no calls through another method.
    for method in ["whoami", "gated", "private-settings/get", "changePassword", "personalAccessTokens:generateToken"] {
        assert_eq!(error(&admin.ask(method, json!([])).await), REFUSAL, "{method}");
    }
    let wrapped = json!([{ "ddpMethod": "whoami", "params": [] }]);
    assert_eq!(error(&admin.ask("callWithTwoFactorRequired", wrapped).await), REFUSAL);
    admin.send(json!({ "msg": "sub", "id": "s", "name": "admin:users", "params": [] })).await;
    let refused = loop {
        let message = admin.next().await;
        if message["id"] == "s" {
            break message;
        }
    };
    assert_eq!((&refused["msg"], &refused["error"]["error"]), (&json!("nosub"), &json!(REFUSAL)));
    // Enrolment is allowed, and gives access to everything else.
    assert_eq!(error(&admin.ask("2fa:enable", json!([])).await), "totp-required");
    let enrolment = result(&admin.ask("2fa:enable", by_password("admin", json!([]))).await).clone();
    let code = totp_code(enrolment["secret"].as_str().unwrap(), &bank.clock);
    result(&admin.ask("2fa:validateTempToken", by_password("admin", json!([code]))).await);
    assert_eq!(result(&admin.ask("whoami", json!([])).await), "user-admin");
}

#[tokio::test]
async fn users_without_the_role_are_not_affected() {
    let bank = Bank::open().await;
    demand(&bank, "admin").await;
    for name in ["alice", "bob", "emma"] {
        assert_eq!(result(&bank.log_in(name).await.ask("whoami", json!([])).await), &json!(format!("user-{name}")));
    }
}

#[tokio::test]
async fn open_sessions_end_when_their_role_begins_to_require_a_factor() {
    let bank = Bank::open().await;
    let (mut admin, mut alice) = (bank.log_in("admin").await, bank.log_in("alice").await);
    demand(&bank, "admin").await;
    assert_eq!(admin.close_code().await, 1000);
    assert_eq!(result(&alice.ask("whoami", json!([])).await), "user-alice");
}

#[tokio::test]
async fn users_are_told_at_once_that_a_factor_is_no_longer_required() {
    let bank = Bank::open().await;
    demand(&bank, "admin").await;
    let mut admin = TestClient::connect(&bank.app).await;
    let token = bank.app.accounts().unwrap().issue_token("admin").await.unwrap();
    admin.login_with_token(&token).await.unwrap();
    let is_required =
        |admin: &TestClient| admin.documents::<Value>("users")["user-admin"]["twoFactor"]["required"].clone();
    assert_eq!(is_required(&admin), true);
    demand(&bank, "").await;
    admin.wait_until("the factor is no longer required", |admin| is_required(admin) == false).await;
}

#[tokio::test]
async fn factors_that_the_settings_forbid_are_not_required() {
    let bank = Bank::open().await;
    for setting in ["By_TOTP_Enabled", "By_Email_Enabled", "By_Passkey_Enabled"] {
        let setting = format!("Accounts_TwoFactorAuthentication_{setting}");
        bank.set(&setting, false).await;
    }
    demand(&bank, "admin").await;
    assert_eq!(result(&bank.log_in("admin").await.ask("whoami", json!([])).await), "user-admin");
}

#[tokio::test]
async fn enrolment_is_enforced_over_rest() {
    let bank = Bank::open().await;
    demand(&bank, "admin").await;
    let token = bank.token("admin").await;
    let message = json!({ "msg": "method", "id": "1", "method": "whoami", "params": [] }).to_string();
    let body = json!({ "message": message });
    let reply = bank.post("method.call/whoami").by("admin", &token).json(&body).send().await;
    assert!(reply.status == 400 && reply.body["message"].as_str().unwrap().contains(REFUSAL), "{reply:?}");
    let reply = bank.post("gated").by("admin", &token).send().await;
    assert_eq!((reply.status, reply.error()), (400, &json!(REFUSAL)));
}
