//! Invalid input: the documented error, and no other effect.

use serde_json::json;

use crate::accounts::{Bank, sha256};

/// The number of wrong codes until the correct one is rejected, at an endpoint that is not gated: none of
/// the requests may count.
async fn counts_nothing(bank: &Bank, name: &str, token: &str) {
    let code = if name == "bob" { bank.code() } else { sha256(&format!("{name}'s password")) };
    let reply = bank.post("gated").by(name, token).code(&code, "totp").send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn bodies_that_are_not_a_json_object_are_rejected() {
    let bank = Bank::open().await;
    for body in ["x", "[]", "1", "{", "\"a\"", "null", "{\"user\":"] {
        let reply = bank.post("users.forgotPassword").text(body).send().await;
        assert_eq!((reply.status, reply.error()), (400, &json!("invalid-params")), "{body}");
        assert_eq!(bank.post("login").text(body).send().await.status, 400, "{body}");
        assert_eq!(bank.post("method.callAnon/echo").text(body).send().await.status, 400, "{body}");
    }
    for body in [json!({ "message": 5 }), json!({ "message": "x" }), json!({ "message": "{}", "more": 1 }), json!({})] {
        let reply = bank.post("method.callAnon/echo").json(&body).send().await;
        assert_eq!((reply.status, reply.error()), (400, &json!("invalid-params")), "{body}");
    }
}

#[tokio::test]
async fn other_content_types_are_rejected_with_415() {
    let bank = Bank::open().await;
    for content_type in ["text/plain", "application/xml", "multipart/form-data; boundary=x", "\u{ff}"] {
        for path in ["login", "users.forgotPassword", "method.callAnon/item"] {
            let reply = bank.post(path).header("content-type", content_type).text(r#"{"email":"a@b"}"#).send().await;
            assert_eq!((reply.status, reply.error()), (415, &json!("error-content-type")), "{content_type} {path}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_413_and_a_truncated_one_is_ignored() {
    let bank = Bank::open().await;
    let long = json!({ "email": "a".repeat(1 << 20) });
    let reply = bank.post("users.forgotPassword").json(&long).send().await;
    assert!(matches!(reply.status, 413 | 0), "{reply:?}");
    let reply = bank.post("users.forgotPassword").send_with_length(2 << 20).await;
    assert!(matches!(reply.status, 413 | 400 | 0), "{reply:?}");
    let email = json!({ "email": "alice@example.com" });
    let reply = bank.post("users.forgotPassword").json(&email).send_with_length(100).await;
    assert!(matches!(reply.status, 400 | 0), "{reply:?}");
    assert_eq!(bank.get("settings.public").send().await.status, 200);
    assert!(bank.mails(0).await.is_empty());
}

#[tokio::test]
async fn duplicate_or_non_utf8_credentials_are_rejected() {
    let bank = Bank::open().await;
    let token = bank.token("alice").await;
    let me = || bank.get("me");
    assert_eq!(me().by("alice", &token).send().await.status, 200);
    let refused = [
        me().by("alice", &token).header("x-auth-token", &token),
        me().by("alice", &token).header("x-user-id", "user-bob"),
        me().by("bob", &token),
        me().by("alice", "no such token"),
        me().header("x-auth-token", &token),
        me().header("x-user-id", "user-alice"),
        me().header("x-auth-token", b"\xff\xfe").header("x-user-id", "user-alice"),
        me().header("x-auth-token", &token).header("x-user-id", b"user-\xff"),
        me().by("alice", ""),
    ];
    for call in refused {
        let reply = call.send().await;
        let body = json!({ "success": false, "status": "error", "message": "You must be logged in to do this." });
        assert_eq!((reply.status, reply.body), (401, body));
    }
}

#[tokio::test]
async fn duplicate_or_non_utf8_codes_are_ignored_and_not_counted() {
    let bank = Bank::open().await;
    let token = bank.token("bob").await;
    let gated = || bank.post("gated").by("bob", &token);
    for _ in 0..15 {
        for call in [
            gated().code("111111", "totp").header("x-2fa-code", "222222"),
            gated().header("x-2fa-code", b"\xff\xff").header("x-2fa-method", "totp"),
            gated().header("x-2fa-code", "").header("x-2fa-method", "totp"),
        ] {
            let reply = call.send().await;
            assert_eq!((reply.status, reply.error()), (400, &json!("totp-required")));
        }
    }
    counts_nothing(&bank, "bob", &token).await;
}

#[tokio::test]
async fn stale_codes_are_ignored_by_open_endpoints() {
    let bank = Bank::open().await;
    let token = bank.token("bob").await;
    let item = json!({ "message": r#"{"msg":"method","id":"1","method":"item","params":[{"id":"x"},""]}"# });
    for _ in 0..15 {
        assert_eq!(bank.get("me").by("bob", &token).code("000000", "totp").send().await.status, 200);
        let call = bank.post("method.call/item").by("bob", &token).code("000000", "email").json(&item);
        assert_eq!(call.send().await.status, 200);
    }
    counts_nothing(&bank, "bob", &token).await;
    assert!(bank.mails(0).await.is_empty());
}

#[tokio::test]
async fn a_code_in_the_parameters_takes_precedence_over_one_in_the_headers() {
    let bank = Bank::open().await;
    let token = bank.token("bob").await;
    let message = |code: &str| {
        let params = json!([{ "twoFactorCode": code, "twoFactorMethod": "totp" }]);
        json!({ "message": json!({ "msg": "method", "id": "1", "method": "strict", "params": params }).to_string() })
    };
    let call = |code: &str| bank.post("method.call/strict").by("bob", &token).json(&message(code));
    for _ in 0..8 {
        let reply = call("wrong!").code(&bank.code(), "totp").send().await;
        assert_eq!(reply.status, 400);
    }
    // Eight wrong codes were counted, not sixteen: ten would have blocked the user.
    assert_eq!(call(&bank.code()).code("wrong!", "totp").send().await.status, 200);
    let both = json!({ "user": "bob", "password": "bob's password", "code": "wrong!" });
    bank.clock.advance(std::time::Duration::from_mins(1));
    let reply = bank.post("login").json(&both).header("x-2fa-code", bank.code()).send().await;
    assert_eq!((reply.status, &reply.body["error"]), (401, &json!("totp-invalid")));
}

#[tokio::test]
async fn a_token_of_another_user_is_not_counted_as_an_attempt() {
    let bank = Bank::open().await;
    let (alice, bob) = (bank.token("alice").await, bank.token("bob").await);
    for _ in 0..15 {
        let reply = bank.post("gated").by("bob", &alice).code("000000", "totp").send().await;
        assert_eq!(reply.status, 401);
    }
    counts_nothing(&bank, "bob", &bob).await;
}

#[tokio::test]
async fn members_of_the_wrong_type_are_rejected_before_a_code_is_required() {
    let bank = Bank::open().await;
    let token = bank.token("bob").await;
    for value in [json!(1), json!(true), json!(["a"]), json!({ "$ne": "" })] {
        for (path, body) in [
            ("users.generatePersonalAccessToken", json!({ "tokenName": value })),
            ("users.validateTotp", json!({ "code": value })),
            ("users.forgotPassword", json!({ "email": value })),
            ("users.2fa.sendEmailCode", json!({ "emailOrUsername": value })),
            ("twoFactorChallenges.verifyChallenge", json!({ "challengeId": value, "code": "1" })),
            ("users.updateOwnBasicInfo", json!({ "data": [value] })),
        ] {
            let reply = bank.post(path).by("bob", &token).json(&body).send().await;
            assert_eq!((reply.status, reply.error()), (400, &json!("invalid-params")), "{path} {body}");
        }
        let reply = bank.post("login").json(&json!({ "user": "bob", "password": value })).send().await;
        assert!(matches!(reply.status, 400 | 401), "{reply:?}");
        let reply = bank.post("login").json(&json!({ "user": "bob", "password": "x", "code": value })).send().await;
        assert_eq!(reply.status, 401);
    }
}

#[tokio::test]
async fn unknown_paths_are_404_and_wrong_verbs_405_in_json() {
    let bank = Bank::open().await;
    let reply = bank.get("nothing.here").send().await;
    assert_eq!((reply.status, reply.error()), (404, &json!("error-endpoint-not-found")));
    let reply = bank.call("DELETE", "/api/v1/me").send().await;
    assert_eq!((reply.status, reply.error()), (405, &json!("error-wrong-verb")));
    assert!(reply.header("allow").unwrap().contains("get"));
    assert_eq!(bank.get("gated").send().await.status, 405);
}

#[tokio::test]
async fn answers_forbid_caching_framing_and_type_sniffing() {
    let bank = Bank::open().await;
    for reply in [bank.get("settings.public").send().await, bank.get("me").send().await, bank.get("none").send().await]
    {
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("x-frame-options"), Some("deny"));
        assert!(reply.header("content-security-policy").unwrap().contains("default-src 'none'"));
    }
}
