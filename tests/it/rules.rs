//! Proxies and origins that are replaced while the app serves.

use bolide::{App, BuildError};
use serde_json::json;

use crate::application::register;
use crate::client::Client;
use crate::http::request;
use crate::raw::{Raw, upgrade_request};
use crate::server::Server;

const UPGRADE: [&str; 4] =
    ["upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13", "sec-websocket-key: a"];

#[tokio::test]
async fn replaced_proxies_hold_for_the_next_session() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let app = register(App::builder()).on_connection(move |connection| {
        let _gone = tell.send(connection.client_address());
    });
    let server = Server::start(app.build().expect("the app fits together")).await;
    let mut seen = async || {
        let mut raw = Raw::open(server.address).await;
        raw.send(upgrade_request("/websocket", "x-forwarded-for: 6.6.6.6, 192.0.2.7\r\n").as_bytes()).await;
        assert!(raw.read_head().await.starts_with("HTTP/1.1 101 "));
        raw.send(&crate::raw::frame(crate::raw::TEXT, br#"{"msg":"connect","version":"1","support":["1"]}"#)).await;
        let address = crate::waiting::soon(told.recv()).await.expect("a connection");
        address.expect("an address").to_string()
    };
    assert_eq!(seen().await, "127.0.0.1");
    server.app.replace_proxies(0, ["127.0.0.1".parse().expect("an address")]).expect("one rule");
    assert_eq!(seen().await, "192.0.2.7");
    let both = server.app.replace_proxies(1, ["10.0.0.0/8".parse().expect("a network")]);
    assert!(matches!(both, Err(BuildError::TwoProxyRules)));
    assert_eq!(seen().await, "192.0.2.7", "nothing has changed");
    server.app.replace_proxies(2, []).expect("one rule");
    assert_eq!(seen().await, "6.6.6.6");
    server.app.replace_proxies(0, []).expect("one rule");
    assert_eq!(seen().await, "127.0.0.1");
}

#[tokio::test]
async fn replaced_origins_hold_for_the_next_session_and_open_ones_go_on() {
    let server = Server::start(register(App::builder()).build().expect("the app fits together")).await;
    let status = async |origin: &str| {
        let origin = format!("origin: {origin}");
        let headers = [&UPGRADE[..], &[&origin]].concat();
        request(server.address, "GET", "/websocket", &headers, "").await.status()
    };
    let mut open = Client::connect(server.address).await;
    assert_eq!(status("https://b.example").await, 101);
    server.app.replace_allowed_origins(["https://a.example".parse().expect("an origin")]);
    assert_eq!((status("https://a.example").await, status("https://b.example").await), (101, 403));
    assert_eq!(open.ask("add", json!([1, 2])).await["result"], 3);
    server.app.replace_allowed_origins([]);
    assert_eq!(status("https://b.example").await, 101);
}
