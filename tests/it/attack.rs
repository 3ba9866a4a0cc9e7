//! Hostile clients: whatever they send, the server does not panic or hang, and does not keep their sessions.

use std::cell::Cell;
use std::net::SocketAddr;
use std::panic;
use std::sync::Once;
use std::time::Duration;

use bolide::Limits;
use bolide::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::application::register;
use crate::client::{Client, call, connect};
use crate::raw::{Raw, TEXT, frame};
use crate::server::Server;
use crate::waiting::until;

/// A server whose sessions end with their socket. It runs in the thread of the test, where panics are counted.
struct Victim {
    server: Server,
}

thread_local! {
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

impl Victim {
    async fn start() -> Self {
        count_panics_of_this_thread();
        let limits = Limits { resume_grace: Duration::ZERO, ..Limits::default() };
        let app = register(App::builder()).limits(limits).build().expect("the app fits together");
        Self { server: Server::start(app).await }
    }

    async fn connect(&self) -> Client {
        Client::connect(self.server.address).await
    }

    /// Checks that the server still works and keeps no sessions.
    async fn expect_unharmed(self) {
        let mut client = self.connect().await;
        assert_eq!(client.ask("add", json!([1, 2])).await["result"], json!(3));
        drop(client);
        until(|| self.server.app.session_count() == 0).await;
        assert_eq!(PANICS.get(), 0);
    }
}

fn count_panics_of_this_thread() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            print(panic);
        }));
    });
}

/// Values that are sent instead of the expected one.
fn oddities() -> Vec<String> {
    let long = format!("\"{}\"", "x".repeat(100_000));
    let values = [
        "null",
        "true",
        "0",
        "-1",
        "1.5",
        "1e400",
        "-1e400",
        "123456789012345678901234567890",
        "1e-400",
        r#""""#,
        r#""x""#,
        r#""\u0000""#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#""__proto__""#,
        r#""~1""#,
        "[]",
        "[[]]",
        "[null]",
        "{}",
        r#"{"a":1,"a":2}"#,
        r#"{"__proto__":{"a":1}}"#,
        r#"{"\ud800":1}"#,
        r#"{"$date":1}"#,
        r#"{"$date":"x"}"#,
        r#"{"$date":1e400}"#,
        r#"{"$binary":1}"#,
        r#"{"$binary":"%"}"#,
        r#"{"$InfNaN":0}"#,
        r#"{"$InfNaN":7}"#,
        r#"{"$escape":{"$date":1}}"#,
        r#"{"$escape":1}"#,
        r#"{"$type":"oid","$value":"x"}"#,
        r#"{"$type":1,"$value":1}"#,
        r#"{"$regexp":"(","$flags":"zz"}"#,
        r#"[{"twoFactorCode":"1","twoFactorMethod":"totp"}]"#,
        r#"{"$unset":true}"#,
    ];
    values.into_iter().map(str::to_owned).chain([long]).collect()
}

/// Messages with one unexpected member each.
fn odd_messages() -> Vec<String> {
    let templates = [
        json!({"msg": "method", "id": "1", "method": "echo", "params": [1], "randomSeed": "s"}),
        json!({"msg": "method", "id": "1", "method": "insertItem", "params": [{"a": 1}]}),
        json!({"msg": "sub", "id": "1", "name": "tick", "params": [1]}),
        json!({"msg": "sub", "id": "2", "name": "script", "params": [[["ready"]]]}),
        json!({"msg": "unsub", "id": "1"}),
        json!({"msg": "ping", "id": "1"}),
        json!({"msg": "pong", "id": "1"}),
        json!({"msg": "connect", "version": "1", "support": ["1"], "session": "s", "receivedCount": 1}),
        json!({"msg": "added", "collection": "c", "id": "1", "fields": {}, "cleared": ["a"]}),
        json!({"msg": "result", "id": "1", "result": 1, "error": {}}),
    ];
    templates.iter().flat_map(odd_versions).collect()
}

fn odd_versions(template: &Value) -> Vec<String> {
    let members = template.as_object().expect("an object");
    let with = |name: &String, oddity: &String| {
        let others = members.iter().filter(|(other, _)| *other != name);
        let others: Vec<_> = others.map(|(other, value)| format!("\"{other}\":{value},")).collect();
        format!("{{{}\"{name}\":{oddity}}}", others.concat())
    };
    let oddities = oddities();
    members.keys().flat_map(|name| oddities.iter().map(move |oddity| with(name, oddity))).collect()
}

#[tokio::test]
async fn messages_with_unexpected_members_do_no_harm() {
    let victim = Victim::start().await;
    let mut client = victim.connect().await;
    for message in odd_messages() {
        client.send_text(&message).await;
        client.ping().await;
    }
    drop(client);
    victim.expect_unharmed().await;
}

