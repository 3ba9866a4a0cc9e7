//! Reads the columns of a row as the types of the store.

use super::layer::Row;
use crate::clock::Timestamp;
use crate::store::{HashedToken, StoreError};
use crate::user::UserId;

pub(super) fn unreadable(what: &'static str, reason: impl Into<String>) -> StoreError {
    StoreError::Unreadable { what, reason: reason.into() }
}

pub(super) fn time(row: &Row, column: &str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_milliseconds(row.get(column)?))
}

pub(super) fn optional_time(row: &Row, column: &str) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.get::<Option<i64>>(column)?.map(Timestamp::from_milliseconds))
}

pub(super) fn user_id(row: &Row, column: &str) -> Result<UserId, StoreError> {
    Ok(row.get::<String>(column)?.into())
}

pub(super) fn hashed_token(row: &Row) -> Result<HashedToken, StoreError> {
    Ok(HashedToken::from_base64(row.get::<String>("hashed")?))
}
