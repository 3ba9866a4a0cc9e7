//! The mails that wait to be sent, in SQL.

use sqlx::sqlite::SqliteRow;

use super::row::{failed, get, optional_time, time, unreadable};
use super::{SqliteStore, Touches};
use crate::clock::Timestamp;
use crate::store::mail::{MailKind, SealedMail};
use crate::store::outgoing::{MailId, MailState, NextAttempt, Outgoing, OutgoingMail, QueuedMail};
use crate::store::{Sealed, StoreError, StoreFuture, Topic};

const MAILS: Touches<'static> = Touches::Topic(Topic::Mails);

impl Outgoing for SqliteStore {
    fn add<'store>(&'store self, mail: &'store SealedMail, now: Timestamp) -> StoreFuture<'store, MailId> {
        Box::pin(async move {
            let to = serde_json::Value::from(mail.to.clone()).to_string();
            let added = sqlx::query(
                "INSERT INTO mails (kind, recipients, subject, body, created_at, expires_at, next_attempt_at, failures) \
                 VALUES ($1, $2, $3, $4, $5, $6, $5, 0)",
            )
            .bind(mail.kind.as_str())
            .bind(to)
            .bind(&mail.subject)
            .bind(mail.body.as_bytes())
            .bind(now.milliseconds())
            .bind(mail.expires_at.map(Timestamp::milliseconds))
            .execute(&self.writer)
            .await
            .map_err(failed)?;
            self.changes.tell(Topic::Mails);
            Ok(MailId::from_number(added.last_insert_rowid()))
        })
    }

    fn count_waiting(&self) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM mails WHERE next_attempt_at IS NOT NULL");
            Ok(count.fetch_one(&self.reader).await.map_err(failed)?.try_into().unwrap_or(0))
        })
    }

    fn claim(&self, now: Timestamp, until: Timestamp, limit: u32) -> StoreFuture<'_, Vec<QueuedMail>> {
        Box::pin(async move {
            let claimed = sqlx::query(
                "UPDATE mails SET next_attempt_at = $2 WHERE id IN (SELECT id FROM mails WHERE next_attempt_at <= $1 \
                 ORDER BY next_attempt_at, id LIMIT $3) RETURNING *",
            );
            let claimed = claimed.bind(now.milliseconds()).bind(until.milliseconds()).bind(limit);
            claimed.fetch_all(&self.writer).await.map_err(failed)?.iter().map(read_queued).collect()
        })
    }

    fn sent(&self, id: MailId) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.change_of(MAILS, sqlx::query("DELETE FROM mails WHERE id = $1").bind(id.number())).await.map(drop)
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
            let counted = sqlx::query(
                "UPDATE mails SET failures = failures + 1, last_error = $2, next_attempt_at = $3, given_up_at = $4 \
                 WHERE id = $1",
            );
            let counted = counted.bind(id.number()).bind(error).bind(next).bind(given_up);
            self.change_of(MAILS, counted).await.map(drop)
        })
    }

    fn list(&self, limit: u32) -> StoreFuture<'_, Vec<OutgoingMail>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT * FROM mails ORDER BY id DESC LIMIT $1").bind(limit);
            rows.fetch_all(&self.reader).await.map_err(failed)?.iter().map(read_listed).collect()
        })
    }

    fn retry(&self, id: MailId, now: Timestamp) -> StoreFuture<'_, bool> {
        let again = "UPDATE mails SET next_attempt_at = $2, given_up_at = NULL WHERE id = $1";
        self.change_of(MAILS, sqlx::query(again).bind(id.number()).bind(now.milliseconds()))
    }

    fn discard(&self, id: MailId) -> StoreFuture<'_, bool> {
        self.change_of(MAILS, sqlx::query("DELETE FROM mails WHERE id = $1").bind(id.number()))
    }

    fn forget_given_up(&self, time: Timestamp) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let old = sqlx::query("DELETE FROM mails WHERE given_up_at < $1").bind(time.milliseconds());
            Ok(old.execute(&self.writer).await.map_err(failed)?.rows_affected())
        })
    }

    fn sealed_mails(&self) -> StoreFuture<'_, Vec<QueuedMail>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT * FROM mails ORDER BY id").fetch_all(&self.reader).await;
            rows.map_err(failed)?.iter().map(read_queued).collect()
        })
    }

    fn reseal_mail(&self, id: MailId, body: Sealed) -> StoreFuture<'_, bool> {
        let resealed = sqlx::query("UPDATE mails SET body = $2 WHERE id = $1");
        self.change(resealed.bind(id.number()).bind(body.as_bytes().to_vec()))
    }
}

fn read_queued(row: &SqliteRow) -> Result<QueuedMail, StoreError> {
    let mail = SealedMail {
        to: recipients(row)?,
        subject: get(row, "subject")?,
        body: Sealed::new(get::<Vec<u8>>(row, "body")?),
        kind: kind(row)?,
        expires_at: optional_time(row, "expires_at")?,
    };
    Ok(QueuedMail { id: id(row)?, mail, failures: get(row, "failures")?, added_at: time(row, "created_at")? })
}

fn read_listed(row: &SqliteRow) -> Result<OutgoingMail, StoreError> {
    let state = match optional_time(row, "next_attempt_at")? {
        Some(next) => MailState::Waiting(next),
        None => MailState::GivenUp(time(row, "given_up_at")?),
    };
    Ok(OutgoingMail {
        id: id(row)?,
        to: recipients(row)?,
        kind: kind(row)?,
        added_at: time(row, "created_at")?,
        failures: get(row, "failures")?,
        last_error: get(row, "last_error")?,
        state,
    })
}

fn id(row: &SqliteRow) -> Result<MailId, StoreError> {
    Ok(MailId::from_number(get(row, "id")?))
}

fn recipients(row: &SqliteRow) -> Result<Vec<String>, StoreError> {
    let text: String = get(row, "recipients")?;
    serde_json::from_str(&text).map_err(|error| unreadable("a mail's recipients", error.to_string()))
}

fn kind(row: &SqliteRow) -> Result<MailKind, StoreError> {
    let text: String = get(row, "kind")?;
    text.parse().map_err(|_| unreadable("a mail's kind", text))
}
