//! What clients may put into documents is bounded, in memory and in a store, and what is refused harms no other document.

use bolide::collection::{Batch, CollectionError, Index};
use bolide::prelude::*;
use bolide::protocol::ejson::Object;

use super::places::Place;

/// Returns a value within so many arrays.
fn nested(depth: usize) -> Ejson {
    (0..depth).fold(Ejson::from(1), |inner, _| Ejson::Array(vec![inner]))
}

fn document(field: &str, value: Ejson) -> Object {
    [(field.to_owned(), value)].into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_nested_too_deep_is_refused_and_harms_no_other() {
    for place in Place::ALL {
        let items = place.items([Index::on("a")]);
        let _app = place.app(&items).await.build().expect("an app");
        items.insert("deep", &document("a", nested(99))).await.expect("as deep as possible");
        let refused = items.insert("deeper", &document("a", nested(100))).await;
        assert!(matches!(refused, Err(CollectionError::TooLarge { limit: "depth", maximum: 100, .. })), "{refused:?}");
        let refused = items.update("deep", Update::new().set("b.c", nested(99))).await;
        assert!(matches!(refused, Err(CollectionError::TooLarge { limit: "depth", .. })), "{refused:?}");
        assert_eq!(items.get("deep").await.expect("it can be read").map(|found| found.len()), Some(2));
        assert_eq!(items.count().await, Ok(1));
        assert_eq!(items.remove("deep").await, Ok(true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_with_very_many_parts_is_refused() {
    for place in Place::ALL {
        let items = place.items([]);
        let _app = place.app(&items).await.build().expect("an app");
        items.insert("a", &Object::new()).await.expect("a new document");
        for parts in [51, 3_000, 400_000] {
            let path = vec!["a"; parts].join(".");
            let updates =
                [Update::new().set(&path, 1), Update::new().push(&path, 1), Update::new().increment(&path, 1)];
            for update in updates {
                let refused = items.update("a", update).await;
                assert!(matches!(refused, Err(CollectionError::Mismatch { .. })), "{refused:?}");
            }
        }
        assert_eq!(items.update("a", Update::new().set(&vec!["a"; 50].join("."), 1)).await, Ok(true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_with_very_many_steps_is_refused_before_it_costs_anything() {
    for place in Place::ALL {
        let items = place.items([]);
        let _app = place.app(&items).await.build().expect("an app");
        let fields: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
        items.insert("a", &fields.iter().map(|field| (field.clone(), 1.into())).collect()).await.expect("a document");
        let without = |count: usize| fields[..count].iter().fold(Update::new(), |update, field| update.unset(field));
        for refused in [
            items.update("a", without(10_000)).await.map(drop),
            items.upsert("b", without(1_001)).await.map(drop),
            items.update_many(Filter::everything(), without(1_001)).await.map(drop),
            Batch::new().update(&items, "a", without(1_001)).commit().await,
        ] {
            let is_named =
                matches!(refused, Err(CollectionError::TooLarge { limit: "update_steps", maximum: 1_000, .. }));
            assert!(is_named, "{refused:?}");
        }
        assert_eq!(items.update("a", without(1_000)).await, Ok(true));
        assert_eq!(items.get("a").await.expect("it can be read").map(|found| found.len()), Some(9_001));
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Numbered {
    number: u32,
}

#[tokio::test]
async fn an_error_repeats_only_the_beginning_of_a_long_text() {
    let items: Collection<Numbered> = Collection::new("items");
    items.insert("a", &Numbered { number: 1 }).await.expect("a new document");
    let long = "é".repeat(100_000);
    let mismatch = items.update("a", Update::new().push(&long, 1).increment(&long, 1)).await.map(drop);
    items.update("a", Update::new().set("number", long)).await.expect("another kind of value");
    for failed in [mismatch, items.get("a").await.map(drop)] {
        let text = failed.expect_err("an error").to_string();
        assert!(text.contains("éé") && text.len() < 1_000, "{} bytes", text.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_documents_and_long_arrays_are_refused_by_the_name_of_the_limit() {
    for place in Place::ALL {
        let items = place.items([Index::on("tags")]).max_document_bytes(20_000);
        let _app = place.app(&items).await.build().expect("an app");
        let limit = async |document: Object| match items.insert("a", &document).await {
            Err(CollectionError::TooLarge { limit, .. }) => limit,
            other => panic!("{other:?}"),
        };
        assert_eq!(limit(document("text", "x".repeat(20_000).into())).await, "max_document_bytes");
        let tags = |count: u64| Ejson::Array((0..count).map(Ejson::from).collect());
        assert_eq!(limit(document("tags", tags(1_000))).await, "index_entries");
        let refused = items.insert("i".repeat(2_000), &Object::new()).await;
        assert!(matches!(refused, Err(CollectionError::TooLarge { limit: "id_bytes", .. })), "{refused:?}");
        items.insert("a", &document("tags", tags(999))).await.expect("as many as possible");
        assert_eq!(items.find(Filter::eq("tags", 998)).count().await, Ok(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_would_change_the_id_is_refused() {
    for place in Place::ALL {
        let items = place.items([]);
        let _app = place.app(&items).await.build().expect("an app");
        items.insert("a", &document("n", 1.into())).await.expect("a new document");
        let refused = CollectionError::ImmutableId { collection: "items".into(), id: "a".into() };
        for update in [
            Update::new().set("n", 2).set("_id", "b"),
            Update::new().set("n", 2).set("_id", 1),
            Update::new().set("n", 2).unset("_id"),
            Update::new().set("n", 2).set("_id.part", 1),
            Update::new().set("n", 2).increment("_id", 1),
            Update::new().set("n", 2).push("_id", "a"),
            Update::new().set("n", 2).pull("_id", "a"),
        ] {
            assert_eq!(items.update("a", update.clone()).await, Err(refused.clone()), "{place:?}");
            assert_eq!(items.upsert("a", update.clone()).await, Err(refused.clone()), "{place:?}");
            assert_eq!(items.update_many(Filter::everything(), update).await, Err(refused.clone()), "{place:?}");
        }
        assert_eq!(items.get("a").await.expect("it can be read").expect("it exists")["n"], Ejson::from(1));
        assert_eq!(items.update("a", Update::new().set("_id", "a").set("n", 3)).await, Ok(true));
        assert_eq!(items.update("a", Update::new().set_on_insert("_id", "other")).await, Ok(true));
        let made = items.upsert("b", Update::new().set_on_insert("_id", "b").set("n", 3)).await;
        assert_eq!(made, Ok(bolide::collection::Upserted::Inserted));
        let other = items.upsert("c", Update::new().set_on_insert("_id", "b")).await;
        assert!(matches!(other, Err(CollectionError::ImmutableId { .. })), "{other:?}");
        assert_eq!(items.count().await, Ok(2));
        let text = refused.to_string();
        assert_eq!(text, "the immutable field `_id` of the document `a` of `items` cannot be changed by an update");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_documents_is_changed_once_and_counted() {
    for place in Place::ALL {
        let items = place.items([Index::on("n")]);
        let _app = place.app(&items).await.build().expect("an app");
        let all = (0..1_700).fold(Batch::new(), |batch, number: u32| {
            batch.insert(&items, number.to_string(), &document("n", number.into()))
        });
        all.commit().await.expect("new documents");
        let by_number = items.find(Filter::at_least("n", 0));
        while by_number.explain().await.expect("a plan").index.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        // Each document moves to a place of the index that is read later.
        let moved = items.update_many(Filter::at_least("n", 0), Update::new().increment("n", 10_000)).await;
        assert_eq!(moved, Ok(1_700), "{place:?}");
        let count = async |filter| items.find(filter).count().await;
        assert_eq!(count(Filter::at_least("n", 10_000)).await, Ok(1_700), "{place:?}");
        assert_eq!(count(Filter::at_least("n", 20_000)).await, Ok(0), "{place:?}");
        assert_eq!(items.find(Filter::at_least("n", 10_100)).skip(7).count().await, Ok(1_593), "{place:?}");
        assert_eq!(items.find(Filter::at_least("n", 10_100)).skip(7).limit(600).count().await, Ok(600), "{place:?}");
        assert_eq!(items.find(Filter::everything()).skip(2_000).count().await, Ok(0), "{place:?}");
        assert_eq!(items.remove_many(Filter::below("n", 11_000)).await, Ok(1_000), "{place:?}");
        assert_eq!(items.count().await, Ok(700), "{place:?}");
    }
}
