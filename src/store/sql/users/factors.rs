//! The factors of users: authenticator apps and backup codes.

use super::super::columns::user_id;
use super::super::layer::{Transaction, query};
use super::super::passkeys::END_BACKUP_CODES;
use super::{SqlStore, Touches};
use crate::store::{BackupCodes, HashedToken, KeyedHash, PendingTotp, Sealed, StoreError, StoreFuture};
use crate::user::UserId;

const CONFIRM: &str = "UPDATE users SET totp_secret = totp_pending, totp_pending = NULL, totp_step = $3 \
     WHERE id = $1 AND totp_pending = $2 AND totp_pending_token IS NOT DISTINCT FROM $4 AND totp_pending_since = $5 \
     AND totp_secret IS NULL";

const RESEAL: &str = "UPDATE users SET totp_secret = CASE WHEN totp_secret = $2 THEN $3 ELSE totp_secret END, \
     totp_pending = CASE WHEN totp_pending = $2 THEN $3 ELSE totp_pending END \
     WHERE id = $1 AND (totp_secret = $2 OR totp_pending = $2)";

pub(super) fn begin_totp<'store>(
    store: &'store SqlStore,
    id: &'store UserId,
    pending: PendingTotp,
) -> StoreFuture<'store, bool> {
    let begun = query(
        "UPDATE users SET totp_pending = $2, totp_pending_token = $3, totp_pending_since = $4 \
         WHERE id = $1 AND totp_secret IS NULL",
    )
    .bind(id.as_str())
    .bind(pending.secret.as_bytes().to_vec())
    .bind(pending.token.map(|token| token.as_str().to_owned()))
    .bind(pending.since.milliseconds());
    store.change_of(Touches::User(id), begun)
}

pub(super) async fn confirm_totp(
    store: &SqlStore,
    id: &UserId,
    pending: &PendingTotp,
    step: i64,
    BackupCodes(codes): BackupCodes,
) -> Result<bool, StoreError> {
    let (owner, pending) = (id.clone(), pending.clone());
    store
        .transaction(Touches::User(id), |transaction| {
            Box::pin(async move {
                let confirmed = query(CONFIRM)
                    .bind(owner.as_str())
                    .bind(pending.secret.as_bytes())
                    .bind(step)
                    .bind(pending.token.as_ref().map(HashedToken::as_str))
                    .bind(pending.since.milliseconds());
                if confirmed.execute(&mut *transaction).await? == 0 {
                    return Ok(false);
                }
                put_backup_codes(transaction, &owner, &codes).await?;
                Ok(true)
            })
        })
        .await
}

pub(super) async fn remove_totp(store: &SqlStore, id: &UserId) -> Result<bool, StoreError> {
    let owner = id.clone();
    store
        .transaction(Touches::User(id), |transaction| {
            Box::pin(async move {
                transaction.lock_user(&owner).await?;
                let removed = query(
                    "UPDATE users SET totp_secret = NULL, totp_pending = NULL, totp_step = -1 \
                     WHERE id = $1 AND (totp_secret IS NOT NULL OR totp_pending IS NOT NULL)",
                );
                let removed = removed.bind(owner.as_str()).execute(&mut *transaction).await?;
                query(END_BACKUP_CODES).bind(owner.as_str()).execute(transaction).await?;
                Ok(removed > 0)
            })
        })
        .await
}

pub(super) fn reseal_totp<'store>(
    store: &'store SqlStore,
    id: &'store UserId,
    from: &'store Sealed,
    to: &Sealed,
) -> StoreFuture<'store, bool> {
    let resealed = query(RESEAL).bind(id.as_str()).bind(from.as_bytes()).bind(to.as_bytes().to_vec());
    store.change_of(Touches::User(id), resealed)
}

pub(super) async fn totp_secrets(store: &SqlStore) -> Result<Vec<(UserId, Sealed)>, StoreError> {
    let rows = query(
        "SELECT id, totp_secret AS secret FROM users WHERE totp_secret IS NOT NULL \
         UNION ALL SELECT id, totp_pending FROM users WHERE totp_pending IS NOT NULL",
    );
    let rows = rows.fetch_all(&store.database.reader).await?;
    rows.iter().map(|row| Ok((user_id(row, "id")?, Sealed::new(row.get::<Vec<u8>>("secret")?)))).collect()
}

pub(super) async fn replace_backup_codes(
    store: &SqlStore,
    id: &UserId,
    BackupCodes(codes): BackupCodes,
) -> Result<bool, StoreError> {
    let owner = id.clone();
    store
        .transaction(Touches::User(id), |transaction| {
            Box::pin(async move {
                transaction.lock_user(&owner).await?;
                let on = query(
                    "SELECT 1 FROM users WHERE id = $1 AND (totp_secret IS NOT NULL \
                     OR EXISTS (SELECT 1 FROM passkeys WHERE user_id = users.id))",
                );
                if on.bind(owner.as_str()).fetch_optional(&mut *transaction).await?.is_none() {
                    return Ok(false);
                }
                put_backup_codes(transaction, &owner, &codes).await?;
                Ok(true)
            })
        })
        .await
}

pub(super) async fn take_backup_code(store: &SqlStore, id: &UserId, hashes: &[KeyedHash]) -> Result<bool, StoreError> {
    for hash in hashes {
        let taken = query("DELETE FROM backup_codes WHERE user_id = $1 AND hash = $2");
        if store.change(taken.bind(id.as_str()).bind(hash.as_str())).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) async fn backup_codes_left(store: &SqlStore, id: &UserId) -> Result<u32, StoreError> {
    let count = query("SELECT count(*) FROM backup_codes WHERE user_id = $1").bind(id.as_str());
    Ok(count.fetch_one(&store.database.reader).await?.get_u32(0)?)
}

/// Replaces the backup codes of a user, whose row is locked.
async fn put_backup_codes(transaction: &mut Transaction, id: &UserId, codes: &[KeyedHash]) -> Result<(), StoreError> {
    let old = query("DELETE FROM backup_codes WHERE user_id = $1").bind(id.as_str());
    old.execute(&mut *transaction).await?;
    insert_backup_codes(transaction, id, codes).await
}

pub(in crate::store::sql) async fn insert_backup_codes(
    transaction: &mut Transaction,
    id: &UserId,
    codes: &[KeyedHash],
) -> Result<(), StoreError> {
    for code in codes {
        let new = query("INSERT INTO backup_codes (user_id, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        new.bind(id.as_str()).bind(code.as_str()).execute(&mut *transaction).await?;
    }
    Ok(())
}
