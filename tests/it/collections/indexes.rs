//! Indexes: what a unique one refuses, and those that are declared when a store has documents already.

use std::time::Duration;

use bolide::collection::{CollectionError, Index};
use bolide::prelude::*;

use super::places::{Home, Place};

#[tokio::test]
async fn documents_can_agree_in_what_they_do_not_have() {
    for place in Place::ALL {
        let items = place.items([Index::on("name").unique()]);
        let _app = place.app(&items).await.build().expect("the app fits together");
        let put = async |id: &str, update: Update| items.upsert(id, update).await.map(drop);
        let null = || Update::new().set("name", Ejson::Null);
        assert_eq!(put("missing", Update::new()).await, Ok(()), "{place:?}");
        assert_eq!(put("null", null()).await, Ok(()), "{place:?}");
        assert_eq!(put("null in an array", Update::new().push("name", Ejson::Null)).await, Ok(()), "{place:?}");
        assert_eq!(put("ada", Update::new().set("name", "ada")).await, Ok(()), "{place:?}");
        let refused = put("list", Update::new().push("name", "ada")).await;
        assert!(matches!(refused, Err(CollectionError::NotUnique { holder, .. }) if holder == "ada"), "{place:?}");
        assert_eq!(put("ada", null()).await, Ok(()), "{place:?}");
        assert_eq!(put("list", Update::new().push("name", "ada")).await, Ok(()), "{place:?}: the name is free");
    }
}

#[tokio::test]
async fn large_integers_and_long_ids_are_found_with_an_index_as_without() {
    for place in Place::ALL {
        for indexes in [Vec::new(), vec![Index::on("n")]] {
            let items = place.items(indexes);
            let _app = place.app(&items).await.build().expect("the app fits together");
            let large = 1_i64 << 53;
            for (id, number) in [("z", large), ("y", large + 1), ("x", large + 2)] {
                let id = id.repeat(400);
                items.upsert(id, Update::new().set("n", number)).await.expect("a write");
            }
            let count = async |filter| items.find(filter).count().await;
            assert_eq!(count(Filter::at_least("n", large + 1)).await, Ok(2), "{place:?}");
            assert_eq!(count(Filter::above("n", large)).await, Ok(2), "{place:?}");
            assert_eq!(count(Filter::at_most("n", large)).await, Ok(1), "{place:?}");
            assert_eq!(count(Filter::eq("n", large + 1)).await, Ok(1), "{place:?}");
        }
    }
}

/// Starts an app that has the collection in a file.
async fn start(home: &Home, items: &Collection) -> App {
    App::builder().store(home.open().await).collection(items).build().expect("the app fits together")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_index_is_built_while_documents_are_written() {
    const DOCUMENTS: u32 = 3_000;
    let home = Home::new(Place::Sqlite);
    let items: Collection = Collection::stored("items");
    let app = start(&home, &items).await;
    let inserts = (0..DOCUMENTS).map(async |number| {
        let update = Update::new().set("parity", number % 2).set("number", number);
        items.upsert(number.to_string(), update).await.expect("a write");
    });
    futures::future::join_all(inserts).await;
    drop((app, items));

    let items: Collection = Collection::stored("items").index(["parity", "number"]);
    let _app = start(&home, &items).await;
    let even = || items.find(Filter::eq("parity", 0)).sort("number", Direction::Descending);
    assert_eq!(even().count().await, Ok(1_500), "before the index is ready");
    for number in (0..DOCUMENTS).step_by(100) {
        // The document changes its place: before, in, or after the part that is indexed by now.
        items.update(number.to_string(), Update::new().set("parity", 1)).await.expect("a write");
        items.remove((number + 2).to_string()).await.expect("a write");
        items.upsert(format!("new-{number}"), Update::new().set("parity", 0)).await.expect("a write");
    }
    while even().explain().await.expect("a plan").index.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(even().count().await, Ok(1_500 - 30 - 30 + 30));
    assert_eq!(items.find(Filter::eq("parity", 1)).count().await, Ok(1_530));
    assert_eq!(items.count().await, Ok(3_000));
    let newest = even().limit(1).fetch().await.expect("a result");
    assert_eq!(newest[0]["number"], Ejson::from(2_998));
}
