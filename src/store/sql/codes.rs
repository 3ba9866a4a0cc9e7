//! Codes, links and challenges, in SQL.

use super::columns::{time, unreadable, user_id};
use super::layer::{Row, Sql, Transaction, query};
use super::{SqlStore, Touches};
use crate::clock::Timestamp;
use crate::store::code::Codes;
use crate::store::{Challenge, CodePurpose, CodeTry, EmailCode, KeyedHash, Link, LinkPurpose, StoreError, StoreFuture};
use crate::user::UserId;

const PUT_CODE: &str = "INSERT INTO email_codes (user_id, purpose, hash, created_at, expires_at, failures) \
     VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (user_id, purpose) DO UPDATE SET hash = excluded.hash, \
     created_at = excluded.created_at, expires_at = excluded.expires_at, failures = 0";

const PUT_CODE_UNLESS_LIVE: &str = "INSERT INTO email_codes (user_id, purpose, hash, created_at, expires_at, failures) \
     VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (user_id, purpose) DO UPDATE SET hash = excluded.hash, \
     created_at = excluded.created_at, expires_at = excluded.expires_at, failures = 0 \
     WHERE email_codes.expires_at <= excluded.created_at";

const COUNT_CODE: &str = "UPDATE email_codes SET failures = failures + 1 \
     WHERE user_id = $1 AND purpose = $2 AND expires_at > $3 RETURNING hash, failures";
const REFUND_CODE: &str = "UPDATE email_codes SET failures = failures - 1 WHERE user_id = $1 AND purpose = $2";
const END_CODE: &str = "UPDATE email_codes SET expires_at = 0 WHERE user_id = $1 AND purpose = $2";

/// Those that another transaction has locked are left to the next time.
const DELETE_EXPIRED: [Sql; 4] = [
    Sql::each(
        "DELETE FROM email_codes WHERE expires_at <= $1",
        "DELETE FROM email_codes WHERE (user_id, purpose) IN \
         (SELECT user_id, purpose FROM email_codes WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED)",
    ),
    Sql::each(
        "DELETE FROM links WHERE expires_at <= $1",
        "DELETE FROM links WHERE hash IN (SELECT hash FROM links WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED)",
    ),
    Sql::each(
        "DELETE FROM challenges WHERE expires_at <= $1",
        "DELETE FROM challenges WHERE hash IN (SELECT hash FROM challenges WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED)",
    ),
    Sql::each(
        "DELETE FROM used_challenges WHERE expires_at <= $1",
        "DELETE FROM used_challenges WHERE hash IN \
         (SELECT hash FROM used_challenges WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED)",
    ),
];

impl Codes for SqlStore {
    fn put_email_code<'store>(
        &'store self,
        user: &'store UserId,
        purpose: CodePurpose,
        hash: KeyedHash,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> StoreFuture<'store, ()> {
        Box::pin(async move { self.put_code(PUT_CODE, user, purpose, &hash, created_at, expires_at).await.map(drop) })
    }

    fn put_email_code_unless_live<'store>(
        &'store self,
        user: &'store UserId,
        purpose: CodePurpose,
        hash: KeyedHash,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> StoreFuture<'store, bool> {
        Box::pin(async move { self.put_code(PUT_CODE_UNLESS_LIVE, user, purpose, &hash, created_at, expires_at).await })
    }

    fn email_code<'store>(
        &'store self,
        user: &'store UserId,
        purpose: CodePurpose,
        now: Timestamp,
    ) -> StoreFuture<'store, Option<EmailCode>> {
        Box::pin(async move {
            let row = query(
                "SELECT created_at, expires_at, failures FROM email_codes \
                 WHERE user_id = $1 AND purpose = $2 AND expires_at > $3",
            );
            let row = row.bind(user.as_str()).bind(purpose.as_str()).bind(now.milliseconds());
            let read = |row: &Row| {
                Ok(EmailCode {
                    created_at: time(row, "created_at")?,
                    expires_at: time(row, "expires_at")?,
                    failures: row.get_u32("failures")?,
                })
            };
            row.fetch_optional(&self.database.reader).await?.as_ref().map(read).transpose()
        })
    }

    fn try_email_code<'store>(
        &'store self,
        user: &'store UserId,
        shown: &'store [(CodePurpose, Vec<KeyedHash>)],
        limit: u32,
        now: Timestamp,
    ) -> StoreFuture<'store, CodeTry> {
        Box::pin(async move {
            let (user, shown) = (user.clone(), shown.to_vec());
            self.transaction(Touches::Nothing, move |transaction| {
                Box::pin(async move { try_code(transaction, &user, &shown, limit, now).await })
            })
            .await
        })
    }

    fn delete_email_code<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, ()> {
        Box::pin(async move {
            self.change(query("DELETE FROM email_codes WHERE user_id = $1").bind(user.as_str())).await.map(drop)
        })
    }

    fn put_link(&self, link: Link) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.transaction(Touches::Nothing, |transaction| {
                Box::pin(async move {
                    transaction.lock_user(&link.user).await?;
                    query("DELETE FROM links WHERE user_id = $1 AND purpose = $2 AND ($2 <> 'verify' OR address = $3)")
                        .bind(link.user.as_str())
                        .bind(purpose_text(link.purpose))
                        .bind(link.address.as_deref())
                        .execute(&mut *transaction)
                        .await?;
                    query(
                        "INSERT INTO links (hash, user_id, purpose, address, created_at, expires_at) \
                         VALUES ($1, $2, $3, $4, $5, $6)",
                    )
                    .bind(link.hash.as_str())
                    .bind(link.user.as_str())
                    .bind(purpose_text(link.purpose))
                    .bind(link.address.as_deref())
                    .bind(link.created_at.milliseconds())
                    .bind(link.expires_at.milliseconds())
                    .execute(&mut *transaction)
                    .await?;
                    Ok(())
                })
            })
            .await
        })
    }

    fn link<'store>(&'store self, hashes: &'store [KeyedHash]) -> StoreFuture<'store, Option<Link>> {
        Box::pin(async move {
            for hash in hashes {
                let row =
                    query("SELECT hash, user_id, purpose, address, created_at, expires_at FROM links WHERE hash = $1")
                        .bind(hash.as_str());
                if let Some(row) = row.fetch_optional(&self.database.reader).await? {
                    return read_link(&row).map(Some);
                }
            }
            Ok(None)
        })
    }

    fn take_link<'store>(&'store self, hash: &'store KeyedHash) -> StoreFuture<'store, bool> {
        self.change(query("DELETE FROM links WHERE hash = $1").bind(hash.as_str()))
    }

    fn delete_links<'store>(&'store self, user: &'store UserId, purpose: LinkPurpose) -> StoreFuture<'store, ()> {
        Box::pin(async move {
            let ended = query("DELETE FROM links WHERE user_id = $1 AND purpose = $2");
            self.change(ended.bind(user.as_str()).bind(purpose_text(purpose))).await.map(drop)
        })
    }

    fn put_challenge(&self, challenge: Challenge) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let new = query(
                "INSERT INTO challenges (hash, user_id, method, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(challenge.hash.as_str())
            .bind(challenge.user.as_str())
            .bind(&challenge.method)
            .bind(challenge.created_at.milliseconds())
            .bind(challenge.expires_at.milliseconds());
            self.change(new).await.map(drop)
        })
    }

    fn challenge<'store>(&'store self, hashes: &'store [KeyedHash]) -> StoreFuture<'store, Option<Challenge>> {
        Box::pin(async move {
            for hash in hashes {
                let row = query("SELECT hash, user_id, method, created_at, expires_at FROM challenges WHERE hash = $1")
                    .bind(hash.as_str());
                if let Some(row) = row.fetch_optional(&self.database.reader).await? {
                    return Ok(Some(Challenge {
                        hash: KeyedHash::new(row.get::<String>("hash")?),
                        user: user_id(&row, "user_id")?,
                        method: row.get("method")?,
                        created_at: time(&row, "created_at")?,
                        expires_at: time(&row, "expires_at")?,
                    }));
                }
            }
            Ok(None)
        })
    }

    fn take_challenge<'store>(&'store self, hash: &'store KeyedHash) -> StoreFuture<'store, bool> {
        self.change(query("DELETE FROM challenges WHERE hash = $1").bind(hash.as_str()))
    }

    fn delete_expired_codes(&self, now: Timestamp) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            for ended in DELETE_EXPIRED {
                self.change(query(ended).bind(now.milliseconds())).await?;
            }
            Ok(())
        })
    }
}

