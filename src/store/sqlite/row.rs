//! Reads the columns of a row, and converts the errors of SQLite to [`StoreError`].

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::clock::Timestamp;
use crate::store::{StoreError, Unique};

pub(super) fn failed(error: sqlx::Error) -> StoreError {
    if let sqlx::Error::Database(refusal) = &error
        && refusal.is_unique_violation()
    {
        return StoreError::Taken(unique(refusal.message()));
    }
    StoreError::Failed(Box::new(error))
}

/// Returns what the violated constraint is about: the message of SQLite names the column.
fn unique(message: &str) -> Unique {
    if message.contains("users.username") {
        return Unique::Username;
    }
    if message.contains("emails.") {
        return Unique::Address;
    }
    if message.contains("tokens.") { Unique::Token } else { Unique::UserId }
}

pub(super) fn unreadable(what: &'static str, reason: impl Into<String>) -> StoreError {
    StoreError::Unreadable { what, reason: reason.into() }
}

pub(super) fn get<'row, T>(row: &'row SqliteRow, column: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'row, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(column).map_err(failed)
}

pub(super) fn time(row: &SqliteRow, column: &str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_milliseconds(get(row, column)?))
}

pub(super) fn optional_time(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, StoreError> {
    Ok(get::<Option<i64>>(row, column)?.map(Timestamp::from_milliseconds))
}
