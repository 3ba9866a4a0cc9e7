//! [`Row`]: what a statement returns. Columns are read by name or by place.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Decode, Postgres, Row as _, Sqlite, Type};

use super::SqlError;

/// A row of either database.
pub(in crate::store) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// Reads a column: a text, an `i64`, a `bool`, bytes, or an `Option` of these.
    pub(in crate::store) fn get<'row, T>(
        &'row self,
        column: impl ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    ) -> Result<T, SqlError>
    where
        T: Decode<'row, Sqlite> + Type<Sqlite> + Decode<'row, Postgres> + Type<Postgres>,
    {
        let read = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        };
        read.map_err(SqlError::Failed)
    }

    /// Reads a column with a number that was stored as a `u32`.
    pub(in crate::store) fn get_u32(
        &self,
        column: impl ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    ) -> Result<u32, SqlError> {
        let number: i64 = self.get(column)?;
        u32::try_from(number).map_err(|error| SqlError::Failed(sqlx::Error::Decode(error.into())))
    }
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Self::Sqlite(row)
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self::Postgres(row)
    }
}
