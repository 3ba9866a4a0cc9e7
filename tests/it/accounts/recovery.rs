//! Recovery ends everything: after a reset by link, a deactivation or a logout by an admin or operator, all earlier access
//! to the account has ended, over every door. A new password and a first verification end less.

use std::time::Duration;

use bolide::accounts::{ExternalLogin, Visitor};
use bolide::store::Totp;
use futures::future::join_all;
use serde_json::{Value, json};

use super::{Bank, error, password_login, result, sha256, with_code};
use crate::client::Client;

/// What a thief has of alice's account.
struct Thief {
    client: Client,
    session: String,
    personal: String,
    link: String,
    challenge: String,
}

impl Bank {
    /// Logs in as alice, and makes a token that bypasses the second factor, with the password as proof.
    async fn alice_with_a_token(&self) -> (Client, String, String) {
        let mut client = self.connect().await;
        let login = client.ask("login", password_login("alice", "alice's password")).await;
        let session = result(&login)["token"].as_str().unwrap().to_owned();
        let personal = personal_token(&mut client, "door", "alice's password").await;
        (client, session, personal)
    }

    /// Breaks into alice's account: a login, a token for an integration, a link, a challenge, and an authenticator app
    /// that was not confirmed.
    async fn break_in(&self) -> Thief {
        let (mut client, session, personal) = self.alice_with_a_token().await;
        assert!(
            result(&client.ask("2fa:enable", with_code(&sha256("alice's password"), "password")).await)["secret"]
                .is_string()
        );
        let accounts = self.app.accounts().unwrap();
        let link = accounts.password_link("alice").await.unwrap().rsplit('/').next().unwrap().to_owned();
        accounts.store().set_email_codes(&"user-alice".into(), true).await.unwrap();
        let outcome = accounts.log_in(&"user-alice".into(), &Visitor::default()).await.unwrap();
        let ExternalLogin::Challenged(challenge) = outcome else { panic!("alice was not asked") };
        accounts.store().set_email_codes(&"user-alice".into(), false).await.unwrap();
        Thief { client, session, personal, link, challenge: challenge.id }
    }

    /// Returns whether a token opens each door: a login over DDP, an endpoint, and `method.call`.
    async fn doors_opened_by(&self, token: &str) -> [bool; 3] {
        let mut client = self.connect().await;
        let login = client.ask("login", json!([{ "resume": token }])).await;
        let endpoint = self.get("me").by("alice", token).send().await;
        let message = json!({ "msg": "method", "id": "1", "method": "whoami", "params": [] }).to_string();
        let call = self.post("method.call/whoami").by("alice", token).json(&json!({ "message": message })).send().await;
        let answer = call.body["message"].as_str().unwrap_or_default();
        [login.get("error").is_none(), endpoint.status == 200, answer.contains("user-alice")]
    }

    async fn assert_is_out(&self, mut thief: Thief, how: &str) {
        thief.client.wait_for_end().await;
        for token in [&thief.personal, &thief.session] {
            assert_eq!(self.doors_opened_by(token).await, [false; 3], "{how}");
        }
        let mut client = self.connect().await;
        let link = client.ask("resetPassword", json!([thief.link, "the thief's own"])).await;
        assert_eq!((error(&link), &link["error"]["reason"]), (&json!(403), &json!("Token expired")), "{how}");
        let body = json!({ "challengeId": thief.challenge, "code": "123456" });
        let challenge = self.post("twoFactorChallenges.verifyChallenge").json(&body).send().await;
        assert_eq!(challenge.error(), "error-challenge-not-found", "{how}");
        let user = self.app.accounts().unwrap().find("alice").await.unwrap();
        assert_eq!(user.totp, Totp::Off, "{how}");
    }

    /// Sets alice's password by a link that was sent to her, and returns the answer.
    async fn reset_by_link(&self, password: &str) -> Value {
        let before = self.mails(0).await.len();
        let mut client = self.connect().await;
        result(&client.ask("forgotPassword", json!([{ "email": "alice@example.com" }])).await);
        let mails = self.mails(before + 1).await;
        let text = &mails.last().unwrap().text;
        let link = text.split_whitespace().find(|word| word.contains("/#/")).unwrap();
        client.ask("resetPassword", json!([link.rsplit('/').next().unwrap(), password])).await
    }
}

