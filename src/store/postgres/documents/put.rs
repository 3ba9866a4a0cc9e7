//! Writes a batch with one statement, whatever its size: the rows are arrays.

use std::collections::HashSet;
use std::time::Duration;

use sqlx::postgres::PgConnection;

use super::CHANNEL;
use super::failure::{answer, refuse_nul, write_number};
use crate::collection::storage::{Batch, CollectionNumber, Head, IndexKey, StorageError, StoredChange};

/// Its parts see the tables as they were before it, so none of them may write what another one writes.
const PUT: &str = "\
WITH put_documents AS (
    INSERT INTO documents (collection, id, fields, seq)
    SELECT new.collection, new.id, new.fields, new.seq
    FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::bigint[]) AS new (collection, id, fields, seq)
    ON CONFLICT (collection, id) DO UPDATE SET fields = excluded.fields, seq = excluded.seq
), removed_entries AS (
    DELETE FROM document_keys AS old
    USING UNNEST($5::bigint[], $6::bytea[], $7::text[]) AS gone (index_number, key, id)
    WHERE old.index_number = gone.index_number AND old.key = gone.key AND old.id = gone.id
), added_entries AS (
    INSERT INTO document_keys (index_number, key, id, elements)
    SELECT new.index_number, new.key, new.id, new.elements
    FROM UNNEST($8::bigint[], $9::bytea[], $10::text[], $11::bigint[]) AS new (index_number, key, id, elements)
    ON CONFLICT (index_number, key, id) DO UPDATE SET elements = excluded.elements
), put_heads AS (
    UPDATE heads SET seq = new.seq, documents = new.documents, bytes = new.bytes
    FROM UNNEST($12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[]) AS new (number, seq, documents, bytes)
    WHERE heads.number = new.number
)
SELECT count(pg_notify($16, new.number || ' ' || new.seq))
FROM UNNEST($12::bigint[], $13::bigint[]) AS new (number, seq)";

/// Writes documents, entries and heads, and tells of the changes when they are committed.
pub(super) async fn put(patience: Duration, connection: &mut PgConnection, batch: &Batch) -> Result<(), StorageError> {
    refuse_nul(batch.documents.iter().flat_map(|(_, change)| [Some(&*change.id), change.fields.as_deref()]).flatten())?;
    let documents = DocumentColumns::of(&batch.documents)?;
    let kept: HashSet<(&IndexKey, &str)> = batch.added_entries.iter().map(|(key, id, _)| (key, id.as_str())).collect();
    let gone = batch.removed_entries.iter().filter(|(key, id)| !kept.contains(&(key, id.as_str())));
    let removed = EntryColumns::of(gone.map(|(key, id)| (key, id)));
    let added = EntryColumns::of(batch.added_entries.iter().map(|(key, id, _)| (key, id)));
    let elements: Vec<i64> = batch.added_entries.iter().map(|(_, _, elements)| i64::from(*elements)).collect();
    let heads = HeadColumns::of(&batch.heads)?;
    let put = sqlx::query(PUT)
        .bind(documents.collections)
        .bind(documents.ids)
        .bind(documents.fields)
        .bind(documents.versions)
        .bind(removed.indexes)
        .bind(removed.keys)
        .bind(removed.ids)
        .bind(added.indexes)
        .bind(added.keys)
        .bind(added.ids)
        .bind(elements)
        .bind(heads.numbers)
        .bind(heads.versions)
        .bind(heads.documents)
        .bind(heads.bytes)
        .bind(CHANNEL)
        .execute(connection);
    answer(patience, put).await.map(drop)
}

struct DocumentColumns<'batch> {
    collections: Vec<i64>,
    ids: Vec<&'batch str>,
    fields: Vec<Option<&'batch str>>,
    versions: Vec<i64>,
}

impl<'batch> DocumentColumns<'batch> {
    fn of(documents: &'batch [(CollectionNumber, StoredChange)]) -> Result<Self, StorageError> {
        let versions: Result<_, _> = documents.iter().map(|(_, change)| write_number(change.version)).collect();
        Ok(Self {
            collections: documents.iter().map(|(collection, _)| collection.0).collect(),
            ids: documents.iter().map(|(_, change)| change.id.as_str()).collect(),
            fields: documents.iter().map(|(_, change)| change.fields.as_deref()).collect(),
            versions: versions?,
        })
    }
}

#[derive(Default)]
struct EntryColumns<'batch> {
    indexes: Vec<i64>,
    keys: Vec<&'batch [u8]>,
    ids: Vec<&'batch str>,
}

impl<'batch> EntryColumns<'batch> {
    fn of(entries: impl Iterator<Item = (&'batch IndexKey, &'batch String)>) -> Self {
        let mut columns = Self::default();
        for (IndexKey { index, key }, id) in entries {
            columns.indexes.push(index.0);
            columns.keys.push(key);
            columns.ids.push(id);
        }
        columns
    }
}

#[derive(Default)]
struct HeadColumns {
    numbers: Vec<i64>,
    versions: Vec<i64>,
    documents: Vec<i64>,
    bytes: Vec<i64>,
}

impl HeadColumns {
    fn of(heads: &[(CollectionNumber, Head)]) -> Result<Self, StorageError> {
        let mut columns = Self::default();
        for (collection, head) in heads {
            columns.numbers.push(collection.0);
            columns.versions.push(write_number(head.version)?);
            columns.documents.push(write_number(head.documents)?);
            columns.bytes.push(write_number(head.bytes)?);
        }
        Ok(columns)
    }
}
