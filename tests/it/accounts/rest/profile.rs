//! Changing one's own profile: names at once, the address or password with a second factor, over DDP and REST.

use bolide::prelude::*;
use serde_json::{Value, json};

use crate::accounts::{Bank, error, result, sha256};

impl Bank {
    async fn update(&self, name: &str, token: &str, data: Value) -> super::Reply {
        self.post("users.updateOwnBasicInfo").by(name, token).json(&json!({ "data": data })).send().await
    }

    async fn update_with_code(&self, name: &str, token: &str, data: Value, code: &str) -> super::Reply {
        let call = self.post("users.updateOwnBasicInfo").by(name, token).code(code, "totp");
        call.json(&json!({ "data": data })).send().await
    }

    async fn user(&self, name: &str) -> bolide::store::User {
        self.app.accounts().unwrap().find(name).await.unwrap()
    }
}

#[tokio::test]
async fn names_change_without_a_challenge_and_stale_codes_are_not_counted() {
    let bank = Bank::open().await;
    let token = bank.token("bob").await;
    for number in 0..15 {
        let data = json!({ "name": format!("Bob {number}"), "username": "bob", "email": "BOB@example.com" });
        let reply = bank.update_with_code("bob", &token, data, "000000").await;
        assert_eq!((reply.status, &reply.body["user"]["name"]), (200, &json!(format!("Bob {number}"))));
    }
    let reply = bank.update("bob", &token, json!({ "username": "robert" })).await;
    assert_eq!((reply.status, &reply.body["user"]["username"]), (200, &json!("robert")));
    assert_eq!(bank.post("gated").by("bob", &token).code(&bank.code(), "totp").send().await.status, 200);
}

#[tokio::test]
async fn a_new_address_requires_a_second_factor_and_is_unverified() {
    let bank = Bank::open().await;
    let token = bank.token("bob").await;
    assert_eq!(bank.post("gated").by("bob", &token).code(&bank.code(), "totp").send().await.status, 200);
    bank.clock.advance(std::time::Duration::from_mins(1));
    let data = json!({ "email": "robert@example.com", "name": "Robert" });
    let asked = bank.update("bob", &token, data.clone()).await;
    assert_eq!((asked.status, asked.error()), (400, &json!("totp-required")), "a trusted client is asked as well");
    assert!(bank.user("bob").await.fields.is_empty(), "nothing may change before the question is answered");
    let reply = bank.update_with_code("bob", &token, data, &bank.code()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.body["user"]["emails"], json!([{ "address": "robert@example.com", "verified": false }]));
    let mail = &bank.mails(1).await[0];
    assert!(mail.to == ["robert@example.com"] && mail.text.contains("/#/verify-email/"), "{}", mail.text);
    let reply = bank.post("gated").by("bob", &token).send().await;
    assert_eq!(reply.error(), "totp-required", "no client is trusted any more");
}

#[tokio::test]
async fn a_new_password_ends_other_logins_and_the_trust_of_the_current_one() {
    let bank = Bank::open().await;
    let (own, other) = (bank.token("bob").await, bank.token("bob").await);
    let data = json!({ "newPassword": "bob's new password" });
    assert_eq!(bank.update("bob", &own, data.clone()).await.error(), "totp-required");
    assert_eq!(bank.update_with_code("bob", &own, data, &bank.code()).await.status, 200);
    assert_eq!(bank.get("me").by("bob", &other).send().await.status, 401);
    assert_eq!(bank.get("me").by("bob", &own).send().await.status, 200);
    assert_eq!(bank.post("gated").by("bob", &own).send().await.error(), "totp-required");
    let old = json!({ "user": "bob", "password": "bob's password" });
    assert_eq!(bank.post("login").json(&old).send().await.body["error"], "Unauthorized");
    let new = json!({ "user": "bob", "password": "bob's new password" });
    assert_eq!(bank.post("login").json(&new).send().await.body["error"], "totp-required");
}

