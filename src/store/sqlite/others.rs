//! Counters of failures, settings, the audit log and stored documents, in SQL.

use sqlx::sqlite::SqliteRow;

use super::{Running, SqliteStore, Touches, failed, get, optional_time, time};
use crate::clock::Timestamp;
use crate::store::attempt::FailureCounters;
use crate::store::audit::Audit;
use crate::store::document::Documents;
use crate::store::setting::StoredSettings;
use crate::store::{Attempts, AuditEntry, AuditFilter, FailureRule, StoredDocument, Topic};

impl FailureCounters for SqliteStore {
    fn attempts<'store>(&'store self, key: &'store str) -> Running<'store, Attempts> {
        Box::pin(async move {
            let row = sqlx::query("SELECT * FROM failures WHERE key = $1").bind(key);
            let Some(row) = row.fetch_optional(&self.reader).await.map_err(failed)? else {
                return Ok(Attempts::default());
            };
            Ok(Attempts { failures: get(&row, "failures")?, blocked_until: optional_time(&row, "blocked_until")? })
        })
    }

    fn count_failure<'store>(
        &'store self,
        key: &'store str,
        rule: FailureRule,
        now: Timestamp,
    ) -> Running<'store, Attempts> {
        Box::pin(async move {
            let key = key.to_owned();
            self.transaction(Touches::Nothing, move |connection| {
                Box::pin(async move {
                    let row = sqlx::query("SELECT * FROM failures WHERE key = $1").bind(&key);
                    let row = row.fetch_optional(&mut *connection).await.map_err(failed)?;
                    let mut counted = Attempts::default();
                    if let Some(row) = &row {
                        let is_fresh = now < time(row, "last_at")?.plus(rule.forgotten_after);
                        let blocked_until = optional_time(row, "blocked_until")?;
                        let failures = if is_fresh { get(row, "failures")? } else { 0 };
                        counted = Attempts { failures, blocked_until };
                    }
                    if counted.is_blocked(now) {
                        return Ok(counted);
                    }
                    let failures = counted.failures.saturating_add(1);
                    let blocked_until = rule.block(failures).map(|block| now.plus(block));
                    sqlx::query(
                        "INSERT INTO failures (key, failures, last_at, blocked_until) VALUES ($1, $2, $3, $4) \
                         ON CONFLICT (key) DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at, \
                         blocked_until = excluded.blocked_until",
                    )
                    .bind(&key)
                    .bind(failures)
                    .bind(now.milliseconds())
                    .bind(blocked_until.map(Timestamp::milliseconds))
                    .execute(&mut *connection)
                    .await
                    .map_err(failed)?;
                    Ok(Attempts { failures, blocked_until })
                })
            })
            .await
        })
    }

    fn forget_failures<'store>(&'store self, key: &'store str) -> Running<'store, ()> {
        Box::pin(
            async move { self.change(sqlx::query("DELETE FROM failures WHERE key = $1").bind(key)).await.map(drop) },
        )
    }

    fn delete_old_failures(&self, before: Timestamp, now: Timestamp) -> Running<'_, ()> {
        Box::pin(async move {
            let old = "DELETE FROM failures WHERE last_at < $1 AND (blocked_until IS NULL OR blocked_until <= $2)";
            self.change(sqlx::query(old).bind(before.milliseconds()).bind(now.milliseconds())).await.map(drop)
        })
    }
}

impl StoredSettings for SqliteStore {
    fn settings(&self) -> Running<'_, Vec<(String, String)>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT id, json FROM settings").fetch_all(&self.reader).await.map_err(failed)?;
            rows.iter().map(|row| Ok((get(row, "id")?, get(row, "json")?))).collect()
        })
    }

    fn put_setting<'store>(&'store self, id: &'store str, json: &'store str, at: Timestamp) -> Running<'store, ()> {
        Box::pin(async move {
            let put = "INSERT INTO settings (id, json, changed_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (id) DO UPDATE SET json = excluded.json, changed_at = excluded.changed_at";
            self.change(sqlx::query(put).bind(id).bind(json).bind(at.milliseconds())).await.map(drop)
        })
    }

    fn delete_setting<'store>(&'store self, id: &'store str) -> Running<'store, ()> {
        Box::pin(async move { self.change(sqlx::query("DELETE FROM settings WHERE id = $1").bind(id)).await.map(drop) })
    }
}

impl Audit for SqliteStore {
    fn record(&self, entries: Vec<AuditEntry>) -> Running<'_, ()> {
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

    fn audit(&self, filter: AuditFilter) -> Running<'_, Vec<AuditEntry>> {
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

    fn delete_audit(&self, before: Timestamp) -> Running<'_, u64> {
        Box::pin(async move {
            let old = sqlx::query("DELETE FROM audit WHERE at < $1").bind(before.milliseconds());
            Ok(old.execute(&self.writer).await.map_err(failed)?.rows_affected())
        })
    }
}

impl Documents for SqliteStore {
    fn documents<'store>(&'store self, collection: &'store str) -> Running<'store, Vec<StoredDocument>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT id, fields FROM documents WHERE collection = $1").bind(collection);
            let rows = rows.fetch_all(&self.reader).await.map_err(failed)?;
            rows.iter().map(|row| Ok(StoredDocument { id: get(row, "id")?, fields: get(row, "fields")? })).collect()
        })
    }

    fn insert_document<'store>(
        &'store self,
        collection: &'store str,
        document: StoredDocument,
    ) -> Running<'store, bool> {
        let new = "INSERT INTO documents (collection, id, fields) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        self.change(sqlx::query(new).bind(collection).bind(document.id).bind(document.fields))
    }

    fn replace_document<'store>(
        &'store self,
        collection: &'store str,
        document: StoredDocument,
    ) -> Running<'store, bool> {
        let changed = "UPDATE documents SET fields = $3 WHERE collection = $1 AND id = $2";
        self.change(sqlx::query(changed).bind(collection).bind(document.id).bind(document.fields))
    }

    fn delete_document<'store>(&'store self, collection: &'store str, id: &'store str) -> Running<'store, bool> {
        self.change(sqlx::query("DELETE FROM documents WHERE collection = $1 AND id = $2").bind(collection).bind(id))
    }
}
