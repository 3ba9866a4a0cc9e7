//! A new user on the same connection: publications run again, and the client gets the difference in one step.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bolide::prelude::*;
use bolide::testing::TestClient;
use bolide::{AppBuilder, Limits};
use futures::FutureExt as _;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{Barrier, Notify};

use crate::messages::Messages as _;
use crate::waiting::{SOON, soon};

/// An app with a method `become` that changes the user. The timeout for publications is at least that of a test.
fn app() -> AppBuilder {
    let limits = Limits { user_change_timeout: 2 * SOON, ..Limits::default() };
    App::builder().limits(limits).method("become", TwoFactor::none(), async |context: Context, user: Option<String>| {
        context.set_user_id(user.map(UserId::from)).await
    })
}

async fn subscriber(app: AppBuilder) -> TestClient {
    TestClient::connect(&app.build().expect("the app fits together")).await
}

async fn start_to_become(subscriber: &TestClient, user: Value) {
    subscriber.send_json(json!({"msg": "method", "id": "1", "method": "become", "params": [user]})).await;
}

/// Publishes a hundred documents of the user.
async fn own(subscription: Subscription) -> MethodResult<()> {
    let user = subscription.user_id().map_or("nobody", UserId::as_str).to_owned();
    for number in 0..100 {
        subscription.added("own", format!("{user}-{number}"), &json!({"number": number})).await?;
    }
    subscription.added("own", "shared", &json!({"user": user, "same": true})).await
}

#[tokio::test]
async fn a_new_user_gets_the_differences_and_ready_again() {
    let mut subscriber = subscriber(app().publish("own", own)).await;
    subscriber.subscribe_by_name("own", json!([])).await;
    start_to_become(&subscriber, json!("alice")).await;
    let mut kinds = Vec::new();
    while kinds.last() != Some(&json!("result")) {
        kinds.push(subscriber.next().await["msg"].take());
    }
    kinds.dedup();
    assert_eq!(kinds, ["removed", "changed", "added", "ready", "updated", "result"]);
    assert_eq!(subscriber.documents::<Value>("own")["shared"], json!({"user": "alice", "same": true}));
    assert_eq!(subscriber.document_ids("own").len(), 101);
}

#[tokio::test]
async fn a_call_that_waits_starts_for_the_new_user_even_if_the_change_is_not_awaited() {
    let app = app()
        .method("leave", TwoFactor::none(), async |context: Context| {
            // It has begun, and nothing waits for its end.
            Ok(context.set_user_id(None).now_or_never().is_some())
        })
        .method("whoami", TwoFactor::none(), async |context: Context| {
            Ok(context.user_id().map(|user| user.as_str().to_owned()))
        });
    // What follows this one has to wait for it.
    let app = app.method("pause", TwoFactor::none(), async |_: Context| {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    });
    let mut subscriber = subscriber(app).await;
    subscriber.call::<()>("become", &("alice",)).await.expect("a user");
    for method in ["pause", "leave", "whoami"] {
        subscriber.send_json(json!({"msg": "method", "id": method, "method": method, "params": []})).await;
    }
    subscriber.next_of(&["result"]).await;
    assert_eq!(subscriber.next_of(&["result"]).await["result"], false);
    assert_eq!(subscriber.next_of(&["result"]).await["result"], Value::Null);
}

#[tokio::test]
async fn a_running_method_is_answered_while_subscriptions_run_again() {
    let (woken, run_again, let_end) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (waits, again, end) = (Arc::clone(&woken), Arc::clone(&run_again), Arc::clone(&let_end));
    let app = app()
        .method("goOn", TwoFactor::none(), async move |context: Context| {
            context.unblock();
            waits.notified().await;
            Ok("went on")
        })
        .method("becomeLater", TwoFactor::none(), async |context: Context| {
            // Makes the driver run in a separate poll, as for a method that hashes a password.
            tokio::time::sleep(Duration::from_millis(1)).await;
            context.set_user_id(Some("alice".into())).await
        })
        .publish("own", async move |subscription: Subscription| {
            if subscription.user_id().is_some() {
                again.notify_one();
                end.notified().await;
            }
            Ok(())
        });
    let mut subscriber = subscriber(app).await;
    subscriber.subscribe_by_name("own", json!([])).await;
    for (id, method) in [("1", "goOn"), ("2", "becomeLater")] {
        subscriber.send_json(json!({"msg": "method", "id": id, "method": method})).await;
    }
    soon(run_again.notified()).await;
    woken.notify_one();
    assert_eq!(soon(subscriber.next()).await, json!({"msg": "updated", "methods": ["1"]}));
    let_end.notify_one();
}

