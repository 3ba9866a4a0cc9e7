//! The mails that wait to be sent, in SQL.

use super::columns::{optional_time, time, unreadable};
use super::layer::{Row, Sql, SqlError, list_size, placeholders, query};
use super::{SqlStore, Touches};
use crate::clock::Timestamp;
use crate::store::mail::{MailKind, SealedMail};
use crate::store::outgoing::{MailId, MailState, NextAttempt, Outgoing, OutgoingMail, QueuedMail};
use crate::store::{Sealed, StoreError, StoreFuture, Topic};

const MAILS: Touches<'static> = Touches::Topic(Topic::Mails);

/// Finds mails that are due. Of two workers of two nodes, the second finds those that the first has not locked.
const DUE: Sql = Sql::each(
    "SELECT id, kind, recipients, subject, body, created_at, expires_at, failures FROM mails \
     WHERE next_attempt_at <= $1 ORDER BY next_attempt_at, id LIMIT $2",
    "SELECT id, kind, recipients, subject, body, created_at, expires_at, failures FROM mails \
     WHERE next_attempt_at <= $1 ORDER BY next_attempt_at, id LIMIT $2 FOR UPDATE SKIP LOCKED",
);

impl Outgoing for SqlStore {
    fn add<'store>(&'store self, mail: &'store SealedMail, now: Timestamp) -> StoreFuture<'store, MailId> {
        Box::pin(async move {
            let to = serde_json::Value::from(mail.to.clone()).to_string();
            let added = query(
                "INSERT INTO mails (kind, recipients, subject, body, created_at, expires_at, next_attempt_at, failures) \
                 VALUES ($1, $2, $3, $4, $5, $6, $5, 0) RETURNING id",
            )
            .bind(mail.kind.as_str())
            .bind(to)
            .bind(&mail.subject)
            .bind(mail.body.as_bytes())
            .bind(now.milliseconds())
            .bind(mail.expires_at.map(Timestamp::milliseconds))
            .execute_returning(&self.database.writer)
            .await?;
            self.changes.tell(Topic::Mails);
            id(&added.ok_or(SqlError::Failed(sqlx::Error::RowNotFound))?)
        })
    }

