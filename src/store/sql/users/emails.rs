//! The addresses of users. They are unique as usernames are.

use super::super::layer::{Executor, Serial, Transaction, query};
use super::{SqlStore, Touches, names, rows};
use crate::store::{EmailAddress, StoreError, Unique, User, fold};
use crate::user::UserId;

pub(super) async fn user(store: &SqlStore, address: &str) -> Result<Option<User>, StoreError> {
    if address.contains('\0') {
        return Ok(None);
    }
    let found = query(
        "SELECT user_id AS id, address AS matched FROM emails WHERE folded = $1 \
         ORDER BY CASE WHEN address = $2 THEN 0 ELSE 1 END LIMIT 2",
    );
    let found = found.bind(fold(address)).bind(address).fetch_all(&store.database.reader).await?;
    let Some(id) = names::exact_or_only(&found, address)? else { return Ok(None) };
    Ok(rows::load(&store.database.reader, &[id]).await?.pop())
}

/// Returns whether a user other than `id` has the address, in any case.
pub(super) async fn is_taken(on: impl Into<Executor<'_>>, address: &str, id: &UserId) -> Result<bool, StoreError> {
    if address.contains('\0') {
        return Ok(false);
    }
    let other = query("SELECT 1 FROM emails WHERE folded = $1 AND user_id <> $2 LIMIT 1");
    Ok(other.bind(fold(address)).bind(id.as_str()).fetch_optional(on).await?.is_some())
}

pub(super) async fn insert(
    transaction: &mut Transaction,
    id: &UserId,
    email: &EmailAddress,
    place: i64,
) -> Result<(), StoreError> {
    let new = query("INSERT INTO emails (folded, user_id, address, is_verified, place) VALUES ($1, $2, $3, $4, $5)");
    let new = new.bind(fold(&email.address)).bind(id.as_str()).bind(&email.address).bind(email.is_verified);
    Ok(new.bind(place).execute(transaction).await.map(drop)?)
}

pub(super) async fn add(store: &SqlStore, id: &UserId, email: EmailAddress) -> Result<bool, StoreError> {
    let owner = id.clone();
    store
        .transaction(Touches::User(id), |transaction| {
            Box::pin(async move {
                transaction.take_turn(Serial::Names).await?;
                if !transaction.lock_user(&owner).await? {
                    return Ok(false);
                }
                refuse_taken_by_another(transaction, &owner, &email.address).await?;
                let written = query(
                    "INSERT INTO emails (folded, user_id, address, is_verified, place) \
                     VALUES ($1, $2, $3, $4, (SELECT coalesce(max(place), -1) + 1 FROM emails WHERE user_id = $2)) \
                     ON CONFLICT (user_id, folded) DO UPDATE SET address = excluded.address, \
                     is_verified = emails.is_verified OR excluded.is_verified",
                )
                .bind(fold(&email.address))
                .bind(owner.as_str())
                .bind(&email.address)
                .bind(email.is_verified);
                written.execute(&mut *transaction).await?;
                remove_pending_totp(transaction, &owner).await?;
                Ok(true)
            })
        })
        .await
}

pub(super) async fn replace(
    store: &SqlStore,
    id: &UserId,
    from: Option<&str>,
    to: EmailAddress,
) -> Result<bool, StoreError> {
    let (owner, from) = (id.clone(), from.map(fold));
    store
        .transaction(Touches::User(id), |transaction| {
            Box::pin(async move {
                transaction.take_turn(Serial::Names).await?;
                if !transaction.lock_user(&owner).await? {
                    return Ok(false);
                }
                let first = query("SELECT folded, place FROM emails WHERE user_id = $1 ORDER BY place LIMIT 1");
                let first = first.bind(owner.as_str()).fetch_optional(&mut *transaction).await?;
                let first = first.map(|row| Ok::<_, StoreError>((row.get::<String>("folded")?, row.get("place")?)));
                let (first, place) = first.transpose()?.unzip();
                if first != from {
                    return Ok(false);
                }
                put_at(transaction, &owner, place.unwrap_or(0), &to).await?;
                if let Some(from) = from.filter(|from| *from != fold(&to.address)) {
                    let old = query("DELETE FROM emails WHERE user_id = $1 AND folded = $2");
                    old.bind(owner.as_str()).bind(from).execute(&mut *transaction).await?;
                }
                remove_pending_totp(transaction, &owner).await?;
                Ok(true)
            })
        })
        .await
}

/// Runs a statement about an address of a user. If it changes anything, the pending secret of an app is removed.
pub(super) async fn change(
    store: &SqlStore,
    id: &UserId,
    address: &str,
    statement: &'static str,
) -> Result<bool, StoreError> {
    let (owner, folded) = (id.clone(), fold(address));
    store
        .transaction(Touches::User(id), |transaction| {
            Box::pin(async move {
                transaction.lock_user(&owner).await?;
                let changed = query(statement).bind(owner.as_str()).bind(folded).execute(&mut *transaction).await?;
                if changed == 0 {
                    return Ok(false);
                }
                remove_pending_totp(transaction, &owner).await?;
                Ok(true)
            })
        })
        .await
}

/// Refuses an address that a user other than `id` has, in any case.
pub(super) async fn refuse_taken(transaction: &mut Transaction, id: &UserId, address: &str) -> Result<(), StoreError> {
    if is_taken(transaction, address, id).await? { Err(StoreError::Taken(Unique::Address)) } else { Ok(()) }
}

/// Does the same, except for the address that the user has already.
async fn refuse_taken_by_another(transaction: &mut Transaction, id: &UserId, address: &str) -> Result<(), StoreError> {
    let own = query("SELECT 1 FROM emails WHERE user_id = $1 AND address = $2").bind(id.as_str()).bind(address);
    if own.fetch_optional(&mut *transaction).await?.is_some() {
        return Ok(());
    }
    refuse_taken(transaction, id, address).await
}

/// Puts an address of a user at a place, or moves it there.
async fn put_at(
    transaction: &mut Transaction,
    id: &UserId,
    place: i64,
    email: &EmailAddress,
) -> Result<(), StoreError> {
    refuse_taken_by_another(transaction, id, &email.address).await?;
    let written = query(
        "INSERT INTO emails (folded, user_id, address, is_verified, place) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (user_id, folded) DO UPDATE SET address = excluded.address, place = excluded.place, \
         is_verified = emails.is_verified OR excluded.is_verified",
    )
    .bind(fold(&email.address))
    .bind(id.as_str())
    .bind(&email.address)
    .bind(email.is_verified)
    .bind(place);
    Ok(written.execute(transaction).await.map(drop)?)
}

async fn remove_pending_totp(transaction: &mut Transaction, id: &UserId) -> Result<(), StoreError> {
    let removed = query("UPDATE users SET totp_pending = NULL WHERE id = $1").bind(id.as_str());
    Ok(removed.execute(transaction).await.map(drop)?)
}
