//! Answers without a session: the info, the greeting, errors.

use bolide::App;
use serde_json::Value;

use super::{NOT_CACHED, get, post};
use crate::application::{application, register};
use crate::client::Client;
use crate::http::request;
use crate::server::Server;

#[tokio::test]
async fn info_describes_the_server_to_pages_of_any_origin() {
    let server = Server::start(application()).await;
    let mut entropies = Vec::new();
    for _ in 0..2 {
        let answer = get(&server, "/sockjs/info").await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=UTF-8"));
        assert_eq!(answer.header("cache-control"), Some(NOT_CACHED));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(answer.header("vary"), Some("Origin"));
        let body = answer.body().await;
        assert!(body.starts_with(r#"{"websocket":true,"origins":["*:*"],"cookie_needed":false,"entropy":"#), "{body}");
        let info: Value = serde_json::from_str(&body).expect("JSON");
        entropies.push(info["entropy"].as_u64().and_then(|entropy| u32::try_from(entropy).ok()));
    }
    assert!(entropies[0].is_some() && entropies[0] != entropies[1], "{entropies:?}");
}

#[tokio::test]
async fn cors_allows_other_origins_and_preflights() {
    let server = Server::start(application()).await;
    let headers = ["origin: https://example.com", "access-control-request-headers: a, b"];
    for (method, path, allowed) in [
        ("GET", "/sockjs/info", None),
        ("OPTIONS", "/sockjs/info", Some("OPTIONS, GET")),
        ("OPTIONS", "/sockjs/0/preflight/xhr", Some("OPTIONS, POST")),
        ("OPTIONS", "/sockjs/0/preflight/xhr_streaming", Some("OPTIONS, POST")),
        ("OPTIONS", "/sockjs/0/preflight/xhr_send", Some("OPTIONS, POST")),
        ("POST", "/sockjs/0/cross/xhr", None),
    ] {
        let answer = request(server.address, method, path, &headers, "").await;
        let name = format!("{method} {path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://example.com"), "{name}");
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"), "{name}");
        assert_eq!(answer.header("access-control-allow-headers"), Some("a, b"), "{name}");
        assert_eq!(answer.header("access-control-allow-methods"), allowed, "{name}");
        if allowed.is_some() {
            assert_eq!(answer.status(), 204, "{name}");
            assert_eq!(answer.header("access-control-max-age"), Some("31536000"), "{name}");
            assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000"), "{name}");
            let expires = answer.header("expires").unwrap_or_default();
            assert!(expires.ends_with(" GMT"), "{name}: {expires}");
        }
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_if_origins_are_listed() {
    let app = register(App::builder()).allowed_origin("https://chat.example.com".parse().expect("an origin"));
    let server = Server::start(app.build().expect("the app fits together")).await;
    let ours = ["origin: https://chat.example.com"];
    let others = ["origin: https://chat.example.com.evil.example"];
    let upgrade = ["upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13", "sec-websocket-key: a"];
    for (method, path) in [
        ("GET", "/websocket"),
        ("GET", "/sockjs/websocket"),
        ("GET", "/sockjs/0/a/websocket"),
        ("GET", "/sockjs/info"),
        ("OPTIONS", "/sockjs/0/a/xhr"),
        ("POST", "/sockjs/0/a/xhr"),
        ("POST", "/sockjs/0/a/xhr_streaming"),
        ("POST", "/sockjs/0/a/xhr_send"),
    ] {
        let status = async |origin: &[&str]| {
            let headers = if path.ends_with("websocket") { [&upgrade, origin].concat() } else { origin.to_vec() };
            request(server.address, method, path, &headers, "").await.status()
        };
        assert_eq!(status(&others).await, 403, "{method} {path}");
        assert_ne!(status(&ours).await, 403, "{method} {path}");
        assert_ne!(status(&[]).await, 403, "{method} {path}");
    }
}

#[tokio::test]
async fn the_root_greets_and_other_paths_are_not_found() {
    let server = Server::start(application()).await;
    for path in ["/sockjs", "/sockjs/"] {
        let answer = get(&server, path).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!(answer.body().await, "Welcome to SockJS!\n");
    }
    for path in ["/sockjs/a", "/sockjs//", "/sockjs/a/a", "/sockjs/a./a/xhr", "/sockjs/a/a/jsonp"] {
        let answer = post(&server, path, "").await;
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!(answer.body().await, "404 Error: Page not found\n");
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_and_names_the_allowed_ones() {
    let server = Server::start(application()).await;
    for (method, path, allowed) in [
        ("POST", "/sockjs", "GET"),
        ("POST", "/sockjs/info", "OPTIONS, GET"),
        ("GET", "/sockjs/0/0/xhr", "OPTIONS, POST"),
        ("PUT", "/sockjs/0/0/xhr_send", "OPTIONS, POST"),
        ("POST", "/sockjs/0/0/websocket", "GET"),
    ] {
        let answer = request(server.address, method, path, &[], "").await;
        assert_eq!(answer.status(), 405, "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allowed));
        assert_eq!(answer.header("content-type"), None);
        assert_eq!(answer.body().await, "");
    }
}

#[tokio::test]
async fn a_request_without_upgrade_is_400() {
    let server = Server::start(application()).await;
    for path in ["/sockjs/websocket", "/sockjs/0/0/websocket"] {
        let answer = get(&server, path).await;
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.body().await, "Not a valid websocket request");
    }
}

#[tokio::test]
async fn sockjs_is_below_the_path_prefix_and_can_be_disabled() {
    let app = register(App::builder()).path_prefix("/app").build().expect("the app fits together");
    let server = Server::start(app).await;
    assert_eq!(get(&server, "/app/sockjs/info").await.status(), 200);
    assert_eq!(post(&server, "/app/sockjs/0/0/xhr", "").await.body().await, "o\n");
    assert_eq!(get(&server, "/sockjs/info").await.status(), 404);
    let app = register(App::builder()).sockjs(false).build().expect("the app fits together");
    let server = Server::start(app).await;
    assert_eq!(get(&server, "/sockjs/info").await.status(), 404);
    assert_eq!(post(&server, "/sockjs/0/0/xhr", "").await.status(), 404);
}

#[tokio::test]
async fn the_raw_websocket_speaks_ddp_without_sockjs_frames() {
    let server = Server::start(application()).await;
    let url = format!("ws://{}/sockjs/websocket", server.address);
    let mut client = Client::open_with(server.address, url).await;
    client.start_session().await;
    client.ping().await;
}
