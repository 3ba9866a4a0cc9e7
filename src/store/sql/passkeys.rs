//! Passkeys, in SQL.

use super::columns::{optional_time, time, user_id};
use super::layer::{Row, Transaction, query};
use super::users::insert_backup_codes;
use super::{SqlStore, Touches};
use crate::store::passkey::Passkeys;
use crate::store::{
    BackupCodes, HashedToken, Passkey, PasskeyAdded, PasskeyUse, PasskeyUsed, StoreError, StoreFuture, UsedChallenge,
};
use crate::user::UserId;

const COLUMNS: &str = "id, user_id, name, public_key, counter, is_backup_eligible, is_backed_up, transports, created_at, \
     last_used_at";

/// An authenticator that counts must count up; one that does not tells zero each time.
const COUNT: &str = "UPDATE passkeys SET counter = $3, is_backed_up = $4, last_used_at = $5 \
     WHERE id = $1 AND user_id = $2 AND (counter < $3 OR (counter = 0 AND $3 = 0))";

/// Backup codes stand beside an authenticator app or a passkey.
pub(super) const END_BACKUP_CODES: &str = "DELETE FROM backup_codes WHERE user_id = $1 \
     AND NOT EXISTS (SELECT 1 FROM passkeys WHERE passkeys.user_id = $1) \
     AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = $1 AND totp_secret IS NOT NULL)";

impl Passkeys for SqlStore {
    fn add_passkey(
        &self,
        passkey: Passkey,
        challenge: UsedChallenge,
        login: Option<HashedToken>,
        BackupCodes(codes): BackupCodes,
        most: u32,
    ) -> StoreFuture<'_, PasskeyAdded> {
        Box::pin(async move {
            let owner = passkey.user.clone();
            self.transaction(Touches::User(&owner), |transaction| {
                Box::pin(async move {
                    transaction.lock_user(&passkey.user).await?;
                    if count(transaction, "SELECT count(*) FROM passkeys WHERE user_id = $1", &passkey.user).await?
                        >= most
                    {
                        return Ok(PasskeyAdded::TooMany);
                    }
                    if !is_live(transaction, &passkey.user, login.as_ref()).await?
                        || !take_challenge(transaction, &passkey.user, &challenge).await?
                    {
                        return Ok(PasskeyAdded::ChallengeUsed);
                    }
                    insert(transaction, &passkey).await?;
                    let left = "SELECT count(*) FROM backup_codes WHERE user_id = $1";
                    let with_backup_codes = count(transaction, left, &passkey.user).await? == 0;
                    if with_backup_codes {
                        insert_backup_codes(transaction, &passkey.user, &codes).await?;
                    }
                    Ok(PasskeyAdded::Added { with_backup_codes })
                })
            })
            .await
        })
    }

    fn passkey<'store>(&'store self, id: &'store str) -> StoreFuture<'store, Option<Passkey>> {
        Box::pin(async move {
            if id.contains('\0') {
                return Ok(None);
            }
            let row = query(format!("SELECT {COLUMNS} FROM passkeys WHERE id = $1")).bind(id);
            row.fetch_optional(&self.database.reader).await?.as_ref().map(read).transpose()
        })
    }

    fn passkeys_of<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, Vec<Passkey>> {
        Box::pin(async move {
            let rows = query(format!("SELECT {COLUMNS} FROM passkeys WHERE user_id = $1 ORDER BY created_at, id"));
            let rows = rows.bind(user.as_str()).fetch_all(&self.database.reader).await?;
            rows.iter().map(read).collect()
        })
    }

    fn use_passkey(&self, used: PasskeyUse) -> StoreFuture<'_, PasskeyUsed> {
        Box::pin(async move {
            self.transaction(Touches::Nothing, |transaction| {
                Box::pin(async move {
                    if !take_challenge(transaction, &used.user, &used.challenge).await? {
                        return Ok(PasskeyUsed::ChallengeUsed);
                    }
                    let counted = query(COUNT)
                        .bind(&used.id)
                        .bind(used.user.as_str())
                        .bind(used.counter)
                        .bind(used.is_backed_up)
                        .bind(used.at.milliseconds());
                    if counted.execute(&mut *transaction).await? > 0 {
                        return Ok(PasskeyUsed::Accepted);
                    }
                    let there = query("SELECT 1 FROM passkeys WHERE id = $1 AND user_id = $2");
                    let there = there.bind(&used.id).bind(used.user.as_str()).fetch_optional(transaction).await?;
                    Ok(if there.is_some() { PasskeyUsed::CounterTooLow } else { PasskeyUsed::Unknown })
                })
            })
            .await
        })
    }

    fn rename_passkey<'store>(
        &'store self,
        user: &'store UserId,
        id: &'store str,
        name: &'store str,
    ) -> StoreFuture<'store, bool> {
        let renamed = query("UPDATE passkeys SET name = $3 WHERE id = $1 AND user_id = $2");
        self.change(renamed.bind(id).bind(user.as_str()).bind(name))
    }

    fn remove_passkey<'store>(
        &'store self,
        user: &'store UserId,
        id: &'store str,
    ) -> StoreFuture<'store, Option<Passkey>> {
        Box::pin(async move {
            let (owner, id) = (user.clone(), id.to_owned());
            self.transaction(Touches::User(user), |transaction| {
                Box::pin(async move {
                    transaction.lock_user(&owner).await?;
                    let removed =
                        query(format!("DELETE FROM passkeys WHERE id = $1 AND user_id = $2 RETURNING {COLUMNS}"));
                    let removed = removed.bind(&id).bind(owner.as_str()).fetch_optional(&mut *transaction).await?;
                    query(END_BACKUP_CODES).bind(owner.as_str()).execute(transaction).await?;
                    removed.as_ref().map(read).transpose()
                })
            })
            .await
        })
    }

    fn remove_passkeys<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, u64> {
        Box::pin(async move {
            let owner = user.clone();
            self.transaction(Touches::User(user), |transaction| {
                Box::pin(async move {
                    transaction.lock_user(&owner).await?;
                    let removed = query("DELETE FROM passkeys WHERE user_id = $1").bind(owner.as_str());
                    let removed = removed.execute(&mut *transaction).await?;
                    query(END_BACKUP_CODES).bind(owner.as_str()).execute(transaction).await?;
                    Ok(removed)
                })
            })
            .await
        })
    }
}

