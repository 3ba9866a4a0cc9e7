//! [`Transaction`]: reads from one state of the database, and writes. If it is dropped, nothing is written.

use std::sync::Arc;

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row as _, Sqlite};

use super::failure::{failed, read_number, write_number};
use super::page::{PageStatement, entry_of};
use super::purge::{Removals, purge};
use super::{documents_with, head_of, rows};
use crate::collection::storage::{
    Batch, CollectionNumber, DocumentReader, DocumentWriter, Head, IndexKey, IndexNumber, Page, StorageError,
    StorageFuture, StoredChange, StoredDocument, StoredEntry,
};

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
        for (collection, head) in heads {
            sqlx::query("UPDATE heads SET seq = $2, documents = $3, bytes = $4 WHERE number = $1")
                .bind(collection.0)
                .bind(write_number(head.version)?)
                .bind(write_number(head.documents)?)
                .bind(write_number(head.bytes)?)
                .execute(&mut *self.inner)
                .await
                .map_err(failed)?;
        }
        Ok(())
    }

    async fn put_documents(&mut self, documents: &[(CollectionNumber, StoredChange)]) -> Result<(), StorageError> {
        for (text, chunk) in rows::PUT_DOCUMENTS.chunks(documents) {
            let mut query = sqlx::query(text);
            for (collection, change) in chunk {
                query = query.bind(collection.0).bind(change.id.as_str()).bind(change.fields.as_deref());
                query = query.bind(write_number(change.version)?);
            }
            query.execute(&mut *self.inner).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn remove_entries(&mut self, entries: &[(IndexKey, String)]) -> Result<(), StorageError> {
        for (text, chunk) in rows::DELETE_ENTRIES.chunks(entries) {
            let query = chunk.iter().fold(sqlx::query(text), |query, (IndexKey { index, key }, id)| {
                query.bind(index.0).bind(key.as_slice()).bind(id.as_str())
            });
            query.execute(&mut *self.inner).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn add_entries(&mut self, entries: &[(IndexKey, String, u32)]) -> Result<(), StorageError> {
        for (text, chunk) in rows::PUT_ENTRIES.chunks(entries) {
            let query = chunk.iter().fold(sqlx::query(text), |query, (IndexKey { index, key }, id, elements)| {
                query.bind(index.0).bind(key.as_slice()).bind(id.as_str()).bind(*elements)
            });
            query.execute(&mut *self.inner).await.map_err(failed)?;
        }
        Ok(())
    }
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
            let query = PageStatement::new(page)?.query();
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
                return Err(no_longer_known(after, purged_to));
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
            self.put_heads(&batch.heads).await?;
            self.put_documents(&batch.documents).await?;
            self.remove_entries(&batch.removed_entries).await?;
            self.add_entries(&batch.added_entries).await?;
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
    StorageError(format!("the database has no collection with the number {}", collection.0))
}

fn no_longer_known(after: u64, purged_to: u64) -> StorageError {
    StorageError(format!("removals up to {purged_to} are no longer kept, so the changes after {after} are not known"))
}
