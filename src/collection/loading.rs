//! Loading: the tasks that read the documents of live queries from the store, at first and whenever more are needed.
//!
//! Changes that come meanwhile wait in the queue of the query. If too many have come, or some are not known one by one,
//! they are dropped, and the documents are read once more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::access::Source;
use super::core::CollectionCore;
use super::error::CollectionError;
use super::execution::{Execution, Placed};
use super::live::{LiveQuery, MAX_HELD_CHANGES, Phase};
use super::stored::{Stored, read, unavailable};
use crate::outbox;

/// The time after which more documents of a window are read again if the store has failed.
const RETRY: Duration = Duration::from_secs(1);

/// The maximum number of times that the documents of a query are read from their start, before the query fails.
const LOADS: usize = 5;

/// Starts to load the result of a live query.
pub(super) fn start_load(core: &Arc<CollectionCore>, query: &Arc<LiveQuery>) {
    let (core, query) = (Arc::clone(core), Arc::clone(query));
    tokio::spawn(async move {
        let reading = ReadingQuery::begin(&query);
        if let Err(error) = load(&core, &query).await {
            tracing::error!(collection = core.name(), %error, "the documents of a live query cannot be read");
            query.lock().finish(Phase::Failed(error));
        }
        drop(reading);
        drop(core.update(&query));
        query.note_progress();
    });
}

/// Starts to read more documents for a window.
pub(super) fn start_refill(core: &Arc<CollectionCore>, query: &Arc<LiveQuery>) {
    let (core, query) = (Arc::clone(core), Arc::clone(query));
    tokio::spawn(async move {
        let reading = ReadingQuery::begin(&query);
        while let Err(error) = refill(&core, &query).await {
            tracing::error!(collection = core.name(), %error, "more documents of a live query cannot be read");
            // Writers need not wait for them.
            query.lock().finish(Phase::Ready);
            query.note_progress();
            tokio::time::sleep(RETRY).await;
            if !query.lock().begin_refill(query.has_lost_changes()) {
                break;
            }
        }
        drop(reading);
        drop(core.update(&query));
        query.note_progress();
    });
}

/// Reads the documents of a live query once more, since changes of them are not known one by one.
pub(super) fn load_again(core: &Arc<CollectionCore>, query: &Arc<LiveQuery>) {
    let mut result = query.lock();
    query.lose_changes();
    // In other phases, the task that reads takes notice, or is yet to begin.
    if result.begin_refill(true) {
        start_refill(core, query);
    }
}

/// A live query that is reading from the store. If that ends by a panic, the query fails.
struct ReadingQuery(Arc<LiveQuery>);

impl ReadingQuery {
    fn begin(query: &Arc<LiveQuery>) -> Self {
        query.begin_reading();
        Self(Arc::clone(query))
    }
}

impl Drop for ReadingQuery {
    fn drop(&mut self) {
        self.0.end_reading();
        if std::thread::panicking() {
            let reason = "reading it has panicked".to_owned();
            let collection = self.0.collection().to_owned();
            self.0.lock().finish(Phase::Failed(CollectionError::Unavailable { collection, reason }));
            self.0.note_progress();
        }
    }
}

async fn load(core: &Arc<CollectionCore>, query: &Arc<LiveQuery>) -> Result<(), CollectionError> {
    let Some(stored) = core.store() else { return Ok(()) };
    for time in 0..LOADS {
        if load_once(core, stored, query, time == 0).await? {
            return Ok(());
        }
        tracing::warn!(
            collection = core.name(),
            query = query.plan.kind(),
            "a live query is read again: {}",
            too_many()
        );
    }
    let reason = format!("{}, {LOADS} times; an index may help, or a query of fewer documents", too_many());
    Err(CollectionError::Unavailable { collection: core.name().to_owned(), reason })
}

/// Says why a query is read again.
fn too_many() -> String {
    format!("more than {MAX_HELD_CHANGES} changes came while its documents were read")
}

/// Reads the documents from their start. Returns `false` if changes were lost meanwhile.
async fn load_once(
    core: &Arc<CollectionCore>,
    stored: &Stored,
    query: &Arc<LiveQuery>,
    is_first: bool,
) -> Result<bool, CollectionError> {
    let (plan, begin) = (&query.plan, Instant::now());
    query.lock().begin_load(query);
    let opened = Arc::clone(stored.open(core).await?);
    let mut reader = stored.reader(core).await?;
    let head = reader.head(opened.number).await.map_err(|error| unavailable(core, &error))?;
    {
        let mut result = query.lock();
        if query.has_lost_changes() {
            return Ok(false);
        }
        result.note_loaded_at(head.version);
    }
    drop(core.update(query));
    let access = opened.access(plan);
    let streams = is_first && !plan.is_window() && (access.is_ordered || plan.sort.is_empty());
    let mut execution = Execution::new(plan, access, LiveQuery::wanted(plan));
    while let Some(reading) = execution.next() {
        let page = read(core, &opened, &mut *reader, reading).await?;
        execution.feed(stored.share(page));
        let mut result = query.lock();
        if *result.phase() == Phase::Closed {
            return Ok(true);
        }
        if query.has_lost_changes() {
            return Ok(false);
        }
        if streams {
            result.load(execution.take(), false);
            drop(result);
            query.note_progress();
        }
    }
    opened.note_scan(core, plan, execution.read_count());
    core.slow.note(plan, begin, execution.read_count());
    let (documents, is_complete) = execution.finish();
    let (is_loaded, unwritten) = outbox::hold(|| {
        let mut result = query.lock();
        if query.has_lost_changes() {
            return false;
        }
        if is_first {
            result.load(documents, is_complete);
        } else {
            result.replace(documents, is_complete);
        }
        result.finish(Phase::Ready);
        true
    });
    drop(unwritten);
    Ok(is_loaded)
}

