//! Live collections: the results of queries, and the messages to subscribers when documents change.

use bolide::collection::{CollectionError, Query};
use bolide::prelude::*;
use bolide::protocol::DocumentId;
use bolide::protocol::ejson::Object;
use bolide::testing::TestClient;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::messages::Messages as _;

/// A collection of three documents, and an app that publishes a query of it as `items`.
async fn items(query: impl Fn(&Collection) -> Query + Clone + Send + Sync + 'static) -> (Collection, TestClient) {
    let items: Collection = Collection::new("items");
    insert(&items, "ink", &json!({"kind": "writing", "price": 3, "at": {"shelf": {"row": 1}}})).await;
    insert(&items, "pen", &json!({"kind": "writing", "price": 5, "at": {"shelf": {"row": 2}}})).await;
    insert(&items, "tea", &json!({"kind": "drink", "price": 4})).await;
    let published = items.clone();
    let app = App::builder()
        .publish("items", async move |subscription: Subscription| subscription.publish(query(&published)).await)
        .build()
        .expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    subscriber.subscribe_by_name("items", json!([])).await;
    (items, subscriber)
}

async fn insert(items: &Collection, id: &str, document: &Value) {
    items.insert(id, &object(document)).await.expect("a new document");
}

async fn update(items: &Collection, id: &str, update: Update) {
    assert_eq!(items.update(id, update).await, Ok(true));
}

fn object(document: &Value) -> Object {
    match Ejson::from_typed(document).expect("EJSON") {
        Ejson::Object(object) => object,
        other => panic!("a document is an object: {other:?}"),
    }
}

/// Returns those of the three documents that match a filter, in order of their ids.
async fn shown_by(filter: Filter) -> Vec<String> {
    let (_, subscriber) = items(move |items| items.find(filter.clone())).await;
    subscriber.document_ids("items")
}

#[tokio::test]
async fn comparisons_only_match_values_of_the_same_kind() {
    assert_eq!(shown_by(Filter::below("price", 4)).await, ["ink"]);
    assert_eq!(shown_by(Filter::at_most("price", 4)).await, ["ink", "tea"]);
    assert_eq!(shown_by(Filter::at_least("price", 4.0)).await, ["pen", "tea"]);
    assert_eq!(shown_by(Filter::above("price", 4)).await, ["pen"]);
    assert_eq!(shown_by(Filter::above("price", "1")).await, [""; 0]);
    assert_eq!(shown_by(Filter::above("kind", "e")).await, ["ink", "pen"]);
    assert_eq!(shown_by(Filter::above("price", f64::NAN)).await, [""; 0]);
}

#[tokio::test]
async fn conditions_can_be_combined() {
    assert_eq!(shown_by(Filter::is_in("price", [3, 4])).await, ["ink", "tea"]);
    assert_eq!(shown_by(Filter::is_in("price", [0; 0])).await, [""; 0]);
    let cheap_or_drink = || Filter::any([Filter::below("price", 4), Filter::eq("kind", "drink")]);
    assert_eq!(shown_by(cheap_or_drink()).await, ["ink", "tea"]);
    assert_eq!(shown_by(Filter::all([cheap_or_drink(), Filter::eq("kind", "writing")])).await, ["ink"]);
    assert_eq!(shown_by(Filter::not(cheap_or_drink())).await, ["pen"]);
    assert_eq!(shown_by(Filter::any([])).await, [""; 0]);
    assert_eq!(shown_by(Filter::all([])).await, ["ink", "pen", "tea"]);
}

#[tokio::test]
async fn a_path_leads_into_objects() {
    assert_eq!(shown_by(Filter::eq("at.shelf.row", 2)).await, ["pen"]);
    assert_eq!(shown_by(Filter::at_least("at.shelf.row", 1)).await, ["ink", "pen"]);
    assert_eq!(shown_by(Filter::eq("at.shelf.row", Ejson::Null)).await, ["tea"], "what is not there is null");
    assert_eq!(shown_by(Filter::eq("kind.shelf", Ejson::Null)).await.len(), 3, "a text has no members");
}

#[tokio::test]
async fn documents_are_found_by_id() {
    assert_eq!(shown_by(Filter::eq("_id", "pen")).await, ["pen"]);
    assert_eq!(shown_by(Filter::eq("_id", Ejson::Null)).await, [""; 0]);
    assert_eq!(shown_by(Filter::is_in("_id", ["tea", "ink", "oil"])).await, ["ink", "tea"]);
    assert_eq!(shown_by(Filter::not(Filter::eq("_id", "pen"))).await, ["ink", "tea"]);
    let cheap = Filter::all([Filter::below("price", 4), Filter::is_in("_id", ["ink", "tea"])]);
    assert_eq!(shown_by(cheap).await, ["ink"]);
    assert_eq!(shown_by(Filter::any([Filter::eq("_id", "pen"), Filter::eq("price", 3)])).await, ["ink", "pen"]);
}