#[tokio::test]
async fn the_same_user_again_runs_no_publication() {
    let items: Collection = Collection::new("items");
    let document = [("a".to_owned(), Ejson::from(1))].into_iter().collect();
    items.insert("1", &document).await.expect("a new document");
    let published = items.clone();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let app = app().publish("own", own).publish("items", async move |subscription: Subscription| {
        counted.fetch_add(1, Ordering::Relaxed);
        subscription.publish(published.find(Filter::everything())).await
    });
    let mut subscriber = subscriber(app).await;
    subscriber.subscribe_by_name("own", json!([])).await;
    subscriber.subscribe_by_name("items", json!([])).await;
    for (user, expected) in [(Value::Null, 1), (json!("alice"), 2), (json!("alice"), 2), (Value::Null, 3)] {
        subscriber.call::<()>("become", &json!([user])).await.expect("a user");
        assert_eq!(runs.load(Ordering::Relaxed), expected, "{user}");
    }
    start_to_become(&subscriber, Value::Null).await;
    assert_eq!(subscriber.next_of(&["updated", "ready"]).await, json!({"msg": "updated", "methods": ["1"]}));
    assert_eq!(items.live_query_count(), 1);
    items.insert("2", &document).await.expect("a new document");
    assert_eq!(subscriber.next_of(&["added"]).await["id"], "2", "the subscriptions continue");
}

#[tokio::test]
async fn publications_run_again_in_parallel() {
    let meeting = Arc::new(Barrier::new(2));
    let meet = move |subscription: Subscription| {
        let meeting = Arc::clone(&meeting);
        async move {
            if subscription.user_id().is_some() {
                meeting.wait().await;
            }
            MethodResult::Ok(())
        }
    };
    let mut subscriber = subscriber(app().publish("a", meet.clone()).publish("b", meet)).await;
    subscriber.subscribe_by_name("a", json!([])).await;
    subscriber.subscribe_by_name("b", json!([])).await;
    start_to_become(&subscriber, json!("alice")).await;
    assert_eq!(subscriber.next().await["msg"], "ready");
}

#[tokio::test]
async fn a_publication_that_fails_for_the_new_user_ends_and_others_continue() {
    let app = app().publish("own", own).publish("closed", async |subscription: Subscription| {
        subscription.added("closed", "1", &json!({"a": 1})).await?;
        match subscription.user_id() {
            None => Ok(()),
            Some(_) => Err(MethodError::new(403, "No")),
        }
    });
    let mut subscriber = subscriber(app).await;
    subscriber.subscribe_by_name("closed", json!([])).await;
    subscriber.subscribe_by_name("own", json!([])).await;
    start_to_become(&subscriber, json!("alice")).await;
    let nosub = subscriber.next().await;
    assert_eq!((&nosub["id"], &nosub["error"]["error"]), (&json!("closed"), &json!(403)), "it comes at once");
    assert_eq!(subscriber.next().await, json!({"msg": "removed", "collection": "closed", "id": "1"}));
    subscriber.ready("own").await;
    subscriber.next_of(&["result"]).await;
    subscriber.call::<()>("become", &json!([null])).await.expect("a user");
    assert_eq!(subscriber.document_ids("closed").len(), 0, "it does not come back by itself");
}

#[tokio::test]
async fn a_ready_publication_that_fails_during_the_change_is_not_reported_ready() {
    let go = Arc::new(Notify::new());
    let gone = Arc::clone(&go);
    let app = app()
        .publish("hasty", async |subscription: Subscription| {
            subscription.ready();
            match subscription.user_id() {
                None => Ok(()),
                Some(_) => Err(MethodError::new(403, "No")),
            }
        })
        .publish("slow", async move |subscription: Subscription| {
            if subscription.user_id().is_some() {
                gone.notified().await;
            }
            Ok(())
        });
    let mut subscriber = subscriber(app).await;
    subscriber.subscribe_by_name("hasty", json!([])).await;
    subscriber.subscribe_by_name("slow", json!([])).await;
    start_to_become(&subscriber, json!("alice")).await;
    assert_eq!(subscriber.nosub("hasty").await["error"], 403);
    go.notify_one();
    subscriber.ready("slow").await;
}

