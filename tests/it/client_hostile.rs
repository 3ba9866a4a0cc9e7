//! The client library with misbehaving servers, and connections that end at the worst moment.

use std::time::Duration;

use bolide::client::{CallError, Client, ConnectError, Login, Reconnect, Resend, Status};
use bolide::client::{ClientBuilder, ClientLimits};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use crate::scripted::{Peer, ScriptedServer};
use crate::waiting::soon;

fn builder(server: &ScriptedServer) -> ClientBuilder {
    let quick = Reconnect { first_delay: Duration::from_millis(1), ..Reconnect::default() };
    Client::builder(&server.url()).reconnect(quick)
}

async fn open(server: &ScriptedServer, builder: ClientBuilder) -> (Client, Peer) {
    let (client, peer) = soon(futures::future::join(builder.connect(), server.accept_session("first"))).await;
    (client.expect("a session"), peer)
}

/// A call that is pending while the test acts as the server.
fn call(client: &Client, method: &'static str, resend: Resend) -> JoinHandle<Result<Value, CallError>> {
    let call = client.call::<Value>(method, &()).resend(resend);
    tokio::spawn(call.into_future())
}

#[tokio::test]
async fn duplicate_unexpected_and_malformed_answers_are_ignored() {
    let server = ScriptedServer::start().await;
    let (client, mut peer) = open(&server, builder(&server)).await;
    let first = call(&client, "first", Resend::default());
    let id = peer.hear().await["id"].clone();
    for nonsense in ["", "nonsense", "[]", "null", "{}", r#"{"msg":7}"#, r#"{"msg":"result"}"#, r#"{"server_id":"0"}"#]
    {
        peer.say_frame(Message::text(nonsense)).await;
    }
    peer.say_frame(Message::binary(format!(r#"{{"msg":"result","id":{id},"result":"binary"}}"#))).await;
    for of_nobody in [json!("999"), json!("none"), json!(7), json!("-1"), json!("18446744073709551616")] {
        peer.say(json!({"msg": "result", "id": of_nobody, "result": "of nobody"})).await;
        peer.say(json!({"msg": "nosub", "id": of_nobody})).await;
        peer.say(json!({"msg": "ready", "subs": [of_nobody]})).await;
    }
    peer.say(json!({"msg": "removed", "collection": "c", "id": "never added"})).await;
    peer.say(json!({"msg": "changed", "collection": "c", "id": "never added", "fields": {"a": 1}})).await;
    peer.say(json!({"msg": "added", "collection": "c", "id": "no object", "fields": [1]})).await;
    for answer in ["the first", "the second"] {
        peer.say(json!({"msg": "result", "id": id, "result": answer})).await;
    }
    assert_eq!(soon(first).await.expect("a task").expect("an answer"), "the first");
    let second = call(&client, "second", Resend::default());
    peer.answer(json!("whole")).await;
    assert_eq!(soon(second).await.expect("a task").expect("an answer"), "whole");
    assert_eq!(client.collections(), Vec::<String>::new());
}

#[tokio::test]
async fn an_unreadable_answer_fails_its_call() {
    let server = ScriptedServer::start().await;
    let (client, mut peer) = open(&server, builder(&server)).await;
    let call = call(&client, "method", Resend::default());
    let id = peer.hear().await["id"].clone();
    peer.say(json!({"msg": "result", "id": id, "error": "an error has to be an object"})).await;
    assert!(matches!(soon(call).await.expect("a task"), Err(CallError::Answer(_))));
    let subscription = client.subscribe("publication", &()).expect("a subscription");
    let id = peer.hear().await["id"].clone();
    peer.say(json!({"msg": "nosub", "id": id, "error": 7})).await;
    soon(subscription.ready()).await.expect_err("no documents");
}

#[tokio::test]
async fn a_message_over_the_limit_closes_the_client_with_an_error() {
    let server = ScriptedServer::start().await;
    let limits = ClientLimits { message_size: 1000, ..ClientLimits::default() };
    let (client, mut peer) = open(&server, builder(&server).limits(limits)).await;
    let call = call(&client, "method", Resend::default());
    let id = peer.hear().await["id"].clone();
    peer.say(json!({"msg": "result", "id": id, "result": "x".repeat(1000)})).await;
    let Err(CallError::Closed(Some(reason))) = soon(call).await.expect("a task") else { panic!("it is closed") };
    assert!(matches!(*reason, ConnectError::MessageTooLarge(1000)), "{reason}");
    drop(peer);
}

#[tokio::test]
async fn the_client_uses_an_older_version_if_the_server_asks() {
    let server = ScriptedServer::start().await;
    let old_server = async {
        let mut peer = server.accept().await;
        assert_eq!(peer.hear().await["version"], "1");
        peer.say(json!({"msg": "failed", "version": "pre1"})).await;
        let mut peer = server.accept().await;
        assert_eq!(peer.hear().await["version"], "pre1");
        peer.say(json!({"server_id": "0"})).await;
        peer.say(json!({"msg": "connected", "session": "old"})).await;
        peer
    };
    let (client, mut peer) = soon(futures::future::join(builder(&server).connect(), old_server)).await;
    let client = client.expect("a session");
    let call = call(&client, "method", Resend::default());
    peer.answer(json!(1)).await;
    assert_eq!(soon(call).await.expect("a task").expect("an answer"), 1);
}

#[tokio::test]
async fn an_unsupported_server_version_is_reported() {
    let server = ScriptedServer::start().await;
    let strange_server = async {
        let mut peer = server.accept().await;
        peer.hear().await;
        peer.say(json!({"msg": "failed", "version": "9"})).await;
        peer
    };
    let (client, _peer) = soon(futures::future::join(builder(&server).connect(), strange_server)).await;
    assert!(matches!(client, Err(ConnectError::Version(ref version)) if version == "9"), "{client:?}");
}

#[tokio::test]
async fn connecting_times_out_if_the_server_opens_no_session() {
    let server = ScriptedServer::start().await;
    let patience = Duration::from_millis(50);
    let connecting = builder(&server).connect_timeout(patience).connect();
    let (client, _peer) = soon(futures::future::join(connecting, server.accept())).await;
    assert!(matches!(client, Err(ConnectError::Timeout(waited)) if waited == patience), "{client:?}");
}

#[tokio::test]
async fn the_client_gives_up_after_the_maximum_number_of_attempts() {
    let server = ScriptedServer::start().await;
    let three = Reconnect { first_delay: Duration::from_millis(1), attempts: Some(3), ..Reconnect::default() };
    let (client, peer) = open(&server, builder(&server).reconnect(three)).await;
    let mut status = client.status();
    drop(peer);
    for session in ["second", "third", "fourth"] {
        drop(server.accept_session(session).await);
    }
    soon(status.wait_for(|status| matches!(status, Status::Closed))).await.expect("the end");
    let closed = call(&client, "method", Resend::default());
    assert!(matches!(soon(closed).await.expect("a task"), Err(CallError::Closed(Some(_)))));
}

#[tokio::test]
async fn a_call_with_a_code_is_not_repeated_in_another_session() {
    let server = ScriptedServer::start().await;
    let (client, mut peer) = open(&server, builder(&server).two_factor(async |_| "123456")).await;
    let gated = call(&client, "gated", Resend::Always);
    peer.challenge("totp-required").await;
    assert_eq!(peer.hear().await["params"], json!([{"twoFactorCode": "123456", "twoFactorMethod": "totp"}]));
    drop(peer);
    let mut peer = server.accept_session("second").await;
    assert!(matches!(soon(gated).await.expect("a task"), Err(CallError::Interrupted)));
    let next = call(&client, "next", Resend::default());
    assert_eq!(peer.answer(json!(null)).await["method"], "next");
    soon(next).await.expect("a task").expect("an answer");
}

#[tokio::test]
async fn a_login_sends_each_code_once_and_asks_for_another() {
    let server = ScriptedServer::start().await;
    let (client, mut peer) = open(&server, builder(&server).two_factor(async |_| "222222")).await;
    let logging_in = client.clone();
    let login = Login::options(&json!({"login": "any"})).expect("an object").with_code("111111");
    let login = tokio::spawn(async move { logging_in.login(login).await });
    let shown = peer.challenge("totp-invalid").await;
    assert_eq!(shown["params"], json!([{"totp": {"login": {"login": "any"}, "code": "111111"}}]));
    let shown = peer.answer(json!({"id": "ada", "token": "a token"})).await;
    assert_eq!(shown["params"], json!([{"totp": {"login": {"login": "any"}, "code": "222222"}}]));
    assert_eq!(soon(login).await.expect("a task").expect("an account").user_id(), "ada");
}

#[tokio::test]
async fn a_login_with_a_code_is_not_repeated_in_another_session() {
    let server = ScriptedServer::start().await;
    let (client, mut peer) = open(&server, builder(&server)).await;
    let logging_in = client.clone();
    let login = tokio::spawn(async move { logging_in.login(Login::resume("a token").with_code("111111")).await });
    peer.hear().await;
    drop(peer);
    let mut peer = server.accept_session("second").await;
    assert!(matches!(soon(login).await.expect("a task"), Err(CallError::Interrupted)));
    let next = call(&client, "next", Resend::default());
    assert_eq!(peer.answer(json!(null)).await["method"], "next");
    soon(next).await.expect("a task").expect("an answer");
}

#[tokio::test]
async fn a_call_dropped_before_it_was_sent_is_never_sent() {
    let server = ScriptedServer::start().await;
    let (client, mut peer) = open(&server, builder(&server)).await;
    let mut dropped = client.call::<Value>("dropped", &()).into_future();
    assert!(futures::poll!(&mut dropped).is_pending());
    drop(dropped);
    let next = call(&client, "next", Resend::default());
    assert_eq!(peer.answer(json!(null)).await["method"], "next");
    soon(next).await.expect("a task").expect("an answer");
}

#[tokio::test]
async fn a_dropped_prompt_lets_the_next_call_ask() {
    let server = ScriptedServer::start().await;
    let (asked, mut questions) = tokio::sync::mpsc::unbounded_channel();
    let builder = builder(&server).two_factor(async move |_| {
        let (answer, answered) = tokio::sync::oneshot::channel::<&str>();
        asked.send(answer).expect("a test that waits");
        answered.await.ok()
    });
    let (client, mut peer) = open(&server, builder).await;
    let dropped = call(&client, "dropped", Resend::default());
    peer.challenge("totp-required").await;
    let unanswered = soon(questions.recv()).await;
    dropped.abort();
    let gated = call(&client, "gated", Resend::default());
    peer.challenge("totp-required").await;
    soon(questions.recv()).await.expect("a question").send("123456").expect("a prompt that waits");
    assert_eq!(peer.answer(json!("ok")).await["params"][0]["twoFactorCode"], "123456");
    assert_eq!(soon(gated).await.expect("a task").expect("an answer"), "ok");
    drop(unanswered);
}

#[tokio::test]
async fn a_rejected_token_logs_the_client_out() {
    let server = ScriptedServer::start().await;
    let (client, mut peer) = open(&server, builder(&server)).await;
    let logging_in = client.clone();
    let login = tokio::spawn(async move { logging_in.login(Login::resume("old")).await });
    peer.answer(json!({"id": "ada", "token": "old"})).await;
    soon(login).await.expect("a task").expect("an account");
    drop(peer);
    let mut peer = server.accept_session("second").await;
    let resumed = peer.hear().await;
    assert_eq!(resumed["params"], json!([{"resume": "old"}]));
    let refusal = json!({"isClientSafe": true, "error": 403, "reason": "Your session has expired.", "message": ""});
    peer.say(json!({"msg": "result", "id": resumed["id"], "error": refusal})).await;
    let next = call(&client, "next", Resend::default());
    assert_eq!(peer.answer(json!(null)).await["method"], "next");
    soon(next).await.expect("a task").expect("an answer");
    assert_eq!(client.user_id(), None);
}
