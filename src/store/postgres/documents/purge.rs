//! How the rows of removed documents end. They stay for those who ask what has changed, and the oldest are deleted by later
//! writes, a limited number at a time.

use std::collections::HashMap;

use parking_lot::Mutex;
use sqlx::postgres::PgConnection;

use crate::collection::storage::{CollectionNumber, StoredChange};

/// The number of removals of a collection that are kept.
pub(super) const KEPT: i64 = 10_000;

/// The number of removals after which it is time to delete the oldest.
const INTERVAL: usize = 1_000;

/// The maximum number of rows that one write deletes. It is above [`INTERVAL`], so that the rows do not become more.
const STEP: i64 = 2_000;

/// The number of removals of each collection since its oldest ones were deleted. Without an entry, it is not known.
#[derive(Default)]
pub(super) struct Removals(Mutex<HashMap<CollectionNumber, usize>>);

/// Deletes the oldest removals of those collections whose turn it is, as part of a write.
pub(super) async fn purge(
    connection: &mut PgConnection,
    removals: &Removals,
    changes: &[(CollectionNumber, StoredChange)],
) -> Result<(), sqlx::Error> {
    for collection in removals.count(changes) {
        if purge_collection(connection, collection).await? < STEP.unsigned_abs() {
            removals.0.lock().insert(collection, 0);
        }
    }
    Ok(())
}

impl Removals {
    /// Counts the removals among changes. Returns the collections whose turn it is.
    fn count(&self, changes: &[(CollectionNumber, StoredChange)]) -> Vec<CollectionNumber> {
        let mut counts = self.0.lock();
        let mut due = Vec::new();
        for (collection, _) in changes.iter().filter(|(_, change)| change.fields.is_none()) {
            let count = counts.entry(*collection).or_insert(INTERVAL);
            *count += 1;
            if *count > INTERVAL && !due.contains(collection) {
                due.push(*collection);
            }
        }
        due
    }
}

/// Returns the number of deleted rows.
async fn purge_collection(connection: &mut PgConnection, collection: CollectionNumber) -> Result<u64, sqlx::Error> {
    let newest =
        "SELECT seq FROM documents WHERE collection = $1 AND fields IS NULL ORDER BY seq DESC LIMIT 1 OFFSET $2";
    let newest: Option<i64> =
        sqlx::query_scalar(newest).bind(collection.0).bind(KEPT).fetch_optional(&mut *connection).await?;
    let Some(newest) = newest else { return Ok(0) };
    let last = "SELECT max(seq) FROM (SELECT seq FROM documents WHERE collection = $1 AND fields IS NULL AND seq <= $2 \
         ORDER BY seq LIMIT $3) AS oldest";
    let last: i64 =
        sqlx::query_scalar(last).bind(collection.0).bind(newest).bind(STEP).fetch_one(&mut *connection).await?;
    let delete = "DELETE FROM documents WHERE collection = $1 AND fields IS NULL AND seq <= $2";
    let deleted = sqlx::query(delete).bind(collection.0).bind(last).execute(&mut *connection).await?;
    let note = "UPDATE heads SET purged_to = $2 WHERE number = $1";
    sqlx::query(note).bind(collection.0).bind(last).execute(&mut *connection).await?;
    Ok(deleted.rows_affected())
}
