//! Managing users, which only admins can do.

use serde_json::json;

use crate::accounts::{Bank, sha256};

#[tokio::test]
async fn admins_see_all_users_in_pages_without_secrets_and_others_see_none() {
    let bank = Bank::open().await;
    let (alice, admin) = (bank.token("alice").await, bank.token("admin").await);
    let page = bank.get("users.list?count=2&offset=1").by("admin", &admin).send().await;
    assert_eq!((page.status, &page.body["count"], &page.body["offset"]), (200, &json!(2), &json!(1)));
    assert_eq!(page.body["total"], 4);
    let names: Vec<_> = page.body["users"].as_array().unwrap().iter().map(|user| &user["username"]).collect();
    assert_eq!(names, ["alice", "bob"]);
    for secret in ["services", "password", "totp"] {
        assert!(!page.body.to_string().contains(secret), "{secret}");
    }
    for path in ["users.list", "users.info?username=bob", "users.info?username=nobody"] {
        assert_eq!(bank.get(path).by("alice", &alice).send().await.status, 403, "{path}");
        assert_eq!(bank.get(path).send().await.status, 401, "{path}");
    }
    assert_eq!(bank.get("users.list?count=many").by("admin", &admin).send().await.error(), "invalid-params");
    let found = bank.get("users.list?search=EMM").by("admin", &admin).send().await;
    assert_eq!((&found.body["total"], &found.body["users"][0]["_id"]), (&json!(1), &json!("user-emma")));
}

#[tokio::test]
async fn a_user_is_found_by_name_and_by_id() {
    let bank = Bank::open().await;
    let admin = bank.token("admin").await;
    for path in ["users.info?username=BOB", "users.info?userId=user-bob"] {
        let reply = bank.get(path).by("admin", &admin).send().await;
        assert_eq!((reply.status, &reply.body["user"]["_id"]), (200, &json!("user-bob")), "{path}");
    }
    let reply = bank.get("users.info?username=nobody").by("admin", &admin).send().await;
    assert_eq!((reply.status, reply.error()), (400, &json!("error-invalid-user")));
    let reply = bank.get("users.info").by("admin", &admin).send().await;
    assert_eq!(reply.error(), "error-user-param-not-provided");
}

#[tokio::test]
async fn removing_an_app_by_owner_or_admin_ends_all_logins() {
    let bank = Bank::open().await;
    let (alice, bob, admin) = (bank.token("alice").await, bank.token("bob").await, bank.token("admin").await);
    let reset = |body: serde_json::Value| bank.post("users.resetTOTP").json(&body);
    let other = json!({ "username": "bob" });
    assert_eq!(reset(other.clone()).by("alice", &alice).send().await.error(), "totp-required");
    let alices = || reset(other.clone()).by("alice", &alice).code(&sha256("alice's password"), "password");
    let unknown =
        reset(json!({ "username": "nobody" })).by("alice", &alice).code(&sha256("alice's password"), "password");
    assert_eq!(alices().send().await.error(), "error-not-allowed");
    assert_eq!(unknown.send().await.error(), "error-not-allowed");
    let reply = reset(other.clone()).by("admin", &admin).code(&sha256("admin's password"), "password").send().await;
    assert_eq!((reply.status, reply.body), (200, json!({ "success": true })));
    assert_eq!(bank.get("me").by("bob", &bob).send().await.status, 401);
    assert!(bank.mails(1).await[0].to.contains(&"bob@example.com".to_owned()));
    let bob = bank.token("bob").await;
    assert_eq!(bank.get("me").by("bob", &bob).send().await.body["services"]["totp"]["enabled"], false);
    let own = reset(json!({})).by("bob", &bob).code(&sha256("bob's password"), "password").send().await;
    assert_eq!(own.status, 200);
    assert_eq!(bank.get("me").by("bob", &bob).send().await.status, 401);
    let reply = reset(json!({ "userId": "none" })).by("admin", &admin).code(&sha256("admin's password"), "password");
    assert_eq!(reply.send().await.error(), "error-invalid-user-id");
    bank.set("Accounts_TwoFactorAuthentication_Enabled", false).await;
    assert_eq!(reset(other).by("admin", &admin).send().await.error(), "error-two-factor-not-enabled");
}
