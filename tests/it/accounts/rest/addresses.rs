//! Behind trusted proxies, every transport sees the client's own address, and not one that the client forged.

use bolide::{App, TrustedProxy};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::accounts::Bank;

async fn open(trusted: &[&str]) -> Bank {
    let proxies: Vec<TrustedProxy> = trusted.iter().map(|proxy| proxy.parse().unwrap()).collect();
    Bank::open_behind(proxies).await
}

/// Returns the address seen over the raw WebSocket, over SockJS, and over REST.
async fn addresses(bank: &Bank, forwarded_for: &str) -> [Value; 3] {
    let message = json!({ "message": r#"{"msg":"method","id":"1","method":"address","params":[]}"# });
    let reply =
        bank.post("method.callAnon/address").header("x-forwarded-for", forwarded_for).json(&message).send().await;
    let frame: Value = serde_json::from_str(reply.body["message"].as_str().unwrap()).unwrap();
    [
        over_socket(bank, "websocket", forwarded_for).await,
        over_socket(bank, "sockjs/websocket", forwarded_for).await,
        frame["result"].clone(),
    ]
}

async fn over_socket(bank: &Bank, path: &str, forwarded_for: &str) -> Value {
    let mut request = format!("ws://{}/{path}", bank.server.address).into_client_request().unwrap();
    request.headers_mut().insert("x-forwarded-for", forwarded_for.parse().unwrap());
    let (mut socket, _) = connect_async(request).await.unwrap();
    for frame in [
        r#"{"msg":"connect","version":"1","support":["1"]}"#,
        r#"{"msg":"method","id":"1","method":"address","params":[]}"#,
    ] {
        socket.send(frame.into()).await.unwrap();
    }
    loop {
        let frame = socket.next().await.unwrap().unwrap();
        let message: Value = serde_json::from_str(frame.to_text().unwrap()).unwrap_or_default();
        if message["msg"] == "result" {
            return message["result"].clone();
        }
    }
}

#[tokio::test]
async fn all_transports_see_the_last_untrusted_address() {
    let bank = open(&["127.0.0.0/8", "10.0.0.0/8"]).await;
    for (header, address) in [
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("6.6.6.6, junk, 10.1.2.3", "10.1.2.3"),
        ("unknown", "127.0.0.1"),
    ] {
        assert_eq!(addresses(&bank, header).await, [address, address, address], "{header}");
    }
}

#[tokio::test]
async fn without_trusted_proxies_the_header_is_ignored() {
    for bank in [open(&[]).await, open(&["10.0.0.0/8"]).await] {
        assert_eq!(addresses(&bank, "6.6.6.6").await, ["127.0.0.1", "127.0.0.1", "127.0.0.1"]);
    }
}

#[tokio::test]
async fn a_forged_address_does_not_avoid_a_limit() {
    let bank = open(&["127.0.0.0/8"]).await;
    bank.set("API_Enable_Rate_Limiter", true).await;
    bank.set("API_Enable_Rate_Limiter_Limit_Calls_Default", 2).await;
    let ask = async |header: String| bank.get("settings.public").header("x-forwarded-for", header).send().await.status;
    let mut statuses = Vec::new();
    for number in 0..3 {
        statuses.push(ask(format!("6.6.6.{number}, 203.0.113.9")).await);
    }
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(ask("203.0.113.10".to_owned()).await, 200);
}

#[test]
fn proxies_are_counted_or_listed_and_not_both() {
    let app = App::builder().forwarded_count(1).trusted_proxy("10.0.0.0/8".parse().unwrap());
    let refusal = app.build().unwrap_err().to_string();
    assert!(refusal.contains("--trusted-proxy") && refusal.contains("HTTP_FORWARDED_COUNT"), "{refusal}");
}
