//! The profile of a user, and its further fields.

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;

use super::super::layer::{Sql, query};
use super::rows::{folded_name, object_text, text_object};
use super::{SqlStore, Touches};
use crate::store::StoreError;
use crate::user::UserId;

/// Reads the fields, and keeps others from changing them.
const FIELDS: Sql =
    Sql::each("SELECT fields FROM users WHERE id = $1", "SELECT fields FROM users WHERE id = $1 FOR UPDATE");

const SET_FIELDS: &str = "UPDATE users SET fields = $2, name_folded = $3 WHERE id = $1";

pub(super) async fn set_profile(store: &SqlStore, id: &UserId, profile: Option<Object>) -> Result<bool, StoreError> {
    let profile = profile.as_ref().map(object_text).transpose()?;
    let set = query("UPDATE users SET profile = $2 WHERE id = $1").bind(id.as_str()).bind(profile);
    store.change_of(Touches::User(id), set).await
}

pub(super) async fn replace_profile(
    store: &SqlStore,
    id: &UserId,
    from: Option<&Object>,
    to: &Object,
) -> Result<bool, StoreError> {
    let (from, to) = (from.map(object_text).transpose()?, object_text(to)?);
    let replaced = query("UPDATE users SET profile = $3 WHERE id = $1 AND profile IS NOT DISTINCT FROM $2");
    store.change_of(Touches::User(id), replaced.bind(id.as_str()).bind(from).bind(to)).await
}

pub(super) async fn set_all(store: &SqlStore, id: &UserId, fields: Object) -> Result<bool, StoreError> {
    let set = query(SET_FIELDS).bind(id.as_str()).bind(object_text(&fields)?).bind(folded_name(&fields));
    store.change_of(Touches::User(id), set).await
}

/// Sets one field, or removes it.
pub(super) async fn set(store: &SqlStore, id: &UserId, name: &str, value: Option<Ejson>) -> Result<bool, StoreError> {
    let (owner, name) = (id.clone(), name.to_owned());
    store
        .transaction(Touches::User(id), |transaction| {
            Box::pin(async move {
                let stored = query(FIELDS).bind(owner.as_str()).fetch_optional(&mut *transaction).await?;
                let Some(stored) = stored else { return Ok(false) };
                let mut fields = text_object(stored.get("fields")?)?;
                match value {
                    Some(value) => drop(fields.insert(name, value)),
                    None => drop(fields.shift_remove(&name)),
                }
                let set = query(SET_FIELDS).bind(owner.as_str()).bind(object_text(&fields)?);
                set.bind(folded_name(&fields)).execute(transaction).await?;
                Ok(true)
            })
        })
        .await
}
