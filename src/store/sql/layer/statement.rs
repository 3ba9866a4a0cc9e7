//! [`Statement`]: the text of a statement with its values.

use std::borrow::Cow;
use std::sync::Arc;

use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr as _, SqlStr, Sqlite};
use tracing::Span;

use super::database::{Executor, Pool};
use super::failure::{answer, answer_to_write};
use super::{Row, SqlError};
use crate::spans;

/// The text of a statement. Values are never part of it.
#[derive(Clone, Debug)]
pub(in crate::store) enum Sql {
    /// The same for both databases.
    Both(SqlStr),
    /// A text for each database.
    Each { sqlite: &'static str, postgres: &'static str },
}

/// A statement that is run once.
#[derive(Debug)]
#[must_use = "a statement has no effect until it is run"]
pub(in crate::store) struct Statement<'value> {
    sql: Sql,
    values: Vec<Value<'value>>,
}

/// A value, which has a type even if it is null.
#[derive(Debug)]
pub(in crate::store) enum Value<'value> {
    Text(Option<Cow<'value, str>>),
    Number(Option<i64>),
    Boolean(Option<bool>),
    Bytes(Option<Cow<'value, [u8]>>),
}

/// Returns a statement without values yet.
pub(in crate::store) fn query<'value>(sql: impl Into<Sql>) -> Statement<'value> {
    Statement { sql: sql.into(), values: Vec::new() }
}

/// Returns the number of placeholders for a list of `length` values: few different ones, so that statements are prepared
/// for few lengths.
pub(in crate::store) const fn list_size(length: usize) -> usize {
    length.next_power_of_two()
}

/// Returns `$2, $3, $4` for three values after the first.
pub(in crate::store) fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

impl<'value> Statement<'value> {
    /// Adds the value of the next placeholder.
    pub(in crate::store) fn bind(mut self, value: impl Into<Value<'value>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds the values of a list that is not empty, with [`list_size`] placeholders: it is repeated in those that are left.
    pub(in crate::store) fn bind_list<Item: Into<Value<'value>>>(
        mut self,
        list: impl ExactSizeIterator<Item = Item> + Clone,
    ) -> Self {
        let size = list_size(list.len());
        self.values.extend(list.cycle().take(size).map(Into::into));
        self
    }

    /// Runs the statement, which is a write. Returns the number of rows that it has changed.
    pub(in crate::store) async fn execute<'on>(self, on: impl Into<Executor<'on>>) -> Result<u64, SqlError> {
        let on = on.into();
        let (timed, span) = (on.count(), self.span(&on));
        if span.is_none() {
            return timed.end(self.execute_uncounted(on).await);
        }
        timed.end(spans::within(span, Box::pin(self.execute_uncounted(on))).await)
    }

    async fn execute_uncounted(self, on: Executor<'_>) -> Result<u64, SqlError> {
        match on {
            Executor::SqlitePool(pool) => Ok(self.sqlite()?.execute(&pool.connections).await?.rows_affected()),
            Executor::Sqlite(connection, _) => Ok(self.sqlite()?.execute(connection).await?.rows_affected()),
            Executor::PostgresPool(pool) => {
                let statement = self.postgres()?;
                let mut connection = pool.lend().await?;
                let done = answer_to_write(pool.patience, statement.execute(&mut *connection)).await?;
                Ok(done.rows_affected())
            }
            Executor::Postgres(connection, patience, _) => {
                Ok(answer(patience, self.postgres()?.execute(connection)).await?.rows_affected())
            }
        }
    }

    /// Runs the statement, which is a write of one row. Returns the row, or `None` if it changed nothing.
    pub(in crate::store) async fn execute_returning(self, on: &Pool) -> Result<Option<Row>, SqlError> {
        let executor = Executor::from(on);
        let (timed, span) = (executor.count(), self.span(&executor));
        if span.is_none() {
            return timed.end(self.execute_returning_uncounted(on).await);
        }
        timed.end(spans::within(span, Box::pin(self.execute_returning_uncounted(on))).await)
    }

    async fn execute_returning_uncounted(self, on: &Pool) -> Result<Option<Row>, SqlError> {
        Ok(match on {
            Pool::Sqlite(pool) => self.sqlite()?.fetch_optional(&pool.connections).await?.map(Row::from),
            Pool::Postgres(pool) => {
                let statement = self.postgres()?;
                let mut connection = pool.lend().await?;
                answer_to_write(pool.patience, statement.fetch_optional(&mut *connection)).await?.map(Row::from)
            }
        })
    }

    /// Runs the statement. Returns the rows.
    pub(in crate::store) async fn fetch_all<'on>(self, on: impl Into<Executor<'on>>) -> Result<Vec<Row>, SqlError> {
        let on = on.into();
        let (timed, span) = (on.count(), self.span(&on));
        if span.is_none() {
            return timed.end(self.fetch_all_uncounted(on).await);
        }
        timed.end(spans::within(span, Box::pin(self.fetch_all_uncounted(on))).await)
    }

    async fn fetch_all_uncounted(self, on: Executor<'_>) -> Result<Vec<Row>, SqlError> {
        Ok(match on {
            Executor::SqlitePool(pool) => rows(self.sqlite()?.fetch_all(&pool.connections).await?),
            Executor::Sqlite(connection, _) => rows(self.sqlite()?.fetch_all(connection).await?),
            Executor::PostgresPool(pool) => {
                let statement = self.postgres()?;
                let mut connection = pool.lend().await?;
                rows(answer(pool.patience, statement.fetch_all(&mut *connection)).await?)
            }
            Executor::Postgres(connection, patience, _) => {
                rows(answer(patience, self.postgres()?.fetch_all(connection)).await?)
            }
        })
    }

    /// Runs the statement. Returns the first row, or `None` if there is no row.
    pub(in crate::store) async fn fetch_optional<'on>(
        self,
        on: impl Into<Executor<'on>>,
    ) -> Result<Option<Row>, SqlError> {
        let on = on.into();
        let (timed, span) = (on.count(), self.span(&on));
        if span.is_none() {
            return timed.end(self.fetch_optional_uncounted(on).await);
        }
        timed.end(spans::within(span, Box::pin(self.fetch_optional_uncounted(on))).await)
    }

    async fn fetch_optional_uncounted(self, on: Executor<'_>) -> Result<Option<Row>, SqlError> {
        Ok(match on {
            Executor::SqlitePool(pool) => self.sqlite()?.fetch_optional(&pool.connections).await?.map(Row::from),
            Executor::Sqlite(connection, _) => self.sqlite()?.fetch_optional(connection).await?.map(Row::from),
            Executor::PostgresPool(pool) => {
                let statement = self.postgres()?;
                let mut connection = pool.lend().await?;
                answer(pool.patience, statement.fetch_optional(&mut *connection)).await?.map(Row::from)
            }
            Executor::Postgres(connection, patience, _) => {
                answer(patience, self.postgres()?.fetch_optional(connection)).await?.map(Row::from)
            }
        })
    }

    /// Runs the statement. Returns the first row; it is an error if there is no row.
    pub(in crate::store) async fn fetch_one<'on>(self, on: impl Into<Executor<'on>>) -> Result<Row, SqlError> {
        self.fetch_optional(on).await?.ok_or(SqlError::Failed(sqlx::Error::RowNotFound))
    }

    /// Returns the span of the statement.
    fn span(&self, on: &Executor<'_>) -> Span {
        match on {
            Executor::SqlitePool(_) | Executor::Sqlite(..) => spans::statement("sqlite", || self.sql.sqlite()),
            Executor::PostgresPool(_) | Executor::Postgres(..) => {
                spans::statement("postgresql", || self.sql.postgres())
            }
        }
    }

    fn sqlite(self) -> Result<sqlx::query::Query<'value, Sqlite, SqliteArguments>, SqlError> {
        self.refuse_nul()?;
        let query = sqlx::query(self.sql.sqlite());
        Ok(self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            Value::Boolean(boolean) => query.bind(boolean),
            Value::Bytes(bytes) => query.bind(bytes.map(Cow::into_owned)),
        }))
    }

    fn postgres(self) -> Result<sqlx::query::Query<'value, Postgres, PgArguments>, SqlError> {
        self.refuse_nul()?;
        let query = sqlx::query(self.sql.postgres());
        Ok(self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            Value::Boolean(boolean) => query.bind(boolean),
            Value::Bytes(bytes) => query.bind(bytes.map(Cow::into_owned)),
        }))
    }

    /// Refuses what PostgreSQL does not take as a text, so that both databases hold the same.
    fn refuse_nul(&self) -> Result<(), SqlError> {
        let has_nul = |value: &Value<'_>| matches!(value, Value::Text(Some(text)) if text.contains('\0'));
        if self.values.iter().any(has_nul) { Err(SqlError::Nul) } else { Ok(()) }
    }
}

