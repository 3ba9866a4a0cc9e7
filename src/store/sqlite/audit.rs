//! The audit log, in SQL.

use sqlx::sqlite::SqliteRow;

use super::row::{failed, get, time};
use super::{SqliteStore, Touches};
use crate::clock::Timestamp;
use crate::store::audit::Audit;
use crate::store::{AuditEntry, AuditFilter, StoreFuture, Topic};

impl Audit for SqliteStore {
    fn record(&self, entries: Vec<AuditEntry>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.transaction(Touches::Topic(Topic::Audit), move |connection| {
                Box::pin(async move {
                    for entry in entries {
                        sqlx::query(
                            "INSERT INTO audit (at, event, user_id, actor, address, user_agent, details) \
                             VALUES ($1, $2, $3, $4, $5, $6, $7)",
                        )
                        .bind(entry.at.milliseconds())
                        .bind(entry.event)
                        .bind(entry.user.map(String::from))
                        .bind(entry.actor.map(String::from))
                        .bind(entry.address)
                        .bind(entry.user_agent)
                        .bind(entry.details)
                        .execute(&mut *connection)
                        .await
                        .map_err(failed)?;
                    }
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