    fn count_waiting(&self) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let count = query("SELECT count(*) FROM mails WHERE next_attempt_at IS NOT NULL");
            let count: i64 = count.fetch_one(&self.database.reader).await?.get(0)?;
            Ok(count.try_into().unwrap_or(0))
        })
    }

    fn claim(&self, now: Timestamp, until: Timestamp, limit: u32) -> StoreFuture<'_, Vec<QueuedMail>> {
        Box::pin(async move {
            let claimed = self.transaction(Touches::Nothing, move |transaction| {
                Box::pin(async move {
                    let due = query(DUE).bind(now.milliseconds()).bind(limit).fetch_all(&mut *transaction).await?;
                    let ids = due.iter().map(id).collect::<Result<Vec<_>, _>>()?;
                    if !ids.is_empty() {
                        let list = placeholders(2, list_size(ids.len()));
                        let claim = query(format!("UPDATE mails SET next_attempt_at = $1 WHERE id IN ({list})"));
                        let claim = claim.bind(until.milliseconds()).bind_list(ids.iter().map(|id| id.number()));
                        claim.execute(transaction).await?;
                    }
                    Ok(due)
                })
            });
            // Those that cannot be read are claimed as well, so that they do not keep others waiting.
            claimed.await?.iter().map(read_queued).collect()
        })
    }

    fn sent(&self, id: MailId) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.change_of(MAILS, query("DELETE FROM mails WHERE id = $1").bind(id.number())).await.map(drop)
        })
    }

    fn failed<'store>(
        &'store self,
        id: MailId,
        error: &'store str,
        next: NextAttempt,
        now: Timestamp,
    ) -> StoreFuture<'store, ()> {
        Box::pin(async move {
            let (next, given_up) = match next {
                NextAttempt::At(time) => (Some(time.milliseconds()), None),
                NextAttempt::Never => (None, Some(now.milliseconds())),
            };
            let counted = query(
                "UPDATE mails SET failures = failures + 1, last_error = $2, next_attempt_at = $3, given_up_at = $4 \
                 WHERE id = $1",
            );
            // What a mail server has sent may be anything.
            let counted = counted.bind(id.number()).bind(error.replace('\0', " ")).bind(next).bind(given_up);
            self.change_of(MAILS, counted).await.map(drop)
        })
    }

    fn list(&self, limit: u32) -> StoreFuture<'_, Vec<OutgoingMail>> {
        Box::pin(async move {
            let rows = query(
                "SELECT id, kind, recipients, created_at, failures, last_error, next_attempt_at, given_up_at \
                 FROM mails ORDER BY id DESC LIMIT $1",
            );
            rows.bind(limit).fetch_all(&self.database.reader).await?.iter().map(read_listed).collect()
        })
    }

    fn retry(&self, id: MailId, now: Timestamp) -> StoreFuture<'_, bool> {
        let again = "UPDATE mails SET next_attempt_at = $2, given_up_at = NULL WHERE id = $1";
        self.change_of(MAILS, query(again).bind(id.number()).bind(now.milliseconds()))
    }

    fn discard(&self, id: MailId) -> StoreFuture<'_, bool> {
        self.change_of(MAILS, query("DELETE FROM mails WHERE id = $1").bind(id.number()))
    }

    fn forget_given_up(&self, time: Timestamp) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let old = query("DELETE FROM mails WHERE given_up_at < $1").bind(time.milliseconds());
            self.change_all(Touches::Nothing, old).await
        })
    }

    fn sealed_mails(&self) -> StoreFuture<'_, Vec<QueuedMail>> {
        Box::pin(async move {
            let rows = query(
                "SELECT id, kind, recipients, subject, body, created_at, expires_at, failures FROM mails ORDER BY id",
            );
            rows.fetch_all(&self.database.reader).await?.iter().map(read_queued).collect()
        })
    }

    fn reseal_mail(&self, id: MailId, body: Sealed) -> StoreFuture<'_, bool> {
        let resealed = query("UPDATE mails SET body = $2 WHERE id = $1");
        self.change(resealed.bind(id.number()).bind(body.as_bytes().to_vec()))
    }
}

fn read_queued(row: &Row) -> Result<QueuedMail, StoreError> {
    let mail = SealedMail {
        to: recipients(row)?,
        subject: row.get("subject")?,
        body: Sealed::new(row.get::<Vec<u8>>("body")?),
        kind: kind(row)?,
        expires_at: optional_time(row, "expires_at")?,
    };
    Ok(QueuedMail { id: id(row)?, mail, failures: row.get_u32("failures")?, added_at: time(row, "created_at")? })
}

fn read_listed(row: &Row) -> Result<OutgoingMail, StoreError> {
    let state = match optional_time(row, "next_attempt_at")? {
        Some(next) => MailState::Waiting(next),
        None => MailState::GivenUp(time(row, "given_up_at")?),
    };
    Ok(OutgoingMail {
        id: id(row)?,
        to: recipients(row)?,
        kind: kind(row)?,
        added_at: time(row, "created_at")?,
        failures: row.get_u32("failures")?,
        last_error: row.get("last_error")?,
        state,
    })
}

fn id(row: &Row) -> Result<MailId, StoreError> {
    Ok(MailId::from_number(row.get("id")?))
}

fn recipients(row: &Row) -> Result<Vec<String>, StoreError> {
    let text: String = row.get("recipients")?;
    serde_json::from_str(&text).map_err(|error| unreadable("a mail's recipients", error.to_string()))
}

fn kind(row: &Row) -> Result<MailKind, StoreError> {
    let text: String = row.get("kind")?;
    text.parse().map_err(|_| unreadable("a mail's kind", text))
}