#[tokio::test]
async fn the_current_password_is_accepted_if_there_is_no_other_factor() {
    let bank = Bank::open().await;
    let token = bank.token("alice").await;
    let data = |present: &str| json!({ "newPassword": "new", "currentPassword": sha256(present) });
    let asked = bank.update("alice", &token, json!({ "newPassword": "new" })).await;
    assert_eq!((asked.error(), &asked.body["details"]["method"]), (&json!("totp-required"), &json!("password")));
    assert_eq!(bank.update("alice", &token, data("wrong")).await.error(), "totp-invalid");
    assert_eq!(bank.update("alice", &token, data("alice's password")).await.status, 200);
    let bob = bank.token("bob").await;
    for _ in 0..15 {
        let reply = bank.update("bob", &bob, data("bob's password")).await;
        assert_eq!(reply.error(), "totp-required", "a password is not an app code, and not a wrong attempt");
    }
}

#[tokio::test]
async fn bypass_tokens_are_challenged_too() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    let options = json!([{ "tokenName": "bot", "bypassTwoFactor": true }, { "twoFactorCode": bank.code(), "twoFactorMethod": "totp" }]);
    let token = result(&bob.ask("personalAccessTokens:generateToken", options).await).as_str().unwrap().to_owned();
    assert_eq!(bank.post("gated").by("bob", &token).send().await.status, 200);
    let reply = bank.update("bob", &token, json!({ "email": "evil@example.com" })).await;
    assert_eq!(reply.error(), "totp-required");
}

#[tokio::test]
async fn a_name_or_address_in_use_is_rejected_and_nothing_changes() {
    let bank = Bank::open().await;
    let token = bank.token("bob").await;
    let data = json!({ "username": "robert", "email": "ALICE@example.com" });
    assert_eq!(bank.update("bob", &token, data.clone()).await.error(), "totp-required");
    let reply = bank.update_with_code("bob", &token, data, &bank.code()).await;
    assert_eq!(reply.error(), "error-field-unavailable");
    let bob = bank.user("bob").await;
    assert_eq!((bob.username.as_deref(), bob.emails[0].address.as_str()), (Some("bob"), "bob@example.com"));
    assert_eq!(bank.update("bob", &token, json!({ "username": "Alice" })).await.error(), "error-field-unavailable");
    for wrong in [
        json!({ "email": "no address" }),
        json!({ "username": "a@b" }),
        json!({ "newPassword": 5 }),
        json!({ "name": [] }),
    ] {
        assert_eq!(bank.update("bob", &token, wrong.clone()).await.error(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn over_ddp_the_code_is_accepted_only_as_the_last_parameter() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    assert_eq!(result(&bob.ask("saveUserProfile", json!([{ "realname": "Robert" }, {}])).await), true);
    let sensitive = json!({ "email": "robert@example.com", "newPassword": "new" });
    let asked = bob.ask("saveUserProfile", json!([sensitive, {}])).await;
    assert_eq!(error(&asked), "totp-required");
    let code = json!({ "twoFactorCode": bank.code(), "twoFactorMethod": "totp" });
    assert_eq!(result(&bob.ask("saveUserProfile", json!([sensitive, {}, code])).await), true);
    let changed = bank.user("bob").await;
    assert_eq!(changed.emails[0].address, "robert@example.com");
    assert!(!changed.emails[0].is_verified && changed.fields["name"].as_str() == Some("Robert"));
}

#[tokio::test]
async fn the_current_password_in_the_settings_is_not_a_code_over_ddp() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let settings = json!({ "newPassword": "new", "currentPassword": sha256("alice's password") });
    assert_eq!(error(&alice.ask("saveUserProfile", json!([settings, {}])).await), "totp-required");
}

#[tokio::test]
async fn a_method_can_only_ask_on_demand_if_its_policy_says_so() {
    let app = App::builder()
        .method("may", TwoFactor::required().on_demand(), async |me: SignedIn, asks: bool| {
            if asks {
                let _admitted = me.demand_two_factor(None).await?;
            }
            Ok("ok")
        })
        .method("must not", TwoFactor::none(), async |me: SignedIn| {
            let _admitted = me.demand_two_factor(None).await?;
            Ok("ok")
        })
        .build()
        .unwrap();
    let caller = Caller::user("somebody");
    assert_eq!(app.call::<String>(&caller, "may", &(false,)).await.unwrap(), "ok");
    // Without accounts the gate is closed.
    assert_eq!(app.call::<String>(&caller, "may", &(true,)).await.unwrap_err().error, "totp-required".into());
    assert_eq!(app.call::<String>(&caller, "must not", &()).await.unwrap_err().error, 500.into());
}
