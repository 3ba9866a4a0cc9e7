//! Streams: access rules and events.

use bolide::prelude::*;
use bolide::testing::TestClient;
use serde_json::{Value, json};

use crate::messages::Messages as _;

/// A stream whose rooms are open to every user except `mallory`, and a client.
async fn messages() -> (Stream, App, TestClient) {
    let messages = Stream::new("messages")
        .allow_read(|user, room| room.starts_with("room") && user.is_none_or(|user| user.as_str() != "mallory"));
    let app = App::builder()
        .stream(&messages)
        .method("become", TwoFactor::none(), async |context: Context, user: String| {
            context.set_user_id(Some(user.into())).await
        })
        .build()
        .expect("the app fits together");
    let subscriber = TestClient::connect(&app).await;
    (messages, app, subscriber)
}

fn event(name: &str, args: &Value) -> Value {
    let fields = json!({"eventName": name, "args": args});
    json!({"msg": "changed", "collection": "stream-messages", "id": "id", "fields": fields})
}

async fn listen(subscriber: &mut TestClient, id: &str, params: Value) {
    subscriber.ask(id, "stream-messages", params).await;
    subscriber.ready(id).await;
}

#[tokio::test]
async fn events_reach_subscribers_in_order() {
    let (messages, app, mut subscriber) = messages().await;
    let mut other = TestClient::connect(&app).await;
    listen(&mut subscriber, "s", json!(["room1", false])).await;
    listen(&mut other, "s", json!(["room2", {"useCollection": false, "args": []}])).await;
    for number in 0..100 {
        messages.emit("room1", &(number, "hello")).expect("a list");
    }
    messages.emit("nobody", &((),)).expect("a list");
    for number in 0..100 {
        assert_eq!(subscriber.next().await, event("room1", &json!([number, "hello"])));
    }
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    assert_eq!(other.heard().await, [] as [Value; 0]);
}

#[tokio::test]
async fn an_event_is_one_message_to_a_session_with_two_subscriptions() {
    let (messages, _, mut subscriber) = messages().await;
    listen(&mut subscriber, "a", json!(["room"])).await;
    listen(&mut subscriber, "b", json!(["room"])).await;
    messages.emit("room", &[1]).expect("a list");
    assert_eq!(subscriber.heard().await, [event("room", &json!([1]))]);
    subscriber.stop("a").await;
    subscriber.nosub("a").await;
    messages.emit("room", &[2]).expect("a list");
    assert_eq!(subscriber.heard().await, [event("room", &json!([2]))]);
    subscriber.stop("b").await;
    subscriber.nosub("b").await;
    messages.emit("room", &[3]).expect("a list");
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    assert_eq!(messages.listener_count("room"), 0);
}

#[tokio::test]
async fn the_rule_decides_who_may_subscribe_to_which_event() {
    let (messages, _, mut subscriber) = messages().await;
    subscriber.ask("s", "stream-messages", json!(["secret"])).await;
    assert_eq!(subscriber.nosub("s").await["error"], "not-allowed");
    listen(&mut subscriber, "s", json!(["room"])).await;
    subscriber.call::<()>("become", &json!(["alice"])).await.expect("a user");
    assert_eq!(messages.listener_count("room"), 1, "it runs again for the new user");
    subscriber.send_json(json!({"msg": "method", "id": "1", "method": "become", "params": ["mallory"]})).await;
    assert_eq!(subscriber.nosub("s").await["error"], "not-allowed");
    subscriber.next_of(&["result"]).await;
    assert_eq!(messages.listener_count("room"), 0);
}

#[tokio::test]
async fn a_stream_without_a_rule_rejects_all_subscriptions() {
    let app = App::builder().stream(&Stream::new("messages")).build().expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    subscriber.ask("s", "stream-messages", json!(["room"])).await;
    assert_eq!(subscriber.nosub("s").await["error"], "not-allowed");
}

#[tokio::test]
async fn an_event_must_have_a_name() {
    let (_, _, mut subscriber) = messages().await;
    for params in [json!([]), json!([""]), json!([null]), json!([7]), json!([["room"]])] {
        subscriber.ask("s", "stream-messages", params).await;
        assert_eq!(subscriber.nosub("s").await["error"], "invalid-event-name");
    }
}

#[tokio::test]
async fn a_subscriber_that_asks_for_a_document_gets_one_after_ready() {
    let (_, _, mut subscriber) = messages().await;
    for (id, option) in [("a", json!(true)), ("b", json!({"useCollection": true, "args": [null]}))] {
        listen(&mut subscriber, id, json!(["room", option])).await;
        let fields = json!({"eventName": "room"});
        let added = json!({"msg": "added", "collection": "stream-messages", "id": "id", "fields": fields});
        assert_eq!(subscriber.next().await, added);
    }
}

#[tokio::test]
async fn the_arguments_of_an_event_must_be_a_list() {
    let (messages, _, _) = messages().await;
    assert!(messages.emit("room", "hello").is_err());
    assert!(messages.emit("room", &json!({"a": 1})).is_err());
    assert!(messages.emit("room", &json!([])).is_ok());
}

#[tokio::test]
async fn a_rule_that_panics_rejects_the_subscription() {
    let stream = Stream::new("messages").allow_read(|_, _| panic!("a secret"));
    let app = App::builder().stream(&stream).build().expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    subscriber.ask("s", "stream-messages", json!(["room"])).await;
    assert_eq!(subscriber.nosub("s").await["error"], 500);
}
