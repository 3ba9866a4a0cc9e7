//! The runner's own rules: how files are read, which values match, and how a case is run.

mod files;
mod matching;
mod playing;
#[cfg(feature = "accounts")]
mod reports;
mod requests;
mod selecting;
mod server;
