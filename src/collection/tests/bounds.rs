//! What live queries and writes of many documents keep in memory is bounded.

use std::collections::BTreeSet;

use super::faulty_store::{Fault, Point};
use super::{Stage, held, id, ids, soon, until_explained, until_held};
use crate::collection::live::MAX_HELD_CHANGES;
use crate::collection::{Batch, Filter, Index, Update};

/// More changes than a query keeps while it is read.
const MANY: u32 = 10_050;

const ASK_WINDOW: &str = r#"{"msg":"sub","id":"s","name":"window","params":[4]}"#;
const ASK_ALL: &str = r#"{"msg":"sub","id":"s","name":"all","params":[]}"#;

fn removal(stage: &Stage, numbers: std::ops::Range<u32>) -> Batch {
    numbers.fold(Batch::new(), |batch, number| batch.remove(&stage.items, id(number)))
}

/// Changes one document very often.
fn many_changes(stage: &Stage, number: u32) -> Batch {
    let change = |batch: Batch, _| batch.update(&stage.items, id(number), Update::new().increment("changes", 1));
    (0..MANY).fold(Batch::new(), change)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_for_which_too_many_changes_wait_while_it_loads_is_read_once_more() {
    assert!(MANY as usize > MAX_HELD_CHANGES);
    let stage = Stage::new().await;
    stage.add(0..20).await;
    stage.faults.set(Point::Page, Fault::Pause);
    let mut client = stage.client().await;
    client.send_frame(ASK_WINDOW).await;
    stage.faults.struck(Point::Page, 1).await;
    soon(many_changes(&stage, 1).commit()).await.unwrap();
    soon(removal(&stage, 0..1).commit()).await.unwrap();
    stage.faults.let_through(Point::Page);
    stage.faults.struck(Point::Page, 1).await;
    stage.faults.clear(Point::Page);
    until_held(&mut client, 1..5).await;
    let changes =
        |client: &crate::testing::TestClient| client.documents::<serde_json::Value>("items")[&id(1)]["changes"].clone();
    assert_eq!(changes(&client), MANY);
    stage.items.update(id(1), Update::new().increment("changes", 1)).await.unwrap();
    client.wait_until("the next change is sent", |client| changes(client) == MANY + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_can_never_be_read_in_time_fails() {
    let stage = Stage::new().await;
    stage.add(0..20).await;
    stage.faults.set(Point::Page, Fault::Pause);
    let mut client = stage.client().await;
    client.send_frame(ASK_WINDOW).await;
    for _ in 0..5 {
        stage.faults.struck(Point::Page, 1).await;
        many_changes(&stage, 1).commit().await.unwrap();
        stage.faults.let_through(Point::Page);
    }
    let is_refusal = |message: &bolide_protocol::ServerMessage| {
        matches!(message, bolide_protocol::ServerMessage::Nosub { error: Some(_), .. })
    };
    client.wait_for("the subscription to end", is_refusal).await;
    stage.faults.clear(Point::Page);
    stage.faults.no_reader_is_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_of_which_too_many_documents_leave_while_it_loads_is_read_once_more() {
    let stage = Stage::new().await;
    stage.add_together(0..MANY + 50).await;
    // Only counts.
    stage.faults.set(Point::Read, Fault::FailureAfter(1_000));
    stage.faults.set(Point::Page, Fault::Pause);
    let mut client = stage.client().await;
    client.send_frame(ASK_ALL).await;
    stage.faults.struck(Point::Page, 1).await;
    soon(removal(&stage, 0..MANY).commit()).await.unwrap();
    stage.faults.clear(Point::Page);
    until_held(&mut client, MANY..MANY + 50).await;
    stage.faults.struck(Point::Read, 2).await;
    stage.add_together(0..1).await;
    until_held(&mut client, (0..1).chain(MANY..MANY + 50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_for_which_too_many_changes_wait_while_it_is_refilled_is_read_once_more() {
    let stage = Stage::new().await;
    stage.add(0..60).await;
    let mut client = stage.client().await;
    client.subscribe("window", &[4]).await.unwrap();
    stage.faults.set(Point::Page, Fault::Pause);
    let short = tokio::spawn(removal(&stage, 0..17).commit());
    stage.faults.struck(Point::Page, 1).await;
    let many = tokio::spawn(many_changes(&stage, 18).commit());
    while stage.items.get(id(18)).await.unwrap().unwrap().get("changes").is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let last = tokio::spawn(removal(&stage, 17..18).commit());
    while stage.items.count().await != Ok(42) {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    stage.faults.let_through(Point::Page);
    stage.faults.struck(Point::Page, 1).await;
    stage.faults.clear(Point::Page);
    for writing in [short, many, last] {
        soon(writing).await.unwrap().unwrap();
    }
    client.drain().await;
    assert_eq!(held(&client), ids(18..22));
    assert_eq!(client.documents::<serde_json::Value>("items")[&id(18)]["changes"], MANY);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_many_documents_find_them_in_pages_and_keep_no_reader() {
    let stage = Stage::with_indexes([Index::on("number")]).await;
    stage.add_together(0..1_700).await;
    until_explained(&stage.items, "number", |explanation| explanation.index.is_some()).await;
    stage.faults.set(Point::Write, Fault::Pause);
    let items = stage.items.clone();
    let forward = Update::new().increment("number", 10_000);
    let writing = tokio::spawn(async move { items.update_many(Filter::at_least("number", 0), forward).await });
    stage.faults.struck(Point::Write, 1).await;
    stage.faults.no_reader_is_open().await;
    stage.faults.clear(Point::Write);
    assert_eq!(soon(writing).await.unwrap(), Ok(1_700), "each once, although all have moved to the end of the index");
    let numbers: BTreeSet<i64> = stage
        .items
        .find(Filter::everything())
        .fetch()
        .await
        .unwrap()
        .iter()
        .map(|item| item["number"].as_number().unwrap().as_i64().unwrap())
        .collect();
    assert_eq!(numbers, (10_000..11_700).collect());

    stage.faults.set(Point::Page, Fault::FailureAfter(100));
    assert_eq!(stage.items.find(Filter::at_least("number", 10_200)).count().await, Ok(1_500));
    stage.faults.struck(Point::Page, 3).await;
    stage.faults.clear(Point::Page);
    assert_eq!(stage.items.remove_many(Filter::below("number", 11_000)).await, Ok(1_000));
    assert_eq!(stage.items.count().await, Ok(700));
}
