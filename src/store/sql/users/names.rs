//! Usernames. They are unique in the form that [`fold`] returns, except for namesakes of another server, so each write
//! checks them in its turn.

use super::super::layer::{Executor, Row, Serial, Transaction, query};
use super::{SqlStore, Touches, rows};
use crate::store::{StoreError, Unique, User, fold, skeleton};
use crate::user::UserId;

pub(super) async fn user(store: &SqlStore, username: &str) -> Result<Option<User>, StoreError> {
    if username.contains('\0') {
        return Ok(None);
    }
    let found = query(
        "SELECT id, username AS matched FROM users WHERE username_folded = $1 \
         ORDER BY CASE WHEN username = $2 THEN 0 ELSE 1 END LIMIT 2",
    );
    let found = found.bind(fold(username)).bind(username).fetch_all(&store.database.reader).await?;
    let Some(id) = exact_or_only(&found, username)? else { return Ok(None) };
    Ok(rows::load(&store.database.reader, &[id]).await?.pop())
}

/// Returns the user of the row that matches exactly, which is the first one if there is one, or else of the only row.
pub(super) fn exact_or_only(rows: &[Row], text: &str) -> Result<Option<UserId>, StoreError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let is_exact = first.get::<Option<&str>>("matched")? == Some(text);
    if !is_exact && rows.len() > 1 {
        return Ok(None);
    }
    Ok(Some(first.get::<String>("id")?.into()))
}

/// Returns whether a user other than `id` has the name, in any case.
pub(super) async fn is_taken(on: impl Into<Executor<'_>>, name: &str, id: &UserId) -> Result<bool, StoreError> {
    if name.contains('\0') {
        return Ok(false);
    }
    let other = query("SELECT 1 FROM users WHERE username_folded = $1 AND id <> $2 LIMIT 1");
    Ok(other.bind(fold(name)).bind(id.as_str()).fetch_optional(on).await?.is_some())
}

pub(super) async fn set(store: &SqlStore, id: &UserId, username: &str) -> Result<bool, StoreError> {
    let (owner, name) = (id.clone(), username.to_owned());
    store
        .transaction(Touches::User(id), |transaction| {
            Box::pin(async move {
                transaction.take_turn(Serial::Names).await?;
                refuse_lookalike(transaction, &owner, &name).await?;
                // The name that the user has already may stay.
                if !is_own(transaction, &owner, &name).await? {
                    refuse_taken(transaction, &owner, &name).await?;
                }
                let changed =
                    query("UPDATE users SET username = $2, username_folded = $3, username_skeleton = $4 WHERE id = $1")
                        .bind(owner.as_str())
                        .bind(&name)
                        .bind(fold(&name))
                        .bind(skeleton(&name));
                Ok(changed.execute(transaction).await? > 0)
            })
        })
        .await
}

/// Refuses a username that a user other than `id` has, in any case.
pub(super) async fn refuse_taken(transaction: &mut Transaction, id: &UserId, name: &str) -> Result<(), StoreError> {
    if is_taken(transaction, name, id).await? { Err(StoreError::Taken(Unique::Username)) } else { Ok(()) }
}

async fn is_own(transaction: &mut Transaction, id: &UserId, name: &str) -> Result<bool, StoreError> {
    let own = query("SELECT 1 FROM users WHERE id = $1 AND username = $2").bind(id.as_str()).bind(name);
    Ok(own.fetch_optional(transaction).await?.is_some())
}

/// Refuses a username that looks like that of another user, if one of the two has characters other than ASCII.
pub(super) async fn refuse_lookalike(transaction: &mut Transaction, id: &UserId, name: &str) -> Result<(), StoreError> {
    let other = query(
        "SELECT 1 FROM users WHERE username_skeleton = $1 AND id <> $2 \
         AND ($3 OR octet_length(username) > length(username)) LIMIT 1",
    );
    let other = other.bind(skeleton(name)).bind(id.as_str()).bind(!name.is_ascii());
    match other.fetch_optional(transaction).await? {
        Some(_) => Err(StoreError::Taken(Unique::Username)),
        None => Ok(()),
    }
}
