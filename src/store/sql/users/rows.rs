//! How a user is read and inserted.

use std::collections::HashMap;
use std::sync::Arc;

use bolide_protocol::ejson::{self, CustomTypes, Object};

use super::super::columns::{optional_time, time, unreadable};
use super::super::layer::{Pool, Row, Serial, Transaction, list_size, placeholders, query};
use super::{SqlStore, Touches, emails, factors, names, passkeys, roles, tokens};
use crate::clock::Timestamp;
use crate::store::{
    EmailAddress, HashedToken, Lookalikes, Namesakes, NewUser, PendingTotp, Sealed, StoreError, StoredHash, Totp, User,
    fold, skeleton,
};
use crate::user::UserId;

/// The columns that [`read`] needs, and the addresses.
const WITH_EMAILS: &str = "SELECT id, username, profile, roles, fields, created_at, is_active, password, \
     must_change_password, totp_pending, totp_secret, totp_pending_token, totp_pending_since, has_email_codes, \
     (SELECT count(*) FROM passkeys WHERE passkeys.user_id = users.id) AS passkeys, \
     emails.address, emails.is_verified FROM users LEFT JOIN emails ON emails.user_id = users.id";

pub(super) async fn user(store: &SqlStore, id: &UserId) -> Result<Option<User>, StoreError> {
    let cache = &store.caches.users;
    if let Some(user) = cache.get(id) {
        return Ok(Some(User::clone(&user)));
    }
    let since = cache.now();
    // Boxed, since a statement is a large future, and the cache answers most calls.
    let found = Box::pin(load(&store.database.reader, std::slice::from_ref(id))).await?.pop();
    if let Some(user) = &found {
        cache.keep(since, id.clone(), Arc::new(user.clone()));
    }
    Ok(found)
}

/// Reads users, each with its addresses, in the order of these ids.
pub(super) async fn load(reader: &Pool, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
    if ids.is_empty() || ids.iter().all(|id| id.as_str().contains('\0')) {
        return Ok(Vec::new());
    }
    let list = placeholders(1, list_size(ids.len()));
    let users = query(format!("{WITH_EMAILS} WHERE users.id IN ({list}) ORDER BY users.id, emails.place"));
    let rows = users.bind_list(ids.iter().map(UserId::as_str)).fetch_all(reader).await?;
    let mut users: HashMap<UserId, User> = HashMap::with_capacity(ids.len());
    for row in &rows {
        let id: UserId = row.get::<String>("id")?.into();
        let user = match users.entry(id) {
            std::collections::hash_map::Entry::Occupied(user) => user.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => place.insert(read(row)?),
        };
        if let Some(address) = row.get("address")? {
            user.emails.push(EmailAddress { address, is_verified: row.get("is_verified")? });
        }
    }
    Ok(ids.iter().filter_map(|id| users.remove(id)).collect())
}

pub(super) async fn insert_new(store: &SqlStore, new: NewUser) -> Result<(), StoreError> {
    store
        .transaction(Touches::Everything, |transaction| {
            Box::pin(async move {
                transaction.take_turn(Serial::Names).await?;
                if let (Some(name), Lookalikes::Refused) = (&new.user.username, new.lookalikes) {
                    names::refuse_lookalike(transaction, &new.user.id, name).await?;
                }
                if new.namesakes == Namesakes::Refused {
                    refuse_namesakes(transaction, &new.user).await?;
                }
                insert(transaction, &new.user).await?;
                factors::insert_backup_codes(transaction, &new.user.id, &new.backup_codes).await?;
                for passkey in &new.passkeys {
                    passkeys::insert(transaction, passkey).await?;
                }
                for token in &new.tokens {
                    tokens::insert(transaction, token).await?;
                }
                Ok(())
            })
        })
        .await
}

/// Refuses a new user whose name or an address differs from another user's in case only.
async fn refuse_namesakes(transaction: &mut Transaction, user: &User) -> Result<(), StoreError> {
    // An id that is taken is reported as such.
    let no_one = UserId::from("");
    if let Some(name) = &user.username {
        names::refuse_taken(transaction, &no_one, name).await?;
    }
    for email in &user.emails {
        emails::refuse_taken(transaction, &no_one, &email.address).await?;
    }
    Ok(())
}