async fn personal_token(client: &mut Client, name: &str, password: &str) -> String {
    let options = json!({ "tokenName": name, "bypassTwoFactor": true });
    let code = with_code(&sha256(password), "password")[0].clone();
    let made = client.ask("personalAccessTokens:generateToken", json!([options, code])).await;
    result(&made).as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_reset_by_link_ends_everything() {
    let bank = Bank::open().await;
    let thief = bank.break_in().await;
    assert_eq!(bank.doors_opened_by(&thief.personal).await, [true; 3]);
    let before = thief.link.clone();
    result(&bank.reset_by_link("alice's new password").await);
    bank.assert_is_out(Thief { link: before, ..thief }, "reset").await;
}

#[tokio::test]
async fn a_reset_by_link_over_method_call_ends_everything() {
    let bank = Bank::open().await;
    let mut thief = bank.break_in().await;
    let params = json!([thief.link, "alice's new password"]);
    let message = json!({ "msg": "method", "id": "1", "method": "resetPassword", "params": params }).to_string();
    let call = bank.post("method.callAnon/resetPassword").json(&json!({ "message": message })).send().await;
    assert!(call.body["message"].as_str().unwrap().contains("tokenExpires"), "{call:?}");
    thief.link = bank.app.accounts().unwrap().password_link("alice").await.unwrap();
    bank.assert_is_out(thief, "method.call").await;
}

#[tokio::test]
async fn a_reset_by_link_signs_the_connection_out_that_makes_it() {
    let bank = Bank::open().await;
    let mut bob = bank.log_in("bob").await;
    let link = bank.app.accounts().unwrap().password_link("bob").await.unwrap();
    let reset = bob.ask("resetPassword", json!([link.rsplit('/').next().unwrap(), "bob's new password"])).await;
    assert_eq!(error(&reset), "2fa-enabled");
    assert_eq!(error(&bob.ask("whoami", json!([])).await), "error-invalid-user");
    let mut alice = bank.log_in("alice").await;
    let link = bank.app.accounts().unwrap().password_link("alice").await.unwrap();
    result(&alice.ask("resetPassword", json!([link.rsplit('/').next().unwrap(), "alice's new password"])).await);
    assert_eq!(result(&alice.ask("whoami", json!([])).await), "user-alice", "by the new login");
}

#[tokio::test]
async fn a_deactivation_ends_everything_also_after_a_reactivation() {
    let bank = Bank::open().await;
    let thief = bank.break_in().await;
    let mut admin = bank.log_in("admin").await;
    let code = with_code(&sha256("admin's password"), "password")[0].clone();
    result(&admin.ask("admin:setActive", json!(["user-alice", false, code])).await);
    result(&admin.ask("admin:setActive", json!(["user-alice", true, code])).await);
    bank.assert_is_out(thief, "admin").await;
    let thief = bank.break_in().await;
    bank.app.accounts().unwrap().set_active("alice", false).await.unwrap();
    bank.app.accounts().unwrap().set_active("alice", true).await.unwrap();
    bank.assert_is_out(thief, "operator").await;
}

#[tokio::test]
async fn a_logout_by_an_admin_or_an_operator_ends_everything() {
    let bank = Bank::open().await;
    let thief = bank.break_in().await;
    let mut admin = bank.log_in("admin").await;
    let code = with_code(&sha256("admin's password"), "password")[0].clone();
    result(&admin.ask("admin:logOut", json!(["user-alice", code])).await);
    bank.assert_is_out(thief, "admin").await;
    let thief = bank.break_in().await;
    assert_eq!(bank.app.accounts().unwrap().log_out("alice").await.unwrap(), 2);
    bank.assert_is_out(thief, "operator").await;
    let thief = bank.break_in().await;
    bank.app.accounts().unwrap().set_password("alice", "alice's password").await.unwrap();
    bank.assert_is_out(thief, "set-password").await;
    let thief = bank.break_in().await;
    bank.app.accounts().unwrap().reset_second_factors("alice").await.unwrap();
    bank.assert_is_out(thief, "reset-2fa").await;
}

#[tokio::test]
async fn tokens_that_are_created_while_a_reset_runs_do_not_outlive_it() {
    let bank = Bank::open().await;
    for round in 0..5 {
        let password = sha256("alice's password");
        let mut sessions = Vec::new();
        for _ in 0..4 {
            sessions.push(bank.token("alice").await);
        }
        let makers = sessions.iter().enumerate().map(async |(thief, session)| {
            for number in 0.. {
                let options = json!({ "tokenName": format!("{round} {thief} {number}"), "bypassTwoFactor": true });
                let call = bank.post("users.generatePersonalAccessToken").by("alice", session).json(&options);
                if call.code(&password, "password").send().await.status != 200 {
                    return number;
                }
            }
            0
        });
        let reset = bank.app.accounts().unwrap().password_link("alice").await.unwrap();
        let mut owner = bank.connect().await;
        let reset = owner.ask("resetPassword", json!([reset.rsplit('/').next().unwrap(), "alice's password"]));
        let (made, reset) = futures::join!(join_all(makers), reset);
        assert!(made.len() == 4, "{made:?}");
        let own = result(&reset)["token"].as_str().unwrap().to_owned();
        let left = bank.app.accounts().unwrap().store().tokens_of(&"user-alice".into()).await.unwrap();
        assert_eq!(left.len(), 1, "round {round}");
        assert_eq!(bank.doors_opened_by(&own).await, [true; 3]);
    }
}

#[tokio::test]
async fn the_first_verification_ends_tokens_and_pending_secrets_but_no_login() {
    let bank = Bank::open().await;
    bank.set("Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In", false).await;
    let mut client = bank.connect().await;
    let new = json!([{ "username": "carol", "email": "carol@example.com", "password": "carol's password" }]);
    result(&client.ask("createUser", new).await);
    let personal = personal_token(&mut client, "door", "carol's password").await;
    result(&client.ask("2fa:enable", with_code(&sha256("alice's password"), "password")).await);
    let verify = async |client: &mut Client, mails: usize| {
        client.ask("sendVerificationEmail", json!(["carol@example.com"])).await;
        let mails = bank.mails(mails).await;
        let text = &mails.last().unwrap().text;
        let link = text.split_whitespace().find(|word| word.contains("verify-email/")).unwrap();
        let token = link.rsplit('/').next().unwrap();
        result(&bank.connect().await.ask("verifyEmail", json!([token])).await).clone()
    };
    verify(&mut client, 1).await;
    assert!(result(&client.ask("whoami", json!([])).await).is_string(), "the login stays");
    assert_eq!(error(&bank.connect().await.ask("login", json!([{ "resume": personal }])).await), 403);
    let user = bank.app.accounts().unwrap().find("carol").await.unwrap();
    assert_eq!(user.totp, Totp::Off);
    let later = personal_token(&mut client, "own", "carol's password").await;
    verify(&mut client, 2).await;
    result(&bank.connect().await.ask("login", json!([{ "resume": later }])).await);
}

#[tokio::test]
async fn a_new_password_ends_personal_tokens_unless_they_are_to_be_kept() {
    for (parameters, is_kept) in [
        (json!(["alice's password", "alice's new password"]), false),
        (json!(["alice's password", "alice's new password", ""]), false),
        (json!(["alice's password", "alice's new password", { "keepPersonalTokens": false }]), false),
        (json!(["alice's password", "alice's new password", { "keepPersonalTokens": true }]), true),
    ] {
        let bank = Bank::open().await;
        let (mut client, session, personal) = bank.alice_with_a_token().await;
        for malformed in [json!({ "keepPersonalTokens": "yes" }), json!("yes"), json!(true)] {
            let refused = client.ask("changePassword", json!(["alice's password", "another one", malformed])).await;
            assert_eq!(error(&refused), 400);
        }
        result(&client.ask("changePassword", parameters.clone()).await);
        assert_eq!(bank.doors_opened_by(&personal).await, [is_kept; 3], "{parameters}");
        assert_eq!(bank.doors_opened_by(&session).await, [true; 3], "the login that changes it stays");
    }
}

#[tokio::test]
async fn a_new_password_in_the_profile_ends_personal_tokens_unless_they_are_to_be_kept() {
    for (keep, is_kept) in [(json!(null), false), (json!(true), true)] {
        let bank = Bank::open().await;
        let (_client, session, personal) = bank.alice_with_a_token().await;
        let data = json!({
            "currentPassword": sha256("alice's password"),
            "newPassword": "alice's new password",
            "keepPersonalTokens": keep,
        });
        let body = json!({ "data": data });
        let changed = bank.post("users.updateOwnBasicInfo").by("alice", &session).json(&body).send().await;
        assert_eq!(changed.status, 200, "{changed:?}");
        assert_eq!(bank.doors_opened_by(&personal).await, [is_kept; 3]);
        assert_eq!(bank.doors_opened_by(&session).await, [true; 3]);
    }
}

#[tokio::test]
async fn after_a_reset_by_link_strangers_have_not_blocked_the_owner() {
    let bank = Bank::open().await;
    let mut stranger = bank.connect().await;
    for name in ["alice", "alice@example.com", "ALICE"] {
        for _ in 0..10 {
            let user = if name.contains('@') { json!({ "email": name }) } else { json!({ "username": name }) };
            stranger.ask("login", json!([{ "user": user, "password": "wrong" }])).await;
        }
    }
    let login = password_login("alice", "alice's password");
    assert_eq!(error(&stranger.ask("login", login).await), "error-login-blocked-for-user");
    result(&bank.reset_by_link("alice's new password").await);
    for user in [json!({ "username": "alice" }), json!({ "email": "alice@example.com" })] {
        let login = json!([{ "user": user, "password": "alice's new password" }]);
        result(&bank.connect().await.ask("login", login).await);
    }
}

#[tokio::test]
async fn after_a_reset_by_link_strangers_wrong_codes_do_not_count() {
    let bank = Bank::open().await;
    let mut stranger = bank.log_in("bob").await;
    while error(&stranger.ask("gated", with_code("000000", "totp")).await) != "totp-max-attempts" {}
    let refused = stranger.ask("gated", with_code(&bank.code(), "totp")).await;
    assert_eq!(error(&refused), "totp-max-attempts");
    let link = bank.app.accounts().unwrap().password_link("bob").await.unwrap();
    let mut owner = bank.connect().await;
    let reset = owner.ask("resetPassword", json!([link.rsplit('/').next().unwrap(), "bob's new password"])).await;
    assert_eq!(error(&reset), "2fa-enabled");
    let login = json!({ "user": { "username": "bob" }, "password": "bob's new password" });
    result(&owner.ask("login", json!([{ "totp": { "login": login, "code": bank.code() } }])).await);
}

#[tokio::test]
async fn after_its_five_minutes_a_block_is_over_and_ten_new_failures_make_the_next() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    let mut fail = async |expected: Value| {
        let refused = client.ask("login", password_login("alice", "wrong")).await;
        assert_eq!(*error(&refused), expected);
    };
    for _ in 0..2 {
        for _ in 0..10 {
            fail(json!(403)).await;
        }
        fail(json!("error-login-blocked-for-user")).await;
        bank.clock.advance(Duration::from_mins(5));
    }
    fail(json!(403)).await;
    result(&client.ask("login", password_login("alice", "alice's password")).await);
}