#[tokio::test]
async fn a_query_by_id_finds_a_document_that_is_added_later() {
    let (items, mut subscriber) = items(|items| items.find(Filter::eq("_id", Ejson::from(7)))).await;
    insert(&items, "7", &json!({})).await;
    assert_eq!(subscriber.heard().await, [] as [Value; 0], "a string is not a number");
    items.insert(DocumentId::Number(7.into()), &object(&json!({"a": 1}))).await.expect("a new document");
    assert_eq!(subscriber.next().await, json!({"msg": "added", "collection": "items", "id": "~7", "fields": {"a": 1}}));
}

#[tokio::test]
async fn a_window_can_be_ordered_by_id() {
    let (items, mut subscriber) =
        items(|items| items.find(Filter::everything()).sort("_id", Direction::Descending).limit(2)).await;
    assert_eq!(subscriber.document_ids("items"), ["pen", "tea"]);
    insert(&items, "wax", &json!({})).await;
    subscriber.heard().await;
    assert_eq!(subscriber.document_ids("items"), ["tea", "wax"]);
}

#[tokio::test]
async fn a_field_with_a_dot_in_its_name_is_found() {
    let (items, mut subscriber) = items(|items| items.find(Filter::eq("a.b", 1))).await;
    insert(&items, "pad", &json!({"a.b": 1})).await;
    assert_eq!(subscriber.next().await["id"], "pad");
}

