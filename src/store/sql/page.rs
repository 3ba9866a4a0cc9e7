//! [`PageStatement`]: the text and the values of a statement that reads documents in the order of an index or of their ids,
//! beginning at a place in it. The documents of both databases use it.

use std::fmt::Write as _;

use crate::collection::storage::{IndexNumber, Page, StorageError};

/// A statement with its values.
pub(in crate::store) struct PageStatement {
    pub(in crate::store) text: String,
    pub(in crate::store) values: Vec<Value>,
}

pub(in crate::store) enum Value {
    Number(i64),
    Key(Vec<u8>),
    Id(String),
}

/// What differs between the databases.
pub(in crate::store) struct PageForm {
    /// Joins the documents, up to the first condition.
    pub(in crate::store) join: &'static str,
    /// Leads from the conditions of the join to those of the index.
    pub(in crate::store) after_join: &'static str,
    pub(in crate::store) bounds: UpperBounds,
}

/// Which upper bounds are stated where the place to begin at is below the end of the range.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum UpperBounds {
    /// The lower one.
    Lowest,
    /// Both.
    Both,
}

impl PageStatement {
    /// # Errors
    /// Returns an error if the page is in the order of ids, and a bound is not UTF-8.
    pub(in crate::store) fn new(page: Page, form: &PageForm) -> Result<Self, StorageError> {
        match page.index {
            Some(index) => Ok(Self::by_index(index, page, form)),
            None => Self::by_id(page),
        }
    }

    fn by_index(index: IndexNumber, page: Page, form: &PageForm) -> Self {
        let mut statement = Self { text: String::with_capacity(400), values: Vec::with_capacity(7) };
        statement.add("SELECT d.id, d.fields, d.seq, k.key, k.elements FROM document_keys AS k ");
        statement.add(form.join);
        statement.add(" d.id = k.id AND d.fields IS NOT NULL AND d.collection = ");
        statement.add_value(Value::Number(page.collection.0));
        statement.add(form.after_join);
        statement.add(" k.index_number = ");
        statement.add_value(Value::Number(index.0));
        let Page { from, to, after, is_reversed, limit, .. } = page;
        let (after_lower, after_upper) = if is_reversed { (None, after) } else { (after, None) };
        if let Some(place) = after_lower.filter(|(key, _)| *key >= from) {
            statement.add_place(">", place);
        } else {
            statement.add(" AND k.key >= ");
            statement.add_value(Value::Key(from));
        }
        let place = after_upper.filter(|(key, _)| to.is_empty() || *key < to);
        if !to.is_empty() && (place.is_none() || form.bounds == UpperBounds::Both) {
            statement.add(" AND k.key < ");
            statement.add_value(Value::Key(to));
        }
        if let Some(place) = place {
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
}

fn id_of(bytes: Vec<u8>) -> Result<String, StorageError> {
    String::from_utf8(bytes)
        .map_err(|_| StorageError::Failed("a bound of a page in the order of ids is not UTF-8".into()))
}
