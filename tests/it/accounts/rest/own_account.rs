//! Managing one's own account over REST.

use serde_json::json;

use crate::accounts::{Bank, sha256, totp_code};

#[tokio::test]
async fn me_returns_what_clients_read_and_no_secrets() {
    let bank = Bank::open().await;
    let token = bank.token("bob").await;
    let reply = bank.get("me").by("bob", &token).send().await;
    let me = &reply.body;
    assert_eq!((reply.status, &me["success"], &me["_id"]), (200, &json!(true), &json!("user-bob")));
    assert_eq!(
        (&me["username"], &me["active"], &me["email"]),
        (&json!("bob"), &json!(true), &json!("bob@example.com"))
    );
    assert_eq!(me["emails"], json!([{ "address": "bob@example.com", "verified": true }]));
    assert!(me["roles"].is_array() && me["settings"]["preferences"].is_object());
    let services =
        json!({ "password": { "exists": true }, "totp": { "enabled": true }, "email2fa": { "enabled": false } });
    assert_eq!(me["services"], services);
}

#[tokio::test]
async fn a_new_user_can_log_in_and_the_answer_does_not_reveal_other_users() {
    let bank = Bank::open().await;
    let body = json!({ "username": "carol", "email": "carol@example.com", "pass": "carol's", "name": "Carol" });
    let reply = bank.post("users.register").json(&body).send().await;
    assert_eq!((reply.status, &reply.body["user"]["username"]), (200, &json!("carol")));
    assert_eq!((&reply.body["user"]["name"], &reply.body["user"]["roles"]), (&json!("Carol"), &json!(["user"])));
    assert_eq!(reply.body["user"]["emails"][0]["verified"], false);
    let login = bank.post("login").json(&json!({ "user": "carol", "password": "carol's" })).send().await;
    assert_eq!(login.status, 200);
    let taken = bank.post("users.register").json(&body).send().await;
    assert_eq!(taken.status, 400);
    assert!(!taken.body.to_string().contains("taken"), "{taken:?}");
    let signed_in = bank.post("users.register").by("alice", &bank.token("alice").await).json(&body).send().await;
    assert_eq!(signed_in.error(), "error-not-allowed");
    bank.set("Accounts_Registration_Enabled", false).await;
    let closed = json!({ "username": "dave", "email": "dave@example.com", "pass": "x" });
    assert_eq!(bank.post("users.register").json(&closed).send().await.status, 400);
}

#[tokio::test]
async fn forgot_password_gives_one_answer_to_all_and_mails_are_limited() {
    let bank = Bank::open().await;
    let ask = async |email: &str| bank.post("users.forgotPassword").json(&json!({ "email": email })).send().await;
    let unknown = ask("nobody@example.com").await;
    for _ in 0..30 {
        let known = ask("alice@example.com").await;
        assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    }
    bank.mails(10).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(bank.mails(10).await.len(), 10);
}

#[tokio::test]
async fn an_app_can_be_set_up_and_removed_over_rest() {
    let bank = Bank::open().await;
    let token = bank.token("alice").await;
    let enable = || bank.post("users.enableTotp").by("alice", &token);
    assert_eq!(enable().send().await.error(), "totp-required");
    let reply = enable().code(&sha256("alice's password"), "password").send().await;
    assert!(reply.status == 200 && reply.body["url"].as_str().unwrap().starts_with("otpauth://"), "{reply:?}");
    let code = totp_code(reply.body["secret"].as_str().unwrap(), &bank.clock);
    let validate = |code: &str| {
        let call = bank.post("users.validateTotp").by("alice", &token).json(&json!({ "code": code }));
        call.code(&sha256("alice's password"), "password")
    };
    let wrong = validate("000").send().await;
    assert_eq!((wrong.status, wrong.error()), (400, &json!("invalid-totp")));
    let reply = validate(&code).send().await;
    let codes = reply.body["codes"].as_array().unwrap();
    assert_eq!(codes.len(), 12);
    let left = bank.get("users.totpCodesRemaining").by("alice", &token).send().await;
    assert_eq!(left.body["remaining"], 12);
    let disable =
        |code: &serde_json::Value| bank.post("users.disableTotp").by("alice", &token).json(&json!({ "code": code }));
    assert_eq!(disable(&json!("000000")).send().await.body["disabled"], false);
    assert_eq!(disable(&codes[0]).send().await.body["disabled"], true);
}

#[tokio::test]
async fn other_logins_end_and_the_current_one_stays() {
    let bank = Bank::open().await;
    for path in ["users.removeOtherTokens", "users.logoutOtherClients"] {
        let (own, other) = (bank.token("alice").await, bank.token("alice").await);
        let reply = bank.post(path).by("alice", &own).send().await;
        assert_eq!((reply.status, &reply.body["success"]), (200, &json!(true)));
        assert_eq!(reply.body["token"].as_str(), (path == "users.logoutOtherClients").then_some(own.as_str()));
        assert_eq!(bank.get("me").by("alice", &other).send().await.status, 401);
        assert_eq!(bank.get("me").by("alice", &own).send().await.status, 200);
    }
}