#[tokio::test]
async fn unexpected_parameters_do_no_harm() {
    let victim = Victim::start().await;
    let mut client = victim.connect().await;
    let names = ["echo", "add", "failWith", "randomIds", "setUserId", "updateItem", "removeItem", "broadcast"];
    for name in names {
        for oddity in oddities() {
            for params in [format!("[{oddity}]"), format!("[\"x\",{oddity}]"), format!("[{oddity},{oddity},{oddity}]")]
            {
                client.send_text(&format!(r#"{{"msg":"method","id":"1","method":"{name}","params":{params}}}"#)).await;
            }
            client.ping().await;
        }
    }
    drop(client);
    victim.expect_unharmed().await;
}

#[tokio::test]
async fn any_message_before_connect_does_no_harm() {
    let victim = Victim::start().await;
    for message in odd_messages() {
        let mut client = Client::open(victim.server.address).await;
        client.send_text(&message).await;
        match client.next_frame().await {
            Some(Message::Text(_) | Message::Close(_)) => {}
            other => panic!("{message} was answered by {other:?}"),
        }
    }
    victim.expect_unharmed().await;
}

#[tokio::test]
async fn truncated_messages_do_no_harm() {
    let victim = Victim::start().await;
    let mut client = victim.connect().await;
    let message = r#"{"msg":"method","id":"1","method":"echo","params":[{"$date":1},"é\u00e9\ud83d\ude00"]}"#;
    for length in (0..message.len()).filter(|length| message.is_char_boundary(*length)) {
        client.send_text(&message[..length]).await;
        assert_eq!(client.next().await, json!({"msg": "error", "reason": "Bad request"}));
    }
    drop(client);
    victim.expect_unharmed().await;
}

#[tokio::test]
async fn names_and_ids_of_a_megabyte_are_answered() {
    let victim = Victim::start().await;
    let mut client = victim.connect().await;
    let long = "i".repeat(1_000_000);
    client.call(&long, "add", json!([1, 2])).await;
    assert_eq!(client.answer(&long).await["result"], json!(3));
    client.call("1", &long, json!([])).await;
    assert_eq!(client.answer("1").await["error"]["error"], json!(404));
    client.send(json!({"msg": "sub", "id": long, "name": "tick", "params": [0]})).await;
    while client.next().await != json!({"msg": "ready", "subs": [long]}) {}
    client.send(json!({"msg": "unsub", "id": long})).await;
    assert_eq!(client.next().await, json!({"msg": "nosub", "id": long}));
    drop(client);
    victim.expect_unharmed().await;
}

#[tokio::test]
async fn javascript_property_names_are_ordinary_names() {
    let victim = Victim::start().await;
    let mut client = victim.connect().await;
    for name in ["__proto__", "constructor", "toString", "\0", "\u{feff}", "\u{2028}", "💥", " "] {
        client.call(name, name, json!([])).await;
        let answer = client.answer(name).await;
        assert_eq!(answer["error"]["reason"], format!("Method '{name}' not found"));
        let value = json!([{name: {name: name}}]);
        client.call(name, "echo", value.clone()).await;
        assert_eq!(client.answer(name).await["result"], value[0]);
    }
    drop(client);
    victim.expect_unharmed().await;
}

#[tokio::test]
async fn repeated_connect_messages_open_one_session() {
    let victim = Victim::start().await;
    let mut client = Client::open(victim.server.address).await;
    for _ in 0..100 {
        client.send(connect()).await;
    }
    client.expect_connected().await;
    for _ in 1..100 {
        assert_eq!(client.next().await["reason"], "Already connected");
    }
    assert_eq!(victim.server.app.session_count(), 1);
    drop(client);
    victim.expect_unharmed().await;
}

#[tokio::test]
async fn sockets_dropped_at_any_point_of_a_conversation_leak_nothing() {
    let victim = Victim::start().await;
    let conversation = [
        frame(TEXT, connect().to_string().as_bytes()),
        frame(TEXT, call("1", "sleep", json!([5])).to_string().as_bytes()),
        frame(TEXT, br#"{"msg":"sub","id":"s","name":"slow","params":[5]}"#),
        frame(TEXT, br#"{"msg":"sub","id":"t","name":"tick","params":[9]}"#),
    ]
    .concat();
    for length in (0..conversation.len()).step_by(7) {
        let mut raw = Raw::upgraded(victim.server.address).await;
        raw.send(&conversation[..length]).await;
        drop(raw);
    }
    victim.expect_unharmed().await;
}

#[tokio::test]
async fn a_close_during_a_method_leaks_nothing() {
    let victim = Victim::start().await;
    for _ in 0..50 {
        let mut client = victim.connect().await;
        client.call("1", "sleep", json!([20])).await;
        client.call("2", "setUserId", json!(["alice"])).await;
        client.call("3", "closeConnection", json!([])).await;
        client.leave().await;
    }
    victim.expect_unharmed().await;
}

#[tokio::test]
async fn subscriptions_whose_client_leaves_at_once_leak_nothing() {
    let victim = Victim::start().await;
    for _ in 0..50 {
        let mut client = victim.connect().await;
        for (id, name) in ["items", "feed", "slow", "ownDocuments"].into_iter().enumerate() {
            client.send(json!({"msg": "sub", "id": id.to_string(), "name": name, "params": [10]})).await;
        }
        client.call("1", "setUserId", json!(["alice"])).await;
    }
    victim.expect_unharmed().await;
}

#[tokio::test]
async fn random_bytes_do_no_harm() {
    let victim = Victim::start().await;
    let mut chance = StdRng::seed_from_u64(7);
    for _ in 0..500 {
        let mut noise = [0; 64];
        chance.fill_bytes(&mut noise);
        // Masked, because the server would not read an unmasked frame.
        noise[1] |= 0x80;
        let mut raw = Raw::upgraded(victim.server.address).await;
        raw.send(&noise).await;
    }
    victim.expect_unharmed().await;
}

/// Many clients send random messages, and some leave at random. Those that stay get their answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_random_clients_leaks_nothing() {
    let limits = Limits { resume_grace: Duration::from_millis(20), ..Limits::default() };
    let app = register(App::builder()).limits(limits).build().expect("the app fits together");
    let server = Server::start(app).await;
    let address = server.address;
    let visitors = (0..16).map(|seed| tokio::spawn(visit_often(address, StdRng::seed_from_u64(seed))));
    for visitor in visitors {
        visitor.await.expect("a visitor that was answered");
    }
    until(|| server.app.session_count() == 0).await;
    server.shut_down().await;
}

async fn visit_often(address: SocketAddr, mut chance: StdRng) {
    let mut last_session = "none".to_owned();
    for _ in 0..20 {
        let mut client = Client::come_back(address, &last_session, 1).await;
        client.session().clone_into(&mut last_session);
        for number in 0..chance.next_u32() % 20 {
            client.send(anything(&mut chance, number)).await;
        }
        match chance.next_u32() % 4 {
            0 => client.ping().await,
            1 => drop(client.ask("add", json!([1, 2])).await),
            2 => client.leave().await,
            _ => {}
        }
    }
}

fn anything(chance: &mut StdRng, number: u32) -> Value {
    let id = number.to_string();
    match chance.next_u32() % 14 {
        0 => call(&id, "sleep", json!([1])),
        1 => call(&id, "sleepUnblocked", json!([5])),
        2 => call(&id, "setUserId", json!([if number.is_multiple_of(2) { "alice" } else { "bob" }])),
        3 => call(&id, "insertItem", json!([{"group": number}])),
        4 => call(&id, "updateItem", json!([id, {"set": {"group": number}, "unset": []}])),
        5 => call(&id, "broadcast", json!([number])),
        6 => call(&id, "removeItem", json!([id])),
        7 => call(&id, "nestedRandomIds", json!(["s", 3])),
        8 => json!({"msg": "sub", "id": id, "name": "items"}),
        9 => json!({"msg": "sub", "id": id, "name": "feed"}),
        10 => json!({"msg": "sub", "id": id, "name": "slowUnblocked", "params": [2]}),
        11 => json!({"msg": "sub", "id": id, "name": "ownDocuments"}),
        12 => json!({"msg": "unsub", "id": (number / 2).to_string()}),
        _ => json!({"msg": "ping", "id": id}),
    }
}

#[tokio::test]
async fn a_panic_in_an_application_hook_does_not_affect_connections() {
    let app = App::builder()
        .method("add", TwoFactor::none(), async |_: Context, a: f64, b: f64| Ok(a + b))
        .on_connection(|connection| {
            connection.on_close(|| panic!("on_close"));
            panic!("on_connection")
        })
        .limits(Limits { resume_grace: Duration::ZERO, ..Limits::default() })
        .build()
        .expect("the app fits together");
    let server = Server::start(app).await;
    for _ in 0..3 {
        let mut client = Client::connect(server.address).await;
        assert_eq!(client.ask("add", json!([1, 2])).await["result"], json!(3));
        client.leave().await;
    }
    until(|| server.app.session_count() == 0).await;
    server.shut_down().await;
}
