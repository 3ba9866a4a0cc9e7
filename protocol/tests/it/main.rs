//! The tests of the protocol crate, one module per subject.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client_messages;
mod conformance;
mod corpus;
mod document_ids;
mod ejson_echoed;
mod ejson_read;
mod ejson_untyped;
mod ejson_written;
mod random_ids;
mod round_trips;
mod vectors;
