//! The audit log, in SQL.

use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::row::{failed, get, time};
use super::{SqliteStore, Touches};
use crate::clock::Timestamp;
use crate::store::audit::Audit;
use crate::store::{AuditEntry, AuditFilter, StoreError, StoreFuture, Topic};

impl Audit for SqliteStore {
    fn record(&self, entries: Vec<AuditEntry>, most: u32) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.transaction(Touches::Topic(Topic::Audit), move |connection| {
                Box::pin(async move {
                    for entry in entries {
                        if !merge(connection, &entry).await? {
                            insert(connection, entry).await?;
                        }
                    }
                    // Only the oldest are ever deleted, so the numbers tell how many there are.
                    let old = sqlx::query("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - $1");
                    old.bind(most).execute(&mut *connection).await.map_err(failed)?;
                    Ok(())
                })
            })
            .await
        })
    }

    fn audit(&self, filter: AuditFilter) -> StoreFuture<'_, Vec<AuditEntry>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT * FROM audit WHERE ($1 IS NULL OR user_id = $1) AND ($2 IS NULL OR substr(event, 1, length($2)) = $2) \
                 AND ($3 IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
            )
            .bind(filter.user.map(String::from))
            .bind(filter.event)
            .bind(filter.before)
            .bind(filter.limit)
            .fetch_all(&self.reader)
            .await
            .map_err(failed)?;
            let read = |row: &SqliteRow| {
                Ok(AuditEntry {
                    id: get(row, "id")?,
                    at: time(row, "at")?,
                    event: get(row, "event")?,
                    user: get::<Option<String>>(row, "user_id")?.map(Into::into),
                    actor: get::<Option<String>>(row, "actor")?.map(Into::into),
                    address: get(row, "address")?,
                    user_agent: get(row, "user_agent")?,
                    details: get(row, "details")?,
                    count: get(row, "count")?,
                    merge_key: None,
                })
            };
            rows.iter().map(read).collect()
        })
    }

    fn delete_audit(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let old = sqlx::query("DELETE FROM audit WHERE at < $1").bind(before.milliseconds());
            Ok(old.execute(&self.writer).await.map_err(failed)?.rows_affected())
        })
    }
}

/// Adds the count of an entry to the stored one with the same key. Returns `false` if there is no such entry.
async fn merge(connection: &mut SqliteConnection, entry: &AuditEntry) -> Result<bool, StoreError> {
    let Some(key) = &entry.merge_key else { return Ok(false) };
    // The count stays within its type.
    let merged = sqlx::query("UPDATE audit SET count = min(count + $2, 4294967295) WHERE merge_key = $1");
    let merged = merged.bind(key).bind(entry.count).execute(connection).await.map_err(failed)?;
    Ok(merged.rows_affected() > 0)
}

async fn insert(connection: &mut SqliteConnection, entry: AuditEntry) -> Result<(), StoreError> {
    let new = sqlx::query(
        "INSERT INTO audit (at, event, user_id, actor, address, user_agent, details, count, merge_key) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(entry.at.milliseconds())
    .bind(entry.event)
    .bind(entry.user.map(String::from))
    .bind(entry.actor.map(String::from))
    .bind(entry.address)
    .bind(entry.user_agent)
    .bind(entry.details)
    .bind(entry.count)
    .bind(entry.merge_key);
    new.execute(connection).await.map_err(failed)?;
    Ok(())
}
