//! Catching up: live queries are told of changes that are in the store, and that this process has not made or not noticed.
//!
//! Such are those of other nodes, and those of a commit that was made and reported as an error, since the connection was
//! lost. They are found when the number of the last change in the store is not the one that live queries were told of: by
//! the [follower](super::follower), at the next write, or by a task that begins at once after such an error.
//!
//! Only the task of the writer tells of changes, its own and those of others, so queries hear of them in their order. A write
//! tells of what was missed before it overwrites it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::core::CollectionCore;
use super::delivery::Delivery;
use super::document::Document;
use super::error::CollectionError;
use super::live::{Change, LiveQuery};
use super::loading;
use super::storage::{DocumentReader, Head, StorageError, StoredChange, StoredDocument};
use super::stored::{Opened, Stored, document, unavailable};
use super::writer::Writer;

/// The time after which the changes are read again if the store has failed.
const RETRY: Duration = Duration::from_secs(1);

/// The maximum number of missed changes that are read one by one. With more, live queries read their documents once more.
const MAX_CHANGES: usize = 10_000;

/// The number of changes that are read at once.
const AT_ONCE: usize = 1_000;

/// The timeout for a question to the store. A link that swallows what is sent is not noticed otherwise.
pub(super) const QUESTION: Duration = Duration::from_secs(3);

/// Why changes were not read.
enum Unread {
    /// The store does not answer. It may answer over another connection.
    Silent,
    Failed(CollectionError),
}

/// Tells live queries of the changes until `head`, which `reader` sees, unless they were told of them.
///
/// # Errors
/// Fails if the store does not answer. The reader can then no longer be used, and the changes have to be read with another.
pub(super) async fn catch_up(
    core: &Arc<CollectionCore>,
    opened: &Opened,
    reader: &mut dyn DocumentReader,
    head: Head,
) -> Result<(), StorageError> {
    let Some(stored) = core.store() else { return Ok(()) };
    let applied = stored.applied();
    if head.version <= applied || stored.skip_if_unwatched(core, head.version) {
        return Ok(());
    }
    match missed(core, opened, reader, applied).await {
        Ok(missed) => tell(core, stored, missed, head.version).deliver(),
        Err(Unread::Silent) => return Err(StorageError::Failed("it does not answer".to_owned())),
        Err(Unread::Failed(error)) => {
            tracing::warn!(collection = core.name(), %error, "live queries read their documents once more");
            read_again(core, &core.live_queries());
            stored.note_applied(head.version);
        }
    }
    Ok(())
}

/// Starts a task that tells the live queries of a collection of what the store has, if there is none yet.
pub(super) fn catch_up_soon(writer: &Arc<Writer>, core: &Arc<CollectionCore>) {
    let (writer, core) = (Arc::clone(writer), Arc::clone(core));
    tokio::spawn(async move {
        let Some(stored) = core.store() else { return };
        while !stored.is_catching_up.swap(true, Ordering::AcqRel) {
            let caught_up = writer.catch_up(&core).await;
            if let Err(error) = &caught_up {
                tracing::warn!(collection = core.name(), %error, "live queries may lack a change; it is read later");
                tokio::time::sleep(RETRY).await;
            }
            stored.is_catching_up.store(false, Ordering::Release);
            if caught_up.is_ok() {
                return;
            }
        }
    });
}

/// Queues changes for the live queries.
fn tell(core: &Arc<CollectionCore>, stored: &Stored, changes: Vec<Change>, to: u64) -> Delivery {
    let mut delivery = Delivery::default();
    let state = core.state();
    // What a query is just reading is not among the documents that are held. It is looked for first: a query that ends to
    // read meanwhile holds them then.
    let reading: Vec<Arc<LiveQuery>> = state.routes.queries().filter(|query| query.is_reading()).cloned().collect();
    for change in changes {
        let held = stored.held(&change.id);
        delivery.add_missed(core, &state, &stored.share_new(change), &held, &reading);
    }
    stored.note_applied(to);
    delivery
}

fn read_again(core: &Arc<CollectionCore>, queries: &[Arc<LiveQuery>]) {
    for query in queries {
        loading::load_again(core, query);
    }
}

/// Reads the changes after a number, at most [`MAX_CHANGES`].
async fn missed(
    core: &Arc<CollectionCore>,
    opened: &Opened,
    reader: &mut dyn DocumentReader,
    applied: u64,
) -> Result<Vec<Change>, Unread> {
    let mut missed: Vec<Change> = Vec::new();
    loop {
        let last = missed.last().map_or(applied, |change| change.version);
        let changes = timeout(QUESTION, reader.changes(opened.number, last, AT_ONCE)).await;
        let changes = changes.map_err(|_elapsed| Unread::Silent)?;
        let changes = changes.map_err(|error| Unread::Failed(unavailable(core, &error)))?;
        let is_end = changes.len() < AT_ONCE;
        for change in changes {
            missed.push(change_of(core, change).map_err(Unread::Failed)?);
        }
        if is_end {
            return Ok(missed);
        }
        if missed.len() > MAX_CHANGES {
            let error = StorageError::Failed(format!("more than {MAX_CHANGES} changes were missed"));
            return Err(Unread::Failed(unavailable(core, &error)));
        }
    }
}

fn change_of(core: &CollectionCore, change: StoredChange) -> Result<Change, CollectionError> {
    let StoredChange { id, fields, version } = change;
    let document_of = |fields| document(core, StoredDocument { id: id.clone(), fields, version });
    let new: Option<Arc<Document>> = fields.map(document_of).transpose()?;
    Ok(Change { id: id.as_str().into(), old: None, new, version })
}