fn rows<Own: Into<Row>>(rows: Vec<Own>) -> Vec<Row> {
    rows.into_iter().map(Into::into).collect()
}

impl Sql {
    /// Returns a text for each database.
    pub(in crate::store) const fn each(sqlite: &'static str, postgres: &'static str) -> Self {
        Self::Each { sqlite, postgres }
    }

    fn sqlite(&self) -> SqlStr {
        match self {
            Self::Both(text) => text.clone(),
            Self::Each { sqlite, .. } => SqlStr::from_static(sqlite),
        }
    }

    fn postgres(&self) -> SqlStr {
        match self {
            Self::Both(text) => text.clone(),
            Self::Each { postgres, .. } => SqlStr::from_static(postgres),
        }
    }
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self::Both(SqlStr::from_static(text))
    }
}

impl From<String> for Sql {
    /// Uses a text that was put together from constants.
    fn from(text: String) -> Self {
        Self::Both(AssertSqlSafe(text).into_sql_str())
    }
}

impl From<Arc<str>> for Sql {
    /// Uses a text that was put together from constants.
    fn from(text: Arc<str>) -> Self {
        Self::Both(AssertSqlSafe(text).into_sql_str())
    }
}

/// Declares which types are values of which kind, null or not.
macro_rules! values {
    ($($kind:ident($convert:expr): $($type:ty),+;)+) => {$($(
        impl<'value> From<$type> for Value<'value> {
            fn from(value: $type) -> Self {
                Self::$kind(Some($convert(value)))
            }
        }

        impl<'value> From<Option<$type>> for Value<'value> {
            fn from(value: Option<$type>) -> Self {
                Self::$kind(value.map($convert))
            }
        }
    )+)+};
}

values! {
    Text(Cow::from): &'value str, String, &'value String;
    Number(i64::from): i64, u32;
    Boolean(bool::from): bool;
    Bytes(Cow::from): &'value [u8], Vec<u8>;
}
