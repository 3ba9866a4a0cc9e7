//! [`PostgresDocuments`]: stored collections in PostgreSQL.
//!
//! - `connections`: the connections, and what is set in each;
//! - `transaction`: reads from one state, and writes, of which those to one collection run one after the other;
//! - `page`, `put`: the statements with more than a line;
//! - `indexes`: how indexes are added and dropped;
//! - `hints`: what other nodes tell of their changes;
//! - `purge`: how the rows of removed documents end;
//! - `failure`: the errors of PostgreSQL in plain words.

mod connections;
mod failure;
#[cfg(test)]
mod follower_tests;
mod hints;
mod indexes;
mod page;
mod purge;
mod put;
#[cfg(test)]
mod tests;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use tokio::sync::OnceCell;

use super::{OTHERS, others};
use crate::collection::storage::{
    CollectionNumber, CollectionSummary, DocumentReader, DocumentStore, DocumentWriter, Head, Hints, IndexNumber,
    StorageError, StorageFuture, StoredCollection, StoredDocument,
};
use connections::{Connections, read, write_numbered};
use failure::{answer, failed, read_number, refuse_nul};
use hints::PostgresHints;
use purge::Removals;
use transaction::Transaction;

/// The channel on which a transaction tells of its changes: `COLLECTION VERSION`, both as numbers. Such a message is a
/// hint: it may be lost, and what counts is in the tables.
const CHANNEL: &str = "bolide_documents";

/// The stored collections of a database.
pub(in crate::store) struct PostgresDocuments {
    options: PgConnectOptions,
    /// The maximum number of connections that read documents.
    readers: u32,
    /// The time after which a connection without an answer is given up.
    patience: Duration,
    /// Opened by the first operation, so that an app without stored collections has no connections for them.
    connections: OnceCell<Connections>,
    removals: Arc<Removals>,
}

impl PostgresDocuments {
    /// Returns the stored collections of a database, whose tables exist.
    pub(in crate::store) fn new(options: PgConnectOptions, readers: u32, patience: Duration) -> Self {
        Self { options, readers, patience, connections: OnceCell::new(), removals: Arc::default() }
    }

    async fn connections(&self) -> Result<&Connections, StorageError> {
        self.connections
            .get_or_try_init(async || {
                let connections = Connections::open(&self.options, self.readers, self.patience).await?;
                tokio::spawn(indexes::finish_removals(connections.clone()));
                Ok(connections)
            })
            .await
    }
}

impl DocumentStore for PostgresDocuments {
    fn open<'storage>(&'storage self, name: &'storage str) -> StorageFuture<'storage, StoredCollection> {
        Box::pin(async move {
            refuse_nul([name])?;
            let connections = self.connections().await?;
            let number = match number_of(connections, name).await? {
                Some(number) => number,
                None => make(connections, name).await?,
            };
            Ok(StoredCollection { number, indexes: indexes::of_collection(connections, number).await? })
        })
    }