#[tokio::test]
async fn a_document_enters_changes_and_leaves_a_query() {
    let (items, mut subscriber) = items(|items| items.find(Filter::eq("kind", "drink"))).await;
    update(&items, "ink", Update::new().set("kind", "drink")).await;
    let added = subscriber.next().await;
    assert_eq!((&added["msg"], &added["id"]), (&json!("added"), &json!("ink")));
    assert_eq!(added["fields"]["price"], 3, "it is sent whole");
    update(&items, "ink", Update::new().set("price", 2).unset("at")).await;
    let changed =
        json!({"msg": "changed", "collection": "items", "id": "ink", "fields": {"price": 2}, "cleared": ["at"]});
    assert_eq!(subscriber.next().await, changed);
    update(&items, "ink", Update::new().set("kind", "writing")).await;
    assert_eq!(subscriber.next().await, json!({"msg": "removed", "collection": "items", "id": "ink"}));
    update(&items, "ink", Update::new().set("price", 1)).await;
    assert_eq!(items.remove("tea").await, Ok(true));
    assert_eq!(subscriber.next().await, json!({"msg": "removed", "collection": "items", "id": "tea"}));
    assert_eq!(subscriber.heard().await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_query_can_select_fields() {
    let (items, mut subscriber) = items(|items| items.find(Filter::eq("kind", "drink")).only(["price", "size"])).await;
    assert_eq!(subscriber.documents::<Value>("items")["tea"], json!({"price": 4}));
    update(&items, "tea", Update::new().set("hidden", 1).unset("at")).await;
    assert_eq!(subscriber.heard().await, [] as [Value; 0], "a hidden field has changed");
    update(&items, "tea", Update::new().set("size", "L").set("hidden", 2)).await;
    assert_eq!(subscriber.next().await["fields"], json!({"size": "L"}));
    update(&items, "tea", Update::new().unset("size").unset("hidden")).await;
    assert_eq!(subscriber.next().await["cleared"], json!(["size"]));
    update(&items, "tea", Update::new().set("kind", "meal")).await;
    assert_eq!(subscriber.next().await["msg"], "removed", "a hidden field decides, too");
}

#[tokio::test]
async fn a_query_can_exclude_fields() {
    let (items, mut subscriber) = items(|items| items.find(Filter::below("price", 4)).without(["price", "at"])).await;
    assert_eq!(subscriber.documents::<Value>("items")["ink"], json!({"kind": "writing"}));
    update(&items, "ink", Update::new().set("price", 2)).await;
    assert_eq!(subscriber.heard().await, [] as [Value; 0], "a hidden field has changed");
    update(&items, "ink", Update::new().set("size", "L")).await;
    assert_eq!(subscriber.next().await["fields"], json!({"size": "L"}));
}

#[tokio::test]
async fn a_window_moves_with_its_documents() {
    let (items, mut subscriber) =
        items(|items| items.find(Filter::everything()).sort("price", Direction::Descending).limit(2)).await;
    assert_eq!(subscriber.document_ids("items"), ["pen", "tea"]);
    update(&items, "ink", Update::new().set("price", 9)).await;
    assert_eq!(
        subscriber.next().await,
        json!({"msg": "removed", "collection": "items", "id": "tea"}),
        "first one goes"
    );
    assert_eq!(subscriber.next().await["id"], "ink");
    assert_eq!(items.remove("pen").await, Ok(true));
    assert_eq!(subscriber.next().await, json!({"msg": "removed", "collection": "items", "id": "pen"}));
    assert_eq!(subscriber.next().await["id"], "tea");
    insert(&items, "pad", &json!({"price": 1})).await;
    assert_eq!(subscriber.heard().await, [] as [Value; 0], "it is outside of the window");
}

#[tokio::test]
async fn a_window_can_skip_documents() {
    let (items, mut subscriber) =
        items(|items| items.find(Filter::everything()).sort("price", Direction::Ascending).skip(2)).await;
    assert_eq!(subscriber.document_ids("items"), ["pen"]);
    insert(&items, "pad", &json!({"price": 1})).await;
    assert_eq!(subscriber.next().await["id"], "tea");
    assert_eq!(items.remove("ink").await, Ok(true));
    assert_eq!(subscriber.next().await, json!({"msg": "removed", "collection": "items", "id": "tea"}));
}

#[tokio::test]
async fn two_publications_of_one_collection_are_merged() {
    let items: Collection = Collection::new("items");
    insert(&items, "ink", &json!({"kind": "writing", "price": 3})).await;
    let (names, prices) = (items.clone(), items.clone());
    let app = App::builder()
        .publish("kinds", async move |subscription: Subscription| {
            subscription.publish(names.find(Filter::everything()).only(["kind"])).await
        })
        .publish("prices", async move |subscription: Subscription| {
            subscription.publish(prices.find(Filter::everything()).only(["price"])).await
        })
        .build()
        .expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    subscriber.subscribe_by_name("kinds", json!([])).await;
    assert_eq!(subscriber.documents::<Value>("items")["ink"], json!({"kind": "writing"}));
    subscriber.subscribe_by_name("prices", json!([])).await;
    assert_eq!(subscriber.documents::<Value>("items")["ink"], json!({"kind": "writing", "price": 3}));
    update(&items, "ink", Update::new().set("price", 4)).await;
    assert_eq!(subscriber.next().await["fields"], json!({"price": 4}));
    subscriber.stop("kinds").await;
    subscriber.nosub("kinds").await;
    assert_eq!(subscriber.documents::<Value>("items")["ink"], json!({"price": 4}));
    assert_eq!(items.live_query_count(), 1);
}

#[tokio::test]
async fn two_queries_of_one_collection_in_a_publication_are_an_error() {
    let items: Collection = Collection::new("items");
    insert(&items, "ink", &json!({"price": 3})).await;
    let published = items.clone();
    let app = App::builder()
        .publish("items", async move |subscription: Subscription| {
            subscription.publish(published.find(Filter::below("price", 4))).await?;
            subscription.publish(published.find(Filter::above("price", 4))).await
        })
        .build()
        .expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    subscriber.ask("s", "items", json!([])).await;
    assert_eq!(subscriber.nosub("s").await["error"], 500);
    assert_eq!(subscriber.document_ids("items").len(), 0);
    assert_eq!(items.live_query_count(), 0);
}

#[tokio::test]
async fn queries_of_several_collections_are_published_together() {
    let (items, orders): (Collection, Collection) = (Collection::new("items"), Collection::new("orders"));
    insert(&items, "ink", &json!({"price": 3})).await;
    insert(&orders, "1", &json!({"item": "ink"})).await;
    let (published_items, published_orders) = (items.clone(), orders.clone());
    let app = App::builder()
        .publish("all", async move |subscription: Subscription| {
            subscription.publish(published_items.find(Filter::everything())).await?;
            subscription.publish(published_orders.find(Filter::everything())).await
        })
        .build()
        .expect("the app fits together");
    let mut subscriber = TestClient::connect(&app).await;
    subscriber.subscribe_by_name("all", json!([])).await;
    assert_eq!(
        (subscriber.document_ids("items"), subscriber.document_ids("orders")),
        (vec!["ink".to_owned()], vec!["1".to_owned()])
    );
    assert_eq!(orders.remove("1").await, Ok(true));
    assert_eq!(subscriber.next().await["collection"], "orders");
    subscriber.stop("all").await;
    subscriber.nosub("all").await;
    assert_eq!((items.live_query_count(), orders.live_query_count()), (0, 0));
}

#[tokio::test]
async fn a_query_that_is_published_twice_is_evaluated_once() {
    let (items, mut subscriber) = items(|items| items.find(Filter::eq("kind", "drink"))).await;
    subscriber.ask("again", "items", json!([])).await;
    subscriber.ready("again").await;
    assert_eq!(items.live_query_count(), 1);
    update(&items, "tea", Update::new().set("price", 1)).await;
    assert_eq!(subscriber.heard().await.len(), 1);
    for id in ["items", "again"] {
        assert_eq!(items.live_query_count(), 1);
        subscriber.stop(id).await;
        subscriber.nosub(id).await;
    }
    assert_eq!(items.live_query_count(), 0);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    #[serde(rename = "_id", default, skip_serializing)]
    id: Option<String>,
    item: String,
    count: u32,
}

#[tokio::test]
async fn a_typed_collection_returns_its_type() {
    let orders: Collection<Order> = Collection::new("orders");
    let order = Order { id: Some("1".into()), item: "ink".into(), count: 2 };
    orders.insert("1", &order).await.expect("a new document");
    assert_eq!(orders.get("1").await, Ok(Some(order.clone())));
    assert_eq!(orders.get("2").await, Ok(None));
    assert_eq!(orders.update("1", Update::new().set("count", 3)).await, Ok(true));
    let many = orders.find(Filter::above("count", 2));
    assert_eq!(many.fetch().await, Ok(vec![Order { count: 3, ..order }]));
    assert_eq!(orders.update("1", Update::new().set("count", "many")).await, Ok(true));
    let unreadable = orders.get("1").await;
    assert!(
        matches!(unreadable, Err(CollectionError::Unreadable { id, .. }) if id == "1"),
        "it is not an order any more"
    );
    let all = orders.find(Filter::everything());
    assert!(matches!(all.fetch().await, Err(CollectionError::Unreadable { .. })));
    assert_eq!((all.count().await, orders.count().await), (Ok(1), Ok(1)));
    assert_eq!(orders.remove("1").await, Ok(true));
    assert_eq!((orders.remove("1").await, orders.update("1", Update::new()).await), (Ok(false), Ok(false)));
    assert_eq!(orders.count().await, Ok(0));
}

#[tokio::test]
async fn a_second_document_with_the_same_id_is_rejected() {
    let items: Collection = Collection::new("items");
    insert(&items, "ink", &json!({"price": 3})).await;
    let refused = items.insert("ink", &object(&json!({"price": 4}))).await;
    assert!(matches!(refused, Err(CollectionError::Duplicate { id, .. }) if id == "ink"));
    assert_eq!(items.get("ink").await, Ok(Some(object(&json!({"_id": "ink", "price": 3})))));
}

#[tokio::test]
async fn only_structs_and_maps_are_documents() {
    let numbers: Collection<u32> = Collection::new("numbers");
    assert!(matches!(numbers.insert("1", &1).await, Err(CollectionError::NoDocument { .. })));
    assert_eq!(numbers.count().await, Ok(0));
}

/// An app whose method `insert` adds a document to the collection `foo`, which it publishes.
fn app_that_inserts() -> App {
    let inserted: Collection = Collection::new("foo");
    let published = inserted.clone();
    App::builder()
        .publish("foo", async move |subscription: Subscription| {
            subscription.publish(published.find(Filter::everything())).await
        })
        .method("insert", TwoFactor::none(), async move |context: Context, document: Object| {
            let id = context.document_id("foo");
            inserted.insert(id.as_str(), &document).await.map_err(|error| MethodError::new(409, error.to_string()))?;
            Ok(id)
        })
        .build()
        .expect("the app fits together")
}

#[tokio::test]
async fn ids_come_from_the_random_stream_of_the_call() {
    let mut subscriber = TestClient::connect(&app_that_inserts()).await;
    let call = json!({"msg": "method", "id": "1", "method": "insert", "params": [{}], "randomSeed": "abcdef"});
    subscriber.send_json(call).await;
    // The ids that Meteor draws from this seed.
    assert_eq!(subscriber.next_of(&["result"]).await["result"], "MiH6GZJhksycd6JSe");
}

#[tokio::test]
async fn changes_made_by_a_method_are_sent_before_updated() {
    let mut subscriber = TestClient::connect(&app_that_inserts()).await;
    subscriber.subscribe_by_name("foo", json!([])).await;
    subscriber.send_json(json!({"msg": "method", "id": "1", "method": "insert", "params": [{"a": 1}]})).await;
    let messages = [subscriber.next().await, subscriber.next().await, subscriber.next().await];
    assert_eq!(messages.map(|message| message["msg"].clone()), ["added", "updated", "result"]);
}
