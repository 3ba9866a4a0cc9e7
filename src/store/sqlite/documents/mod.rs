//! [`SqliteDocuments`]: stored collections in SQLite.
//!
//! - `place`: the database and its connections;
//! - `transaction`: reads from one state, and writes;
//! - `page`, `rows`: the statements;
//! - `indexes`: how indexes are added and dropped;
//! - `purge`: how the rows of removed documents end;
//! - `failure`: the errors of SQLite in plain words.
//!
//! The statements are in the common dialect of SQLite and PostgreSQL. Text is ordered by its bytes.

pub(super) mod failure;
mod indexes;
mod page;
mod place;
mod purge;
mod rows;
#[cfg(test)]
mod tests;
mod transaction;

use std::sync::Arc;

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use tokio::sync::OnceCell;

use crate::collection::storage::{
    CollectionNumber, CollectionSummary, DocumentReader, DocumentStore, DocumentWriter, Head, Hints, IndexNumber,
    StorageError, StorageFuture, StoredCollection, StoredDocument,
};
use failure::{failed, read_number};
use place::Connections;
pub(super) use place::Place;
use purge::Removals;
use transaction::Transaction;

/// The stored collections of a database.
pub(super) struct SqliteDocuments {
    place: Place,
    /// Opened by the first operation, so that an app without stored collections has no connections for them.
    connections: OnceCell<Connections>,
    removals: Arc<Removals>,
}

impl SqliteDocuments {
    pub(super) fn new(place: Place) -> Self {
        Self { place, connections: OnceCell::new(), removals: Arc::default() }
    }

    async fn connections(&self) -> Result<&Connections, StorageError> {
        self.connections
            .get_or_try_init(async || {
                let connections = self.place.connect().await?;
                tokio::spawn(indexes::finish_removals(connections.writer.clone()));
                Ok(connections)
            })
            .await
    }
}

impl DocumentStore for SqliteDocuments {
    fn open<'storage>(&'storage self, name: &'storage str) -> StorageFuture<'storage, StoredCollection> {
        Box::pin(async move {
            let connections = self.connections().await?;
            let number = match number_of(connections, name).await? {
                Some(number) => number,
                None => make(connections, name).await?,
            };
            Ok(StoredCollection { number, indexes: indexes::of_collection(&connections.reader, number).await? })
        })
    }

    fn collections(&self) -> StorageFuture<'_, Vec<CollectionSummary>> {
        Box::pin(async move {
            let all = "SELECT seq, documents, bytes, number, collection FROM heads ORDER BY collection";
            let rows = sqlx::query(all).fetch_all(&self.connections().await?.reader).await.map_err(failed)?;
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
        Box::pin(async move { indexes::add(&self.connections().await?.writer, collection, name).await })
    }

    fn finish_index(&self, index: IndexNumber) -> StorageFuture<'_, ()> {
        Box::pin(async move { indexes::finish(&self.connections().await?.writer, index).await })
    }

    fn drop_index(&self, index: IndexNumber) -> StorageFuture<'_, ()> {
        Box::pin(async move {
            let writer = &self.connections().await?.writer;
            indexes::leave(writer, index).await?;
            tokio::spawn(indexes::finish_removals(writer.clone()));
            Ok(())
        })
    }

    fn documents(&self, collection: CollectionNumber, ids: Vec<String>) -> StorageFuture<'_, Vec<StoredDocument>> {
        Box::pin(async move {
            let mut connection = self.connections().await?.reader.acquire().await.map_err(failed)?;
            documents_with(&mut connection, collection, ids).await
        })
    }

    fn read(&self) -> StorageFuture<'_, Box<dyn DocumentReader>> {
        Box::pin(async move {
            let reading = Transaction::read(&self.connections().await?.reader, &self.removals).await?;
            Ok(Box::new(reading) as Box<dyn DocumentReader>)
        })
    }

    /// Begins a write. The database has one writer, so this waits for all other writes and not only those to the same
    /// collections.
    fn write(&self, _collections: Vec<CollectionNumber>) -> StorageFuture<'_, Box<dyn DocumentWriter>> {
        Box::pin(async move {
            let writing = Transaction::write(&self.connections().await?.writer, &self.removals).await?;
            Ok(Box::new(writing) as Box<dyn DocumentWriter>)
        })
    }

    /// Returns `false`: the file is locked.
    fn has_others(&self) -> StorageFuture<'_, bool> {
        Box::pin(async { Ok(false) })
    }

    /// Returns `None`: the file is locked, so that no other process writes to it.
    fn listen(&self) -> StorageFuture<'_, Option<Box<dyn Hints>>> {
        Box::pin(async { Ok(None) })
    }
}

async fn number_of(connections: &Connections, name: &str) -> Result<Option<CollectionNumber>, StorageError> {
    let find = sqlx::query_scalar("SELECT number FROM heads WHERE collection = $1").bind(name);
    let number: Option<i64> = find.fetch_optional(&connections.reader).await.map_err(failed)?;
    Ok(number.map(CollectionNumber))
}

/// Makes a collection, unless another task has made it since.
async fn make(connections: &Connections, name: &str) -> Result<CollectionNumber, StorageError> {
    let make = "INSERT INTO heads (collection, seq, purged_to, documents, bytes) VALUES ($1, 0, 0, 0, 0) \
         ON CONFLICT (collection) DO UPDATE SET collection = excluded.collection RETURNING number";
    let number = sqlx::query_scalar(make).bind(name).fetch_one(&connections.writer).await;
    number.map(CollectionNumber).map_err(failed)
}

async fn documents_with(
    connection: &mut SqliteConnection,
    collection: CollectionNumber,
    mut ids: Vec<String>,
) -> Result<Vec<StoredDocument>, StorageError> {
    ids.sort_unstable();
    ids.dedup();
    let mut documents = Vec::with_capacity(ids.len());
    for (text, ids) in rows::SELECT_DOCUMENTS.chunks(&ids) {
        let query = ids.iter().fold(sqlx::query(text), |query, id| query.bind(collection.0).bind(id.as_str()));
        for row in query.fetch_all(&mut *connection).await.map_err(failed)? {
            documents.push(document_of(&row)?);
        }
    }
    Ok(documents)
}

/// Reads the columns `id, fields, seq` at the start of a row.
fn document_of(row: &SqliteRow) -> Result<StoredDocument, StorageError> {
    Ok(StoredDocument {
        id: row.try_get(0).map_err(failed)?,
        fields: row.try_get(1).map_err(failed)?,
        version: read_number(row, 2)?,
    })
}

/// Reads the columns `seq, documents, bytes` at the start of a row.
fn head_of(row: &SqliteRow) -> Result<Head, StorageError> {
    Ok(Head { version: read_number(row, 0)?, documents: read_number(row, 1)?, bytes: read_number(row, 2)? })
}
