//! Checks run in Rocket.Chat's order: authentication, permission, rate limit, body, second factor.

use bolide::prelude::*;
use serde_json::json;

use crate::accounts::{Bank, sha256};

#[tokio::test]
async fn each_check_comes_before_the_next() {
    let bank = Bank::open().await;
    let (alice, admin) = (bank.token("alice").await, bank.token("admin").await);
    let change = || bank.post("settings/Accounts_LoginExpiration");
    assert_eq!(change().text("no JSON").send().await.status, 401);
    let reply = change().by("alice", &alice).text("no JSON").send().await;
    assert_eq!((reply.status, reply.error()), (403, &json!("error-unauthorized")));
    let reply = change().by("admin", &admin).text("no JSON").send().await;
    assert_eq!((reply.status, reply.error()), (400, &json!("invalid-params")));
    let reply = change().by("admin", &admin).json(&json!({})).send().await;
    assert_eq!((reply.status, reply.error()), (400, &json!("error-parameter-required")));
    let reply = change().by("admin", &admin).json(&json!({ "value": "many" })).send().await;
    assert_eq!((reply.status, reply.error()), (400, &json!("totp-required")));
    let shown = change().by("admin", &admin).code(&sha256("admin's password"), "password");
    let reply = shown.json(&json!({ "value": "many" })).send().await;
    assert_eq!((reply.status, reply.error()), (400, &json!("error-invalid-setting-value")));
    let reply = change().by("admin", &admin).json(&json!({ "value": 30 })).send().await;
    assert_eq!((reply.status, reply.body), (200, json!({ "success": true })));
}

#[tokio::test]
async fn the_rate_limit_is_checked_after_the_permission_and_before_the_body() {
    let bank = Bank::open().await;
    let (alice, admin) = (bank.token("alice").await, bank.token("admin").await);
    bank.set("API_Enable_Rate_Limiter", true).await;
    bank.set("API_Enable_Rate_Limiter_Limit_Calls_Default", 1).await;
    let change = || bank.post("settings/Accounts_LoginExpiration");
    assert_eq!(change().by("admin", &admin).text("no JSON").send().await.status, 400);
    assert_eq!(change().by("admin", &admin).text("no JSON").send().await.status, 429);
    assert_eq!(change().by("alice", &alice).text("no JSON").send().await.status, 403);
    assert_eq!(change().text("no JSON").send().await.status, 401);
}

#[tokio::test]
async fn ambiguous_and_invalid_paths_are_rejected_when_the_app_is_built() {
    let refusal = |paths: &[&str]| {
        let endpoint = async |_: Context, _: serde_json::Value| Ok(1);
        let app = paths.iter().fold(App::builder(), |app, path| app.post(*path, TwoFactor::none(), endpoint));
        match app.build() {
            Ok(_) => panic!("{paths:?} are endpoints"),
            Err(refusal) => refusal.to_string(),
        }
    };
    for paths in [&["a", "a"][..], &["login"], &["info"], &["a/{id}", "a/{name}"], &["a/{b"], &["a/{*b}/c"]] {
        let last = paths[paths.len() - 1];
        assert!(refusal(paths).contains(last.split(':').next().unwrap()), "{paths:?}");
    }
    let both = App::builder().get("a/{id}", TwoFactor::none(), async |_: Context, _: serde_json::Value| Ok(1));
    assert!(both.post("a/{id}", TwoFactor::none(), async |_: Context, _: serde_json::Value| Ok(1)).build().is_ok());
}
