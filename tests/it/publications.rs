//! The handle of a subscription cannot be misused: the client is answered in every case, and only a live handle
//! sends.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bolide::call::RateLimitRule;
use bolide::prelude::*;
use bolide::testing::TestClient;
use bolide::{AppBuilder, DdpError, Limits};
use futures::StreamExt as _;
use futures::channel::mpsc;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::messages::Messages as _;
use crate::waiting::{soon, until};

/// Passes a subscription out of its handler.
#[derive(Clone, Default)]
struct Pocket(Arc<Mutex<Vec<Subscription>>>);

impl Pocket {
    fn put(&self, subscription: Subscription) {
        self.0.lock().push(subscription);
    }

    fn take(&self) -> Subscription {
        self.0.lock().pop().expect("a subscription")
    }
}

/// A subscriber of the publication `p` of `app`.
async fn subscriber(app: AppBuilder) -> TestClient {
    let app = app.build().expect("the app fits together");
    let subscriber = TestClient::connect(&app).await;
    subscriber.ask("s", "p", json!([])).await;
    subscriber
}

/// The same, with a publication that passes its handle to the pocket.
async fn pocketed() -> (TestClient, Subscription) {
    let pocket = Pocket::default();
    let kept = pocket.clone();
    let mut subscriber = subscriber(App::builder().publish("p", async move |subscription: Subscription| {
        kept.put(subscription);
        Ok(())
    }))
    .await;
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    (subscriber, pocket.take())
}

fn internal_error() -> Value {
    serde_json::to_value(DdpError::internal()).expect("JSON")
}

#[tokio::test]
async fn a_handler_that_returns_is_ready() {
    let app = App::builder().publish("p", async |_: Subscription| Ok(()));
    subscriber(app).await.ready("s").await;
}

#[tokio::test]
async fn a_handler_that_drops_its_handle_is_ready_when_it_returns() {
    let go = Arc::new(Notify::new());
    let gone = Arc::clone(&go);
    let app = App::builder().publish("p", async move |subscription: Subscription| {
        drop(subscription);
        gone.notified().await;
        Ok(())
    });
    let mut subscriber = subscriber(app).await;
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    go.notify_one();
    subscriber.ready("s").await;
}

#[tokio::test]
async fn a_handler_that_panics_is_answered_500() {
    async fn panics(_: Subscription) -> MethodResult<()> {
        panic!("a secret")
    }
    let mut subscriber = subscriber(App::builder().publish("p", panics)).await;
    assert_eq!(subscriber.nosub("s").await, internal_error());
}

#[tokio::test]
async fn documents_sent_before_a_panic_are_removed() {
    async fn panics(subscription: Subscription) -> MethodResult<()> {
        subscription.added("c", "1", &json!({"a": 1})).await?;
        panic!("a secret")
    }
    let mut subscriber = subscriber(App::builder().publish("p", panics)).await;
    assert_eq!(subscriber.next().await["msg"], "added");
    assert_eq!(subscriber.next().await["msg"], "removed");
    assert_eq!(subscriber.nosub("s").await, internal_error());
}

#[tokio::test]
async fn a_task_that_panics_with_the_handle_is_answered_500() {
    let (mut subscriber, subscription) = pocketed().await;
    let task = tokio::spawn(async move {
        let _held = subscription;
        panic!("a secret")
    });
    assert!(task.await.is_err());
    assert_eq!(subscriber.nosub("s").await, internal_error());
}

#[tokio::test]
async fn a_task_that_panics_with_the_handle_while_the_handler_runs_is_answered_500() {
    let app = App::builder().publish("p", async |subscription: Subscription| {
        let task = tokio::spawn(async move {
            let _held = subscription;
            panic!("a secret")
        });
        assert!(task.await.is_err());
        Ok(())
    });
    assert_eq!(subscriber(app).await.nosub("s").await, internal_error());
}

#[tokio::test]
async fn a_handler_can_fail_after_it_was_ready() {
    let app = App::builder().publish("p", async |subscription: Subscription| {
        subscription.ready();
        Err(MethodError::new("too-late", "It changed its mind"))
    });
    let mut subscriber = subscriber(app).await;
    subscriber.ready("s").await;
    assert_eq!(subscriber.nosub("s").await["error"], "too-late");
}

#[tokio::test]
async fn a_handle_that_is_dropped_outside_its_handler_is_ready() {
    let (mut subscriber, subscription) = pocketed().await;
    drop(subscription);
    subscriber.ready("s").await;
}

