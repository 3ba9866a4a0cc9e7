//! Writers and subscribers at the same time.

use std::collections::BTreeSet;

use bolide::collection::{CollectionError, Index};
use bolide::prelude::*;
use bolide::protocol::ejson::Object;
use bolide::testing::TestClient;
use serde_json::json;
use tokio::task::JoinSet;

use super::places::Place;
use crate::messages::Messages as _;

fn numbered(number: u32) -> Object {
    [("number".to_owned(), Ejson::from(number))].into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_subscription_that_begins_during_writes_misses_and_repeats_nothing() {
    for place in Place::ALL {
        let items = place.items([]);
        let published = items.clone();
        let app = place.app(&items).await.publish("items", async move |subscription: Subscription| {
            subscription.publish(published.find(Filter::everything())).await
        });
        let app = app.build().expect("the app fits together");
        let mut writers = JoinSet::new();
        for writer in 0..4 {
            let items = items.clone();
            writers.spawn(async move {
                for number in 0..150 {
                    items.insert(format!("{writer}-{number}"), &numbered(number)).await.expect("a new document");
                    if number % 3 == 0 {
                        assert_eq!(items.remove(format!("{writer}-{number}")).await, Ok(true));
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
        let mut subscribers = Vec::new();
        for _ in 0..8 {
            let subscriber = TestClient::connect(&app).await;
            subscriber.ask("s", "items", json!([])).await;
            subscribers.push(subscriber);
            tokio::task::yield_now().await;
        }
        writers.join_all().await;
        let written: BTreeSet<String> =
            (0..4).flat_map(|writer| (0..150).filter(|n| n % 3 != 0).map(move |n| format!("{writer}-{n}"))).collect();
        for mut subscriber in subscribers {
            let mut shown = BTreeSet::new();
            let mut is_ready = false;
            while !is_ready || shown != written {
                let message = subscriber.next().await;
                let id = message["id"].as_str().unwrap_or_default().to_owned();
                match message["msg"].as_str() {
                    Some("added") => assert!(shown.insert(id), "{place:?} repeats {message}"),
                    Some("removed") => assert!(shown.remove(&id), "{place:?} removes what it has not sent: {message}"),
                    Some("ready") => is_ready = true,
                    _ => panic!("an unexpected message: {message}"),
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_parallel_inserts_with_a_unique_value_wins() {
    for place in Place::ALL {
        let items = place.items([Index::on("number").unique()]);
        let _app = place.app(&items).await.build().expect("the app fits together");
        for number in 0..20 {
            let mut writers = JoinSet::new();
            for writer in 0..8 {
                let items = items.clone();
                writers.spawn(async move { items.insert(format!("{number} of {writer}"), &numbered(number)).await });
            }
            let outcomes = writers.join_all().await;
            let refused = |outcome: &&_| matches!(outcome, Err(CollectionError::NotUnique { .. }));
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{place:?}: {outcomes:?}");
            assert_eq!(outcomes.iter().filter(refused).count(), 7, "{place:?}: {outcomes:?}");
        }
        assert_eq!(items.count().await, Ok(20));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_writers_of_one_document_lose_no_increment() {
    for place in Place::ALL {
        let items = place.items([Index::on("sum")]);
        let _app = place.app(&items).await.build().expect("the app fits together");
        items.insert("one", &Object::new()).await.expect("a new document");
        let mut writers = JoinSet::new();
        for writer in ["left", "right", "left", "right"] {
            let items = items.clone();
            writers.spawn(async move {
                for _ in 0..200 {
                    let update = Update::new().increment("sum", 1).increment(writer, 1);
                    assert_eq!(items.update("one", update).await, Ok(true));
                }
            });
        }
        writers.join_all().await;
        let one = items.get("one").await.expect("it is readable").expect("it exists");
        assert_eq!(
            [&one["sum"], &one["left"], &one["right"]],
            [800, 400, 400].map(Ejson::from).each_ref(),
            "{place:?}"
        );
        assert_eq!(items.find(Filter::eq("sum", 800)).count().await, Ok(1), "{place:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_conditional_updates_wins() {
    for place in Place::ALL {
        let seats = place.items([]);
        let _app = place.app(&seats).await.build().expect("the app fits together");
        seats.insert("12B", &Object::new()).await.expect("a new document");
        let mut guests = JoinSet::new();
        for guest in 0..16 {
            let seats = seats.clone();
            guests.spawn(async move {
                let is_free = Filter::eq("guest", Ejson::Null);
                seats.update_if("12B", is_free, Update::new().set("guest", guest)).await.expect("a write")
            });
        }
        let booked = guests.join_all().await.into_iter().filter(|is_booked| *is_booked).count();
        assert_eq!(booked, 1, "{place:?}");
    }
}

#[tokio::test]
async fn a_call_that_was_answered_has_seen_its_own_changes() {
    for place in Place::ALL {
        let items = place.items([Index::on("number")]);
        let (written, published) = (items.clone(), items.clone());
        let app = place
            .app(&items)
            .await
            .publish("items", async move |subscription: Subscription| {
                subscription
                    .publish(published.find(Filter::above("number", 0)).sort("number", Direction::Descending).limit(3))
                    .await
            })
            .method("write", TwoFactor::none(), async move |_: Context, number: u32| {
                written.insert(number.to_string(), &numbered(number)).await?;
                Ok(written.find(Filter::eq("number", number)).count().await?)
            });
        let app = app.build().expect("the app fits together");
        let mut subscriber = TestClient::connect(&app).await;
        subscriber.subscribe_by_name("items", json!([])).await;
        for number in 1..20 {
            subscriber.send_json(json!({"msg": "method", "id": "1", "method": "write", "params": [number]})).await;
            let mut kinds = Vec::new();
            while kinds.last().is_none_or(|kind| kind != "result") {
                let message = subscriber.next().await;
                kinds.push(message["msg"].as_str().unwrap_or_default().to_owned());
                if message["msg"] == "result" {
                    assert_eq!(message["result"], 1, "{place:?}: the method sees it");
                }
            }
            let added = kinds.iter().position(|kind| kind == "added").expect("the change is sent");
            let updated = kinds.iter().position(|kind| kind == "updated").expect("the write is confirmed");
            assert!(added < updated, "{place:?}: {kinds:?}");
            assert_eq!(items.find(Filter::eq("number", number)).count().await, Ok(1), "{place:?}");
        }
    }
}