pub(super) async fn insert(transaction: &mut Transaction, passkey: &Passkey) -> Result<(), StoreError> {
    let new = query(format!("INSERT INTO passkeys ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"))
        .bind(&passkey.id)
        .bind(passkey.user.as_str())
        .bind(&passkey.name)
        .bind(passkey.public_key.as_slice())
        .bind(passkey.counter)
        .bind(passkey.is_backup_eligible)
        .bind(passkey.is_backed_up)
        .bind(passkey.transports.join(","))
        .bind(passkey.created_at.milliseconds())
        .bind(passkey.last_used_at.map(crate::clock::Timestamp::milliseconds));
    Ok(new.execute(transaction).await.map(drop)?)
}

/// Returns whether a login has not been revoked. What has no login, such as a program in the process, is live.
async fn is_live(
    transaction: &mut Transaction,
    user: &UserId,
    login: Option<&HashedToken>,
) -> Result<bool, StoreError> {
    let Some(login) = login else { return Ok(true) };
    let there = query("SELECT 1 FROM tokens WHERE hashed = $1 AND user_id = $2");
    Ok(there.bind(login.as_str()).bind(user.as_str()).fetch_optional(transaction).await?.is_some())
}

/// Uses a challenge up. Of two transactions, exactly one gets `true`.
async fn take_challenge(
    transaction: &mut Transaction,
    user: &UserId,
    challenge: &UsedChallenge,
) -> Result<bool, StoreError> {
    let taken =
        query("INSERT INTO used_challenges (hash, user_id, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(challenge.hash.as_str())
            .bind(user.as_str())
            .bind(challenge.expires_at.milliseconds());
    Ok(taken.execute(transaction).await? > 0)
}

async fn count(transaction: &mut Transaction, statement: &'static str, user: &UserId) -> Result<u32, StoreError> {
    Ok(query(statement).bind(user.as_str()).fetch_one(transaction).await?.get_u32(0)?)
}

fn read(row: &Row) -> Result<Passkey, StoreError> {
    let transports: String = row.get("transports")?;
    Ok(Passkey {
        id: row.get("id")?,
        user: user_id(row, "user_id")?,
        name: row.get("name")?,
        public_key: row.get("public_key")?,
        counter: row.get_u32("counter")?,
        is_backup_eligible: row.get("is_backup_eligible")?,
        is_backed_up: row.get("is_backed_up")?,
        transports: transports.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        created_at: time(row, "created_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
    })
}