#[tokio::test]
async fn a_handle_that_is_kept_can_continue_to_send() {
    let (mut subscriber, subscription) = pocketed().await;
    let task = tokio::spawn(async move {
        subscription.ready();
        for number in 0..1_000 {
            subscription.added("c", number.to_string(), &json!({"number": number})).await?;
        }
        subscription.removed("c", "7").await?;
        Ok::<_, MethodError>(subscription)
    });
    subscriber.ready("s").await;
    subscriber.next_of(&["removed"]).await;
    assert_eq!(subscriber.document_ids("c").len(), 999);
    drop(soon(task).await.expect("it ends"));
    assert_eq!(subscriber.heard().await, [] as [Value; 0], "it was ready already");
}

#[tokio::test]
async fn nothing_is_sent_after_unsubscribing() {
    let (mut subscriber, subscription) = pocketed().await;
    subscription.added("c", "1", &json!({"a": 1})).await.expect("it is sent");
    subscriber.stop("s").await;
    assert_eq!(subscriber.nosub("s").await, Value::Null);
    assert_eq!(subscriber.document_ids("c").len(), 0);
    assert!(!subscription.is_active());
    subscription.added("c", "1", &json!({"a": 1})).await.expect("it is ignored");
    subscription.changed("c", "1", &json!({"a": 2}), &[]).await.expect("it is ignored");
    subscription.removed("c", "1").await.expect("it is ignored");
    subscription.ready();
    subscription.stop();
    subscription.fail(MethodError::new(400, "Too late"));
    drop(subscription);
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
}

#[tokio::test]
async fn an_ended_handle_does_not_affect_a_new_one_with_the_same_id() {
    let (mut subscriber, old) = pocketed().await;
    subscriber.stop("s").await;
    subscriber.nosub("s").await;
    subscriber.ask("s", "p", json!([])).await;
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    old.ready();
    old.stop();
    drop(old);
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
}

#[tokio::test]
async fn on_stop_runs_once_when_the_client_unsubscribes() {
    let (mut subscriber, subscription) = pocketed().await;
    let (stopped, mut stops) = mpsc::unbounded();
    subscription.on_stop(move || stopped.unbounded_send(()).expect("a listener"));
    subscriber.stop("s").await;
    subscriber.nosub("s").await;
    subscription.stop();
    drop(subscription);
    subscriber.disconnect().await;
    assert_eq!(soon(stops.next()).await, Some(()));
    assert_eq!(soon(stops.next()).await, None, "the callback is gone");
}

#[tokio::test]
async fn on_stop_runs_at_once_if_the_subscription_has_ended() {
    let (_subscriber, subscription) = pocketed().await;
    subscription.stop();
    let stopped = Arc::new(Mutex::new(false));
    let noted = Arc::clone(&stopped);
    subscription.on_stop(move || *noted.lock() = true);
    assert!(*stopped.lock());
}

#[tokio::test]
async fn an_on_stop_that_panics_does_not_prevent_others() {
    let (mut subscriber, subscription) = pocketed().await;
    let (stopped, mut stops) = mpsc::unbounded();
    subscription.on_stop(|| panic!("a secret"));
    subscription.on_stop(move || stopped.unbounded_send(()).expect("a listener"));
    subscriber.stop("s").await;
    assert_eq!(subscriber.nosub("s").await, Value::Null);
    assert_eq!(soon(stops.next()).await, Some(()));
}

/// A publication that never ends by itself, and reports when its future is dropped.
fn endless() -> (AppBuilder, Arc<()>) {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let app = App::builder().publish("p", async move |subscription: Subscription| {
        subscription.unblock();
        subscription.ready();
        pending::<()>().await;
        drop(held);
        Ok(())
    });
    // The registered handler and the test hold one each.
    (app, alive)
}

#[tokio::test]
async fn a_handler_that_never_ends_is_dropped_when_the_client_unsubscribes() {
    let (app, alive) = endless();
    let mut subscriber = subscriber(app).await;
    subscriber.ready("s").await;
    assert_eq!(Arc::strong_count(&alive), 3);
    subscriber.stop("s").await;
    subscriber.nosub("s").await;
    until(|| Arc::strong_count(&alive) == 2).await;
}

