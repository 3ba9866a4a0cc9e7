//! Real servers for tests: PostgreSQL and NATS, started by the tests themselves and ended with them.
//!
//! - `postgres`: [`Postgres::shared`] for a fresh database, [`Postgres::private`] for a server that a test may break;
//! - `nats`: a NATS server;
//! - `link`: a link to a server, which can swallow everything;
//! - `directory`: where a server keeps its files, and how it ends with its tests, also when they are killed;
//! - `process`: signals, and the user that PostgreSQL runs as.
//!
//! A server that is not installed is a failure that says what to install; `tests/run` installs everything. Linux only.

mod directory;
mod link;
mod nats;
mod postgres;
mod process;

pub use directory::Programs;
pub use link::Link;
pub use nats::Nats;
pub use postgres::{Postgres, PostgresVersion, PrivatePostgres};
