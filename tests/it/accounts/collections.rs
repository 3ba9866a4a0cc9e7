//! What admins see of the collections of the app.

use std::collections::BTreeMap;

use bolide::accounts::Accounts;
use bolide::chance::SystemChance;
use bolide::collection::Index;
use bolide::keys::KeyRing;
use bolide::prelude::*;
use bolide::protocol::ejson::Object;
use bolide::store::SqlStore;
use bolide::testing::TestClient;
use serde_json::{Value, json};

/// An app with a stored collection and one in memory, and an admin who sees them.
async fn watched_app() -> (Collection, Collection, App, TestClient) {
    let store = SqlStore::open("sqlite::memory:").await.unwrap();
    let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.unwrap();
    let messages = Collection::stored("messages").index(Index::on("rid").and_descending("ts"));
    let typing: Collection = Collection::new("typing");
    let newest = messages.clone();
    let app = App::builder()
        .accounts(accounts)
        .collection(&messages)
        .collection(&typing)
        .publish("newest", async move |subscription: Subscription, room: String| {
            let of_room = newest.find(Filter::eq("rid", room)).sort("ts", Direction::Descending).limit(2);
            subscription.publish(of_room).await
        })
        .build()
        .unwrap();
    let accounts = app.accounts().unwrap();
    accounts.add_user("ada", &[], &["admin"], Some("ada has a long one")).await.unwrap();
    let mut admin = TestClient::connect(&app).await;
    admin.login_with_token(&accounts.issue_token("ada").await.unwrap()).await.unwrap();
    (messages, typing, app, admin)
}

async fn until(admin: &mut TestClient, what: &str, is_so: impl Fn(&BTreeMap<String, Value>) -> bool) {
    admin.wait_until(what, |admin| is_so(&admin.documents("adminCollections"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_see_documents_indexes_and_live_queries() {
    let (messages, typing, app, mut admin) = watched_app().await;
    for number in 0..3 {
        messages.upsert(format!("{number}"), Update::new().set("rid", "general").set("ts", number)).await.unwrap();
    }
    typing.insert("a", &Object::from_iter([("by".to_owned(), "ada".into())])).await.unwrap();
    let mut readers = Vec::new();
    for room in ["general", "general", "empty"] {
        let mut reader = TestClient::connect(&app).await;
        reader.subscribe("newest", &[room]).await.unwrap();
        readers.push(reader);
    }

    admin.subscribe("admin:collections", &()).await.unwrap();
    until(&mut admin, "the index to be ready", |shown| shown["messages"]["indexes"][0]["ready"] == true).await;
    let shown = admin.documents::<Value>("adminCollections");
    let stored = &shown["messages"];
    assert_eq!((&stored["stored"], &stored["documents"]), (&json!(true), &json!(3)));
    assert_eq!(stored["bytes"], 3 * r#"{"rid":"general","ts":0}"#.len());
    assert_eq!(stored["indexes"], json!([{ "name": "rid, ts descending", "ready": true }]));
    assert_eq!(stored["liveQueries"], 2);
    let kind = "rid = … ordered by ts descending, at most 2";
    assert_eq!(stored["liveKinds"], json!([{ "kind": kind, "queries": 2, "watchers": 3, "documents": 2 }]));
    let in_memory = &shown["typing"];
    assert_eq!((&in_memory["stored"], &in_memory["documents"]), (&json!(false), &json!(1)));
    assert_eq!(in_memory["bytes"], r#"{"by":"ada"}"#.len());

    typing.remove("a").await.unwrap();
    for reader in readers {
        reader.disconnect().await;
    }
    let is_empty = |shown: &BTreeMap<String, Value>| {
        shown["typing"]["bytes"] == 0 && shown["typing"]["documents"] == 0 && shown["messages"]["liveQueries"] == 0
    };
    until(&mut admin, "what has gone to be gone", is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_see_the_queries_that_read_all_documents() {
    let (_messages, typing, _app, mut admin) = watched_app().await;
    for number in 0..1_500 {
        typing.upsert(format!("{number}"), Update::new().set("by", number)).await.unwrap();
    }
    let by_secret = Filter::all([Filter::eq("by", "the secret value"), Filter::above("ts", 5)]);
    assert!(typing.find(by_secret).fetch().await.unwrap().is_empty());

    admin.subscribe("admin:collections", &()).await.unwrap();
    let shown = admin.documents::<Value>("adminCollections");
    assert_eq!(shown["typing"]["scans"], json!([{ "index": r#"["by", "ts"]"#, "read": 1_500 }]));
    assert!(!shown["typing"].to_string().contains("secret"), "values are not shown");
}
