//! How queries find their documents: what `explain` says, what is logged, and that indexes do not change results.

use bolide::collection::Index;
use bolide::prelude::*;
use bolide::protocol::ejson::Object;

use super::places::Place;
use crate::log::Log;

fn message(room: u32, at: u32) -> Object {
    [("rid", Ejson::from(room)), ("ts", Ejson::from(at))]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

#[tokio::test]
async fn a_plan_uses_the_index_that_fits_best() {
    let items =
        Place::Memory.items([Index::on("rid"), Index::from(["rid", "ts"]), Index::on("at").and_descending("by")]);
    let of_room = || items.find(Filter::eq("rid", 1));
    let plans = [
        (of_room(), "reads the index `rid` in order"),
        (of_room().sort("ts", Direction::Descending).limit(5), "reads the index `rid, ts` in order"),
        (
            items.find(Filter::all([Filter::eq("rid", 1), Filter::above("ts", 5)])),
            "reads the index `rid, ts` and sorts what matches",
        ),
        (
            items.find(Filter::is_in("rid", [1, 2])).sort("ts", Direction::Ascending),
            "reads the index `rid` and sorts what matches",
        ),
        (items.find(Filter::eq("_id", "a")), "reads documents by their ids and sorts what matches"),
        (
            items
                .find(Filter::everything())
                .sort("at", Direction::Descending)
                .sort("by", Direction::Ascending)
                .limit(5),
            "reads the index `at, by descending` in order",
        ),
        (
            items
                .find(Filter::everything())
                .sort("at", Direction::Descending)
                .sort("by", Direction::Descending)
                .limit(5),
            r#"reads all documents and sorts what matches; `.index(["at", "by"])` would help"#,
        ),
        (items.find(Filter::eq("owner", 1)), r#"reads all documents in order; `.index(["owner"])` would help"#),
        (items.find(Filter::not(Filter::eq("rid", 1))), "reads all documents in order"),
    ];
    for (query, expected) in plans {
        assert_eq!(query.explain().await.expect("a plan").to_string(), expected, "{query:?}");
    }
}

#[tokio::test]
async fn elements_of_arrays_are_found_with_and_without_an_index() {
    for place in Place::ALL {
        for indexes in [Vec::new(), vec![Index::on("tags")], vec![Index::from(["tags", "ts"])]] {
            let items = place.items(indexes.clone());
            let _app = place.app(&items).await.build().expect("the app fits together");
            items
                .upsert("a", Update::new().push("tags", "x").push("tags", "y").push("tags", "x"))
                .await
                .expect("a write");
            items.upsert("b", Update::new().set("tags", "x").set("ts", 1)).await.expect("a write");
            items.upsert("c", Update::new().push("tags", "z")).await.expect("a write");
            let count = async |filter| items.find(filter).count().await.expect("a result");
            assert_eq!(count(Filter::eq("tags", "x")).await, 2, "{place:?}, {indexes:?}");
            assert_eq!(count(Filter::is_in("tags", ["x", "y"])).await, 2, "each once: {place:?}, {indexes:?}");
            assert_eq!(count(Filter::above("tags", "x")).await, 0, "an array has no order to a string");
            let whole = Ejson::Array(vec![Ejson::from("z")]);
            assert_eq!(count(Filter::eq("tags", whole)).await, 1, "{place:?}, {indexes:?}");
            items.update("a", Update::new().pull("tags", "x")).await.expect("a write");
            assert_eq!(count(Filter::eq("tags", "x")).await, 1, "{place:?}, {indexes:?}");
        }
    }
}

#[tokio::test]
async fn an_index_over_many_documents_finds_the_same_as_a_scan() {
    for place in Place::ALL {
        let (indexed, scanned) = (place.items([Index::from(["rid", "ts"])]), Place::Memory.items([]));
        let _app = place.app(&indexed).await.build().expect("the app fits together");
        for number in 0..3_000 {
            let document = message(number % 7, number * 7_919 % 1_000);
            for items in [&indexed, &scanned] {
                items.insert(number.to_string(), &document).await.expect("a new document");
            }
            if place == Place::Sqlite && number == 600 {
                break;
            }
        }
        for direction in [Direction::Ascending, Direction::Descending] {
            for (skip, limit) in [(0, 50), (20, 700), (400, 10), (10_000, 1)] {
                let query =
                    |items: &Collection| items.find(Filter::eq("rid", 3)).sort("ts", direction).skip(skip).limit(limit);
                assert_eq!(
                    query(&indexed).fetch().await,
                    query(&scanned).fetch().await,
                    "{place:?} {direction:?} {skip}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_query_that_scans_many_documents_is_logged_once() {
    let log = Log::default();
    let _kept = log.keep("bolide=warn");
    let items = Place::Memory.items([Index::on("rid")]);
    for number in 0..1_200 {
        items.insert(number.to_string(), &message(number % 2, number)).await.expect("a new document");
    }
    for _ in 0..3 {
        assert_eq!(items.find(Filter::eq("ts", 7)).count().await, Ok(1));
        assert_eq!(items.find(Filter::eq("rid", 1)).count().await, Ok(600));
    }
    let text = log.text();
    assert_eq!(text.matches(r#"an index would help: `.index(["ts"])`"#).count(), 1, "{text}");
    assert_eq!(text.matches("an index would help").count(), 1, "{text}");
}
