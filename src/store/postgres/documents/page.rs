//! Pages of documents in PostgreSQL: their statements and their rows.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, Row as _};

use super::document_of;
use super::failure::{failed, refuse_nul};
use crate::collection::storage::{Page, StorageError, StoredEntry};
use crate::store::sql::page::{PageForm, PageStatement, UpperBounds, Value};

/// With one upper bound only, the index would be read from its end.
const FORM: PageForm = PageForm { join: "JOIN documents AS d ON", after_join: " WHERE", bounds: UpperBounds::Both };

/// Returns the statement that reads a page.
///
/// # Errors
/// Returns an error if the page is in the order of ids, and a bound cannot be an id.
pub(super) fn statement(page: Page) -> Result<PageStatement, StorageError> {
    let statement = PageStatement::new(page, &FORM)?;
    refuse_nul(statement.values.iter().filter_map(|value| match value {
        Value::Id(id) => Some(id.as_str()),
        Value::Number(_) | Value::Key(_) => None,
    }))?;
    Ok(statement)
}

/// Returns the query of a statement.
pub(super) fn query(PageStatement { text, values }: PageStatement) -> Query<'static, Postgres, PgArguments> {
    values.into_iter().fold(sqlx::query(AssertSqlSafe(text)), |query, value| match value {
        Value::Number(number) => query.bind(number),
        Value::Key(key) => query.bind(key),
        Value::Id(id) => query.bind(id),
    })
}

/// Reads a row of a page. `by_index` tells whether it has a key.
pub(super) fn entry_of(row: &PgRow, by_index: bool) -> Result<StoredEntry, StorageError> {
    let document = document_of(row)?;
    if !by_index {
        return Ok(StoredEntry { key: Vec::new(), elements: 0, document });
    }
    let elements: i64 = row.try_get(4).map_err(failed)?;
    let damaged = |_| StorageError::Failed(format!("the database holds {elements} as fields of an index"));
    let elements = u32::try_from(elements).map_err(damaged)?;
    Ok(StoredEntry { key: row.try_get(3).map_err(failed)?, elements, document })
}
