//! What new passwords must be like, at every door that sets one.

use serde_json::{Value, json};

use super::{Bank, error, password_login, result, sha256, with_code};
use crate::client::Client;

/// A password that the default policy allows.
const GOOD: &str = "kV9#tq-2Lw";

async fn bank() -> Bank {
    let bank = Bank::open().await;
    bank.set("Accounts_Password_Policy_Enabled", true).await;
    bank
}

fn digest(password: &str) -> Value {
    json!({ "digest": sha256(password).to_lowercase(), "algorithm": "sha-256" })
}

/// A door that sets a password over DDP: its name, and what is answered to a password.
async fn answers(bank: &Bank, password: &Value) -> Vec<(&'static str, Value)> {
    let mut client = bank.connect().await;
    let mut answers = Vec::new();
    let new = json!([{ "username": "carol", "password": password }]);
    answers.push(("createUser", client.ask("createUser", new).await));
    let link = bank.app.accounts().unwrap().password_link("emma").await.unwrap();
    let reset = json!([link.rsplit('/').next().unwrap(), password]);
    answers.push(("resetPassword", client.ask("resetPassword", reset).await));
    let mut alice = bank.log_in("alice").await;
    let change = json!(["alice's password", password]);
    answers.push(("changePassword", alice.ask("changePassword", change).await));
    let mut admin = bank.log_in("admin").await;
    let code = with_code(&sha256("admin's password"), "password")[0].clone();
    let profile = json!([{ "newPassword": password }, {}, code]);
    answers.push(("saveUserProfile", admin.ask("saveUserProfile", profile).await));
    answers
}

fn reasons(details: &Value) -> Vec<&str> {
    let reasons = details.as_array().unwrap().iter();
    reasons.map(|reason| reason["error"].as_str().unwrap().rsplit('-').next().unwrap()).collect()
}

#[tokio::test]
async fn a_short_or_common_password_is_rejected_with_its_reasons_at_every_door() {
    let bank = bank().await;
    for (password, expected) in [("kV9#tq-", vec!["minLength"]), ("letmein", vec!["minLength", "common"])] {
        for (door, answer) in answers(&bank, &json!(password)).await {
            assert_eq!(error(&answer), "error-password-policy-not-met", "{door}");
            assert_eq!(reasons(&answer["error"]["details"]), expected, "{door}");
        }
        let body = json!({ "username": "carol", "email": "carol@example.com", "name": "Carol", "pass": password });
        let register = bank.post("users.register").json(&body).send().await;
        assert_eq!(register.error(), "error-password-policy-not-met");
        assert_eq!(reasons(&register.body["details"]), expected, "{register:?}");
        let data = json!({ "currentPassword": sha256("alice's password"), "newPassword": password });
        let token = bank.token("alice").await;
        let body = json!({ "data": data });
        let profile = bank.post("users.updateOwnBasicInfo").by("alice", &token).json(&body).send().await;
        assert_eq!((profile.status, profile.error()), (400, &json!("error-password-policy-not-met")));
        let params = json!(["alice's password", password]);
        let message = json!({ "msg": "method", "id": "1", "method": "changePassword", "params": params }).to_string();
        let call = bank.post("method.call/changePassword").by("alice", &token).json(&json!({ "message": message }));
        assert!(call.send().await.body["message"].as_str().unwrap().contains("error-password-policy-not-met"));
        let accounts = bank.app.accounts().unwrap();
        for refused in [
            accounts.add_user("carol", &[], &[], Some(password)).await.map(drop),
            accounts.set_password("alice", password).await,
        ] {
            assert_eq!(refused.unwrap_err().for_client().unwrap().error, "error-password-policy-not-met".into());
        }
    }
    assert!(bank.app.accounts().unwrap().find("carol").await.is_err());
    result(&bank.connect().await.ask("login", password_login("alice", "alice's password")).await);
}

#[tokio::test]
async fn the_digest_of_a_common_password_is_rejected_and_that_of_another_is_not() {
    let bank = bank().await;
    for (door, answer) in answers(&bank, &digest("letmein")).await {
        assert_eq!(error(&answer), "error-password-policy-not-met", "{door}");
        assert_eq!(reasons(&answer["error"]["details"]), ["common"], "{door}");
    }
    for (door, answer) in answers(&bank, &digest(GOOD)).await {
        // Emma has a second factor, so she is not logged in by the link.
        let is_set = answer.get("error").is_none() || error(&answer) == "2fa-enabled";
        assert!(is_set, "{door}: {answer}");
    }
}

#[tokio::test]
async fn the_digest_of_the_empty_password_is_accepted_at_no_door() {
    for is_on in [true, false] {
        let bank = bank().await;
        bank.set("Accounts_Password_Policy_Enabled", is_on).await;
        for (door, answer) in answers(&bank, &digest("")).await {
            assert_eq!(error(&answer), 400, "{door}");
        }
        let body = json!({ "data": { "newPassword": digest(""), "currentPassword": sha256("alice's password") } });
        let token = bank.token("alice").await;
        let profile = bank.post("users.updateOwnBasicInfo").by("alice", &token).json(&body).send().await;
        assert_eq!(profile.status, 400, "{profile:?}");
        assert!(bank.app.accounts().unwrap().set_password("alice", "").await.is_err());
        assert!(bank.app.accounts().unwrap().add_user("carol", &[], &[], Some("")).await.is_err());
    }
}

#[tokio::test]
async fn a_rejected_password_does_not_use_up_a_link_and_a_policy_is_changed_at_run_time() {
    let bank = bank().await;
    let link = bank.app.accounts().unwrap().password_link("alice").await.unwrap();
    let token = link.rsplit('/').next().unwrap();
    let mut client: Client = bank.connect().await;
    assert_eq!(error(&client.ask("resetPassword", json!([token, "short"])).await), "error-password-policy-not-met");
    bank.set("Accounts_Password_Policy_MinLength", 12).await;
    let refused = client.ask("resetPassword", json!([token, GOOD])).await;
    assert_eq!(reasons(&refused["error"]["details"]), ["minLength"]);
    bank.set("Accounts_Password_Policy_MinLength", -1).await;
    result(&client.ask("resetPassword", json!([token, GOOD])).await);
}
