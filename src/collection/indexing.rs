//! The indexes of a stored collection: made and dropped in the background when their declaration changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::core::CollectionCore;
use super::error::CollectionError;
use super::index::Index;
use super::storage::{CollectionNumber, DocumentStore, IndexNumber, StorageError, StoredIndex};
use super::stored::{OpenIndex, Opened, StoreLink};

/// How many documents are indexed between two messages in the log.
const LOGGED_EVERY: usize = 100_000;

/// The time after which building an index goes on if the store has failed.
const RETRY: Duration = Duration::from_secs(5);

/// A part of an index to build: the documents after an id.
pub(super) struct IndexJob {
    pub(super) core: Arc<CollectionCore>,
    /// The place of the index among those of the collection.
    pub(super) index: usize,
    pub(super) after: Option<String>,
}

impl IndexJob {
    /// The number of documents that one job reads. Other writes are made between two jobs.
    pub(super) const DOCUMENTS: usize = 500;
}

/// Opens a collection: adds the indexes that are declared and not in the store, and drops those that are no longer
/// declared. While other nodes are there, it keeps these: a newer one may declare them.
pub(super) async fn open(core: &Arc<CollectionCore>, store: &dyn DocumentStore) -> Result<Opened, StorageError> {
    let stored = store.open(core.name()).await?;
    let declared = core.indexes();
    let names: Vec<String> = declared.iter().map(|index| index.stored_name()).collect();
    let undeclared: Vec<_> = stored.indexes.iter().filter(|known| !names.contains(&known.name)).collect();
    let mut kept = Vec::new();
    if !undeclared.is_empty() && store.has_others().await? {
        kept = undeclared.iter().filter_map(|known| keep(core.name(), known)).collect();
    } else {
        drop_all(core, store, &declared, &undeclared).await?;
    }
    let mut indexes = Vec::with_capacity(declared.len());
    for (index, name) in declared.into_iter().zip(&names) {
        let known = stored.indexes.iter().find(|known| known.name == *name);
        let (number, is_ready) = match known {
            Some(known) => (known.number, known.is_ready),
            None => add(store, core.name(), stored.number, name).await?,
        };
        indexes.push(open_index(index, number, is_ready));
    }
    Ok(Opened { number: stored.number, indexes, kept })
}

fn open_index(index: Arc<Index>, number: IndexNumber, is_ready: bool) -> OpenIndex {
    OpenIndex { index, number, is_ready: AtomicBool::new(is_ready), is_refused: AtomicBool::new(false) }
}

/// Keeps an index that this node does not declare. Returns `None` if its keys are of another version, so that this node
/// cannot keep it up to date.
fn keep(collection: &str, known: &StoredIndex) -> Option<OpenIndex> {
    let index = &known.name;
    tracing::warn!(
        collection,
        index,
        "an index is not declared by this node, and kept for others; it is dropped when a node starts alone without it"
    );
    let parsed = Index::parse_stored(index).filter(|parsed| parsed.stored_name() == *index)?;
    Some(open_index(Arc::new(parsed), known.number, known.is_ready))
}

async fn drop_all(
    core: &CollectionCore,
    store: &dyn DocumentStore,
    declared: &[Arc<Index>],
    undeclared: &[&StoredIndex],
) -> Result<(), StorageError> {
    for known in undeclared {
        let (collection, index) = (core.name(), &known.name);
        if Index::parse_stored(index).is_some_and(|index| declared.iter().any(|declared| **declared == index)) {
            tracing::info!(collection, index, "an index is built again, since its keys are of another version");
        } else {
            tracing::info!(collection, index, "an index is dropped, since it is not declared");
        }
        store.drop_index(known.number).await?;
    }
    Ok(())
}

/// Adds an index, unless another node has added it since. Returns its number, and whether it is ready.
async fn add(
    store: &dyn DocumentStore,
    collection: &str,
    number: CollectionNumber,
    name: &str,
) -> Result<(IndexNumber, bool), StorageError> {
    let refusal = match store.add_index(number, name).await {
        Ok(index) => return Ok((index, false)),
        Err(refusal) => refusal,
    };
    let indexes = store.open(collection).await?.indexes;
    let known = indexes.into_iter().find(|known| known.name == name);
    known.map(|known| (known.number, known.is_ready)).ok_or(refusal)
}

/// Starts to build the indexes that are not ready.
pub(super) fn build_missing(core: &Arc<CollectionCore>, link: &Arc<StoreLink>, opened: &Arc<Opened>) {
    if opened.indexes.iter().all(|index| index.is_ready.load(Ordering::Acquire)) {
        return;
    }
    let (core, link, opened) = (Arc::clone(core), Arc::clone(link), Arc::clone(opened));
    tokio::spawn(async move {
        for (place, open) in opened.indexes.iter().enumerate() {
            if !open.is_ready.load(Ordering::Acquire) {
                build(&core, &link, place, open).await;
            }
        }
    });
}

async fn build(core: &Arc<CollectionCore>, link: &StoreLink, place: usize, open: &OpenIndex) {
    let (collection, index) = (core.name(), open.index.name());
    let mut after = None;
    let mut documents = 0;
    loop {
        let job = IndexJob { core: Arc::clone(core), index: place, after: after.clone() };
        after = match link.writer.build(job).await {
            Ok(next) => next,
            Err(error @ (CollectionError::Unavailable { .. } | CollectionError::OutcomeUnknown { .. })) => {
                tracing::warn!(collection, index, %error, "building an index is interrupted; it goes on later");
                tokio::time::sleep(RETRY).await;
                continue;
            }
            Err(error) => {
                open.is_refused.store(true, Ordering::Release);
                tracing::error!(collection, index, %error, "an index cannot be built; queries do not use it");
                return;
            }
        };
        if after.is_none() {
            break;
        }
        documents += IndexJob::DOCUMENTS;
        if documents % LOGGED_EVERY == 0 {
            tracing::info!(collection, index, documents, "an index is being built");
        }
    }
    match link.store.finish_index(open.number).await {
        Ok(()) => {
            open.is_ready.store(true, Ordering::Release);
            if documents > 0 {
                tracing::info!(collection, index, "an index is ready");
            }
        }
        Err(error) => tracing::error!(collection, index, %error, "an index cannot be marked as ready"),
    }
}
