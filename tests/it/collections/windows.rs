//! Windows: what they show when many documents leave and enter at once.

use bolide::collection::Batch;
use bolide::prelude::*;
use bolide::protocol::ejson::Object;
use bolide::testing::TestClient;
use serde_json::json;

use super::places::Place;
use crate::messages::Messages as _;

fn ranked(rank: u32) -> Object {
    [("rank".to_owned(), Ejson::from(rank))].into_iter().collect()
}

#[tokio::test]
async fn a_window_that_is_emptied_and_filled_at_once_has_no_gap() {
    for place in Place::ALL {
        let items = place.items([]);
        let published = items.clone();
        let app = place.app(&items).await.publish("first", async move |subscription: Subscription| {
            subscription.publish(published.find(Filter::everything()).sort("rank", Direction::Ascending).limit(2)).await
        });
        let app = app.build().expect("the app fits together");
        for number in 0..60 {
            items.insert(format!("old-{number:02}"), &ranked(1_000 + number)).await.expect("a new document");
        }
        let mut subscriber = TestClient::connect(&app).await;
        subscriber.subscribe_by_name("first", json!([])).await;
        assert_eq!(subscriber.document_ids("items"), ["old-00", "old-01"], "{place:?}");

        let emptied = (0..17).fold(Batch::new(), |batch, number| batch.remove(&items, format!("old-{number:02}")));
        let filled =
            (0..30).fold(emptied, |batch, number| batch.insert(&items, format!("new-{number:02}"), &ranked(number)));
        filled.commit().await.expect("a write");
        subscriber.heard().await;
        assert_eq!(subscriber.document_ids("items"), ["new-00", "new-01"], "{place:?}");

        let emptied = (0..18).fold(Batch::new(), |batch, number| batch.remove(&items, format!("new-{number:02}")));
        emptied.commit().await.expect("a write");
        subscriber.heard().await;
        assert_eq!(subscriber.document_ids("items"), ["new-18", "new-19"], "{place:?}");
    }
}
