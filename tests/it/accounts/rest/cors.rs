//! Web pages of other origins can use REST only if an admin allows it.

use crate::accounts::Bank;

const ALLOWED: &str = "access-control-allow-origin";

#[tokio::test]
async fn other_origins_are_rejected_unless_a_setting_allows_them() {
    let bank = Bank::open().await;
    let origin = "https://a.example";
    let preflight = || bank.call("OPTIONS", "/api/v1/login").header("origin", origin);
    let reply = preflight().send().await;
    assert_eq!((reply.status, reply.header(ALLOWED)), (405, None));
    assert_eq!(bank.get("settings.public").header("origin", origin).send().await.header(ALLOWED), None);
    bank.set("API_Enable_CORS", true).await;
    let reply = preflight().send().await;
    assert_eq!((reply.status, reply.header(ALLOWED)), (204, Some("*")));
    let headers = reply.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("x-auth-token") && headers.contains("x-2fa-code"), "{headers}");
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    let reply = bank.get("settings.public").header("origin", origin).send().await;
    assert_eq!((reply.status, reply.header(ALLOWED)), (200, Some("*")));
    assert!(reply.header("access-control-expose-headers").unwrap().contains("x-ratelimit-reset"));
}

#[tokio::test]
async fn only_the_listed_origins_are_allowed() {
    let bank = Bank::open().await;
    bank.set("API_Enable_CORS", true).await;
    bank.set("API_CORS_Origin", "https://a.example, https://b.example/").await;
    for (origin, allowed) in [
        ("https://a.example", Some("https://a.example")),
        ("https://b.example", Some("https://b.example")),
        ("https://a.example.evil", None),
        ("http://a.example", None),
        ("null", None),
    ] {
        let reply = bank.call("OPTIONS", "/api/v1/me").header("origin", origin).send().await;
        assert_eq!((reply.status, reply.header(ALLOWED)), (204, allowed), "{origin}");
        let reply = bank.get("me").header("origin", origin).send().await;
        assert_eq!((reply.status, reply.header(ALLOWED)), (401, allowed), "{origin}");
        assert_eq!(reply.header("vary"), Some("origin"));
    }
}
