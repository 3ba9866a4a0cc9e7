//! Clients that subscribe and leave, in any way, leak nothing: the counts of sessions, subscriptions and
//! observers return to zero.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bolide::prelude::*;
use bolide::testing::TestClient;
use bolide::{AppBuilder, Limits};
use serde_json::json;

use crate::messages::Messages as _;
use crate::waiting::until;

const CLIENTS: usize = 20;
const PUBLICATIONS: [&str; 7] = ["items", "cheap", "feed", "stream-s", "endless", "task", "failing"];

/// All kinds of publications, and the counters of their subscribers.
struct Watched {
    app: App,
    items: Collection,
    feed: Audience,
    stream: Stream,
    /// Held by every running handler and every registered callback.
    alive: Arc<()>,
}

impl Watched {
    async fn start() -> Self {
        let items: Collection = Collection::new("items");
        let feed = Audience::default();
        let stream = Stream::new("s").allow_read(|_, _| true);
        let alive = Arc::new(());
        let limits = Limits {
            resume_grace: Duration::from_millis(50),
            outbox_messages: 500,
            close_timeout: Duration::from_millis(50),
            ..Limits::default()
        };
        let app = App::builder().limits(limits).stream(&stream).collection(&items);
        let app = publish_queries(app, &items);
        let app = publish_by_hand(app, &feed, &alive).method(
            "become",
            TwoFactor::none(),
            async |context: Context, user: String| context.set_user_id(Some(user.into())).await,
        );
        let app = app.method("kick", TwoFactor::none(), async |context: Context| {
            context.connection().expect("a client's call").close();
            Ok(())
        });
        let watched = Self { app: app.build().expect("the app fits together"), items, feed, stream, alive };
        watched.insert_all().await;
        watched
    }

    async fn insert_all(&self) {
        for number in 0..100 {
            let document = [("price".to_owned(), Ejson::from(number))].into_iter().collect();
            self.items.insert(number.to_string(), &document).await.expect("a new document");
        }
    }

    /// A client with a subscription of each kind.
    async fn subscriber(&self) -> TestClient {
        let mut subscriber = TestClient::connect(&self.app).await;
        for publication in PUBLICATIONS {
            subscriber.ask(publication, publication, json!(["event"])).await;
            subscriber.next_of(&["ready", "nosub"]).await;
        }
        subscriber
    }

    async fn subscribers(&self) -> Vec<TestClient> {
        let mut subscribers = Vec::new();
        for _ in 0..CLIENTS {
            subscribers.push(self.subscriber().await);
        }
        // Includes the universal one, and excludes the one that failed.
        assert_eq!(self.app.subscription_count(), CLIENTS * PUBLICATIONS.len());
        assert_eq!((self.items.live_query_count(), self.feed.len()), (2, CLIENTS));
        subscribers
    }

    /// Checks that there are no subscriptions, even if clients are connected.
    async fn expect_no_subscribers(&self) {
        until(|| self.app.subscription_count() == self.app.session_count()).await;
        until(|| self.items.live_query_count() == 0).await;
        until(|| self.feed.is_empty()).await;
        until(|| self.stream.listener_count("event") == 0).await;
        // The two registered handlers hold it, and this test.
        until(|| Arc::strong_count(&self.alive) == 3).await;
    }

    async fn expect_nobody(&self) {
        until(|| self.app.session_count() == 0).await;
        self.expect_no_subscribers().await;
        assert_eq!(self.app.subscription_count(), 0);
    }
}

fn publish_queries(app: AppBuilder, items: &Collection) -> AppBuilder {
    let (all, some) = (items.clone(), items.clone());
    app.publish_universal(async |subscription: Subscription| subscription.added("own", "1", &json!({})).await)
        .publish("items", async move |subscription: Subscription, _: String| {
            subscription.publish(all.find(Filter::everything())).await
        })
        .publish("cheap", async move |subscription: Subscription, _: String| {
            let cheap = some.find(Filter::below("price", 50)).sort("price", Direction::Descending).limit(10);
            subscription.publish(cheap).await
        })
        .publish("failing", async |subscription: Subscription, _: String| {
            subscription.added("failing", "1", &json!({})).await?;
            Err(MethodError::new(400, "No"))
        })
}

