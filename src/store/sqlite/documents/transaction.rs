//! [`Transaction`]: reads from one state of the database, and writes. If it is dropped, nothing is written.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Row as _, Sqlite};

use super::failure::{failed, read_number, write_number};
use super::page::{entry_of, query, statement};
use super::purge::{Removals, purge};
use super::{documents_with, head_of, rows};
use crate::collection::storage::{
    Batch, CollectionNumber, DocumentReader, DocumentWriter, Head, IndexKey, IndexNumber, Page, StorageError,
    StorageFuture, StoredChange, StoredDocument, StoredEntry,
};

type Statement<'row> = Query<'row, Sqlite, SqliteArguments>;

/// A transaction for documents.
pub(super) struct Transaction {
    inner: sqlx::Transaction<'static, Sqlite>,
    removals: Arc<Removals>,
}

impl Transaction {
    pub(super) async fn read(pool: &SqlitePool, removals: &Arc<Removals>) -> Result<Self, StorageError> {
        let mut inner = pool.begin_with("BEGIN DEFERRED").await.map_err(failed)?;
        // The first read decides which state is read.
        sqlx::query("SELECT number FROM heads LIMIT 1").fetch_optional(&mut *inner).await.map_err(failed)?;
        Ok(Self { inner, removals: Arc::clone(removals) })
    }

    pub(super) async fn write(pool: &SqlitePool, removals: &Arc<Removals>) -> Result<Self, StorageError> {
        let inner = pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        Ok(Self { inner, removals: Arc::clone(removals) })
    }

    async fn put_heads(&mut self, heads: &[(CollectionNumber, Head)]) -> Result<(), StorageError> {
        for head in heads {
            self.run(bind_head(sqlx::query(rows::UPDATE_HEAD), head)?).await?;
        }
        Ok(())
    }

    async fn put_documents(&mut self, documents: &[(CollectionNumber, StoredChange)]) -> Result<(), StorageError> {
        for (text, chunk) in rows::PUT_DOCUMENTS.chunks(documents) {
            self.run(chunk.iter().try_fold(sqlx::query(text), bind_document)?).await?;
        }
        Ok(())
    }

    async fn remove_entries(&mut self, entries: &[(IndexKey, String)]) -> Result<(), StorageError> {
        for (text, chunk) in rows::DELETE_ENTRIES.chunks(entries) {
            self.run(chunk.iter().fold(sqlx::query(text), bind_removed)).await?;
        }
        Ok(())
    }

    async fn add_entries(&mut self, entries: &[(IndexKey, String, u32)]) -> Result<(), StorageError> {
        for (text, chunk) in rows::PUT_ENTRIES.chunks(entries) {
            self.run(chunk.iter().fold(sqlx::query(text), bind_added)).await?;
        }
        Ok(())
    }

    /// Writes a batch of one document as one statement. Returns whether it is one.
    async fn put_one(&mut self, batch: &Batch) -> Result<bool, StorageError> {
        let ([head], [document]) = (&*batch.heads, &*batch.documents) else { return Ok(false) };
        let text = rows::put_one(batch.removed_entries.len(), batch.added_entries.len());
        let Some(text) = text else { return Ok(false) };
        let query = bind_document(bind_head(sqlx::query(text), head)?, document)?;
        let query = batch.removed_entries.iter().fold(query, bind_removed);
        self.run(batch.added_entries.iter().fold(query, bind_added)).await?;
        Ok(true)
    }

    async fn run(&mut self, query: Statement<'_>) -> Result<(), StorageError> {
        query.execute(&mut *self.inner).await.map(drop).map_err(failed)
    }
}

fn bind_head<'row>(
    query: Statement<'row>,
    (collection, head): &'row (CollectionNumber, Head),
) -> Result<Statement<'row>, StorageError> {
    let query = query.bind(write_number(head.version)?).bind(write_number(head.documents)?);
    Ok(query.bind(write_number(head.bytes)?).bind(collection.0))
}

fn bind_document<'row>(
    query: Statement<'row>,
    (collection, change): &'row (CollectionNumber, StoredChange),
) -> Result<Statement<'row>, StorageError> {
    let query = query.bind(collection.0).bind(change.id.as_str()).bind(change.fields.as_deref());
    Ok(query.bind(write_number(change.version)?))
}

