//! Stored collections over a store that fails and pauses at chosen points.

mod bounds;
mod faulty_store;
mod index_builds;
mod live_queries;
mod log;
mod lost_commits;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;
use tokio::time::timeout;

use self::faulty_store::{Faults, FaultyStore};
use super::storage::DocumentStore;
use super::{Batch, Collection, Explanation, Filter, Index, StoreLink};
use crate::store::SqlStore;
use crate::store::private::StoresDocuments as _;
use crate::testing::TestClient;
use crate::{App, Subscription};

/// A stored collection with an app that publishes it, over a store with faults.
struct Stage {
    items: Collection,
    faults: Faults,
    app: App,
    store: Arc<dyn DocumentStore>,
}

impl Stage {
    async fn new() -> Self {
        Self::with_indexes([Index::on("group"), Index::on("number")]).await
    }

    async fn with_indexes(indexes: impl IntoIterator<Item = Index>) -> Self {
        let faults = Faults::none();
        let store = SqlStore::open("sqlite::memory:").await.unwrap();
        Self::over(FaultyStore::new(store.documents(), faults.clone()), faults, indexes)
    }

    /// Waits until the queries of clients that left have ended.
    async fn no_query_is_live(&self) {
        while self.items.live_query_count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Returns the collection as it is after a start with other indexes.
    fn restart(self, indexes: impl IntoIterator<Item = Index>) -> Self {
        Self::over(self.store, self.faults, indexes)
    }

    fn over(store: Arc<dyn DocumentStore>, faults: Faults, indexes: impl IntoIterator<Item = Index>) -> Self {
        let link = StoreLink::new(Arc::clone(&store));
        let items = indexes.into_iter().fold(Collection::stored("items"), Collection::index);
        items.core().attach_store(&link);
        let (all, group, window) = (items.clone(), items.clone(), items.clone());
        let app = App::builder()
            .publish("all", async move |subscription: Subscription| {
                subscription.publish(all.find(Filter::everything())).await
            })
            .publish("group", async move |subscription: Subscription, name: String| {
                subscription.publish(group.find(Filter::eq("group", name))).await
            })
            .publish("window", async move |subscription: Subscription, limit: usize| {
                let first = window.find(Filter::everything()).sort("number", super::Direction::Ascending);
                subscription.publish(first.limit(limit)).await
            })
            .build()
            .unwrap();
        Self { items, faults, app, store }
    }

    /// Adds documents with these numbers, which are their ids as well.
    async fn add(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.items.insert(id(number), &numbered(number)).await.unwrap();
        }
    }

    /// Adds documents in one transaction.
    async fn add_together(&self, numbers: std::ops::Range<u32>) {
        let add = |batch: Batch, number| batch.insert(&self.items, id(number), &numbered(number));
        numbers.fold(Batch::new(), add).commit().await.unwrap();
    }

    async fn client(&self) -> TestClient {
        TestClient::connect(&self.app).await.with_timeout(Duration::from_secs(20))
    }
}

fn id(number: u32) -> String {
    format!("{number:05}")
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<String> {
    numbers.into_iter().map(id).collect()
}

fn numbered(number: u32) -> Object {
    [("number".to_owned(), Ejson::from(number)), ("group".to_owned(), Ejson::from("a"))].into()
}

fn held(client: &TestClient) -> BTreeSet<String> {
    client.document_ids("items").into_iter().collect()
}

/// Waits until a client has exactly these documents.
async fn until_held(client: &mut TestClient, numbers: impl IntoIterator<Item = u32>) {
    let expected = ids(numbers);
    client.wait_until("the client has the documents", |client| held(client) == expected).await;
}

/// Fails if something takes longer than anything should.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), what).await.unwrap()
}

async fn explanation(items: &Collection, field: &str) -> Explanation {
    items.find(Filter::eq(field, 5)).explain().await.unwrap()
}

/// Waits until the plan of a query for a field is as it should be.
async fn until_explained(items: &Collection, field: &str, mut is_so: impl FnMut(&Explanation) -> bool) {
    for _ in 0..10_000 {
        if is_so(&explanation(items, field).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{:?}", explanation(items, field).await);
}
