//! The runner's own rules: what matches, what a file may say, and how a case is played.

mod files;
mod matching;
mod playing;
#[cfg(feature = "accounts")]
mod requests;
mod server;
