//! Long work of one session lets others have their turn.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bolide::prelude::*;
use bolide::testing::TestClient;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Notify;

use crate::messages::Messages as _;
use crate::waiting::until;

/// As many as a session may have, nearly.
const SUBSCRIPTIONS: usize = 1_990;

/// The turns of another task, which wants to run all the time.
#[derive(Clone, Default)]
struct Turns {
    count: Arc<AtomicUsize>,
    /// The number of steps of the work that was observed, by the turn of the other task in which they were made.
    steps: Arc<Mutex<HashMap<usize, usize>>>,
}

impl Turns {
    fn start() -> Self {
        let turns = Self::default();
        let count = Arc::clone(&turns.count);
        tokio::spawn(async move {
            loop {
                count.fetch_add(1, Ordering::Relaxed);
                next_turn().await;
            }
        });
        turns
    }

    fn now(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn note_step(&self) {
        *self.steps.lock().entry(self.now()).or_default() += 1;
    }

    /// Returns the number of steps and the largest number of them within one turn, and begins again.
    fn take_steps(&self) -> (usize, usize) {
        let steps = std::mem::take(&mut *self.steps.lock());
        (steps.values().sum(), steps.values().copied().max().unwrap_or_default())
    }
}

/// Returns to the runtime once, and is at once ready to run again.
async fn next_turn() {
    let mut is_next = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_next, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn become_user(context: Context, user: Option<String>) -> MethodResult<()> {
    context.set_user_id(user.map(UserId::from)).await
}

async fn with_many_subscriptions(app: &App) -> TestClient {
    let mut client = TestClient::connect(app).await;
    for number in 0..SUBSCRIPTIONS {
        client.send_json(json!({"msg": "sub", "id": number.to_string(), "name": "p", "params": []})).await;
    }
    until(|| app.subscription_count() == SUBSCRIPTIONS).await;
    client.heard().await;
    client
}

#[tokio::test]
async fn a_change_of_the_user_of_many_subscriptions_lets_others_run() {
    let (started, stopped) = (Turns::start(), Turns::start());
    let (starts, stops) = (started.clone(), stopped.clone());
    let app = App::builder()
        .method("become", TwoFactor::none(), become_user)
        .publish("p", async move |subscription: Subscription| {
            starts.note_step();
            let stops = stops.clone();
            subscription.on_stop(move || stops.note_step());
            Ok(())
        })
        .build()
        .expect("the app fits together");
    let mut client = with_many_subscriptions(&app).await;
    let (count, at_once) = started.take_steps();
    assert!(count == SUBSCRIPTIONS && at_once <= 64, "{at_once} of {count} started in one turn");
    client.call::<()>("become", &json!(["alice"])).await.expect("a user");
    let (count, at_once) = started.take_steps();
    assert!(count == SUBSCRIPTIONS && at_once <= 64, "{at_once} of {count} started in one turn");
    let (count, at_once) = stopped.take_steps();
    assert!(count == SUBSCRIPTIONS && at_once <= 128, "{at_once} of {count} stopped in one turn");
    client.disconnect().await;
    until(|| stopped.steps.lock().values().sum::<usize>() == SUBSCRIPTIONS).await;
    let (_, at_once) = stopped.take_steps();
    assert!(at_once <= 128, "{at_once} of {count} stopped in one turn");
}

#[tokio::test]
async fn the_initial_documents_of_a_large_query_let_others_run() {
    let items: Collection = Collection::new("items");
    for number in 0..20_000 {
        let document = [("n".to_owned(), Ejson::from(number))].into_iter().collect();
        items.insert(number.to_string(), &document).await.expect("a new document");
    }
    let turns = Turns::start();
    let (observed, taken) = (turns.clone(), Arc::new(AtomicUsize::new(0)));
    let noted = Arc::clone(&taken);
    let app = App::builder()
        .method("become", TwoFactor::none(), become_user)
        .publish("items", async move |subscription: Subscription| {
            let before = observed.now();
            subscription.publish(items.find(Filter::everything())).await?;
            if subscription.user_id().is_some() {
                noted.store(observed.now() - before, Ordering::Relaxed);
            }
            Ok(())
        })
        .build()
        .expect("the app fits together");
    let mut client = TestClient::connect(&app).await;
    client.subscribe_by_name("items", json!([])).await;
    // During a change of the user, nothing is sent, so nothing waits for the client.
    client.call::<()>("become", &json!(["alice"])).await.expect("a user");
    let taken = taken.load(Ordering::Relaxed);
    assert!(taken >= 20_000 / 1_024, "{taken} turns of others");
}

#[tokio::test]
async fn documents_that_a_publication_adds_by_hand_let_others_run() {
    let turns = Turns::start();
    let observed = turns.clone();
    let app = App::builder()
        .method("become", TwoFactor::none(), become_user)
        .publish("p", async move |subscription: Subscription| {
            for number in 0..5_000 {
                subscription.added("c", number.to_string(), &json!({})).await?;
                observed.note_step();
            }
            Ok(())
        })
        .build()
        .expect("the app fits together");
    let mut client = TestClient::connect(&app).await;
    client.subscribe_by_name("p", json!([])).await;
    turns.take_steps();
    client.call::<()>("become", &json!(["alice"])).await.expect("a user");
    let (count, at_once) = turns.take_steps();
    assert!(count == 5_000 && at_once <= 1_024, "{at_once} of {count} in one turn");
}

#[tokio::test]
async fn queries_of_many_documents_let_others_run() {
    let items: Collection = Collection::new("items");
    for number in 0..5_000 {
        let document = [("n".to_owned(), Ejson::from(number))].into_iter().collect();
        items.insert(number.to_string(), &document).await.expect("a new document");
    }
    let turns = Turns::start();
    let observed = turns.clone();
    let app = App::builder()
        .method("become", TwoFactor::none(), become_user)
        .publish("items", async move |subscription: Subscription, number: f64| {
            observed.note_step();
            subscription.publish(items.find(Filter::eq("n", number))).await
        })
        .build()
        .expect("the app fits together");
    let mut client = TestClient::connect(&app).await;
    for number in 0..100 {
        let subscribe = json!({"msg": "sub", "id": number.to_string(), "name": "items", "params": [number]});
        client.send_json(subscribe).await;
    }
    until(|| app.subscription_count() == 100).await;
    client.heard().await;
    let (_, at_once) = turns.take_steps();
    assert!(at_once <= 2, "{at_once} queries began in one turn");
    client.call::<()>("become", &json!(["alice"])).await.expect("a user");
    let (count, at_once) = turns.take_steps();
    assert!(count == 100 && at_once <= 2, "{at_once} of {count} queries began in one turn");
}

/// Occupies the thread, as a handler should not.
fn occupy_the_thread() {
    std::thread::sleep(BUSY);
}

/// Much longer than a call takes that does nothing, even where tests are slow.
const BUSY: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_call_is_not_charged_for_other_work_between_it_and_the_call_before() {
    let quick = Arc::new(Notify::new());
    let called = Arc::clone(&quick);
    let app = App::builder()
        .method("become", TwoFactor::none(), become_user)
        .method("quick", TwoFactor::none(), async move |_: Context| {
            called.notify_one();
            Ok(())
        })
        .method("later", TwoFactor::none(), async move |context: Context| {
            context.unblock();
            quick.notified().await;
            occupy_the_thread();
            Ok(())
        })
        .publish("busy", async |subscription: Subscription| {
            subscription.on_stop(occupy_the_thread);
            occupy_the_thread();
            subscription.ready();
            Ok(())
        })
        .build()
        .expect("the app fits together");
    let mut client = TestClient::connect(&app).await;
    let method = |id: &str, name: &str, params| json!({"msg": "method", "id": id, "method": name, "params": params});
    // All of them arrive at once.
    client.send_json(method("1", "quick", json!([]))).await;
    client.ask("s", "busy", json!([])).await;
    client.send_json(method("2", "quick", json!([]))).await;
    client.stop("s").await;
    client.send_json(method("3", "quick", json!([]))).await;
    client.ask("t", "busy", json!([])).await;
    client.send_json(method("4", "quick", json!([]))).await;
    client.send_json(method("5", "become", json!(["alice"]))).await;
    client.send_json(method("6", "quick", json!([]))).await;
    client.send_json(method("7", "later", json!([]))).await;
    client.send_json(method("8", "quick", json!([]))).await;
    client.send_json(method("9", "quick", json!([]))).await;
    for _ in 0..9 {
        client.next_of(&["result"]).await;
    }
    let longest = |name: &str| {
        let methods = app.methods();
        methods.iter().find(|method| method.name == name).expect("a method").counts.percentile_99
    };
    assert!(longest("quick") < BUSY, "{:?}", longest("quick"));
    assert!(longest("later") >= BUSY, "{:?}", longest("later"));
}