fn bind_removed<'row>(query: Statement<'row>, (entry, id): &'row (IndexKey, String)) -> Statement<'row> {
    query.bind(entry.index.0).bind(entry.key.as_slice()).bind(id.as_str())
}

fn bind_added<'row>(query: Statement<'row>, (entry, id, elements): &'row (IndexKey, String, u32)) -> Statement<'row> {
    query.bind(entry.index.0).bind(entry.key.as_slice()).bind(id.as_str()).bind(*elements)
}

impl DocumentReader for Transaction {
    fn head(&mut self, collection: CollectionNumber) -> StorageFuture<'_, Head> {
        Box::pin(async move {
            let head = "SELECT seq, documents, bytes FROM heads WHERE number = $1";
            let row = sqlx::query(head).bind(collection.0).fetch_optional(&mut *self.inner).await.map_err(failed)?;
            head_of(&row.ok_or_else(|| missing(collection))?)
        })
    }

    fn documents(&mut self, collection: CollectionNumber, ids: Vec<String>) -> StorageFuture<'_, Vec<StoredDocument>> {
        Box::pin(documents_with(&mut self.inner, collection, ids))
    }

    fn page(&mut self, page: Page) -> StorageFuture<'_, Vec<StoredEntry>> {
        Box::pin(async move {
            let by_index = page.index.is_some();
            let query = query(statement(page)?);
            let rows = query.fetch_all(&mut *self.inner).await.map_err(failed)?;
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
            let head = sqlx::query(purged_to).bind(collection.0).fetch_optional(&mut *self.inner).await;
            let purged_to = read_number(&head.map_err(failed)?.ok_or_else(|| missing(collection))?, 0)?;
            if after < purged_to {
                return Err(StorageError::Purged { after, purged_to });
            }
            let changes =
                "SELECT id, fields, seq FROM documents WHERE collection = $1 AND seq > $2 ORDER BY seq LIMIT $3";
            let rows = sqlx::query(changes)
                .bind(collection.0)
                .bind(write_number(after)?)
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&mut *self.inner)
                .await
                .map_err(failed)?;
            rows.iter().map(change_of).collect()
        })
    }
}

impl DocumentWriter for Transaction {
    fn holders(&mut self, mut keys: Vec<IndexKey>) -> StorageFuture<'_, Vec<(IndexKey, String)>> {
        Box::pin(async move {
            keys.sort_unstable();
            keys.dedup();
            let mut holders = Vec::new();
            for (text, chunk) in rows::SELECT_HOLDERS.chunks(&keys) {
                let query = chunk
                    .iter()
                    .fold(sqlx::query(text), |query, IndexKey { index, key }| query.bind(index.0).bind(key.as_slice()));
                for row in query.fetch_all(&mut *self.inner).await.map_err(failed)? {
                    let index = IndexNumber(row.try_get(0).map_err(failed)?);
                    let key = IndexKey { index, key: row.try_get(1).map_err(failed)? };
                    holders.push((key, row.try_get(2).map_err(failed)?));
                }
            }
            Ok(holders)
        })
    }

    fn put(&mut self, mut batch: Batch) -> StorageFuture<'_, ()> {
        Box::pin(async move {
            // Rows that are neighbours in a table are on the same pages.
            batch.documents.sort_unstable_by(|(a, one), (b, other)| (a, &one.id).cmp(&(b, &other.id)));
            batch.removed_entries.sort_unstable();
            batch.added_entries.sort_unstable();
            if !self.put_one(&batch).await? {
                self.put_heads(&batch.heads).await?;
                self.put_documents(&batch.documents).await?;
                self.remove_entries(&batch.removed_entries).await?;
                self.add_entries(&batch.added_entries).await?;
            }
            purge(&mut self.inner, &self.removals, &batch.documents).await
        })
    }

    fn commit(self: Box<Self>) -> StorageFuture<'static, ()> {
        Box::pin(async move { self.inner.commit().await.map_err(failed) })
    }
}

/// Reads the columns `id, fields, seq` of a row.
fn change_of(row: &SqliteRow) -> Result<StoredChange, StorageError> {
    Ok(StoredChange {
        id: row.try_get(0).map_err(failed)?,
        fields: row.try_get(1).map_err(failed)?,
        version: read_number(row, 2)?,
    })
}

fn missing(collection: CollectionNumber) -> StorageError {
    StorageError::Failed(format!("the database has no collection with the number {}", collection.0))
}
