//! The conformance runner with servers that make one mistake each: the cases about it must fail,
//! and no others. A runner that misses mistakes would make every passing run worthless.

#![expect(clippy::unwrap_used, reason = "a server of a test may stop at what it does not expect")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use bolide::conformance::{Level, Options, Report, WebSocket, book, run};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

// Cases that apply to a server with little more than `add` and `echo`.
const SESSION: &str = "A client that connects is given a session id of 17 characters";
const SILENCE: &str = "The server says nothing before the client connects";
const VERSION: &str = "A version that the server does not speak fails with the one that it does, and \
                       the connection is closed";
const PONG: &str = "A pong carries the id of its ping";
const RESULT: &str = "A method's result comes back under the id of its call";
const NO_ERROR: &str = "A good result has no `error` in its message, not even null";
const ZERO: &str = "A result of zero comes back as it is";
const UNKNOWN: &str = "A method that does not exist fails with 404, and is `updated` too";
const UPDATED_FIRST: &str = "`updated` comes right before `result`";
const RESULT_ORDER: &str = "The keys of `result` are in Meteor's order";
const UNSUB: &str = "Unsubscribing what was never subscribed is answered `nosub`";

const PROMISES: [&str; 11] =
    [SESSION, SILENCE, VERSION, PONG, RESULT, NO_ERROR, ZERO, UNKNOWN, UPDATED_FIRST, RESULT_ORDER, UNSUB];

/// The mistake that a server makes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mistake {
    None,
    GreetsUnasked,
    ShortSession,
    NeverFails,
    FailsWithoutClose,
    PongWithoutId,
    NullError,
    NoUpdated,
    UpdatedTwice,
    ResultForAnotherId,
    ResultTwice,
    ResultFirst,
    FalsyResultsDropped,
    NullErrorInNosub,
    ErrorWithoutMessage,
    CodeAsString,
    DiesOnCalls,
}

#[tokio::test]
async fn a_server_without_mistakes_keeps_all_promises() {
    assert_breaks(Mistake::None, &[]).await;
}

#[tokio::test]
async fn mistakes_of_the_connection_are_found() {
    // A message that is sent first is not an answer.
    assert_breaks(Mistake::GreetsUnasked, &PROMISES).await;
    assert_breaks(Mistake::ShortSession, &PROMISES.map(|it| if it == VERSION { SESSION } else { it })).await;
    assert_breaks(Mistake::NeverFails, &[VERSION]).await;
    assert_breaks(Mistake::FailsWithoutClose, &[VERSION]).await;
    // Without pongs, the runner cannot tell whether further messages follow.
    assert_breaks(Mistake::PongWithoutId, &without(&[SESSION, SILENCE, VERSION])).await;
}

#[tokio::test]
async fn mistakes_of_methods_are_found() {
    let answered = [RESULT, NO_ERROR, ZERO, UPDATED_FIRST, RESULT_ORDER];
    let called = [RESULT, NO_ERROR, ZERO, UPDATED_FIRST, RESULT_ORDER, UNKNOWN];
    assert_breaks(Mistake::NullError, &answered).await;
    assert_breaks(Mistake::NoUpdated, &called).await;
    assert_breaks(Mistake::UpdatedTwice, &called).await;
    assert_breaks(Mistake::ResultForAnotherId, &called).await;
    assert_breaks(Mistake::ResultTwice, &called).await;
    assert_breaks(Mistake::ResultFirst, &[UPDATED_FIRST, RESULT_ORDER]).await;
    assert_breaks(Mistake::FalsyResultsDropped, &[NO_ERROR, ZERO]).await;
    assert_breaks(Mistake::ErrorWithoutMessage, &[UNKNOWN]).await;
    assert_breaks(Mistake::CodeAsString, &[UNKNOWN]).await;
    assert_breaks(Mistake::DiesOnCalls, &called).await;
}

#[tokio::test]
async fn mistakes_of_subscriptions_are_found() {
    assert_breaks(Mistake::NullErrorInNosub, &[UNSUB]).await;
}

#[tokio::test]
async fn a_server_that_only_differs_from_meteor_passes_the_default_level() {
    let address = serve(Mistake::ResultFirst).await;
    let report = hold_against(address, Options::new("test").name(UPDATED_FIRST).name(RESULT)).await;
    assert!(report.is_success());
    assert!(report.counts().skipped > 0);
}

#[tokio::test]
async fn an_unreachable_server_fails_all_cases() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let report = hold_against(address, Options::new("test").name(SESSION).level(Level::Meteor)).await;
    let (_, failure) = report.failures().next().unwrap();
    assert!(failure.reason.starts_with("cannot reach the server: "), "{}", failure.reason);
}

fn without(kept: &[&str]) -> Vec<&'static str> {
    PROMISES.into_iter().filter(|promise| !kept.contains(promise)).collect()
}

async fn assert_breaks(mistake: Mistake, expected: &[&str]) {
    let address = serve(mistake).await;
    let patience = Duration::from_millis(500);
    let options = PROMISES
        .iter()
        .fold(Options::new("test").patience(patience), |options, name| options.name(name))
        .level(Level::Meteor);
    let report = hold_against(address, options).await;

    let selected = |name: &&str| PROMISES.contains(name);
    let broken: BTreeSet<&str> = report.failures().map(|(outcome, _)| outcome.case.as_str()).filter(selected).collect();
    assert_eq!(broken, expected.iter().copied().collect(), "{}", shown(&report));
}