#[tokio::test]
async fn an_admin_or_an_operator_lifts_blocks() {
    let bank = Bank::open().await;
    let mut stranger = bank.connect().await;
    let mut block = async || {
        for _ in 0..10 {
            stranger.ask("login", password_login("alice", "wrong")).await;
        }
        let login = password_login("alice", "alice's password");
        assert_eq!(error(&stranger.ask("login", login).await), "error-login-blocked-for-user");
    };
    let log_in = async || {
        let login = password_login("alice", "alice's password");
        result(&bank.connect().await.ask("login", login).await).clone()
    };
    block().await;
    bank.app.accounts().unwrap().unblock("alice").await.unwrap();
    log_in().await;
    block().await;
    let mut admin = bank.log_in("admin").await;
    let code = with_code(&sha256("admin's password"), "password")[0].clone();
    assert_eq!(result(&admin.ask("admin:unblock", json!(["user-alice", code])).await), true);
    log_in().await;
    let mut alice = bank.log_in("alice").await;
    let code = with_code(&sha256("alice's password"), "password")[0].clone();
    let refused = alice.ask("admin:unblock", json!(["user-bob", code])).await;
    assert_eq!(error(&refused), "error-action-not-allowed");
    assert!(bank.app.accounts().unwrap().unblock("nobody").await.is_err());
}

#[tokio::test]
async fn a_link_does_not_change_the_password_of_a_deactivated_user() {
    let bank = Bank::open().await;
    let accounts = bank.app.accounts().unwrap();
    let link = accounts.password_link("alice").await.unwrap();
    let link = link.rsplit('/').next().unwrap();
    // As a deactivation by an application that writes to the store itself, which leaves links.
    accounts.store().set_active(&"user-alice".into(), false).await.unwrap();
    let reset = bank.connect().await.ask("resetPassword", json!([link, "alice's new password"])).await;
    assert_eq!(error(&reset), 403);
    accounts.store().set_active(&"user-alice".into(), true).await.unwrap();
    result(&bank.connect().await.ask("login", password_login("alice", "alice's password")).await);
}
