//! Commits that are made and reported as errors, and writes that nobody waits for any more.

use std::time::Duration;

use super::faulty_store::{Fault, Point};
use super::{Stage, held, id, ids, numbered, soon, until_held};
use crate::collection::{CollectionError, Update};
use crate::testing::TestClient;

#[tokio::test(flavor = "multi_thread")]
async fn live_queries_catch_up_with_a_commit_that_was_reported_as_an_error() {
    let stage = Stage::new().await;
    stage.add(0..3).await;
    let (mut all, mut group, mut window) = (stage.client().await, stage.client().await, stage.client().await);
    all.subscribe("all", &()).await.unwrap();
    group.subscribe("group", &["a"]).await.unwrap();
    window.subscribe("window", &[2]).await.unwrap();

    stage.faults.set(Point::Committed, Fault::Failure);
    let lost = stage.items.insert(id(3), &numbered(3)).await;
    assert!(matches!(lost, Err(CollectionError::OutcomeUnknown { .. })), "{lost:?}");
    let _lost = stage.items.update(id(1), Update::new().set("group", "b")).await.unwrap_err();
    let _lost = stage.items.remove(id(0)).await.unwrap_err();

    // Without another write, which would find the changes as well.
    until_held(&mut all, 1..4).await;
    until_held(&mut group, 2..4).await;
    until_held(&mut window, 1..3).await;

    stage.faults.clear(Point::Committed);
    stage.add(4..5).await;
    until_held(&mut all, 1..5).await;
    until_held(&mut group, 2..5).await;
    assert_eq!(held(&window), ids(1..3));
}

/// Returns a stage where document 1 was committed, an error was reported, and the client has not been told. The task that would
/// read the change does not get a reader, so the next write reads it.
async fn after_a_lost_commit() -> (Stage, TestClient) {
    let stage = Stage::new().await;
    stage.add(0..1).await;
    let mut client = stage.client().await;
    client.subscribe("all", &()).await.unwrap();
    stage.faults.set(Point::Read, Fault::Failure);
    stage.faults.set(Point::Committed, Fault::Failure);
    let _lost = stage.items.insert(id(1), &numbered(1)).await.unwrap_err();
    stage.faults.struck(Point::Read, 1).await;
    stage.faults.clear(Point::Committed);
    (stage, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_write_tells_of_a_commit_that_was_reported_as_an_error() {
    let (stage, mut client) = after_a_lost_commit().await;
    stage.add(2..3).await;
    until_held(&mut client, 0..3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn live_queries_are_read_again_if_the_missed_changes_cannot_be() {
    let stage = Stage::new().await;
    stage.add(0..50).await;
    let (mut all, mut window) = (stage.client().await, stage.client().await);
    all.subscribe("all", &()).await.unwrap();
    window.subscribe("window", &[5]).await.unwrap();
    stage.faults.set(Point::Changes, Fault::Failure);
    stage.faults.set(Point::Committed, Fault::Failure);
    for number in [0, 2, 40] {
        let _lost = stage.items.remove(id(number)).await.unwrap_err();
    }
    let renumbered = Update::new().set("number", 100);
    let _lost = stage.items.update(id(1), renumbered).await.unwrap_err();
    until_held(&mut all, (0..50).filter(|number| ![0, 2, 40].contains(number))).await;
    until_held(&mut window, 3..8).await;
    let number = |client: &TestClient| {
        let documents = client.documents::<serde_json::Value>("items");
        documents[&id(1)]["number"].clone()
    };
    all.wait_until("the update is sent", |client| number(client) == 100).await;

    stage.faults.clear(Point::Committed);
    stage.faults.clear(Point::Changes);
    stage.items.remove(id(3)).await.unwrap();
    until_held(&mut window, 4..9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_changes_are_read_again_if_the_store_does_not_answer() {
    let stage = Stage::new().await;
    stage.add(0..1).await;
    let mut client = stage.client().await;
    client.subscribe("all", &()).await.unwrap();
    stage.faults.set(Point::Changes, Fault::Pause);
    stage.faults.set(Point::Committed, Fault::Failure);
    let _lost = stage.items.insert(id(1), &numbered(1)).await.unwrap_err();
    stage.faults.clear(Point::Committed);
    // Nothing lets the first read go on, and the writer does one thing at a time.
    stage.faults.struck(Point::Changes, 2).await;
    stage.faults.clear(Point::Changes);
    until_held(&mut client, 0..2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_fails_at_once_if_the_store_does_not_answer_for_missed_changes() {
    let (stage, mut client) = after_a_lost_commit().await;
    stage.faults.set(Point::Changes, Fault::Pause);
    let refused = stage.items.insert(id(2), &numbered(2)).await;
    assert!(matches!(refused, Err(CollectionError::Unavailable { .. })), "{refused:?}");
    stage.faults.clear(Point::Changes);
    stage.faults.clear(Point::Read);
    until_held(&mut client, 0..2).await;
    assert_eq!(stage.items.find(crate::Filter::everything()).count().await, Ok(2), "it has written nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_changes_nothing_for_live_queries() {
    let stage = Stage::new().await;
    stage.add(0..2).await;
    let mut client = stage.client().await;
    client.subscribe("all", &()).await.unwrap();
    stage.faults.set(Point::Commit, Fault::Failure);
    let _failed = stage.items.insert(id(2), &numbered(2)).await.unwrap_err();
    stage.faults.clear(Point::Commit);
    stage.add(3..4).await;
    until_held(&mut client, [0, 1, 3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_dropped_after_its_commit_reaches_all_sessions() {
    let stage = Stage::new().await;
    stage.add(0..1).await;
    let mut client = stage.client().await;
    client.subscribe("all", &()).await.unwrap();
    stage.faults.set(Point::Committed, Fault::Pause);
    let items = stage.items.clone();
    let writing = tokio::spawn(async move { items.insert(id(1), &numbered(1)).await });
    stage.faults.struck(Point::Committed, 1).await;
    writing.abort();
    assert!(writing.await.unwrap_err().is_cancelled());
    stage.faults.clear(Point::Committed);
    until_held(&mut client, 0..2).await;
    // The order is kept: a later write is answered after the earlier one was delivered.
    soon(stage.items.insert(id(2), &numbered(2))).await.unwrap();
    assert_eq!(stage.items.find(crate::Filter::everything()).count().await, Ok(3));
    until_held(&mut client, 0..3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_behind_one_that_was_given_up_sees_its_change() {
    let stage = Stage::new().await;
    stage.faults.set(Point::Committed, Fault::Pause);
    let items = stage.items.clone();
    let gave_up = tokio::time::timeout(Duration::from_millis(50), items.insert(id(0), &numbered(0))).await;
    assert!(gave_up.is_err(), "the store pauses");
    let second = tokio::spawn({
        let items = items.clone();
        async move { items.update(id(0), Update::new().increment("number", 1)).await }
    });
    stage.faults.clear(Point::Committed);
    assert_eq!(soon(second).await.unwrap(), Ok(true), "it comes after the write that was given up");
    assert_eq!(items.get(id(0)).await.unwrap().unwrap()["number"], bolide_protocol::Ejson::from(1));
}
