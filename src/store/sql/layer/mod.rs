//! One way to both databases: SQLite and PostgreSQL behind the same few types, with the drivers of `sqlx` below.
//!
//! - [`Statement`]: a text in the common dialect with its values;
//! - [`Database`], [`Pool`], [`Transaction`]: what a statement runs on;
//! - [`Row`]: what it returns;
//! - [`Lent`]: a connection to PostgreSQL while it is in use.
//!
//! The common dialect: placeholders are `$1`, columns are named, booleans are compared to nothing or to `FALSE`, columns
//! in `DO UPDATE` are qualified. Where the databases differ, a [`Sql`] has a text for each.

mod database;
mod failure;
mod lent;
mod row;
mod statement;

pub(in crate::store) use database::{Database, Executor, Pool, PostgresPool, Serial, Transaction};
pub(in crate::store) use failure::SqlError;
pub(in crate::store) use lent::{Lent, LentTransaction};
pub(in crate::store) use row::Row;
pub(in crate::store) use statement::{Sql, Statement, list_size, placeholders, query};
