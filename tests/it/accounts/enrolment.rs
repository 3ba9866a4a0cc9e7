//! A role can demand a second factor: whoever has the role and no factor can do nothing but set one up.

use serde_json::json;

use super::{Bank, error, result, totp_code};
use crate::subscriber::Subscriber;

const REFUSAL: &str = "error-two-factor-enrolment-required";

async fn demand(bank: &Bank, roles: &str) {
    let setting = "Accounts_TwoFactorAuthentication_Mandatory_Roles";
    bank.set(setting, roles).await;
}

#[tokio::test]
async fn who_must_have_a_factor_and_has_none_can_only_set_one_up() {
    let bank = Bank::open().await;
    demand(&bank, "auditor, admin").await;
    let mut admin = bank.log_in("admin").await;
    // Neither open nor gated methods, nor publications, nor by way of another method.
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
    // Enrolment is open, and opens the rest.
    let enrolment = result(&admin.ask("2fa:enable", json!([])).await).clone();
    let code = totp_code(enrolment["secret"].as_str().unwrap(), &bank.clock);
    result(&admin.ask("2fa:validateTempToken", json!([code])).await);
    assert_eq!(result(&admin.ask("whoami", json!([])).await), "user-admin");
}

#[tokio::test]
async fn others_are_let_alone() {
    let bank = Bank::open().await;
    demand(&bank, "admin").await;
    for name in ["alice", "bob", "emma"] {
        assert_eq!(result(&bank.log_in(name).await.ask("whoami", json!([])).await), &json!(format!("user-{name}")));
    }
}

#[tokio::test]
async fn a_session_that_is_open_ends_when_its_role_begins_to_demand_a_factor() {
    let bank = Bank::open().await;
    let (mut admin, mut alice) = (bank.log_in("admin").await, bank.log_in("alice").await);
    demand(&bank, "admin").await;
    assert_eq!(admin.close_code().await, 1000);
    assert_eq!(result(&alice.ask("whoami", json!([])).await), "user-alice");
}

#[tokio::test]
async fn a_user_sees_at_once_that_no_factor_is_demanded_any_more() {
    let bank = Bank::open().await;
    demand(&bank, "admin").await;
    let mut admin = Subscriber::connect(&bank.app).await;
    let token = bank.app.accounts().unwrap().issue_token("admin").await.unwrap();
    result(&admin.call("login", json!([{ "resume": token }])).await);
    let is_required = |admin: &Subscriber| admin.documents("users")["user-admin"]["twoFactor"]["required"].clone();
    assert_eq!(is_required(&admin), true);
    demand(&bank, "").await;
    while is_required(&admin) != false {
        admin.next().await;
    }
}

#[tokio::test]
async fn nobody_must_set_up_what_the_settings_do_not_allow() {
    let bank = Bank::open().await;
    for setting in ["By_TOTP_Enabled", "By_Email_Enabled"] {
        let setting = format!("Accounts_TwoFactorAuthentication_{setting}");
        bank.set(&setting, false).await;
    }
    demand(&bank, "admin").await;
    assert_eq!(result(&bank.log_in("admin").await.ask("whoami", json!([])).await), "user-admin");
}

#[tokio::test]
async fn it_holds_over_rest_as_well() {
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
