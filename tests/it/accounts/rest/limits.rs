//! Rate limits of endpoints, and the headers that report them.

use std::time::Duration;

use bolide::clock::Clock as _;
use serde_json::json;

use crate::accounts::Bank;

async fn limited(calls: i64) -> Bank {
    let bank = Bank::open().await;
    bank.set("API_Enable_Rate_Limiter", true).await;
    bank.set("API_Enable_Rate_Limiter_Limit_Calls_Default", calls).await;
    bank
}

#[tokio::test]
async fn headers_report_the_rest_of_the_limit_and_then_requests_are_rejected() {
    let bank = limited(2).await;
    let ends = (bank.clock.now().milliseconds() + 60_000) / 1000;
    for left in ["1", "0"] {
        let reply = bank.get("settings.public").send().await;
        assert_eq!((reply.status, reply.header("x-ratelimit-remaining")), (200, Some(left)));
        assert_eq!(reply.header("x-ratelimit-limit"), Some("2"));
        let reset: i64 = reply.header("x-ratelimit-reset").unwrap().parse().unwrap();
        assert!((ends..=ends + 60).contains(&(reset / 1000)), "{reset}");
    }
    let reply = bank.get("settings.public").send().await;
    assert_eq!((reply.status, reply.error()), (429, &json!("error-too-many-requests")));
    assert_eq!(reply.header("x-ratelimit-remaining"), Some("0"));
    assert!(reply.header("retry-after").is_some());
    bank.clock.advance(Duration::from_mins(1));
    assert_eq!(bank.get("settings.public").send().await.status, 200);
}

#[tokio::test]
async fn each_route_is_counted_separately_and_a_user_over_all_routes() {
    let bank = limited(2).await;
    bank.set("API_Enable_Rate_Limiter_Limit_Calls_User", 3).await;
    let alice = bank.token("alice").await;
    assert_eq!(bank.get("me").by("alice", &alice).send().await.status, 200);
    assert_eq!(bank.get("me").by("alice", &alice).send().await.status, 200);
    assert_eq!(bank.get("users.getPersonalAccessTokens").by("alice", &alice).send().await.status, 200);
    let reply = bank.get("users.getPersonalAccessTokens").by("alice", &alice).send().await;
    assert_eq!((reply.status, reply.header("x-ratelimit-limit")), (429, Some("3")));
    let bob = bank.token("bob").await;
    assert_eq!(bank.get("settings.public").by("bob", &bob).send().await.status, 200);
}

#[tokio::test]
async fn endpoints_that_send_mail_or_check_codes_without_a_login_have_own_limits() {
    let bank = limited(1_000).await;
    for path in [
        "users.forgotPassword",
        "users.2fa.sendEmailCode",
        "users.register",
        "twoFactorChallenges.sendEmailCode",
        "twoFactorChallenges.verifyChallenge",
    ] {
        let mut statuses = Vec::new();
        for _ in 0..6 {
            statuses.push(bank.post(path).json(&json!({})).send().await.status);
        }
        assert_eq!(statuses, [400, 400, 400, 400, 400, 429], "{path}");
    }
}

#[tokio::test]
async fn method_call_is_counted_only_by_the_rules_for_methods() {
    let bank = limited(1).await;
    let message = json!({ "message": r#"{"msg":"method","id":"1","method":"item","params":[{"id":"x"}]}"# });
    for _ in 0..3 {
        let reply = bank.post("method.callAnon/item").json(&message).send().await;
        assert_eq!((reply.status, reply.header("x-ratelimit-limit")), (200, None));
    }
}

#[tokio::test]
async fn a_setting_disables_the_limits() {
    let bank = limited(1).await;
    bank.set("API_Enable_Rate_Limiter", false).await;
    for _ in 0..3 {
        let reply = bank.get("settings.public").send().await;
        assert_eq!((reply.status, reply.header("x-ratelimit-limit")), (200, None));
    }
}
