//! The web pages as they are served: which paths they take, and what every answer says.

use bolide::accounts::Accounts;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::store::SqliteStore;
use bolide::{App, AppBuilder, BuildError, Error};
use serde_json::json;

use crate::client::Client;
use crate::http::{Answer, request};
use crate::server::Server;

async fn with_accounts() -> AppBuilder {
    let store = SqliteStore::open("sqlite::memory:").await.expect("a database in memory");
    let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.expect("accounts");
    App::builder().accounts(accounts)
}

async fn server() -> Server {
    Server::start(with_accounts().await.web_pages().build().expect("an app")).await
}

async fn get(server: &Server, path: &str) -> Answer {
    request(server.address, "GET", path, &[], "").await
}

#[tokio::test]
async fn every_answer_has_its_type_a_tag_and_the_strict_policy() {
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
        assert!(answer.header("etag").is_some_and(|tag| tag.len() == 66), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.split("; ").any(|own| own == part), "{path}: {part}");
        }
        assert!(!policy.contains("unsafe"), "{path}");
    }
}

#[tokio::test]
async fn a_file_that_is_known_is_not_sent_again() {
    let server = server().await;
    let tag = get(&server, "/bolide.js").await.header("etag").unwrap().to_owned();
    let known = request(server.address, "GET", "/bolide.js", &[&format!("if-none-match: {tag}")], "").await;
    assert_eq!((known.status(), known.header("etag")), (304, Some(&*tag)));
    assert_eq!(known.body().await, "");
    let other = request(server.address, "GET", "/bolide.js", &["if-none-match: \"other\""], "").await;
    assert_eq!(other.status(), 200);
}

#[tokio::test]
async fn no_other_file_is_served() {
    let server = server().await;
    for path in ["/mod.rs", "/app/", "/app", "/../Cargo.toml", "/app/../mod.rs", "/%2e%2e/Cargo.toml", "//etc/passwd"] {
        assert_eq!(get(&server, path).await.status(), 404, "{path}");
    }
    assert_eq!(request(server.address, "POST", "/", &[], "").await.status(), 405);
}

#[tokio::test]
async fn below_a_path_prefix_nothing_else_is_taken() {
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
async fn clients_speak_ddp_beside_the_pages() {
    let server = server().await;
    let mut client = Client::connect(server.address).await;
    let answer = client.ask("public-settings/get", json!([])).await;
    assert!(
        answer["result"].as_array().unwrap().iter().any(|setting| setting["_id"] == "Accounts_Registration_Enabled")
    );
}

#[tokio::test]
async fn turned_off_the_pages_are_gone_at_once_and_the_client_stays() {
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
async fn an_app_that_does_not_ask_for_them_keeps_its_root() {
    let server = Server::start(with_accounts().await.build().unwrap()).await;
    assert_eq!(get(&server, "/").await.status(), 404);
    assert_eq!(get(&server, "/bolide.js").await.status(), 404);
}

#[tokio::test]
async fn web_pages_without_accounts_are_refused_when_the_app_is_built() {
    let refused = App::builder().web_pages().build();
    assert!(matches!(refused, Err(Error::Build(BuildError::WebPagesWithoutAccounts))));
}