fn publish_by_hand(app: AppBuilder, feed: &Audience, alive: &Arc<()>) -> AppBuilder {
    let (joined, of_endless, of_task) = (feed.clone(), Arc::clone(alive), Arc::clone(alive));
    app.publish("feed", async move |subscription: Subscription, _: String| {
        subscription.added("feed", "x", &json!({"n": null})).await?;
        joined.join(&subscription);
        Ok(())
    })
    .publish("endless", async move |subscription: Subscription, _: String| {
        subscription.unblock();
        subscription.ready();
        pending::<()>().await;
        drop(of_endless);
        Ok(())
    })
    .publish("task", async move |subscription: Subscription, _: String| {
        let (end, ended) = futures::channel::oneshot::channel::<()>();
        subscription.on_stop(move || drop(end));
        tokio::spawn(async move {
            subscription.ready();
            let _ended = ended.await;
            drop((subscription, of_task));
        });
        Ok(())
    })
}

#[tokio::test]
async fn ended_subscriptions_leak_nothing() {
    let watched = Watched::start().await;
    let mut subscribers = watched.subscribers().await;
    for subscriber in &mut subscribers {
        for publication in PUBLICATIONS {
            subscriber.stop(publication).await;
            subscriber.nosub(publication).await;
        }
        assert_eq!(subscriber.document_ids("items").len(), 0);
    }
    assert_eq!(watched.app.session_count(), CLIENTS);
    watched.expect_no_subscribers().await;
}

#[tokio::test]
async fn clients_that_disconnect_leak_nothing() {
    let watched = Watched::start().await;
    for subscriber in watched.subscribers().await {
        subscriber.disconnect().await;
    }
    watched.expect_nobody().await;
}

#[tokio::test]
async fn clients_that_are_cut_off_leak_nothing() {
    let watched = Watched::start().await;
    drop(watched.subscribers().await);
    watched.expect_nobody().await;
}

#[tokio::test]
async fn clients_that_resume_and_are_cut_off_again_leak_nothing() {
    let watched = Watched::start().await;
    for subscriber in watched.subscribers().await {
        let session = subscriber.session().to_owned();
        let back = subscriber.cut().resume(&watched.app).await;
        assert_eq!(back.session(), session);
    }
    watched.expect_nobody().await;
}

#[tokio::test]
async fn clients_that_the_server_closes_leak_nothing() {
    let watched = Watched::start().await;
    for mut subscriber in watched.subscribers().await {
        subscriber.send_json(json!({"msg": "method", "id": "1", "method": "kick", "params": []})).await;
        assert_eq!(subscriber.close_code().await, 1000);
    }
    watched.expect_nobody().await;
}

#[tokio::test]
async fn clients_that_read_too_slowly_leak_nothing() {
    let watched = Watched::start().await;
    let subscribers = watched.subscribers().await;
    for number in 0..2_000 {
        watched.feed.changed("feed", "x", &json!({"n": number}), &[]).expect("fields");
    }
    watched.expect_nobody().await;
    drop(subscribers);
}

#[tokio::test]
async fn changes_of_the_user_leak_nothing() {
    let watched = Watched::start().await;
    let mut subscribers = watched.subscribers().await;
    for user in ["alice", "bob", "bob"] {
        for subscriber in &mut subscribers {
            subscriber.call::<()>("become", &json!([user])).await.expect("a user");
            assert_eq!(subscriber.document_ids("items").len(), 100);
        }
        // The earlier subscriptions have been replaced.
        assert_eq!(watched.app.subscription_count(), CLIENTS * PUBLICATIONS.len());
        assert_eq!((watched.items.live_query_count(), watched.feed.len()), (2, CLIENTS));
        assert_eq!(watched.stream.listener_count("event"), CLIENTS);
        until(|| Arc::strong_count(&watched.alive) == 3 + 2 * CLIENTS).await;
    }
    drop(subscribers);
    watched.expect_nobody().await;
}

#[tokio::test]
async fn clients_that_come_and_go_while_documents_change_leak_nothing() {
    let watched = Watched::start().await;
    for number in 0..100 {
        let subscriber = watched.subscriber().await;
        let update = Update::new().set("price", number);
        assert_eq!(watched.items.update(number.to_string(), update).await, Ok(true));
        if number % 2 == 0 {
            subscriber.disconnect().await;
        }
    }
    watched.expect_nobody().await;
}