    fn collections(&self) -> StorageFuture<'_, Vec<CollectionSummary>> {
        Box::pin(async move {
            let all = "SELECT seq, documents, bytes, number, collection FROM heads ORDER BY collection";
            let connections = self.connections().await?;
            let rows = read(connections, || sqlx::query(all)).await?;
            rows.iter()
                .map(|row| {
                    let number = CollectionNumber(row.try_get(3).map_err(failed)?);
                    Ok(CollectionSummary { name: row.try_get(4).map_err(failed)?, number, head: head_of(row)? })
                })
                .collect()
        })
    }

    fn add_index<'storage>(
        &'storage self,
        collection: CollectionNumber,
        name: &'storage str,
    ) -> StorageFuture<'storage, IndexNumber> {
        Box::pin(async move {
            refuse_nul([name])?;
            indexes::add(self.connections().await?, collection, name).await
        })
    }

    fn finish_index(&self, index: IndexNumber) -> StorageFuture<'_, ()> {
        Box::pin(async move { indexes::finish(self.connections().await?, index).await })
    }

    fn drop_index(&self, index: IndexNumber) -> StorageFuture<'_, ()> {
        Box::pin(async move {
            let connections = self.connections().await?;
            indexes::leave(connections, index).await?;
            tokio::spawn(indexes::finish_removals(connections.clone()));
            Ok(())
        })
    }

    fn documents(&self, collection: CollectionNumber, ids: Vec<String>) -> StorageFuture<'_, Vec<StoredDocument>> {
        Box::pin(async move {
            let connections = self.connections().await?;
            let ids = distinct_without_nul(ids);
            let find = || sqlx::query(FIND).bind(collection.0).bind(&ids);
            read(connections, find).await?.iter().map(document_of).collect()
        })
    }

    fn read(&self) -> StorageFuture<'_, Box<dyn DocumentReader>> {
        Box::pin(async move {
            let reading = Transaction::read(self.connections().await?, &self.removals).await?;
            Ok(Box::new(reading) as Box<dyn DocumentReader>)
        })
    }

    fn write(&self, collections: Vec<CollectionNumber>) -> StorageFuture<'_, Box<dyn DocumentWriter>> {
        Box::pin(async move {
            let writing = Transaction::write(self.connections().await?, &self.removals, &collections).await?;
            Ok(Box::new(writing) as Box<dyn DocumentWriter>)
        })
    }

    fn has_others(&self) -> StorageFuture<'_, bool> {
        Box::pin(async move {
            let connections = self.connections().await?;
            let rows = read(connections, || sqlx::query(OTHERS).bind(others())).await?;
            let count = rows.first().map_or(Ok(0), |row| row.try_get::<i64, _>(0)).map_err(failed)?;
            Ok(count > 0)
        })
    }

    fn listen(&self) -> StorageFuture<'_, Option<Box<dyn Hints>>> {
        Box::pin(async move {
            let hints = PostgresHints::listen(&self.options, self.patience).await?;
            Ok(Some(Box::new(hints) as Box<dyn Hints>))
        })
    }
}

async fn number_of(connections: &Connections, name: &str) -> Result<Option<CollectionNumber>, StorageError> {
    let find = "SELECT number FROM heads WHERE collection = $1";
    let rows = read(connections, || sqlx::query(find).bind(name)).await?;
    rows.first().map(|row| row.try_get(0).map(CollectionNumber).map_err(failed)).transpose()
}

/// Makes a collection, unless another task or node has made it since.
async fn make(connections: &Connections, name: &str) -> Result<CollectionNumber, StorageError> {
    let make = "INSERT INTO heads (collection, seq, purged_to, documents, bytes) VALUES ($1, 0, 0, 0, 0) \
         ON CONFLICT (collection) DO UPDATE SET collection = excluded.collection RETURNING number";
    write_numbered(connections, sqlx::query(make).bind(name)).await.map(CollectionNumber)
}

/// Looks up one id after another. With `id = ANY($2)`, PostgreSQL before 17 prefers to read the whole collection by another
/// index as long as it has no statistics of the table, and keeps that plan.
const FIND: &str = "SELECT d.id, d.fields, d.seq FROM unnest($2) AS wanted(id) CROSS JOIN LATERAL \
     (SELECT id, fields, seq FROM documents WHERE collection = $1 AND id = wanted.id AND fields IS NOT NULL LIMIT 1) AS d";

/// Returns each id once, without those that PostgreSQL refuses to look for. No document has such an id.
fn distinct_without_nul(mut ids: Vec<String>) -> Vec<String> {
    ids.retain(|id| !id.contains('\0'));
    ids.sort_unstable();
    ids.dedup();
    ids
}

async fn documents_with(
    patience: Duration,
    connection: &mut PgConnection,
    collection: CollectionNumber,
    ids: Vec<String>,
) -> Result<Vec<StoredDocument>, StorageError> {
    let find = sqlx::query(FIND).bind(collection.0).bind(distinct_without_nul(ids)).fetch_all(connection);
    answer(patience, find).await?.iter().map(document_of).collect()
}

/// Reads the columns `id, fields, seq` at the start of a row.
fn document_of(row: &PgRow) -> Result<StoredDocument, StorageError> {
    Ok(StoredDocument {
        id: row.try_get(0).map_err(failed)?,
        fields: row.try_get(1).map_err(failed)?,
        version: read_number(row, 2)?,
    })
}

/// Reads the columns `seq, documents, bytes` at the start of a row.
fn head_of(row: &PgRow) -> Result<Head, StorageError> {
    Ok(Head { version: read_number(row, 0)?, documents: read_number(row, 1)?, bytes: read_number(row, 2)? })
}
