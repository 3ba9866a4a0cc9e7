//! Logins that cannot be repeated: the second factor answers a challenge, once.

use std::time::Duration;

use bolide::accounts::{ExternalLogin, LoginChallenge, Visitor};
use bolide::protocol::two_factor::TwoFactorMethod;
use bolide::testing::PasskeyAuthenticator;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::accounts::{Bank, by_password};

impl Bank {
    /// Logs in as after a login at another service.
    async fn sign_in_elsewhere(&self, name: &str) -> ExternalLogin {
        let user = format!("user-{name}").into();
        self.app.accounts().unwrap().log_in(&user, &Visitor::default()).await.unwrap()
    }

    async fn challenge(&self, name: &str) -> LoginChallenge {
        match self.sign_in_elsewhere(name).await {
            ExternalLogin::Challenged(challenge) => challenge,
            ExternalLogin::LoggedIn(_) => panic!("{name} was not asked"),
        }
    }

    async fn verify(&self, id: &str, code: &str) -> super::Reply {
        let body = json!({ "challengeId": id, "code": code });
        self.post("twoFactorChallenges.verifyChallenge").json(&body).send().await
    }
}

#[tokio::test]
async fn a_user_without_a_second_factor_is_logged_in_at_once() {
    let bank = Bank::open().await;
    let ExternalLogin::LoggedIn(login) = bank.sign_in_elsewhere("alice").await else { panic!("alice was asked") };
    assert_eq!(bank.get("me").by("alice", login.token.expose()).send().await.status, 200);
    assert!(login.expires_at.is_some());
    let handle = bank.app.accounts().unwrap();
    let unknown = handle.log_in(&"nobody".into(), &Visitor::default()).await.unwrap_err();
    assert_eq!(unknown.for_client().unwrap().error, "error-user-not-found".into());
}

#[tokio::test]
async fn a_code_of_the_app_logs_in_once_and_the_client_is_trusted() {
    let bank = Bank::open().await;
    let challenge = bank.challenge("bob").await;
    assert_eq!((challenge.method.as_str(), challenge.id.len()), ("totp", 64));
    let reply = bank.verify(&challenge.id, &bank.code()).await;
    assert_eq!((reply.status, &reply.body["userId"]), (200, &json!("user-bob")));
    let token = reply.body["loginToken"].as_str().unwrap();
    let mut client = bank.connect().await;
    assert_eq!(client.ask("login", json!([{ "resume": token }])).await["result"]["id"], "user-bob");
    assert_eq!(bank.post("gated").by("bob", token).send().await.status, 200, "the factor was shown a moment ago");
    bank.clock.advance(Duration::from_mins(1));
    assert_eq!(bank.verify(&challenge.id, &bank.code()).await.error(), "error-challenge-not-found");
}

#[tokio::test]
async fn a_code_is_emailed_with_the_challenge_and_another_on_request() {
    let bank = Bank::open().await;
    let challenge = bank.challenge("emma").await;
    assert_eq!(challenge.method.as_str(), "email");
    let first = bank.mailed_code(1).await;
    let again = json!({ "challengeId": challenge.id });
    assert_eq!(bank.post("twoFactorChallenges.sendEmailCode").json(&again).send().await.status, 200);
    let second = bank.mailed_code(2).await;
    assert_eq!(bank.verify(&challenge.id, &first).await.error(), "error-invalid-code");
    assert_eq!(bank.verify(&challenge.id, &second).await.status, 200);
    let totp = json!({ "challengeId": bank.challenge("bob").await.id });
    let reply = bank.post("twoFactorChallenges.sendEmailCode").json(&totp).send().await;
    assert_eq!((reply.status, reply.error()), (400, &json!("error-invalid-challenge-method")));
}

#[tokio::test]
async fn a_challenge_expires_after_five_minutes() {
    let bank = Bank::open().await;
    let challenge = bank.challenge("bob").await;
    bank.clock.advance(Duration::from_secs(301));
    assert_eq!(bank.verify(&challenge.id, &bank.code()).await.error(), "error-challenge-expired");
}

