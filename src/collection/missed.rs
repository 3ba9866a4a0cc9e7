//! The changes that this node has missed, because another one has made them: read from the store, and told to the live
//! queries in the order of the collection.
//!
//! Changes are told under the *order* of the collection, a lock that a write holds as well from its commit until its own
//! changes are told. So the changes of all nodes reach a query in the order of their numbers.

use std::sync::Arc;

use super::core::CollectionCore;
use super::delivery::Delivery;
use super::live::{Change, LiveQuery};
use super::storage::{CollectionNumber, DocumentReader, StorageError, StoredChange, StoredDocument};
use super::stored::{Stored, document};

/// The maximum number of missed changes that are read. After more, or if they are not known, the live queries are loaded
/// again.
const MAX_MISSED: usize = 10_000;

/// The number of changes that are read at once.
const AT_ONCE: usize = 1_000;

/// What a node has missed.
#[derive(Debug)]
pub(super) enum Missed {
    /// The last change of each document, in the order of their numbers.
    Changes(Vec<StoredChange>),
    /// Too much, or what is no longer kept.
    Unknown,
}

/// Tells the live queries of all changes up to this one, and more if there are. Returns whether any were missed.
///
/// # Errors
/// Returns an error if the store fails.
pub(super) async fn catch_up(core: &Arc<CollectionCore>, to: u64) -> Result<bool, StorageError> {
    let Some(stored) = core.store() else { return Ok(false) };
    let delivery = {
        let _order = stored.order().await;
        let applied = stored.applied();
        if applied >= to || stored.skip_if_unwatched(core, to) {
            return Ok(false);
        }
        let Some((link, number)) = stored.place() else { return Ok(false) };
        let mut reader = link.store.read().await?;
        let head = reader.head(number).await?;
        let missed = Missed::read(&mut *reader, number, applied, head.version).await?;
        drop(reader);
        missed.tell(core, stored, head.version)
    };
    delivery.deliver();
    Ok(true)
}

impl Missed {
    /// Reads the changes between two numbers.
    pub(super) async fn read(
        reader: &mut dyn DocumentReader,
        collection: CollectionNumber,
        after: u64,
        to: u64,
    ) -> Result<Self, StorageError> {
        if to.saturating_sub(after) > 10 * MAX_MISSED as u64 {
            return Ok(Self::Unknown);
        }
        let mut all: Vec<StoredChange> = Vec::new();
        loop {
            let last = all.last().map_or(after, |change| change.version);
            let changes = match reader.changes(collection, last, AT_ONCE).await {
                Err(StorageError::Purged { .. }) => return Ok(Self::Unknown),
                changes => changes?,
            };
            let is_end = changes.len() < AT_ONCE;
            all.extend(changes.into_iter().filter(|change| change.version <= to));
            if is_end {
                return Ok(Self::Changes(all));
            }
            if all.len() > MAX_MISSED {
                return Ok(Self::Unknown);
            }
        }
    }

    /// Queues the changes for the live queries. The caller holds the order of the collection.
    pub(super) fn tell(self, core: &Arc<CollectionCore>, stored: &Stored, to: u64) -> Delivery {
        match self {
            Self::Changes(changes) => tell(core, stored, changes, to),
            Self::Unknown => {
                reload_all(core, stored, to);
                Delivery::default()
            }
        }
    }
}

fn tell(core: &Arc<CollectionCore>, stored: &Stored, changes: Vec<StoredChange>, to: u64) -> Delivery {
    let mut delivery = Delivery::default();
    let applied = stored.applied();
    let changes: Vec<Change> =
        changes.into_iter().filter(|change| change.version > applied).map(|change| parsed(core, change)).collect();
    let state = core.state();
    // What a query is just reading is not among the documents that are held. First, therefore: a query that has ended
    // to read meanwhile holds them.
    let reading: Vec<Arc<LiveQuery>> = state.routes.queries().filter(|query| query.is_reading()).cloned().collect();
    for change in changes {
        let held = stored.held(&change.id);
        if let Some(new) = &change.new {
            stored.note_shown(new);
        }
        delivery.add_missed(core, &state, &change, &held, &reading);
    }
    stored.note_applied(to);
    delivery
}

/// Reads a change. A document that cannot be read is taken for removed.
fn parsed(core: &CollectionCore, StoredChange { id, fields, version }: StoredChange) -> Change {
    let short: Arc<str> = id.as_str().into();
    let new = fields.and_then(|fields| match document(core, StoredDocument { id, fields, version }) {
        Ok(document) => Some(document),
        Err(error) => {
            tracing::error!(%error, "a document of another node is not shown");
            None
        }
    });
    Change { id: short, old: None, new, version }
}

/// Lets all live queries load their documents again, after which clients are sent the differences.
fn reload_all(core: &Arc<CollectionCore>, stored: &Stored, to: u64) {
    let state = core.state();
    tracing::warn!(
        collection = core.name(),
        "this node has missed too many changes: its live queries are loaded again"
    );
    state.routes.queries().for_each(|query| Stored::reload(core, query));
    stored.note_applied(to);
}
