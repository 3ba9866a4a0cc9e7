//! The audit log, in SQL.

use super::columns::time;
use super::layer::{Row, Serial, Transaction, query};
use super::{SqlStore, Touches};
use crate::clock::Timestamp;
use crate::store::audit::Audit;
use crate::store::{AuditEntry, AuditFilter, StoreError, StoreFuture, Topic};
use crate::user::UserId;

/// Adds the count of an entry to the stored one with the same key. The count stays within its type.
const MERGE: &str = "UPDATE audit SET count = CASE WHEN count + $2 > 4294967295 THEN 4294967295 ELSE count + $2 END \
     WHERE merge_key = $1";

impl Audit for SqlStore {
    fn record(&self, entries: Vec<AuditEntry>, most: u32) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.transaction(Touches::Topic(Topic::Audit), move |transaction| {
                Box::pin(async move {
                    transaction.take_turn(Serial::Audit).await?;
                    for entry in entries {
                        if !merge(transaction, &entry).await? {
                            insert(transaction, entry).await?;
                        }
                    }
                    // Only the oldest are ever deleted, so the numbers tell how many there are.
                    let old = query("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - $1");
                    old.bind(most).execute(transaction).await?;
                    Ok(())
                })
            })
            .await
        })
    }

    fn audit(&self, filter: AuditFilter) -> StoreFuture<'_, Vec<AuditEntry>> {
        Box::pin(async move {
            let rows = query(
                "SELECT id, at, event, user_id, actor, address, user_agent, details, count FROM audit \
                 WHERE (CAST($1 AS TEXT) IS NULL OR user_id = $1) \
                 AND (CAST($2 AS TEXT) IS NULL OR substr(event, 1, length($2)) = $2) \
                 AND (CAST($3 AS BIGINT) IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
            )
            .bind(filter.user.map(String::from))
            .bind(filter.event)
            .bind(filter.before)
            .bind(filter.limit);
            rows.fetch_all(&self.database.reader).await?.iter().map(read).collect()
        })
    }

    fn delete_audit(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            self.transaction(Touches::Nothing, move |transaction| {
                Box::pin(async move {
                    transaction.take_turn(Serial::Audit).await?;
                    let old = query("DELETE FROM audit WHERE at < $1").bind(before.milliseconds());
                    Ok(old.execute(transaction).await?)
                })
            })
            .await
        })
    }
}

/// Returns `false` if there is no stored entry with the same key.
async fn merge(transaction: &mut Transaction, entry: &AuditEntry) -> Result<bool, StoreError> {
    let Some(key) = &entry.merge_key else { return Ok(false) };
    Ok(query(MERGE).bind(key).bind(entry.count).execute(transaction).await? > 0)
}

async fn insert(transaction: &mut Transaction, entry: AuditEntry) -> Result<(), StoreError> {
    let new = query(
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
    new.execute(transaction).await?;
    Ok(())
}

fn read(row: &Row) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.get("id")?,
        at: time(row, "at")?,
        event: row.get("event")?,
        user: optional_user(row, "user_id")?,
        actor: optional_user(row, "actor")?,
        address: row.get("address")?,
        user_agent: row.get("user_agent")?,
        details: row.get("details")?,
        count: row.get_u32("count")?,
        merge_key: None,
    })
}

fn optional_user(row: &Row, column: &str) -> Result<Option<UserId>, StoreError> {
    Ok(row.get::<Option<String>>(column)?.map(Into::into))
}