async fn hold_against(address: SocketAddr, options: Options) -> Report {
    let server = WebSocket::new(&format!("ws://{address}/websocket")).unwrap();
    run(&server, &book::embedded().unwrap(), &options).await
}

fn shown(report: &Report) -> String {
    let mut text = Vec::new();
    report.write(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

pub(crate) async fn serve(mistake: Mistake) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, mistake));
        }
    });
    address
}

async fn converse(stream: TcpStream, mistake: Mistake) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
        return;
    };
    if mistake == Mistake::GreetsUnasked {
        say(&mut socket, &[json!({"server_id": "0"})]).await;
    }
    while let Some(Ok(Message::Text(text))) = socket.next().await {
        let message: Value = serde_json::from_str(&text).unwrap();
        if mistake == Mistake::DiesOnCalls && message["msg"] == "method" {
            return;
        }
        let answers = answers(&message, mistake);
        say(&mut socket, &answers).await;
        let has_failed = answers.iter().any(|answer| answer["msg"] == "failed");
        if has_failed && mistake != Mistake::FailsWithoutClose {
            let normal = CloseFrame { code: 1000.into(), reason: "".into() };
            socket.close(Some(normal)).await.unwrap_or_default();
        }
    }
}

async fn say(socket: &mut WebSocketStream<TcpStream>, messages: &[Value]) {
    for message in messages {
        // The client may have left.
        socket.send(Message::text(in_meteors_order(message))).await.unwrap_or_default();
    }
}

// `json!` sorts keys; Meteor begins with `msg`.
fn in_meteors_order(message: &Value) -> String {
    let Some(members) = message.as_object() else {
        return message.to_string();
    };
    let rank = |key: &str| ["msg", "id", "error", "result"].iter().position(|it| *it == key);
    let mut keys: Vec<&String> = members.keys().collect();
    keys.sort_by_key(|key| rank(key).unwrap_or(usize::MAX));
    let written: Vec<String> = keys.iter().map(|key| format!("{}:{}", json!(key), members[*key])).collect();
    format!("{{{}}}", written.join(","))
}

fn answers(message: &Value, mistake: Mistake) -> Vec<Value> {
    match message["msg"].as_str() {
        Some("connect") if message["version"] == "1" || mistake == Mistake::NeverFails => {
            let session = if mistake == Mistake::ShortSession { "short" } else { "dRsgAEsdpRvETpxNp" };
            vec![json!({"msg": "connected", "session": session})]
        }
        Some("connect") => vec![json!({"msg": "failed", "version": "1"})],
        Some("ping") if mistake == Mistake::PongWithoutId => vec![json!({"msg": "pong"})],
        Some("ping") => vec![json!({"msg": "pong", "id": message["id"]})],
        Some("unsub") if mistake == Mistake::NullErrorInNosub => {
            vec![json!({"msg": "nosub", "id": message["id"], "error": null})]
        }
        Some("unsub") => vec![json!({"msg": "nosub", "id": message["id"]})],
        Some("method") => answers_to_call(message, mistake),
        _ => Vec::new(),
    }
}

fn answers_to_call(call: &Value, mistake: Mistake) -> Vec<Value> {
    let result = result_of(call, mistake);
    let updated = json!({"msg": "updated", "methods": [call["id"]]});
    match mistake {
        Mistake::NoUpdated => vec![result],
        Mistake::UpdatedTwice => vec![updated.clone(), result, updated],
        Mistake::ResultTwice => vec![updated, result.clone(), result],
        Mistake::ResultFirst => vec![result, updated],
        _ => vec![updated, result],
    }
}

fn result_of(call: &Value, mistake: Mistake) -> Value {
    let mut message = json!({"msg": "result", "id": call["id"]});
    if mistake == Mistake::ResultForAnotherId {
        message["id"] = "another".into();
    }
    let params = &call["params"];
    let result = match call["method"].as_str() {
        Some("echo") => params[0].clone(),
        Some("add") => (params[0].as_i64().unwrap() + params[1].as_i64().unwrap()).into(),
        _ => {
            message["error"] = not_found(mistake);
            return message;
        }
    };
    let is_falsy = result.is_null() || result == 0;
    if !(is_falsy && mistake == Mistake::FalsyResultsDropped) {
        message["result"] = result;
    }
    if mistake == Mistake::NullError {
        message["error"] = Value::Null;
    }
    message
}

fn not_found(mistake: Mistake) -> Value {
    let reason = "Method 'noSuchMethod' not found";
    let mut error = json!({
        "isClientSafe": true, "error": 404, "reason": reason, "message": format!("{reason} [404]"),
        "errorType": "Meteor.Error"
    });
    if mistake == Mistake::CodeAsString {
        error["error"] = "404".into();
    }
    if mistake == Mistake::ErrorWithoutMessage {
        error.as_object_mut().unwrap().remove("message");
    }
    error
}
