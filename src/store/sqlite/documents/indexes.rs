//! How indexes are added and dropped.

use sqlx::Row as _;
use sqlx::sqlite::SqlitePool;

use super::failure::failed;
use crate::collection::storage::{CollectionNumber, IndexNumber, StorageError, StoredIndex};

/// The number of entries that are removed in one transaction, which takes a few milliseconds.
const STEP: i64 = 2_000;

pub(super) async fn of_collection(
    reader: &SqlitePool,
    collection: CollectionNumber,
) -> Result<Vec<StoredIndex>, StorageError> {
    let all = "SELECT number, name, is_ready FROM document_indexes WHERE collection = $1 ORDER BY number";
    let rows = sqlx::query(all).bind(collection.0).fetch_all(reader).await.map_err(failed)?;
    rows.iter()
        .map(|row| {
            let is_ready: i64 = row.try_get(2).map_err(failed)?;
            let number = IndexNumber(row.try_get(0).map_err(failed)?);
            Ok(StoredIndex { number, name: row.try_get(1).map_err(failed)?, is_ready: is_ready != 0 })
        })
        .collect()
}

pub(super) async fn add(
    writer: &SqlitePool,
    collection: CollectionNumber,
    name: &str,
) -> Result<IndexNumber, StorageError> {
    let add = "INSERT INTO document_indexes (collection, name, is_ready) VALUES ($1, $2, 0) RETURNING number";
    let number = sqlx::query_scalar(add).bind(collection.0).bind(name).fetch_one(writer).await;
    number.map(IndexNumber).map_err(failed)
}

pub(super) async fn finish(writer: &SqlitePool, index: IndexNumber) -> Result<(), StorageError> {
    let finish = "UPDATE document_indexes SET is_ready = 1 WHERE number = $1";
    sqlx::query(finish).bind(index.0).execute(writer).await.map(drop).map_err(failed)
}

/// Takes an index away from its collection. Its number stays in use until its last entry is
/// [removed](finish_removals).
pub(super) async fn leave(writer: &SqlitePool, index: IndexNumber) -> Result<(), StorageError> {
    let leave = "UPDATE document_indexes SET collection = NULL, is_ready = 0 WHERE number = $1";
    sqlx::query(leave).bind(index.0).execute(writer).await.map(drop).map_err(failed)
}

async fn remove(writer: &SqlitePool, index: IndexNumber) -> Result<(), StorageError> {
    let entries = "DELETE FROM document_keys WHERE index_number = $1 AND (key, id) IN \
         (SELECT key, id FROM document_keys WHERE index_number = $1 ORDER BY key, id LIMIT $2)";
    loop {
        let removed = sqlx::query(entries).bind(index.0).bind(STEP).execute(writer).await.map_err(failed)?;
        if removed.rows_affected() == 0 {
            break;
        }
    }
    let number = "DELETE FROM document_indexes WHERE number = $1";
    sqlx::query(number).bind(index.0).execute(writer).await.map(drop).map_err(failed)
}

/// Removes the indexes that were taken away from their collections, in small transactions. What fails is tried again at the next start.
pub(super) async fn finish_removals(writer: SqlitePool) {
    let left = "SELECT number FROM document_indexes WHERE collection IS NULL";
    let left: Result<Vec<i64>, _> = sqlx::query_scalar(left).fetch_all(&writer).await;
    let finished = async {
        for index in left.map_err(failed)? {
            remove(&writer, IndexNumber(index)).await?;
        }
        Ok::<_, StorageError>(())
    };
    if let Err(error) = finished.await {
        tracing::warn!(%error, "the entries of a dropped index could not be removed");
    }
}
