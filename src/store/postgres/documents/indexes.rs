//! How indexes are added and dropped.

use sqlx::Row as _;

use super::connections::{Connections, read, write, write_numbered};
use super::failure::failed;
use crate::collection::storage::{CollectionNumber, IndexNumber, StorageError, StoredIndex};

/// The number of entries that are removed in one transaction, which takes some ten milliseconds.
const STEP: i64 = 2_000;

pub(super) async fn of_collection(
    connections: &Connections,
    collection: CollectionNumber,
) -> Result<Vec<StoredIndex>, StorageError> {
    let all = "SELECT number, name, is_ready FROM document_indexes WHERE collection = $1 ORDER BY number";
    let rows = read(connections, || sqlx::query(all).bind(collection.0)).await?;
    rows.iter()
        .map(|row| {
            let number = IndexNumber(row.try_get(0).map_err(failed)?);
            let name = row.try_get(1).map_err(failed)?;
            Ok(StoredIndex { number, name, is_ready: row.try_get(2).map_err(failed)? })
        })
        .collect()
}

/// # Errors
/// Returns an error if the collection has such an index, as another node may have added it since.
pub(super) async fn add(
    connections: &Connections,
    collection: CollectionNumber,
    name: &str,
) -> Result<IndexNumber, StorageError> {
    let add = "INSERT INTO document_indexes (collection, name, is_ready) VALUES ($1, $2, FALSE) RETURNING number";
    write_numbered(connections, sqlx::query(add).bind(collection.0).bind(name)).await.map(IndexNumber)
}

pub(super) async fn finish(connections: &Connections, index: IndexNumber) -> Result<(), StorageError> {
    // Unless another node has dropped it meanwhile.
    let finish = "UPDATE document_indexes SET is_ready = TRUE WHERE number = $1 AND collection IS NOT NULL";
    write(connections, sqlx::query(finish).bind(index.0)).await.map(drop)
}

/// Takes an index away from its collection. Its number stays in use until its last entry is
/// [removed](finish_removals).
pub(super) async fn leave(connections: &Connections, index: IndexNumber) -> Result<(), StorageError> {
    let leave = "UPDATE document_indexes SET collection = NULL, is_ready = FALSE WHERE number = $1";
    write(connections, sqlx::query(leave).bind(index.0)).await.map(drop)
}

async fn remove(connections: &Connections, index: IndexNumber) -> Result<(), StorageError> {
    // Several nodes may be at it, so they are locked in their order.
    let entries = "DELETE FROM document_keys WHERE index_number = $1 AND (key, id) IN \
         (SELECT key, id FROM document_keys WHERE index_number = $1 ORDER BY key, id LIMIT $2 FOR UPDATE)";
    while write(connections, sqlx::query(entries).bind(index.0).bind(STEP)).await?.rows_affected() > 0 {}
    let number = "DELETE FROM document_indexes WHERE number = $1";
    write(connections, sqlx::query(number).bind(index.0)).await.map(drop)
}

/// Removes the indexes that were taken away from their collections, in small transactions. What fails is tried again at
/// the next start.
pub(super) async fn finish_removals(connections: Connections) {
    let left = "SELECT number FROM document_indexes WHERE collection IS NULL";
    let left = read(&connections, || sqlx::query(left)).await;
    let finished = async {
        for index in left? {
            remove(&connections, IndexNumber(index.try_get(0).map_err(failed)?)).await?;
        }
        Ok::<_, StorageError>(())
    };
    if let Err(error) = finished.await {
        tracing::warn!(%error, "the entries of a dropped index could not be removed");
    }
}
