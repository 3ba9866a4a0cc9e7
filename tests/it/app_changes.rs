//! Methods, publications and rate limits that are added and removed while the app runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bolide::call::{CountedKind, RateLimitRule};
use bolide::prelude::*;
use bolide::testing::TestClient;
use bolide::{AppBuilder, BuildError, Limits};
use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::messages::Messages as _;
use crate::waiting::soon;

const MINUTE: Duration = Duration::from_mins(1);

fn builder() -> AppBuilder {
    App::builder().method("become", TwoFactor::none(), async |context: Context, user: Option<UserId>| {
        context.set_user_id(user).await
    })
}

fn app() -> App {
    builder().build().expect("the app fits together")
}

/// Returns the code of the error of a call.
async fn error_of(client: &mut TestClient, method: &str) -> Value {
    let error = client.call::<Value>(method, &()).await.expect_err("a refusal");
    serde_json::to_value(error.error).expect("JSON")
}

async fn one(_: Context) -> MethodResult<i32> {
    Ok(1)
}

/// Sends a document that names the user.
async fn show_user(subscription: Subscription) -> MethodResult<()> {
    let user = subscription.user_id().map_or("nobody", UserId::as_str);
    subscription.added("shown", "1", &json!({ "user": user })).await
}

/// Returns a publication that sends one document to a collection.
fn one_document(
    collection: &'static str,
) -> impl Fn(Subscription) -> BoxFuture<'static, MethodResult<()>> + Clone + Send + Sync {
    move |subscription| Box::pin(async move { subscription.added(collection, "1", &json!({ "a": 1 })).await })
}

#[tokio::test]
async fn a_method_can_be_called_over_an_open_connection_as_soon_as_it_is_added() {
    let app = app();
    let mut client = TestClient::connect(&app).await;
    assert_eq!(error_of(&mut client, "one").await, 404);
    app.add_method("one", TwoFactor::none(), one).expect("a new name");
    assert_eq!(client.call::<i32>("one", &()).await.expect("an answer"), 1);
    assert_eq!(app.add_method("one", TwoFactor::none(), one), Err(BuildError::DuplicateMethod("one".to_owned())));
}

#[tokio::test]
async fn a_method_that_is_added_is_listed_with_its_policy_and_gated() {
    let app = app();
    let gated = TwoFactor::required().disable_remember_me();
    app.add_method("gated", gated, async |_: SignedIn| Ok(1)).expect("a new name");
    let listed = app.methods().into_iter().find(|method| &*method.name == "gated").expect("in the list");
    assert_eq!(listed.policy, TwoFactor::Required(gated));
    let mut client = TestClient::connect(&app).await;
    client.call::<()>("become", &("ada",)).await.expect("a login");
    // An app without a gate refuses every gated call.
    assert_eq!(error_of(&mut client, "gated").await, "totp-required");
    assert_eq!(app.add_method("open", gated, one), Err(BuildError::AnonymousGatedMethod("open".to_owned())));
    assert_eq!(error_of(&mut client, "open").await, 404);
}

