//! Live queries over a store that is slow or fails.

use std::time::{Duration, Instant};

use bolide_protocol::DdpError;

use super::faulty_store::{Fault, Point};
use super::{Stage, held, id, ids, numbered, soon, until_held};
use crate::collection::{Batch, Update};

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_cannot_be_read_ends_its_subscription_and_later_ones_succeed() {
    for point in [Point::Read, Point::Page] {
        let stage = Stage::new().await;
        stage.add(0..3).await;
        let (mut first, mut second) = (stage.client().await, stage.client().await);
        stage.faults.set(point, Fault::Failure);
        let refused = first.subscribe("all", &()).await.unwrap_err();
        assert_eq!(refused.error, DdpError::new(500, "").error, "{refused:?}");
        assert_eq!(held(&first), ids([]));
        stage.faults.clear(point);
        second.subscribe("all", &()).await.unwrap();
        assert_eq!(held(&second), ids(0..3));
        first.disconnect().await;
        stage.add(3..4).await;
        until_held(&mut second, 0..4).await;
        assert_eq!(stage.items.live_query_count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_fails_in_the_middle_takes_back_what_it_has_sent() {
    let stage = Stage::new().await;
    stage.add(0..100).await;
    stage.faults.set(Point::Page, Fault::FailureAfter(1));
    let mut client = stage.client().await;
    client.subscribe("all", &()).await.unwrap_err();
    stage.faults.struck(Point::Page, 2).await;
    until_held(&mut client, []).await;
    stage.faults.clear(Point::Page);
    stage.faults.no_reader_is_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_closed_while_it_loads_ends_and_can_be_asked_again() {
    let stage = Stage::new().await;
    stage.add(0..100).await;
    for point in [Point::Read, Point::Page] {
        stage.faults.set(point, Fault::Pause);
        let client = stage.client().await;
        client.send_frame(r#"{"msg":"sub","id":"s","name":"all","params":[]}"#).await;
        stage.faults.struck(point, 1).await;
        client.disconnect().await;
        stage.no_query_is_live().await;
        let mut other = stage.client().await;
        other.send_frame(r#"{"msg":"sub","id":"s","name":"all","params":[]}"#).await;
        stage.faults.clear(point);
        until_held(&mut other, 0..100).await;
        stage.faults.no_reader_is_open().await;
        other.disconnect().await;
        // The next round must not share the result of this one.
        stage.no_query_is_live().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_whose_refill_fails_recovers_and_holds_up_no_writer() {
    let stage = Stage::new().await;
    stage.add(0..60).await;
    let mut client = stage.client().await;
    client.subscribe("window", &[4]).await.unwrap();
    stage.faults.set(Point::Read, Fault::Failure);
    for number in 0..30 {
        assert_eq!(soon(stage.items.remove(id(number))).await, Ok(true));
    }
    stage.faults.struck(Point::Read, 1).await;
    stage.faults.clear(Point::Read);
    until_held(&mut client, 30..34).await;
    stage.items.remove(id(30)).await.unwrap();
    until_held(&mut client, 31..35).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_waits_behind_a_refill_until_its_own_change_is_sent() {
    let stage = Stage::new().await;
    stage.add(0..60).await;
    let mut client = stage.client().await;
    client.subscribe("window", &[4]).await.unwrap();
    // The window keeps 20, and runs short with this write.
    stage.faults.set(Point::Page, Fault::Pause);
    let first = (0..17).fold(Batch::new(), |batch, number| batch.remove(&stage.items, id(number)));
    let first = tokio::spawn(first.commit());
    stage.faults.struck(Point::Page, 1).await;
    // These are queued while the window is read.
    let later: Vec<_> = (17..20)
        .map(|number| {
            let items = stage.items.clone();
            tokio::spawn(async move { items.remove(id(number)).await })
        })
        .collect();
    while stage.items.count().await != Ok(40) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!first.is_finished() && later.iter().all(|writing| !writing.is_finished()), "they wait for the window");
    stage.faults.clear(Point::Page);
    soon(first).await.unwrap().unwrap();
    for writing in later {
        assert_eq!(soon(writing).await.unwrap(), Ok(true));
    }
    // What a writer has been answered for is with the session by now.
    client.drain().await;
    assert_eq!(held(&client), ids(20..24));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refill_whose_changes_do_not_come_gives_up_and_tries_again() {
    let stage = Stage::new().await;
    stage.add(0..60).await;
    let mut client = stage.client().await;
    client.subscribe("window", &[4]).await.unwrap();
    // The window runs short, and reads a state with a change of which live queries cannot be told.
    stage.faults.set(Point::Read, Fault::Pause);
    let batch = (0..17).fold(Batch::new(), |batch, number| batch.remove(&stage.items, id(number)));
    let writing = tokio::spawn(batch.commit());
    stage.faults.struck(Point::Read, 1).await;
    stage.faults.set(Point::Changes, Fault::Pause);
    stage.faults.set(Point::Committed, Fault::Failure);
    let _lost = stage.items.remove(id(17)).await.unwrap_err();
    let begin = Instant::now();
    stage.faults.clear(Point::Committed);
    stage.faults.clear(Point::Read);
    soon(writing).await.unwrap().unwrap();
    let waited = begin.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(15)).contains(&waited), "the writer has waited {waited:?}");
    stage.faults.struck(Point::Changes, 1).await;
    stage.faults.clear(Point::Changes);
    until_held(&mut client, 18..22).await;
    soon(stage.items.insert(id(1), &numbered(1))).await.unwrap();
    until_held(&mut client, [1, 18, 19, 20]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_read_before_its_change_was_told_is_found_again_after_the_reader_left() {
    let stage = Stage::new().await;
    stage.add(0..1).await;
    let (mut group, mut all) = (stage.client().await, stage.client().await);
    group.subscribe("group", &["a"]).await.unwrap();
    // The change is in the store, and live queries are not told of it yet.
    stage.faults.set(Point::Committed, Fault::Pause);
    let items = stage.items.clone();
    let writing = tokio::spawn(async move { items.update(id(0), Update::new().set("number", 7)).await });
    stage.faults.struck(Point::Committed, 1).await;
    all.subscribe("all", &()).await.unwrap();
    stage.faults.clear(Point::Committed);
    assert_eq!(soon(writing).await.unwrap(), Ok(true));
    all.disconnect().await;
    while stage.items.live_query_count() > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // A change of which only the new document is known, as of one that another node has made.
    stage.faults.set(Point::Committed, Fault::Failure);
    let _lost = stage.items.update(id(0), Update::new().set("group", "b")).await.unwrap_err();
    until_held(&mut group, []).await;
}