async fn refill(core: &Arc<CollectionCore>, query: &Arc<LiveQuery>) -> Result<(), CollectionError> {
    let Some(stored) = core.store() else { return Ok(()) };
    loop {
        let is_incomplete = if query.has_lost_changes() {
            reload(core, stored, query).await?
        } else {
            refill_once(core, stored, query).await?
        };
        if !is_incomplete {
            return Ok(());
        }
    }
}

/// Reads all documents of a result that clients have been sent. Returns whether more must be read.
async fn reload(core: &Arc<CollectionCore>, stored: &Stored, query: &Arc<LiveQuery>) -> Result<bool, CollectionError> {
    let plan = &query.plan;
    query.keep_changes();
    let outcome = read_result(core, stored, query).await;
    let (version, (documents, is_complete)) = match outcome {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(false),
        Err(error) => {
            // It is still unknown what the lost changes were.
            query.lose_changes();
            return Err(error);
        }
    };
    tracing::debug!(collection = core.name(), query = plan.kind(), "a live query was read again");
    let (is_incomplete, unwritten) = outbox::hold(|| {
        let mut result = query.lock();
        if query.has_lost_changes() || *result.phase() != Phase::Refilling {
            return *result.phase() == Phase::Refilling;
        }
        drop(query.take_until(version));
        result.note_loaded_at(version);
        result.replace(documents, is_complete);
        result.end_refill(query)
    });
    drop(unwritten);
    Ok(is_incomplete)
}

/// The number of the last change that a result contains, its documents in order, and whether no more follow.
type Found = (u64, (Vec<Placed>, bool));

/// Reads the whole result of a query, or returns `None` if the query was closed meanwhile.
async fn read_result(
    core: &Arc<CollectionCore>,
    stored: &Stored,
    query: &LiveQuery,
) -> Result<Option<Found>, CollectionError> {
    let opened = Arc::clone(stored.open(core).await?);
    let mut reader = stored.reader(core).await?;
    let head = reader.head(opened.number).await.map_err(|error| unavailable(core, &error))?;
    let mut execution = Execution::new(&query.plan, opened.access(&query.plan), LiveQuery::wanted(&query.plan));
    while let Some(reading) = execution.next() {
        let page = read(core, &opened, &mut *reader, reading).await?;
        execution.feed(stored.share(page));
        if *query.lock().phase() == Phase::Closed {
            return Ok(None);
        }
    }
    Ok(Some((head.version, execution.finish())))
}

/// Reads the documents that a window misses. Returns whether documents are still missing, since changes have come meanwhile.
async fn refill_once(
    core: &Arc<CollectionCore>,
    stored: &Stored,
    query: &Arc<LiveQuery>,
) -> Result<bool, CollectionError> {
    let opened = Arc::clone(stored.open(core).await?);
    let mut reader = stored.reader(core).await?;
    let head = reader.head(opened.number).await.map_err(|error| unavailable(core, &error))?;
    let missing = query.lock().missing_part();
    let found = match &missing {
        None => None,
        Some((horizon, room)) => {
            let access = opened.access(&query.plan);
            let index = match access.source {
                Source::Index { index, .. } => opened.indexes.get(index).map(|open| Arc::clone(&open.index)),
                _ => None,
            };
            let mut execution = Execution::new(&query.plan, access, *room);
            if let Some(horizon) = horizon {
                execution = execution.after(horizon, index.as_deref());
            }
            while let Some(reading) = execution.next() {
                let page = read(core, &opened, &mut *reader, reading).await?;
                execution.feed(stored.share(page));
                if *query.lock().phase() == Phase::Closed {
                    return Ok(false);
                }
            }
            Some((horizon.as_ref(), execution.finish()))
        }
    };
    drop(reader);
    stored.ask_for(core, head.version);
    stored.wait_for(core, head.version).await?;
    let (is_incomplete, unwritten) = outbox::hold(|| {
        let mut result = query.lock();
        query.take_until(head.version).iter().for_each(|change| result.apply(change));
        if let Some((horizon, (documents, is_complete))) = found {
            result.refill(horizon, documents, is_complete);
        }
        result.end_refill(query)
    });
    drop(unwritten);
    Ok(is_incomplete)
}
