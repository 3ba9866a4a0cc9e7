//! [`PageStatement`]: reads documents in the order of an index or of their ids, beginning at a place in it.

use std::fmt::Write as _;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, Row as _};

use super::document_of;
use super::failure::{failed, refuse_nul};
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
    /// Returns an error if the page is in the order of ids, and a bound cannot be an id.
    pub(super) fn new(page: Page) -> Result<Self, StorageError> {
        refuse_nul(page.after.as_ref().map(|(_, id)| id.as_str()))?;
        match page.index {
            Some(index) => Ok(Self::by_index(index, page)),
            None => Self::by_id(page),
        }
    }

    pub(super) fn query(self) -> Query<'static, Postgres, PgArguments> {
        self.values.into_iter().fold(sqlx::query(AssertSqlSafe(self.text)), |query, value| match value {
            Value::Number(number) => query.bind(number),
            Value::Key(key) => query.bind(key),
            Value::Id(id) => query.bind(id),
        })
    }

    fn by_index(index: IndexNumber, page: Page) -> Self {
        let mut statement = Self { text: String::with_capacity(400), values: Vec::with_capacity(7) };
        statement.add(
            "SELECT d.id, d.fields, d.seq, k.key, k.elements FROM document_keys AS k JOIN documents AS d \
             ON d.id = k.id AND d.fields IS NOT NULL AND d.collection = ",
        );
        statement.add_value(Value::Number(page.collection.0));
        statement.add(" WHERE k.index_number = ");
        statement.add_value(Value::Number(index.0));
        let Page { from, to, after, is_reversed, limit, .. } = page;
        let (after_lower, after_upper) = if is_reversed { (None, after) } else { (after, None) };
        if let Some(place) = after_lower.filter(|(key, _)| *key >= from) {
            statement.add_place(">", place);
        } else {
            statement.add(" AND k.key >= ");
            statement.add_value(Value::Key(from));
        }
        // Without it, the index would be read from its end.
        if !to.is_empty() {
            statement.add(" AND k.key < ");
            statement.add_value(Value::Key(to.clone()));
        }
        if let Some(place) = after_upper.filter(|(key, _)| to.is_empty() || *key < to) {
            statement.add_place("<", place);
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
        self.text.insert_str(0, "EXPLAIN ");
        self
    }
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

fn id_of(bytes: Vec<u8>) -> Result<String, StorageError> {
    let not_an_id = |_| StorageError::Failed("a bound of a page in the order of ids is not UTF-8".into());
    let id = String::from_utf8(bytes).map_err(not_an_id)?;
    refuse_nul([id.as_str()])?;
    Ok(id)
}
