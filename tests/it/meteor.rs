//! What Meteor's own client expects from every server.

use bolide::prelude::*;
use bolide::protocol::ejson::Object;
use bolide::testing::TestClient;
use serde_json::{Value, json};

use crate::messages::Messages as _;

#[tokio::test]
async fn automatic_subscriptions_of_meteor_clients_are_ready_without_documents() {
    let app = App::builder().build().expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    let asked = [
        ("meteor.loginServiceConfiguration", json!([])),
        ("meteor_autoupdate_clientVersions", json!([])),
        ("meteor_autoupdate_clientVersions", json!([null])),
        ("meteor_autoupdate_clientVersions", json!(["an app", {"and": "more"}, 3])),
    ];
    for (number, (publication, params)) in asked.into_iter().enumerate() {
        let id = number.to_string();
        subscriber.ask(&id, publication, params).await;
        assert_eq!(subscriber.next().await, json!({"msg": "ready", "subs": [id]}));
    }
}

#[tokio::test]
async fn an_app_can_register_these_publications_itself() {
    let app = App::builder()
        .publish("meteor.loginServiceConfiguration", async |subscription: Subscription| {
            let service = json!({"service": "github"});
            subscription.added("meteor_accounts_loginServiceConfiguration", "1", &service).await
        })
        .build()
        .expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    subscriber.subscribe("meteor.loginServiceConfiguration", &()).await.expect("a subscription");
    assert_eq!(subscriber.document_ids("meteor_accounts_loginServiceConfiguration").len(), 1);
    subscriber.subscribe("meteor_autoupdate_clientVersions", &()).await.expect("a subscription");
}

fn user(name: &str) -> Object {
    let fields = [("username", Ejson::from(name)), ("secret", Ejson::from("a hash"))];
    fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
}

/// An app that publishes each user's own document.
async fn app_with_users() -> (App, Collection) {
    let users: Collection = Collection::new("users");
    users.insert("user-alice", &user("alice")).await.expect("a new document");
    users.insert("user-bob", &user("bob")).await.expect("a new document");
    let published = users.clone();
    let app = App::builder()
        .publish_universal(async move |subscription: Subscription| match subscription.user_id() {
            Some(user) => {
                let own = published.find(Filter::eq("_id", user.as_str())).only(["username", "emails", "profile"]);
                subscription.publish(own).await
            }
            None => Ok(()),
        })
        .method("become", TwoFactor::none(), async |context: Context, user: Option<String>| {
            context.set_user_id(user.map(UserId::from)).await
        });
    (app.build().expect("the app fits together"), users)
}

#[tokio::test]
async fn users_see_their_own_document_and_no_other() {
    let (app, users) = app_with_users().await;
    let mut subscriber = TestClient::connect(&app).await;
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    subscriber.send_json(json!({"msg": "method", "id": "1", "method": "become", "params": ["user-alice"]})).await;
    let added = json!({"msg": "added", "collection": "users", "id": "user-alice", "fields": {"username": "alice"}});
    assert_eq!(subscriber.next().await, added);
    assert_eq!(subscriber.next().await, json!({"msg": "updated", "methods": ["1"]}), "no ready comes before");
    subscriber.next_of(&["result"]).await;
    assert_eq!(users.update("user-alice", Update::new().set("secret", "another")).await, Ok(true));
    assert_eq!(users.update("user-bob", Update::new().set("username", "robert")).await, Ok(true));
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    assert_eq!(users.update("user-alice", Update::new().set("username", "alicia")).await, Ok(true));
    assert_eq!(subscriber.next().await["fields"], json!({"username": "alicia"}));
}

#[tokio::test]
async fn the_users_document_follows_login_and_logout() {
    let (app, users) = app_with_users().await;
    let mut subscriber = TestClient::connect(&app).await;
    subscriber.call::<()>("become", &json!(["user-alice"])).await.expect("a user");
    assert_eq!(subscriber.document_ids("users"), ["user-alice"]);
    subscriber.send_json(json!({"msg": "method", "id": "1", "method": "become", "params": ["user-alice"]})).await;
    assert_eq!(subscriber.next().await["msg"], "updated", "the same user is not a change");
    subscriber.next_of(&["result"]).await;
    subscriber.call::<()>("become", &json!(["user-bob"])).await.expect("a user");
    assert_eq!(subscriber.document_ids("users"), ["user-bob"]);
    subscriber.call::<()>("become", &json!([null])).await.expect("a user");
    assert_eq!(subscriber.document_ids("users"), [""; 0]);
    assert_eq!((users.live_query_count(), app.subscription_count()), (0, 1));
}
