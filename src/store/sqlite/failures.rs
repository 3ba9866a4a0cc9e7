//! Counters of failures, in SQL.

use super::row::{failed, get, optional_time, time};
use super::{SqliteStore, Touches};
use crate::clock::Timestamp;
use crate::store::attempt::FailureCounters;
use crate::store::{Attempts, FailureRule, StoreFuture};

impl FailureCounters for SqliteStore {
    fn attempts<'store>(&'store self, key: &'store str) -> StoreFuture<'store, Attempts> {
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
    ) -> StoreFuture<'store, Attempts> {
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
                        let is_over = rule.starts_again() && blocked_until.is_some_and(|until| until <= now);
                        let failures = if is_fresh && !is_over { get(row, "failures")? } else { 0 };
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

    fn forget_failures<'store>(&'store self, key: &'store str) -> StoreFuture<'store, ()> {
        Box::pin(
            async move { self.change(sqlx::query("DELETE FROM failures WHERE key = $1").bind(key)).await.map(drop) },
        )
    }

    fn delete_old_failures(&self, before: Timestamp, now: Timestamp, most: u32) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let old = "DELETE FROM failures WHERE last_at < $1 AND (blocked_until IS NULL OR blocked_until <= $2)";
            self.change(sqlx::query(old).bind(before.milliseconds()).bind(now.milliseconds())).await?;
            let too_many = "DELETE FROM failures WHERE key IN (SELECT key FROM failures \
                 WHERE blocked_until IS NULL OR blocked_until <= $1 ORDER BY last_at \
                 LIMIT max(0, (SELECT count(*) FROM failures) - $2))";
            self.change(sqlx::query(too_many).bind(now.milliseconds()).bind(most)).await.map(drop)
        })
    }
}