#[tokio::test]
async fn five_wrong_codes_end_a_challenge_and_count_for_the_user() {
    let bank = Bank::open().await;
    for round in 0..2 {
        let challenge = bank.challenge("bob").await;
        for _ in 0..4 {
            assert_eq!(bank.verify(&challenge.id, "wrong!").await.error(), "error-invalid-code");
        }
        assert_eq!(bank.verify(&challenge.id, "wrong!").await.error(), "totp-max-attempts", "{round}");
        assert_eq!(bank.verify(&challenge.id, &bank.code()).await.error(), "error-challenge-not-found");
    }
    // After ten wrong codes the correct one is rejected, over any transport.
    let challenge = bank.challenge("bob").await;
    assert_eq!(bank.verify(&challenge.id, &bank.code()).await.error(), "totp-max-attempts");
    let token = bank.token("bob").await;
    let reply = bank.post("gated").by("bob", &token).code(&bank.code(), "totp").send().await;
    assert_eq!(reply.error(), "totp-max-attempts");
}

#[tokio::test]
async fn of_twenty_parallel_answers_exactly_one_logs_in() {
    let bank = Bank::open().await;
    let challenge = bank.challenge("bob").await;
    let code = bank.code();
    let replies = join_all((0..20).map(|_| bank.verify(&challenge.id, &code))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
}

#[tokio::test]
async fn ids_and_codes_of_the_wrong_type_are_rejected() {
    let bank = Bank::open().await;
    let challenge = bank.challenge("bob").await;
    assert_eq!(bank.verify(&"0".repeat(64), &bank.code()).await.error(), "error-challenge-not-found");
    for missing in [
        json!({}),
        json!({ "code": "1" }),
        json!({ "challengeId": challenge.id }),
        json!({ "challengeId": "", "code": "1" }),
    ] {
        let reply = bank.post("twoFactorChallenges.verifyChallenge").json(&missing).send().await;
        assert_eq!(reply.error(), "error-parameter-required", "{missing}");
    }
    let wrong: [Value; 2] = [json!({ "$ne": "" }), json!(["x"])];
    for wrong in wrong {
        let body = json!({ "challengeId": wrong, "code": wrong });
        assert_eq!(bank.post("twoFactorChallenges.verifyChallenge").json(&body).send().await.error(), "invalid-params");
    }
    bank.app.accounts().unwrap().store().set_active(&"user-bob".into(), false).await.unwrap();
    assert_eq!(bank.verify(&challenge.id, &bank.code()).await.error(), "error-user-not-found");
}

#[tokio::test]
async fn a_passkey_answers_the_challenge_that_it_was_requested_for() {
    let bank = Bank::open().await;
    let mut alice = bank.log_in("alice").await;
    let begun = alice.ask("passkeys:beginRegistration", by_password("alice", json!([]))).await;
    let mut authenticator = PasskeyAuthenticator::new("http://localhost:3000");
    let made = authenticator.register(&begun["result"]).to_string();
    let codes =
        alice.ask("passkeys:finishRegistration", json!([{ "credential": made }])).await["result"]["codes"].clone();
    let challenge = bank.challenge("alice").await;
    assert_eq!(challenge.method, TwoFactorMethod::Totp, "a page that does not know passkeys asks for a backup code");
    let other = bank.challenge("alice").await;
    let wrong = authenticator.get(other.webauthn.as_ref().unwrap()).unwrap().to_string();
    assert_eq!(bank.verify(&challenge.id, &wrong).await.error(), "error-invalid-code");
    let right = authenticator.get(challenge.webauthn.as_ref().unwrap()).unwrap().to_string();
    assert_eq!(bank.verify(&challenge.id, &right).await.body["userId"], "user-alice");
    assert_eq!(bank.verify(&other.id, codes[0].as_str().unwrap()).await.body["userId"], "user-alice");
}
