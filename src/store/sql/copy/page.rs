//! Reads and writes rows of any table, some at a time in the order of the primary key.

use sha2::{Digest as _, Sha256};

use super::super::layer::{Row, SqlError, Statement, Transaction, placeholders, query};
use super::tables::{Kind, Table};

/// The number of rows that one statement inserts.
const ROWS_A_STATEMENT: usize = 50;

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Text(Option<String>),
    Number(Option<i64>),
    Boolean(Option<bool>),
    Bytes(Option<Vec<u8>>),
}

/// How far a table was read.
pub(super) struct Cursor<'table> {
    table: &'table Table,
    /// The key of the last row, or `None` at the start.
    after: Option<Vec<Cell>>,
}

impl<'table> Cursor<'table> {
    pub(super) const fn new(table: &'table Table) -> Self {
        Self { table, after: None }
    }

    /// Returns the next rows, or none at the end.
    pub(super) async fn next(&mut self, from: &mut Transaction, limit: usize) -> Result<Vec<Vec<Cell>>, SqlError> {
        let Table { name, key, .. } = self.table;
        let (columns, keys) = (self.table.column_list(), self.table.key_list());
        let after = match self.after {
            Some(_) => format!("WHERE ({keys}) > ({})", placeholders(1, *key)),
            None => String::new(),
        };
        let page = format!("SELECT {columns} FROM {name} {after} ORDER BY {keys} LIMIT {limit}");
        let statement = self.after.iter().flatten().fold(query(page), bind);
        let rows = statement.fetch_all(from).await?;
        let rows = rows.iter().map(|row| read(self.table, row)).collect::<Result<Vec<_>, _>>()?;
        if let Some(last) = rows.last() {
            self.after = Some(last[..*key].to_vec());
        }
        Ok(rows)
    }
}

/// Inserts rows.
pub(super) async fn insert(to: &mut Transaction, table: &Table, rows: &[Vec<Cell>]) -> Result<(), SqlError> {
    let (name, columns, width) = (table.name, table.column_list(), table.columns.len());
    for chunk in rows.chunks(ROWS_A_STATEMENT) {
        let values: Vec<String> =
            (0..chunk.len()).map(|row| format!("({})", placeholders(row * width + 1, width))).collect();
        let insert = format!("INSERT INTO {name} ({columns}) VALUES {}", values.join(", "));
        chunk.iter().flatten().fold(query(insert), bind).execute(&mut *to).await?;
    }
    Ok(())
}

fn bind<'cell>(statement: Statement<'cell>, cell: &'cell Cell) -> Statement<'cell> {
    match cell {
        Cell::Text(text) => statement.bind(text.as_deref()),
        Cell::Number(number) => statement.bind(*number),
        Cell::Boolean(boolean) => statement.bind(*boolean),
        Cell::Bytes(bytes) => statement.bind(bytes.as_deref()),
    }
}

fn read(table: &Table, row: &Row) -> Result<Vec<Cell>, SqlError> {
    let read = |(place, (_, kind)): (usize, &(&str, Kind))| {
        Ok(match kind {
            Kind::Text => Cell::Text(row.get(place)?),
            Kind::Number => Cell::Number(row.get(place)?),
            Kind::Boolean => Cell::Boolean(row.get(place)?),
            Kind::Bytes => Cell::Bytes(row.get(place)?),
        })
    };
    table.columns.iter().enumerate().map(read).collect()
}

impl Cell {
    /// Returns the number of bytes of the value, roughly.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Text(text) => text.as_ref().map_or(0, |text| text.len() as u64),
            Self::Bytes(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Self::Number(_) | Self::Boolean(_) => 8,
        }
    }

    /// Adds the value to a hash, so that different rows have different hashes: with its kind and its length.
    pub(super) fn add_to(&self, hash: &mut Sha256) {
        match self {
            Self::Text(None) | Self::Number(None) | Self::Boolean(None) | Self::Bytes(None) => hash.update([0]),
            Self::Text(Some(text)) => add(hash, 1, text.as_bytes()),
            Self::Number(Some(number)) => add(hash, 2, &number.to_be_bytes()),
            Self::Boolean(Some(boolean)) => add(hash, 3, &[u8::from(*boolean)]),
            Self::Bytes(Some(bytes)) => add(hash, 4, bytes),
        }
    }
}

fn add(hash: &mut Sha256, kind: u8, bytes: &[u8]) {
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}
