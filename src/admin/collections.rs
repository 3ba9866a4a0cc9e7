//! The documents about the collections of the app. None contains a value of a document or of a query.

use serde::Serialize;

use crate::accounts::AccountsCore;
use crate::call::MethodResult;
use crate::collection::{AppCollections, CollectionReport};
use crate::publication::Document;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownCollection {
    stored: bool,
    documents: u64,
    bytes: u64,
    indexes: Vec<ShownIndex>,
    live_queries: usize,
    live_kinds: Vec<ShownLiveKind>,
    slow_queries: Vec<ShownSlowQuery>,
    scans: Vec<ShownScan>,
}

/// A collection whose store fails.
#[derive(Serialize)]
struct Unavailable {
    stored: bool,
    error: String,
}

#[derive(Serialize)]
struct ShownIndex {
    name: String,
    ready: bool,
}

#[derive(Serialize)]
struct ShownLiveKind {
    kind: String,
    queries: usize,
    watchers: usize,
    documents: usize,
}

#[derive(Serialize)]
struct ShownSlowQuery {
    kind: String,
    milliseconds: f64,
    read: usize,
    count: u64,
}

#[derive(Serialize)]
struct ShownScan {
    index: String,
    read: usize,
}

pub(super) async fn list(core: &AccountsCore) -> MethodResult<Vec<Document>> {
    let Some(app) = core.node.app() else { return Ok(Vec::new()) };
    let Some(collections) = app.slot::<AppCollections>() else { return Ok(Vec::new()) };
    let mut shown = Vec::with_capacity(collections.0.len());
    for collection in &collections.0 {
        let id = collection.name();
        shown.push(match collection.report().await {
            Ok(report) => Document::new("adminCollections", id, &ShownCollection::from(report))?,
            Err(error) => {
                let unavailable = Unavailable { stored: true, error: error.to_string() };
                Document::new("adminCollections", id, &unavailable)?
            }
        });
    }
    Ok(shown)
}

impl From<CollectionReport> for ShownCollection {
    fn from(report: CollectionReport) -> Self {
        let indexes = report.indexes.into_iter();
        let live_kinds = report.live_kinds.into_iter();
        let slow_queries = report.slow_queries.into_iter();
        let scans = report.scans.into_iter();
        Self {
            stored: report.is_stored,
            documents: report.documents,
            bytes: report.bytes,
            indexes: indexes.map(|index| ShownIndex { name: index.name, ready: index.is_ready }).collect(),
            live_queries: report.live_queries,
            live_kinds: live_kinds
                .map(|live| ShownLiveKind {
                    kind: live.kind,
                    queries: live.queries,
                    watchers: live.watchers,
                    documents: live.documents,
                })
                .collect(),
            slow_queries: slow_queries
                .map(|(kind, slow)| ShownSlowQuery {
                    kind,
                    milliseconds: slow.longest.as_secs_f64() * 1000.0,
                    read: slow.read,
                    count: slow.count,
                })
                .collect(),
            scans: scans.map(|(index, read)| ShownScan { index, read }).collect(),
        }
    }
}