#[tokio::test]
async fn a_method_that_is_removed_ends_running_calls_in_peace_and_is_unknown_afterwards() {
    let (started, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let app = app();
    let (starting, going) = (Arc::clone(&started), Arc::clone(&go));
    app.add_method("slow", TwoFactor::none(), async move |_: Context| {
        starting.notify_one();
        going.notified().await;
        Ok("done")
    })
    .expect("a new name");
    let mut client = TestClient::connect(&app).await;
    client.send_json(json!({"msg": "method", "id": "1", "method": "slow", "params": []})).await;
    soon(started.notified()).await;
    assert!(app.remove_method("slow"));
    assert!(!app.remove_method("slow"));
    assert!(app.methods().iter().all(|method| &*method.name != "slow"));
    go.notify_one();
    assert_eq!(client.next_of(&["result"]).await["result"], "done");
    assert_eq!(error_of(&mut client, "slow").await, 404);
    let nested = async |context: Context| context.call::<Value>("slow", &()).await;
    app.add_method("nested", TwoFactor::none(), nested).expect("a new name");
    assert_eq!(error_of(&mut client, "nested").await, 404);
}

#[tokio::test]
async fn a_handler_may_add_and_remove_methods() {
    let app = app();
    app.add_method("replace", TwoFactor::none(), async |context: Context| {
        let app = context.app();
        Ok((app.add_method("one", TwoFactor::none(), one).is_ok(), app.remove_method("replace")))
    })
    .expect("a new name");
    let mut client = TestClient::connect(&app).await;
    assert_eq!(client.call::<(bool, bool)>("replace", &()).await.expect("an answer"), (true, true));
    assert_eq!(client.call::<i32>("one", &()).await.expect("an answer"), 1);
    assert_eq!(error_of(&mut client, "replace").await, 404);
}

#[tokio::test]
async fn a_change_counts_for_the_next_of_calls_that_arrive_together() {
    let app = app();
    app.add_method("replace", TwoFactor::none(), async |context: Context| {
        let app = context.app();
        app.remove_method("replace");
        Ok(app.add_method("one", TwoFactor::none(), one).is_ok())
    })
    .expect("a new name");
    let mut client = TestClient::connect(&app).await;
    for (id, method) in ["replace", "replace", "one"].into_iter().enumerate() {
        client.send_json(json!({"msg": "method", "id": id.to_string(), "method": method, "params": []})).await;
    }
    assert_eq!(client.next_of(&["result"]).await["result"], true);
    assert_eq!(client.next_of(&["result"]).await["error"]["error"], 404);
    assert_eq!(client.next_of(&["result"]).await["result"], 1);
}

/// Removes a method when it is dropped with the handler that captured it.
struct RemovesOne(App);

impl Drop for RemovesOne {
    fn drop(&mut self) {
        self.0.remove_method("one");
    }
}

#[tokio::test]
async fn what_a_removed_handler_has_captured_may_change_the_app_as_it_is_dropped() {
    let app = app();
    app.add_method("one", TwoFactor::none(), one).expect("a new name");
    let captured = Arc::new(RemovesOne(app.clone()));
    app.add_method("other", TwoFactor::none(), async move |_: Context| Ok(Arc::strong_count(&captured)))
        .expect("a new name");
    assert!(app.remove_method("other"));
    assert!(!app.remove_method("one"));
}

#[tokio::test]
async fn subscriptions_to_a_removed_publication_go_on_and_new_ones_are_refused() {
    let app = app();
    let mut client = TestClient::connect(&app).await;
    app.add_publication("shown", show_user).expect("a new name");
    let duplicate = BuildError::DuplicatePublication("shown".to_owned());
    assert_eq!(app.add_publication("shown", show_user), Err(duplicate));
    client.subscribe_by_name("shown", json!([])).await;
    assert!(app.remove_publication("shown"));
    assert!(!app.remove_publication("shown"));
    client.ask("again", "shown", json!([])).await;
    assert_eq!(client.nosub("again").await["error"], 404);
    assert_eq!(client.document_ids("shown"), ["1"]);
    client.stop("shown").await;
    assert_eq!(client.nosub("shown").await, Value::Null);
    assert!(client.document_ids("shown").is_empty());
}

#[tokio::test]
async fn a_subscription_whose_publication_was_removed_ends_when_the_user_changes() {
    let app = app();
    let mut client = TestClient::connect(&app).await;
    app.add_publication("shown", show_user).expect("a new name");
    client.subscribe_by_name("shown", json!([])).await;
    app.remove_publication("shown");
    client.send_json(json!({"msg": "method", "id": "1", "method": "become", "params": ["ada"]})).await;
    let heard: Vec<Value> = [client.next().await, client.next().await].into();
    assert_eq!(
        (&heard[0]["msg"], &heard[0]["id"], &heard[0]["error"]["error"]),
        (&json!("nosub"), &json!("shown"), &json!(404))
    );
    assert_eq!(heard[1], json!({"msg": "removed", "collection": "shown", "id": "1"}));
    client.next_of(&["result"]).await;
    // The id is free again.
    app.add_publication("shown", show_user).expect("a free name");
    client.subscribe_by_name("shown", json!([])).await;
    assert_eq!(client.documents::<Value>("shown")["1"], json!({"user": "ada"}));
}

#[tokio::test]
async fn another_publication_of_the_name_runs_when_the_user_changes() {
    let app = app();
    let mut client = TestClient::connect(&app).await;
    app.add_publication("p", one_document("old")).expect("a new name");
    client.subscribe_by_name("p", json!([])).await;
    app.remove_publication("p");
    app.add_publication("p", one_document("new")).expect("a free name");
    client.call::<()>("become", &("ada",)).await.expect("a login");
    assert_eq!((client.document_ids("old").len(), client.document_ids("new").len()), (0, 1));
}

#[tokio::test]
async fn a_universal_publication_starts_once_in_sessions_that_are_open_and_in_later_ones() {
    let app = builder().publish_universal(one_document("first")).build().expect("the app fits together");
    let mut before = TestClient::connect(&app).await;
    assert_eq!(before.next().await["collection"], "first");
    app.add_universal_publication(show_user);
    assert_eq!(before.next().await["fields"], json!({"user": "nobody"}));
    app.add_universal_publication(one_document("third"));
    assert_eq!(before.next().await["collection"], "third");
    let mut after = TestClient::connect(&app).await;
    let heard = after.heard().await;
    let collections: Vec<&Value> = heard.iter().map(|message| &message["collection"]).collect();
    assert_eq!(collections, ["first", "shown", "third"]);
    for client in [&mut before, &mut after] {
        client.send_json(json!({"msg": "method", "id": "1", "method": "become", "params": ["ada"]})).await;
        let changed = json!({"msg": "changed", "collection": "shown", "id": "1", "fields": {"user": "ada"}});
        assert_eq!(client.next().await, changed);
        assert_eq!(client.next().await["msg"], "updated");
    }
    assert_eq!(app.subscription_count(), 6);
}

#[tokio::test]
async fn a_removed_universal_publication_goes_on_until_the_user_changes() {
    let app = app();
    let mut before = TestClient::connect(&app).await;
    let id = app.add_universal_publication(show_user);
    assert_eq!(before.next().await["msg"], "added");
    assert!(app.remove_universal_publication(id));
    assert!(!app.remove_universal_publication(id));
    let mut after = TestClient::connect(&app).await;
    assert_eq!(after.heard().await, [] as [Value; 0]);
    assert_eq!(before.document_ids("shown"), ["1"]);
    before.call::<()>("become", &("ada",)).await.expect("a login");
    assert!(before.document_ids("shown").is_empty());
    // The next one is not mistaken for it.
    let next = app.add_universal_publication(one_document("next"));
    assert_ne!(id, next);
    for client in [&mut before, &mut after] {
        assert_eq!(client.next().await["collection"], "next");
    }
}

#[tokio::test]
async fn a_universal_publication_starts_in_a_session_whose_client_is_away() {
    let app = app();
    let away = TestClient::connect(&app).await.cut();
    app.add_universal_publication(show_user);
    let mut client = away.resume(&app).await;
    assert_eq!(client.next().await["fields"], json!({"user": "nobody"}));
    assert_eq!(client.heard().await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_universal_publication_added_during_a_user_change_runs_for_the_new_user() {
    let (started, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (starting, going) = (Arc::clone(&started), Arc::clone(&go));
    let app = builder()
        .publish("slow", async move |subscription: Subscription| {
            if subscription.user_id().is_some() {
                starting.notify_one();
                going.notified().await;
            }
            Ok(())
        })
        .build()
        .expect("the app fits together");
    let mut client = TestClient::connect(&app).await;
    client.subscribe_by_name("slow", json!([])).await;
    client.send_json(json!({"msg": "method", "id": "1", "method": "become", "params": ["ada"]})).await;
    soon(started.notified()).await;
    app.add_universal_publication(show_user);
    assert_eq!(client.heard().await, [] as [Value; 0]);
    go.notify_one();
    let added = json!({"msg": "added", "collection": "shown", "id": "1", "fields": {"user": "ada"}});
    assert_eq!(client.next().await, added);
    client.next_of(&["result"]).await;
    assert_eq!(app.subscription_count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_opens_while_a_universal_publication_is_added_starts_it_once() {
    let app = app();
    let connecting = (0..100).map(|_| {
        tokio::spawn({
            let app = app.clone();
            async move {
                tokio::task::yield_now().await;
                TestClient::connect(&app).await
            }
        })
    });
    let connecting: Vec<_> = connecting.collect();
    let adding = tokio::task::spawn_blocking({
        let app = app.clone();
        move || {
            for _ in 0..20 {
                app.add_universal_publication(show_user);
            }
        }
    });
    let mut clients = Vec::new();
    for client in join_all(connecting).await {
        clients.push(client.expect("no panic"));
    }
    adding.await.expect("no panic");
    crate::waiting::until(|| app.subscription_count() >= 2_000).await;
    for client in &mut clients {
        client.call::<()>("become", &("ada",)).await.expect("a login");
    }
    assert_eq!(app.subscription_count(), 2_000);
}

#[tokio::test]
async fn a_rate_limit_counts_from_when_it_is_added_until_it_is_removed() {
    let app = app();
    app.add_method("one", TwoFactor::none(), one).expect("a new name");
    let mut client = TestClient::connect(&app).await;
    client.call::<i32>("one", &()).await.expect("no limit");
    let id = app.add_rate_limit(RateLimitRule::new(1, MINUTE).methods(["one"]));
    let other = app.add_rate_limit(RateLimitRule::new(1, MINUTE).methods(["two"]));
    client.call::<i32>("one", &()).await.expect("the first call");
    assert_eq!(error_of(&mut client, "one").await, "too-many-requests");
    assert!(app.remove_rate_limit(id));
    assert!(!app.remove_rate_limit(id));
    client.call::<i32>("one", &()).await.expect("no limit");
    assert!(app.remove_rate_limit(other));
}

#[tokio::test]
async fn a_rate_limit_tells_of_each_refusal_and_of_nothing_else() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let rule = RateLimitRule::new(1, MINUTE).per_connection().per_name().on_refusal(move |refused| {
        assert!(refused.wait > Duration::ZERO && refused.wait <= MINUTE);
        let user = refused.user.map(ToString::to_string);
        heard.lock().push((refused.kind, refused.name.to_owned(), user, refused.connection.id().to_owned()));
    });
    let app = builder().publish("p", show_user).build().expect("the app fits together");
    app.add_method("one", TwoFactor::none(), one).expect("a new name");
    app.add_rate_limit(rule);
    let mut client = TestClient::connect(&app).await;
    client.call::<()>("become", &("ada",)).await.expect("a login");
    client.call::<i32>("one", &()).await.expect("the first call");
    client.subscribe_by_name("p", json!([])).await;
    assert_eq!(*told.lock(), []);
    assert_eq!(error_of(&mut client, "one").await, "too-many-requests");
    client.ask("again", "p", json!([])).await;
    assert_eq!(client.nosub("again").await["error"], "too-many-requests");
    let told_of = |kind, name: &str| (kind, name.to_owned(), Some("ada".to_owned()), client.session().to_owned());
    assert_eq!(*told.lock(), [told_of(CountedKind::Method, "one"), told_of(CountedKind::Subscription, "p")]);
}

#[tokio::test]
async fn a_callback_of_a_rate_limit_may_panic_and_may_change_the_limits() {
    let app = app();
    app.add_method("one", TwoFactor::none(), one).expect("a new name");
    app.add_rate_limit(RateLimitRule::new(1, MINUTE).methods(["one"]).on_refusal(|_| panic!("on purpose")));
    let (changing, calls) = (app.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&calls);
    app.add_rate_limit(RateLimitRule::new(1, MINUTE).methods(["one"]).on_refusal(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        changing.add_rate_limit(RateLimitRule::new(0, MINUTE).methods(["two"]));
    }));
    app.add_method("two", TwoFactor::none(), one).expect("a new name");
    let mut client = TestClient::connect(&app).await;
    client.call::<i32>("one", &()).await.expect("the first call");
    client.call::<i32>("two", &()).await.expect("no limit yet");
    assert_eq!(error_of(&mut client, "one").await, "too-many-requests");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(error_of(&mut client, "two").await, "too-many-requests");
}

#[tokio::test]
async fn what_the_builder_has_registered_can_be_removed() {
    let limits = Limits { resume_grace: Duration::ZERO, ..Limits::default() };
    let app = builder().limits(limits).publish("p", show_user).build().expect("the app fits together");
    assert!(app.remove_method("become") && app.remove_publication("p"));
    let mut client = TestClient::connect(&app).await;
    assert_eq!(error_of(&mut client, "become").await, 404);
    client.ask("p", "p", json!([])).await;
    assert_eq!(client.nosub("p").await["error"], 404);
}
