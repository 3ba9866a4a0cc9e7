//! [`CollectionReport`]: what admins are shown of a collection. The collections of an app are kept in a slot of its core.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::core::CollectionCore;
use super::error::CollectionError;
use super::live::LiveQuery;
use super::slow::SlowQuery;

/// The maximum number of live queries that a report looks at. Their total number is exact.
const LIVE_QUERIES: usize = 10_000;

/// The maximum number of kinds of live queries in a report: those with the most watchers.
const LIVE_KINDS: usize = 20;

/// What a collection holds, and what is asked of it.
#[derive(Debug)]
pub(crate) struct CollectionReport {
    pub(crate) is_stored: bool,
    pub(crate) documents: u64,
    /// The size of the documents' fields as EJSON text.
    pub(crate) bytes: u64,
    pub(crate) indexes: Vec<IndexReport>,
    /// The number of live queries.
    pub(crate) live_queries: usize,
    pub(crate) live_kinds: Vec<LiveKind>,
    /// The kinds of queries that took longest, slowest first.
    pub(crate) slow_queries: Vec<(String, SlowQuery)>,
    /// The indexes that would help, as they are declared, with the most documents that a query has read without them.
    pub(crate) scans: Vec<(String, usize)>,
}

#[derive(Debug)]
pub(crate) struct IndexReport {
    pub(crate) name: String,
    /// Whether queries use it. Otherwise, it is being built.
    pub(crate) is_ready: bool,
}

/// Live queries that differ in values only.
#[derive(Debug, Default)]
pub(crate) struct LiveKind {
    pub(crate) kind: String,
    pub(crate) queries: usize,
    pub(crate) watchers: usize,
    /// The documents in their results.
    pub(crate) documents: usize,
}

impl CollectionCore {
    /// Returns what admins are shown.
    ///
    /// # Errors
    /// Returns [`CollectionError::Unavailable`] if the collection is stored and the store fails.
    pub(crate) async fn report(self: &Arc<Self>) -> Result<CollectionReport, CollectionError> {
        let (documents, bytes) = match self.store() {
            None => self.size_in_memory(),
            Some(stored) => {
                let head = stored.head(self).await?;
                (head.documents, head.bytes)
            }
        };
        let live_queries = self.live_queries();
        Ok(CollectionReport {
            is_stored: self.is_stored(),
            documents,
            bytes,
            indexes: self.index_reports().await?,
            live_queries: live_queries.len(),
            live_kinds: kinds_of(&live_queries),
            slow_queries: self.slow.list(),
            scans: self.scanning_queries(),
        })
    }

    /// Returns the indexes that would help queries, as they are declared, with the most documents that one has read without.
    pub(crate) fn scanning_queries(&self) -> Vec<(String, usize)> {
        self.scans.list()
    }

    async fn index_reports(self: &Arc<Self>) -> Result<Vec<IndexReport>, CollectionError> {
        let Some(stored) = self.store() else {
            let ready = |index: Arc<super::index::Index>| IndexReport { name: index.name(), is_ready: true };
            return Ok(self.indexes().into_iter().map(ready).collect());
        };
        let opened = stored.open(self).await?;
        let report = |open: &super::stored::OpenIndex| IndexReport {
            name: open.index.name(),
            is_ready: open.is_ready.load(Ordering::Acquire),
        };
        Ok(opened.indexes.iter().map(report).collect())
    }
}

/// Returns the kinds of live queries, those with the most watchers first.
fn kinds_of(queries: &[Arc<LiveQuery>]) -> Vec<LiveKind> {
    let mut kinds: HashMap<String, LiveKind> = HashMap::new();
    for query in queries.iter().take(LIVE_QUERIES) {
        let (watchers, documents) = {
            let result = query.lock();
            (result.watcher_count(), result.document_count())
        };
        let kind = kinds.entry(query.plan.kind()).or_default();
        kind.queries += 1;
        kind.watchers += watchers;
        kind.documents += documents;
    }
    let mut kinds: Vec<LiveKind> = kinds.into_iter().map(|(name, kind)| LiveKind { kind: name, ..kind }).collect();
    kinds.sort_unstable_by(|one, other| other.watchers.cmp(&one.watchers).then_with(|| one.kind.cmp(&other.kind)));
    kinds.truncate(LIVE_KINDS);
    kinds
}