#[tokio::test]
async fn a_handler_that_never_ends_is_dropped_when_the_client_leaves() {
    let (app, alive) = endless();
    let mut subscriber = subscriber(app).await;
    subscriber.ready("s").await;
    subscriber.disconnect().await;
    until(|| Arc::strong_count(&alive) < 3).await;
}

#[tokio::test]
async fn handlers_that_never_end_do_not_use_up_the_session() {
    let (app, alive) = endless();
    let app = app.limits(Limits { running_calls: 10, ..Limits::default() }).build().expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    for _ in 0..100 {
        subscriber.subscribe_by_name("p", json!([])).await;
        subscriber.stop("p").await;
        subscriber.nosub("p").await;
    }
    until(|| Arc::strong_count(&alive) == 2).await;
}

#[tokio::test]
async fn a_handler_stopped_from_outside_lets_the_next_message_run() {
    let pocket = Pocket::default();
    let kept = pocket.clone();
    let mut subscriber = subscriber(App::builder().publish("p", async move |subscription: Subscription| {
        kept.put(subscription);
        pending().await
    }))
    .await;
    subscriber.ask("t", "nope", json!([])).await;
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    pocket.take().stop();
    assert_eq!(subscriber.nosub("s").await, Value::Null);
    assert_eq!(subscriber.nosub("t").await["error"], 404);
}

#[tokio::test]
async fn universal_publications_get_no_ready_and_no_nosub_with_an_id() {
    let app = App::builder()
        .publish_universal(async |subscription: Subscription| {
            assert_eq!(subscription.id(), None);
            subscription.added("c", "1", &json!({"a": 1})).await
        })
        .publish_universal(async |_: Subscription| Err(MethodError::new(400, "No")))
        .build()
        .expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    let heard = subscriber.heard().await;
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!(heard[0]["msg"], "added");
    assert_eq!((&heard[1]["msg"], &heard[1]["id"]), (&json!("nosub"), &Value::Null));
}

#[tokio::test]
async fn subscriptions_over_the_limit_are_rejected_with_a_reason() {
    let app = App::builder()
        .publish("p", async |_: Subscription| Ok(()))
        .limits(Limits { subscriptions: 3, ..Limits::default() })
        .build()
        .expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    for id in ["1", "2", "3"] {
        subscriber.ask(id, "p", json!([])).await;
        subscriber.ready(id).await;
    }
    subscriber.ask("4", "p", json!([])).await;
    assert_eq!(subscriber.nosub("4").await["error"], "too-many-subscriptions");
    subscriber.stop("2").await;
    subscriber.nosub("2").await;
    subscriber.ask("4", "p", json!([])).await;
    subscriber.ready("4").await;
}

#[tokio::test]
async fn subscriptions_are_bounded_in_bytes_too_also_after_the_user_has_changed() {
    let app = App::builder()
        .publish("p", async |_: Subscription, _: Ejson| Ok(()))
        .method("signIn", TwoFactor::none(), async |context: Context, user: UserId| {
            context.set_user_id(Some(user)).await
        })
        .limits(Limits { subscription_bytes: 10_000, ..Limits::default() })
        .build()
        .expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    let large = json!(["x".repeat(4_000)]);
    for id in ["1", "2"] {
        subscriber.ask(id, "p", large.clone()).await;
        subscriber.ready(id).await;
    }
    for user in ["ada", "bob", "ada"] {
        subscriber.call::<()>("signIn", &(user,)).await.expect("a login");
        let too_long = "y".repeat(1_000);
        subscriber.ask("3", "p", large.clone()).await;
        assert_eq!(subscriber.nosub("3").await["error"], "too-many-subscriptions");
        subscriber.ask(&too_long, "p", json!([1])).await;
        assert_eq!(subscriber.nosub(&too_long).await["error"], "too-many-subscriptions");
        subscriber.ask("4", "p", json!([1])).await;
        subscriber.ready("4").await;
        subscriber.stop("4").await;
        subscriber.nosub("4").await;
    }
    subscriber.stop("1").await;
    subscriber.nosub("1").await;
    subscriber.ask("3", "p", large).await;
    subscriber.ready("3").await;
}