async fn insert(transaction: &mut Transaction, user: &User) -> Result<(), StoreError> {
    let (secret, pending) = match &user.totp {
        Totp::Off => (None, None),
        Totp::Pending(pending) => (None, Some(pending)),
        Totp::On(secret) => (Some(secret.as_bytes()), None),
    };
    query(
        "INSERT INTO users (id, username, username_folded, profile, roles, fields, created_at, is_active, password, \
         must_change_password, totp_pending, totp_secret, has_email_codes, totp_pending_token, totp_pending_since, \
         username_skeleton, name_folded) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(user.id.as_str())
    .bind(user.username.as_deref())
    .bind(user.username.as_deref().map(fold))
    .bind(user.profile.as_ref().map(object_text).transpose()?)
    .bind(roles::text(&user.roles))
    .bind(object_text(&user.fields)?)
    .bind(user.created_at.milliseconds())
    .bind(user.is_active)
    .bind(user.password.as_ref().map(StoredHash::as_str))
    .bind(user.must_change_password)
    .bind(pending.map(|pending| pending.secret.as_bytes()))
    .bind(secret)
    .bind(user.has_email_codes)
    .bind(pending.and_then(|pending| pending.token.as_ref()).map(HashedToken::as_str))
    .bind(pending.map(|pending| pending.since.milliseconds()))
    .bind(user.username.as_deref().map(skeleton))
    .bind(folded_name(&user.fields))
    .execute(&mut *transaction)
    .await?;
    roles::insert(transaction, &user.id, &user.roles).await?;
    for (place, email) in (0_i64..).zip(&user.emails) {
        emails::insert(transaction, &user.id, email, place).await?;
    }
    Ok(())
}

/// Reads a user without its addresses.
fn read(row: &Row) -> Result<User, StoreError> {
    let profile: Option<&str> = row.get("profile")?;
    Ok(User {
        id: row.get::<String>("id")?.into(),
        username: row.get("username")?,
        emails: Vec::new(),
        profile: profile.map(text_object).transpose()?,
        roles: roles::parse(row.get("roles")?)?,
        fields: text_object(row.get("fields")?)?,
        created_at: time(row, "created_at")?,
        is_active: row.get("is_active")?,
        password: row.get::<Option<String>>("password")?.map(StoredHash::new),
        must_change_password: row.get("must_change_password")?,
        totp: totp(row)?,
        has_email_codes: row.get("has_email_codes")?,
        passkeys: row.get_u32("passkeys")?,
    })
}

fn totp(row: &Row) -> Result<Totp, StoreError> {
    if let Some(secret) = row.get::<Option<Vec<u8>>>("totp_secret")? {
        return Ok(Totp::On(Sealed::new(secret)));
    }
    let Some(pending) = row.get::<Option<Vec<u8>>>("totp_pending")? else { return Ok(Totp::Off) };
    let token = row.get::<Option<String>>("totp_pending_token")?.map(HashedToken::from_base64);
    let since = optional_time(row, "totp_pending_since")?.unwrap_or(Timestamp::from_milliseconds(0));
    Ok(Totp::Pending(PendingTotp { secret: Sealed::new(pending), token, since }))
}

/// Returns what a search for the name among the further fields compares.
pub(super) fn folded_name(fields: &Object) -> Option<String> {
    // Fields escape U+0000, and columns cannot hold it.
    fields.get("name")?.as_str().map(|name| fold(&name.replace('\0', " ")))
}

/// Does the same for fields as they are stored. Returns `None` also if they cannot be read.
pub(in crate::store) fn folded_name_in(fields: &str) -> Option<String> {
    folded_name(&text_object(fields).ok()?)
}

pub(super) fn object_text(object: &Object) -> Result<String, StoreError> {
    let raw = ejson::to_raw(object).map_err(|error| StoreError::Failed(Box::new(error)))?;
    Ok(raw.get().to_owned())
}

pub(super) fn text_object(text: &str) -> Result<Object, StoreError> {
    ejson::from_str(text, &CustomTypes::default()).map_err(|error| unreadable("a user's fields", error.to_string()))
}
