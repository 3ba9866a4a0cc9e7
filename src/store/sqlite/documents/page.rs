//! Pages of documents in SQLite: their statements and their rows.

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, Sqlite};

use super::document_of;
use super::failure::failed;
use crate::collection::storage::{Page, StorageError, StoredEntry};
use crate::store::sql::page::{PageForm, PageStatement, UpperBounds, Value};

/// SQLite keeps the order of a cross join: it reads the index, and finds the document of each entry. It uses one upper bound
/// of an index, so there is only the lower one.
const FORM: PageForm =
    PageForm { join: "CROSS JOIN documents AS d WHERE", after_join: " AND", bounds: UpperBounds::Lowest };

/// Returns the statement that reads a page.
///
/// # Errors
/// Returns an error if the page is in the order of ids, and a bound is not UTF-8.
pub(super) fn statement(page: Page) -> Result<PageStatement, StorageError> {
    PageStatement::new(page, &FORM)
}

/// Returns the query of a statement.
pub(super) fn query(PageStatement { text, values }: PageStatement) -> Query<'static, Sqlite, SqliteArguments> {
    values.into_iter().fold(sqlx::query(AssertSqlSafe(text)), |query, value| match value {
        Value::Number(number) => query.bind(number),
        Value::Key(key) => query.bind(key),
        Value::Id(id) => query.bind(id),
    })
}

/// Reads a row of a page. `by_index` tells whether it has a key.
pub(super) fn entry_of(row: &SqliteRow, by_index: bool) -> Result<StoredEntry, StorageError> {
    let document = document_of(row)?;
    if !by_index {
        return Ok(StoredEntry { key: Vec::new(), elements: 0, document });
    }
    Ok(StoredEntry { key: row.try_get(3).map_err(failed)?, elements: row.try_get(4).map_err(failed)?, document })
}
