//! Serving the web pages: their paths and headers.

use bolide::accounts::Accounts;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::store::SqlStore;
use bolide::{App, AppBuilder, BuildError, Error};
use serde_json::json;

use crate::client::Client;
use crate::http::{Answer, request};
use crate::server::Server;

async fn with_accounts() -> AppBuilder {
    with_accounts_at("http://localhost:3000").await
}

async fn with_accounts_at(root_url: &str) -> AppBuilder {
    let store = SqlStore::open("sqlite::memory:").await.expect("a database in memory");
    let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.expect("accounts");
    App::builder().accounts(accounts.site("Test", root_url))
}

async fn server() -> Server {
    Server::start(with_accounts().await.web_pages().build().expect("an app")).await
}

async fn get(server: &Server, path: &str) -> Answer {
    request(server.address, "GET", path, &[], "").await
}

#[tokio::test]
async fn every_answer_has_a_content_type_a_tag_and_the_strict_policy() {
    let server = server().await;
    let files = [
        ("/", "text/html; charset=utf-8"),
        ("/bolide.js", "text/javascript; charset=utf-8"),
        ("/bolide/connection.js", "text/javascript; charset=utf-8"),
        ("/bolide.d.ts", "text/plain; charset=utf-8"),
        ("/app/main.js", "text/javascript; charset=utf-8"),
        ("/style/base.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ];
    for (path, content_type) in files {
        let answer = get(&server, path).await;
        assert_eq!((answer.status(), answer.header("content-type")), (200, Some(content_type)), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
        assert_eq!(answer.header("strict-transport-security"), None, "{path}");
        assert!(answer.header("etag").is_some_and(|tag| tag.len() == 66), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.split("; ").any(|own| own == part), "{path}: {part}");
        }
        assert!(!policy.contains("unsafe"), "{path}");
    }
}

#[tokio::test]
async fn behind_tls_browsers_are_told_to_use_only_https() {
    let app = with_accounts_at("https://chat.example.com").await.web_pages().build().expect("an app");
    let server = Server::start(app).await;
    for path in ["/", "/bolide.js"] {
        assert_eq!(get(&server, path).await.header("strict-transport-security"), Some("max-age=31536000"), "{path}");
    }
}

#[tokio::test]
async fn a_file_with_a_known_tag_is_not_sent_again() {
    let server = server().await;
    let tag = get(&server, "/bolide.js").await.header("etag").unwrap().to_owned();
    let known = request(server.address, "GET", "/bolide.js", &[&format!("if-none-match: {tag}")], "").await;
    assert_eq!((known.status(), known.header("etag")), (304, Some(&*tag)));
    assert_eq!(known.body().await, "");
    let other = request(server.address, "GET", "/bolide.js", &["if-none-match: \"other\""], "").await;
    assert_eq!(other.status(), 200);
}

#[tokio::test]
async fn other_files_are_not_served() {
    let server = server().await;
    for path in ["/mod.rs", "/app/", "/app", "/../Cargo.toml", "/app/../mod.rs", "/%2e%2e/Cargo.toml", "//etc/passwd"] {
        assert_eq!(get(&server, path).await.status(), 404, "{path}");
    }
    assert_eq!(request(server.address, "POST", "/", &[], "").await.status(), 405);
}

#[tokio::test]
async fn with_a_path_prefix_other_paths_stay_free() {
    let app = with_accounts().await.web_pages().path_prefix("/chat").build().unwrap();
    let server = Server::start(app).await;
    assert_eq!(get(&server, "/chat/").await.status(), 200);
    assert_eq!(get(&server, "/chat/bolide.js").await.status(), 200);
    let redirect = get(&server, "/chat").await;
    assert_eq!((redirect.status(), redirect.header("location")), (308, Some("/chat/")));
    assert_eq!(get(&server, "/").await.status(), 404);
    assert_eq!(get(&server, "/chat/api/info").await.status(), 200);
    assert_eq!(get(&server, "/chat/health").await.status(), 200);
}

#[tokio::test]
async fn ddp_works_next_to_the_pages() {
    let server = server().await;
    let mut client = Client::connect(server.address).await;
    let answer = client.ask("public-settings/get", json!([])).await;
    assert!(
        answer["result"].as_array().unwrap().iter().any(|setting| setting["_id"] == "Accounts_Registration_Enabled")
    );
}

#[tokio::test]
async fn disabling_the_pages_takes_effect_at_once_and_keeps_the_client() {
    let server = server().await;
    let accounts = server.app.accounts().unwrap();
    accounts.set("Web_Pages_Enabled", false.into()).await.unwrap();
    assert_eq!(get(&server, "/").await.status(), 404);
    assert_eq!(get(&server, "/app/main.js").await.status(), 404);
    assert_eq!(get(&server, "/bolide.js").await.status(), 200);
    accounts.set("Web_Pages_Enabled", true.into()).await.unwrap();
    assert_eq!(get(&server, "/").await.status(), 200);
}

#[tokio::test]
async fn without_web_pages_the_root_path_stays_free() {
    let server = Server::start(with_accounts().await.build().unwrap()).await;
    assert_eq!(get(&server, "/").await.status(), 404);
    assert_eq!(get(&server, "/bolide.js").await.status(), 404);
}

#[tokio::test]
async fn building_fails_for_web_pages_without_accounts() {
    let refused = App::builder().web_pages().build();
    assert!(matches!(refused, Err(Error::Build(BuildError::WebPagesWithoutAccounts))));
}
