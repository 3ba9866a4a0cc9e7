//! `bolide migrate`: copies all data into another database, such as from an SQLite file into PostgreSQL, or back.

use std::io::{self, Write as _};
use std::path::Path;

use bolide::store::{CopiedTable, SqlStore};

use super::serve::Outcome;
use crate::progress::Transfer;

/// Both servers must be stopped. The target must be empty, and nothing is written to it unless everything is.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Database to copy: sqlite:PATH, or postgres://USER@HOST:PORT/NAME with the password in PGPASSWORD or ~/.pgpass
    from: String,
    /// Empty database to copy into; a file is created
    to: String,
}

pub(crate) async fn run(Arguments { from, to }: Arguments) -> Outcome {
    require_file(&from)?;
    let (source, target) = (SqlStore::open(&from).await?, SqlStore::open(&to).await?);
    let shown = Transfer::of_rows();
    let copied = source.copy_to(&target, |table, rows| shown.describe(format!("{table}: {rows} rows"))).await;
    shown.finish();
    print_tables(&copied?)?;
    let note = "every table was read again from the target and is equal; start the server with the same keys";
    writeln!(io::stderr(), "{note}")?;
    Ok(())
}

/// Prints each table with the number and the hash of its rows.
pub(crate) fn print_tables(tables: &[CopiedTable]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    tables.iter().try_for_each(|table| writeln!(output, "{}\t{}\t{}", table.name, table.rows, table.hash))
}

/// Opening a file that does not exist would create it.
fn require_file(address: &str) -> Result<(), String> {
    match address.strip_prefix("sqlite:") {
        Some(path) if !Path::new(path).try_exists().unwrap_or(true) => {
            Err(format!("the database {path} does not exist; FROM is the one to copy"))
        }
        _ => Ok(()),
    }
}
