//! [`Transaction`]: reads from one state of the database, and writes. If it is dropped, nothing is written.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::connections::{Connections, begin};
use super::failure::{answer, answer_to_commit, failed, read_number, write_number};
use super::page::{entry_of, query, statement};
use super::purge::{Removals, purge};
use super::put::put;
use super::{documents_with, head_of};
use crate::collection::storage::{
    Batch, CollectionNumber, DocumentReader, DocumentWriter, Head, IndexKey, IndexNumber, Page, StorageError,
    StorageFuture, StoredChange, StoredDocument, StoredEntry,
};
use crate::store::sql::layer::LentTransaction;

/// The first statement decides which state is read.
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";

/// Each statement sees what was committed when it began, so what is read after the lock is the newest.
const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// A transaction for documents.
pub(super) struct Transaction {
    inner: LentTransaction,
    removals: Arc<Removals>,
    patience: Duration,
    /// The heads as they were when they were locked, until they are written.
    locked: Vec<(CollectionNumber, Head)>,
}

impl Transaction {
    pub(super) async fn read(connections: &Connections, removals: &Arc<Removals>) -> Result<Self, StorageError> {
        let patience = connections.patience;
        let inner = begin(&connections.reader, patience, READ).await?;
        Ok(Self { inner, removals: Arc::clone(removals), patience, locked: Vec::new() })
    }

    /// Begins a write, and waits until no other transaction writes to the collections.
    ///
    /// The heads are locked in the order of their numbers, so that two nodes never wait for each other. Documents are read
    /// by later statements: one that locked and read at once would see them as they were before it waited.
    pub(super) async fn write(
        connections: &Connections,
        removals: &Arc<Removals>,
        collections: &[CollectionNumber],
    ) -> Result<Self, StorageError> {
        let patience = connections.patience;
        let mut inner = begin(&connections.writer, patience, WRITE).await?;
        let lock = "SELECT seq, documents, bytes, number FROM heads WHERE number = ANY($1) ORDER BY number \
             FOR NO KEY UPDATE";
        let numbers: Vec<i64> = collections.iter().map(|number| number.0).collect();
        let rows = answer(patience, sqlx::query(lock).bind(numbers).fetch_all(&mut *inner)).await?;
        let head = |row: &PgRow| Ok((CollectionNumber(row.try_get(3).map_err(failed)?), head_of(row)?));
        let locked: Result<Vec<_>, StorageError> = rows.iter().map(head).collect();
        Ok(Self { inner, removals: Arc::clone(removals), patience, locked: locked? })
    }
}

impl DocumentReader for Transaction {
    fn head(&mut self, collection: CollectionNumber) -> StorageFuture<'_, Head> {
        Box::pin(async move {
            if let Some((_, head)) = self.locked.iter().find(|(number, _)| *number == collection) {
                return Ok(*head);
            }
            let head = "SELECT seq, documents, bytes FROM heads WHERE number = $1";
            let read = sqlx::query(head).bind(collection.0).fetch_optional(&mut *self.inner);
            let row = answer(self.patience, read).await?;
            head_of(&row.ok_or_else(|| missing(collection))?)
        })
    }

    fn documents(&mut self, collection: CollectionNumber, ids: Vec<String>) -> StorageFuture<'_, Vec<StoredDocument>> {
        Box::pin(documents_with(self.patience, &mut self.inner, collection, ids))
    }

    fn page(&mut self, page: Page) -> StorageFuture<'_, Vec<StoredEntry>> {
        Box::pin(async move {
            let by_index = page.index.is_some();
            let query = query(statement(page)?);
            let rows = answer(self.patience, query.fetch_all(&mut *self.inner)).await?;
            rows.iter().map(|row| entry_of(row, by_index)).collect()
        })
    }

    fn changes(
        &mut self,
        collection: CollectionNumber,
        after: u64,
        limit: usize,
    ) -> StorageFuture<'_, Vec<StoredChange>> {
        Box::pin(async move {
            let purged_to = "SELECT purged_to FROM heads WHERE number = $1";
            let read = sqlx::query(purged_to).bind(collection.0).fetch_optional(&mut *self.inner);
            let purged_to = read_number(&answer(self.patience, read).await?.ok_or_else(|| missing(collection))?, 0)?;
            if after < purged_to {
                return Err(StorageError::Purged { after, purged_to });
            }
            let changes =
                "SELECT id, fields, seq FROM documents WHERE collection = $1 AND seq > $2 ORDER BY seq LIMIT $3";
            let read = sqlx::query(changes)
                .bind(collection.0)
                .bind(write_number(after)?)
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&mut *self.inner);
            let rows = answer(self.patience, read).await?;
            rows.iter().map(change_of).collect()
        })
    }
}

impl DocumentWriter for Transaction {
    fn holders(&mut self, mut keys: Vec<IndexKey>) -> StorageFuture<'_, Vec<(IndexKey, String)>> {
        Box::pin(async move {
            keys.sort_unstable();
            keys.dedup();
            let indexes: Vec<i64> = keys.iter().map(|key| key.index.0).collect();
            let keys: Vec<Vec<u8>> = keys.into_iter().map(|key| key.key).collect();
            let find = "SELECT held.index_number, held.key, held.id \
                 FROM UNNEST($1::bigint[], $2::bytea[]) AS wanted (index_number, key) \
                 JOIN document_keys AS held ON held.index_number = wanted.index_number AND held.key = wanted.key";
            let find = sqlx::query(find).bind(indexes).bind(keys).fetch_all(&mut *self.inner);
            let rows = answer(self.patience, find).await?;
            rows.iter()
                .map(|row| {
                    let index = IndexNumber(row.try_get(0).map_err(failed)?);
                    Ok((IndexKey { index, key: row.try_get(1).map_err(failed)? }, row.try_get(2).map_err(failed)?))
                })
                .collect()
        })
    }

    fn put(&mut self, mut batch: Batch) -> StorageFuture<'_, ()> {
        Box::pin(async move {
            // Rows that are neighbours in a table are on the same pages.
            batch.documents.sort_unstable_by(|(a, one), (b, other)| (a, &one.id).cmp(&(b, &other.id)));
            batch.removed_entries.sort_unstable();
            batch.added_entries.sort_unstable();
            self.locked.clear();
            put(self.patience, &mut self.inner, &batch).await?;
            let purge = purge(&mut self.inner, &self.removals, &batch.documents);
            answer(self.patience, purge).await
        })
    }

    fn commit(self: Box<Self>) -> StorageFuture<'static, ()> {
        Box::pin(async move { answer_to_commit(self.patience, self.inner.commit()).await })
    }
}

/// Reads the columns `id, fields, seq` of a row.
fn change_of(row: &PgRow) -> Result<StoredChange, StorageError> {
    Ok(StoredChange {
        id: row.try_get(0).map_err(failed)?,
        fields: row.try_get(1).map_err(failed)?,
        version: read_number(row, 2)?,
    })
}

fn missing(collection: CollectionNumber) -> StorageError {
    StorageError::Failed(format!("the database has no collection with the number {}", collection.0))
}