#[tokio::test]
async fn a_client_can_subscribe_ten_thousand_times() {
    let items: Collection = Collection::new("items");
    items.insert("1", &[("a".to_owned(), Ejson::from(1))].into_iter().collect()).await.expect("a new document");
    let all = items.clone();
    let app = App::builder()
        .publish(
            "p",
            async move |subscription: Subscription, shows: bool| {
                if shows { subscription.publish(all.find(Filter::everything())).await } else { Ok(()) }
            },
        )
        .limits(Limits { subscriptions: 10_000, ..Limits::default() })
        .build()
        .expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    for id in 0..10_000 {
        subscriber.ask(&id.to_string(), "p", json!([id % 10 == 0])).await;
        subscriber.ready(&id.to_string()).await;
    }
    assert_eq!(subscriber.document_ids("items").len(), 1);
    assert_eq!(items.update("1", Update::new().set("a", 2)).await, Ok(true));
    assert_eq!(subscriber.heard().await.len(), 1, "one change is one message");
    for id in 0..10_000 {
        subscriber.stop(&id.to_string()).await;
        assert_eq!(subscriber.nosub(&id.to_string()).await, Value::Null);
    }
    assert_eq!((app.subscription_count(), items.live_query_count()), (0, 0));
    assert_eq!(subscriber.document_ids("items").len(), 0);
}

/// Sends the result of the method `method` as a document.
async fn of_method(subscription: Subscription, method: String) -> MethodResult<()> {
    let result: Value = subscription.call(&method, &()).await?;
    subscription.added("results", "1", &json!({ "result": result })).await
}

fn calling() -> AppBuilder {
    App::builder()
        .publish("ofMethod", of_method)
        .method("whoami", TwoFactor::none(), async |context: Context| {
            Ok((context.user_id(), context.connection().map(|connection| connection.id().to_owned())))
        })
        .method("become", TwoFactor::none(), async |context: Context, user: UserId| {
            context.set_user_id(Some(user)).await
        })
        .method("mine", TwoFactor::none(), async |_: SignedIn| Ok("mine"))
        .method("fail", TwoFactor::none(), async |_: Context| Err::<(), _>(MethodError::new("own", "No")))
        .method("panic", TwoFactor::none(), async |_: Context| -> MethodResult<()> { panic!("on purpose") })
}

#[tokio::test]
async fn a_subscription_calls_a_method_as_its_user_and_on_its_connection() {
    let app = calling().build().expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    subscriber.subscribe_by_name("ofMethod", json!(["whoami"])).await;
    let result = |subscriber: &TestClient| subscriber.documents::<Value>("results")["1"]["result"].clone();
    assert_eq!(result(&subscriber), json!([null, subscriber.session()]));
    subscriber.call::<()>("become", &("ada",)).await.expect("a login");
    assert_eq!(result(&subscriber), json!(["ada", subscriber.session()]));
}

#[tokio::test]
async fn a_subscription_passes_on_the_error_of_a_method() {
    let app = calling().build().expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    for (method, code) in
        [("fail", json!("own")), ("mine", json!("error-invalid-user")), ("missing", json!(404)), ("panic", json!(500))]
    {
        subscriber.ask(method, "ofMethod", json!([method])).await;
        assert_eq!(subscriber.nosub(method).await["error"], code, "{method}");
    }
}

#[tokio::test]
async fn a_subscription_that_has_ended_calls_no_method() {
    let pocket = Pocket::default();
    let kept = pocket.clone();
    let app = calling().publish("p", async move |subscription: Subscription| {
        kept.put(subscription);
        Ok(())
    });
    let mut subscriber = subscriber(app).await;
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
    let subscription = pocket.take();
    assert!(subscription.call::<Value>("whoami", &()).await.is_ok());
    subscriber.call::<()>("become", &("ada",)).await.expect("a login");
    assert!(subscription.call::<Value>("whoami", &()).await.is_err());
}

#[tokio::test]
async fn calls_of_a_subscription_do_not_count_for_rate_limits() {
    let rule = RateLimitRule::new(0, Duration::from_mins(1)).methods(["whoami"]);
    let app = calling().rate_limit(rule).build().expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    subscriber.subscribe_by_name("ofMethod", json!(["whoami"])).await;
    assert!(subscriber.call::<Value>("whoami", &()).await.is_err());
}

#[tokio::test]
async fn a_subscription_cannot_change_the_user_by_a_method() {
    let app = calling()
        .publish("signsIn", async |subscription: Subscription| subscription.call::<()>("become", &("ada",)).await);
    let app = app.build().expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    subscriber.ask("s", "signsIn", json!([])).await;
    assert_eq!(subscriber.nosub("s").await, internal_error());
    assert_eq!(subscriber.call::<Value>("whoami", &()).await.expect("an answer")[0], Value::Null);
}
