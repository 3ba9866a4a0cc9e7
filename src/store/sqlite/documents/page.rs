//! [`PageStatement`]: reads documents in the order of an index or of their ids, beginning at a place in it.

use std::fmt::Write as _;

use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::document_of;
use super::failure::failed;
use crate::collection::storage::{IndexNumber, Page, StorageError, StoredEntry};

/// A statement with its values.
pub(super) struct PageStatement {
    text: String,
    values: Vec<Value>,
}

enum Value {
    Number(i64),
    Key(Vec<u8>),
    Id(String),
}

impl PageStatement {
    /// # Errors
    /// Returns an error if the page is in the order of ids, and a bound is not UTF-8.
    pub(super) fn new(page: Page) -> Result<Self, StorageError> {
        match page.index {
            Some(index) => Ok(Self::by_index(index, page)),
            None => Self::by_id(page),
        }
    }

    pub(super) fn query(self) -> Query<'static, Sqlite, SqliteArguments> {
        self.values.into_iter().fold(sqlx::query(AssertSqlSafe(self.text)), |query, value| match value {
            Value::Number(number) => query.bind(number),
            Value::Key(key) => query.bind(key),
            Value::Id(id) => query.bind(id),
        })
    }

    fn by_index(index: IndexNumber, page: Page) -> Self {
        let mut statement = Self { text: String::with_capacity(400), values: Vec::with_capacity(7) };
        // SQLite keeps the order of a cross join: it reads the index, and finds the document of each entry.
        statement.add(
            "SELECT d.id, d.fields, d.seq, k.key, k.elements FROM document_keys AS k CROSS JOIN documents AS d \
             WHERE d.id = k.id AND d.fields IS NOT NULL AND d.collection = ",
        );
        statement.add_value(Value::Number(page.collection.0));
        statement.add(" AND k.index_number = ");
        statement.add_value(Value::Number(index.0));
        let Page { from, to, after, is_reversed, limit, .. } = page;
        let (after_lower, after_upper) = if is_reversed { (None, after) } else { (after, None) };
        if let Some(place) = after_lower.filter(|(key, _)| *key >= from) {
            statement.add_place(">", place);
        } else {
            statement.add(" AND k.key >= ");
            statement.add_value(Value::Key(from));
        }
        match after_upper.filter(|(key, _)| to.is_empty() || *key < to) {
            Some(place) => statement.add_place("<", place),
            None if to.is_empty() => {}
            None => {
                statement.add(" AND k.key < ");
                statement.add_value(Value::Key(to));
            }
        }
        let order = if is_reversed { "k.key DESC, k.id DESC" } else { "k.key, k.id" };
        statement.add_order(order, limit);
        statement
    }

    fn by_id(page: Page) -> Result<Self, StorageError> {
        let mut statement = Self { text: String::with_capacity(200), values: Vec::with_capacity(5) };
        statement.add("SELECT id, fields, seq FROM documents WHERE fields IS NOT NULL AND collection = ");
        statement.add_value(Value::Number(page.collection.0));
        let (from, to) = (id_of(page.from)?, id_of(page.to)?);
        let after = page.after.map(|(_, id)| id);
        let (after_lower, after_upper) = if page.is_reversed { (None, after) } else { (after, None) };
        let (is_below, lower) = match after_lower.filter(|id| *id >= from) {
            Some(id) => (" AND id > ", id),
            None => (" AND id >= ", from),
        };
        statement.add(is_below);
        statement.add_value(Value::Id(lower));
        let to = Some(to).filter(|to| !to.is_empty());
        if let Some(upper) = after_upper.filter(|id| to.as_ref().is_none_or(|to| id < to)).or_else(|| to.clone()) {
            statement.add(" AND id < ");
            statement.add_value(Value::Id(upper));
        }
        statement.add_order(if page.is_reversed { "id DESC" } else { "id" }, page.limit);
        Ok(statement)
    }

    fn add_place(&mut self, relation: &str, (key, id): (Vec<u8>, String)) {
        self.add(" AND (k.key, k.id) ");
        self.add(relation);
        self.add(" (");
        self.add_value(Value::Key(key));
        self.add(", ");
        self.add_value(Value::Id(id));
        self.add(")");
    }

    fn add_order(&mut self, order: &str, limit: usize) {
        self.add(" ORDER BY ");
        self.add(order);
        self.add(" LIMIT ");
        self.add_value(Value::Number(i64::try_from(limit).unwrap_or(i64::MAX)));
    }

    fn add(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn add_value(&mut self, value: Value) {
        self.values.push(value);
        let _written = write!(self.text, "${}", self.values.len());
    }

    #[cfg(test)]
    pub(super) fn explained(mut self) -> Self {
        self.text.insert_str(0, "EXPLAIN QUERY PLAN ");
        self
    }
}

/// Reads a row of a page. `by_index` tells whether it has a key.
pub(super) fn entry_of(row: &SqliteRow, by_index: bool) -> Result<StoredEntry, StorageError> {
    let document = document_of(row)?;
    if !by_index {
        return Ok(StoredEntry { key: Vec::new(), elements: 0, document });
    }
    Ok(StoredEntry { key: row.try_get(3).map_err(failed)?, elements: row.try_get(4).map_err(failed)?, document })
}

fn id_of(bytes: Vec<u8>) -> Result<String, StorageError> {
    String::from_utf8(bytes)
        .map_err(|_| StorageError::Failed("a bound of a page in the order of ids is not UTF-8".into()))
}