impl SqlStore {
    async fn put_code(
        &self,
        statement: &'static str,
        user: &UserId,
        purpose: CodePurpose,
        hash: &KeyedHash,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let put = query(statement).bind(user.as_str()).bind(purpose.as_str()).bind(hash.as_str());
        self.change(put.bind(created_at.milliseconds()).bind(expires_at.milliseconds())).await
    }
}

/// Counts first: the row of a code is locked by the write until it is known whether the code was right.
async fn try_code(
    transaction: &mut Transaction,
    user: &UserId,
    shown: &[(CodePurpose, Vec<KeyedHash>)],
    limit: u32,
    now: Timestamp,
) -> Result<CodeTry, StoreError> {
    let (mut is_right, mut is_last) = (false, false);
    let mut counted = Vec::new();
    for (purpose, hashes) in shown {
        let row = query(COUNT_CODE).bind(user.as_str()).bind(purpose.as_str()).bind(now.milliseconds());
        let Some(row) = row.fetch_optional(&mut *transaction).await? else { continue };
        if hashes.contains(&KeyedHash::new(row.get::<String>("hash")?)) {
            is_right = true;
            run(transaction, "DELETE FROM email_codes WHERE user_id = $1 AND purpose = $2", user, *purpose).await?;
            break;
        }
        counted.push((*purpose, row.get_u32("failures")?));
    }
    for (purpose, failures) in counted {
        if is_right {
            run(transaction, REFUND_CODE, user, purpose).await?;
        } else if failures >= limit {
            is_last = true;
            run(transaction, END_CODE, user, purpose).await?;
        }
    }
    Ok(if is_right { CodeTry::Right } else { CodeTry::Wrong { is_last } })
}

async fn run(
    transaction: &mut Transaction,
    statement: &'static str,
    user: &UserId,
    purpose: CodePurpose,
) -> Result<(), StoreError> {
    let statement = query(statement).bind(user.as_str()).bind(purpose.as_str());
    Ok(statement.execute(transaction).await.map(drop)?)
}

fn read_link(row: &Row) -> Result<Link, StoreError> {
    let purpose: String = row.get("purpose")?;
    Ok(Link {
        hash: KeyedHash::new(row.get::<String>("hash")?),
        user: user_id(row, "user_id")?,
        purpose: purpose_of(&purpose).ok_or_else(|| unreadable("a link", purpose))?,
        address: row.get("address")?,
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
    })
}

const fn purpose_text(purpose: LinkPurpose) -> &'static str {
    match purpose {
        LinkPurpose::ResetPassword => "reset",
        LinkPurpose::EnrollAccount => "enroll",
        LinkPurpose::VerifyEmail => "verify",
    }
}

fn purpose_of(text: &str) -> Option<LinkPurpose> {
    [LinkPurpose::ResetPassword, LinkPurpose::EnrollAccount, LinkPurpose::VerifyEmail]
        .into_iter()
        .find(|purpose| purpose_text(*purpose) == text)
}
