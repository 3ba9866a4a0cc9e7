//! The collections that the app was given.

use crate::call::AppCore;
use crate::collection::{AppCollections, CollectionFigures};

use super::page::Page;

pub(super) fn write(core: &AppCore, page: &mut Page) {
    let mut collections: Vec<(&str, CollectionFigures)> = core
        .slot::<AppCollections>()
        .iter()
        .flat_map(|collections| &collections.0)
        .map(|collection| (collection.name(), collection.figures()))
        .collect();
    collections.sort_by_key(|(name, _)| *name);
    // The same collection may have been given twice.
    collections.dedup_by_key(|(name, _)| *name);
    let mut live = page.gauge("bolide_live_queries", "Live queries. Equal queries of many subscriptions are one.");
    for (name, figures) in &collections {
        live.sample(&[("collection", name)], figures.live_queries);
    }
    let mut writes =
        page.counter("bolide_writes", "Writes to collections, by outcome. A batch is one in each of its own.");
    for (name, figures) in &collections {
        let made = figures.writes.count().saturating_sub(figures.failed_writes);
        writes.sample(&[("collection", name), ("outcome", "ok")], made);
        writes.sample(&[("collection", name), ("outcome", "failed")], figures.failed_writes);
    }
    let help = "The durations of writes, until they are stored and live queries were told.";
    let mut durations = page.histogram("bolide_write_duration_seconds", help);
    for (name, figures) in &collections {
        durations.sample(&[("collection", name)], &figures.writes);
    }
    let mut durations = page.histogram("bolide_query_duration_seconds", "The durations of queries.");
    for (name, figures) in &collections {
        durations.sample(&[("collection", name)], &figures.queries);
    }
}
