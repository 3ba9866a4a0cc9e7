//! Indexes of a stored collection that are being built, cannot be built, or were built with other keys.

use super::Stage;
use super::faulty_store::{Fault, Point};
use super::log::Log;
use super::{explanation, id, numbered, until_explained};
use crate::collection::{Filter, Index, UnreadyIndex, Update};

#[tokio::test]
async fn a_unique_index_that_documents_violate_is_refused_and_writes_go_on() {
    let stage = Stage::with_indexes([]).await;
    stage.add_together(0..1_200).await;
    stage.items.update(id(1_100), Update::new().set("number", 3)).await.unwrap();
    let log = Log::default();
    let _guard = log.keep();

    let stage = stage.restart([Index::on("number").unique(), Index::on("group")]);
    let items = &stage.items;
    let refused = Some(UnreadyIndex::Refused("number unique".to_owned()));
    until_explained(items, "number", |explanation| explanation.unready_index == refused).await;
    let explained = explanation(items, "number").await;
    assert_eq!((explained.index.as_deref(), explained.helpful_index.as_deref()), (None, None));
    assert!(explained.to_string().ends_with("; the index `number unique` could not be built, and the log says why"));
    let text = log.text();
    assert!(text.contains("an index cannot be built; queries do not use it"), "{text}");
    assert!(text.contains("with the same `number unique`: `00003` and `01100`"), "{text}");

    items.insert("more", &numbered(3)).await.unwrap();
    assert_eq!(items.find(Filter::eq("number", 3)).count().await, Ok(3));
    until_explained(items, "group", |explanation| explanation.index.as_deref() == Some("group")).await;
    assert_eq!(items.find(Filter::eq("group", "a")).count().await, Ok(1_201));
}

#[tokio::test]
async fn an_index_that_is_being_built_is_not_recommended() {
    let stage = Stage::with_indexes([]).await;
    stage.add_together(0..1_200).await;
    let log = Log::default();
    let _guard = log.keep();
    stage.faults.set(Point::Write, Fault::Pause);

    let stage = stage.restart([Index::on("number")]);
    let explained = explanation(&stage.items, "number").await;
    assert_eq!(explained.to_string(), "reads all documents in order; the index `number` is being built");
    assert_eq!(explained.helpful_index, None);
    assert_eq!(stage.items.find(Filter::eq("number", 5)).count().await, Ok(1));
    assert!(!log.text().contains("would help"), "{}", log.text());
    let other = explanation(&stage.items, "other").await;
    assert_eq!((other.helpful_index.as_deref(), other.unready_index), (Some(r#"["other"]"#), None));

    stage.faults.clear(Point::Write);
    until_explained(&stage.items, "number", |explanation| explanation.index.is_some()).await;
    assert_eq!(explanation(&stage.items, "number").await.unready_index, None);
}

#[tokio::test]
async fn an_index_with_keys_of_another_version_is_built_again() {
    for old_name in ["0: number", "number"] {
        let stage = Stage::with_indexes([Index::on("number")]).await;
        stage.add_together(0..100).await;
        until_explained(&stage.items, "number", |explanation| explanation.index.is_some()).await;
        // As if its keys had been made in another way: the index is ready, and does not have the present keys.
        let collection = stage.store.open("items").await.unwrap();
        assert_eq!(collection.indexes[0].name, "1: number");
        stage.store.drop_index(collection.indexes[0].number).await.unwrap();
        let old = stage.store.add_index(collection.number, old_name).await.unwrap();
        stage.store.finish_index(old).await.unwrap();
        let log = Log::default();
        let _guard = log.keep();

        let stage = stage.restart([Index::on("number")]);
        assert_eq!(stage.items.find(Filter::eq("number", 5)).count().await, Ok(1));
        until_explained(&stage.items, "number", |explanation| explanation.index.is_some()).await;
        assert_eq!(stage.items.find(Filter::eq("number", 5)).count().await, Ok(1));
        let indexes = stage.store.open("items").await.unwrap().indexes;
        let names: Vec<_> = indexes.iter().map(|index| (index.name.as_str(), index.is_ready)).collect();
        assert_eq!(names, [("1: number", true)]);
        assert!(log.text().contains("its keys are of another version"), "{}", log.text());
    }
}