#[tokio::test]
async fn changes_by_others_meanwhile_are_part_of_the_difference() {
    let items: Collection = Collection::new("items");
    let (go, published) = (Arc::new(Notify::new()), items.clone());
    let gone = Arc::clone(&go);
    let app = app().publish("items", async move |subscription: Subscription| {
        subscription.publish(published.find(Filter::everything())).await?;
        if subscription.user_id().is_some() {
            gone.notified().await;
        }
        Ok(())
    });
    let mut subscriber = subscriber(app).await;
    items.insert("old", &[].into_iter().collect()).await.expect("a new document");
    subscriber.subscribe_by_name("items", json!([])).await;
    start_to_become(&subscriber, json!("alice")).await;
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    items.insert("new", &[].into_iter().collect()).await.expect("a new document");
    assert_eq!(items.remove("old").await, Ok(true));
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    go.notify_one();
    assert_eq!(subscriber.next().await, json!({"msg": "removed", "collection": "items", "id": "old"}));
    assert_eq!(subscriber.next().await, json!({"msg": "added", "collection": "items", "id": "new"}));
    subscriber.ready("items").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_messages_arrive_between_those_of_the_difference() {
    let events = Stream::new("events").allow_read(|_, _| true);
    let mut subscriber = subscriber(app().publish("own", own).stream(&events)).await;
    subscriber.subscribe_by_name("own", json!([])).await;
    subscriber.subscribe_by_name("stream-events", json!(["event"])).await;
    let done = Arc::new(AtomicBool::new(false));
    let (until, sent) = (Arc::clone(&done), events.clone());
    let sending = std::thread::spawn(move || {
        while !until.load(Ordering::Relaxed) {
            sent.emit("event", &[1]).expect("a list");
            std::thread::sleep(Duration::from_micros(20));
        }
    });
    for user in ["alice", "bob", "carol", "dave"] {
        start_to_become(&subscriber, json!(user)).await;
        while subscriber.next().await["collection"] != "own" {}
        // A hundred are added, a hundred removed and one changed; the first message has been read.
        for _ in 0..200 {
            assert_eq!(subscriber.next().await["collection"], "own");
        }
        subscriber.next_of(&["result"]).await;
    }
    done.store(true, Ordering::Relaxed);
    sending.join().expect("it ends well");
}

#[tokio::test]
async fn on_stop_runs_once_before_the_publication_runs_for_the_new_user() {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&log);
    let mut subscriber = subscriber(app().publish("p", async move |subscription: Subscription| {
        let user = subscription.user_id().map_or("nobody", UserId::as_str).to_owned();
        noted.lock().push(format!("{user} comes"));
        subscription.on_stop(move || noted.lock().push(format!("{user} goes")));
        Ok(())
    }))
    .await;
    subscriber.subscribe_by_name("p", json!([])).await;
    subscriber.call::<()>("become", &json!(["alice"])).await.expect("a user");
    subscriber.stop("p").await;
    subscriber.nosub("p").await;
    assert_eq!(*log.lock(), ["nobody comes", "nobody goes", "alice comes", "alice goes"]);
}

#[tokio::test]
async fn a_handle_of_the_old_user_sends_no_more_messages() {
    let kept: Arc<Mutex<Vec<Subscription>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let app = app().publish("p", async move |subscription: Subscription| {
        subscription.ready();
        keep.lock().push(subscription);
        Ok(())
    });
    let mut subscriber = subscriber(app).await;
    subscriber.subscribe_by_name("p", json!([])).await;
    subscriber.call::<()>("become", &json!(["alice"])).await.expect("a user");
    let new = kept.lock().pop().expect("a subscription");
    let old = kept.lock().pop().expect("a subscription");
    old.added("c", "1", &json!({"of": "nobody"})).await.expect("it is ignored");
    old.stop();
    drop(old);
    new.added("c", "1", &json!({"of": "alice"})).await.expect("it is sent");
    assert_eq!(subscriber.heard().await.len(), 1);
    assert_eq!(subscriber.documents::<Value>("c")["1"], json!({"of": "alice"}));
}

#[tokio::test]
async fn an_endless_publication_is_awaited_only_until_it_is_ready() {
    let app = app()
        .publish("named", async |subscription: Subscription| {
            subscription.unblock();
            subscription.ready();
            pending().await
        })
        .publish_universal(async |subscription: Subscription| {
            subscription.ready();
            pending().await
        });
    let mut subscriber = subscriber(app).await;
    subscriber.subscribe_by_name("named", json!([])).await;
    subscriber.call::<()>("become", &json!(["alice"])).await.expect("a user");
    subscriber.call::<()>("become", &json!([null])).await.expect("a user");
}

#[tokio::test]
async fn the_wait_for_a_publication_that_is_never_ready_is_limited() {
    let limits = Limits { user_change_timeout: Duration::from_millis(50), ..Limits::default() };
    let app = app().limits(limits).publish("own", own).publish_universal(async |subscription: Subscription| {
        if subscription.user_id().is_some() {
            pending::<()>().await;
        }
        drop(subscription);
        Ok(())
    });
    let mut subscriber = subscriber(app).await;
    subscriber.subscribe_by_name("own", json!([])).await;
    subscriber.call::<()>("become", &json!(["alice"])).await.expect("a user");
    assert!(subscriber.document_ids("own").contains(&"alice-0".to_owned()));
    subscriber.call::<()>("become", &json!([null])).await.expect("a user");
}

#[tokio::test]
async fn a_method_can_change_the_user_twice() {
    let app = app().publish("own", own).method("blink", TwoFactor::none(), async |context: Context| {
        context.set_user_id(Some("alice".into())).await?;
        context.set_user_id(None).await
    });
    let mut subscriber = subscriber(app).await;
    subscriber.subscribe_by_name("own", json!([])).await;
    subscriber.call::<()>("blink", &()).await.expect("a user");
    assert_eq!(subscriber.documents::<Value>("own")["shared"], json!({"user": "nobody", "same": true}));
}

#[tokio::test]
async fn a_client_that_leaves_during_the_change_leaks_nothing() {
    let app = app()
        .publish("p", async |subscription: Subscription| {
            if subscription.user_id().is_some() {
                pending::<()>().await;
            }
            drop(subscription);
            Ok(())
        })
        .build()
        .expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    subscriber.subscribe_by_name("p", json!([])).await;
    start_to_become(&subscriber, json!("alice")).await;
    subscriber.heard().await;
    subscriber.disconnect().await;
    crate::waiting::until(|| app.session_count() == 0).await;
}
