//! The integration tests: promises of the library, kept over real sockets and in the process.

mod application;
mod conformance;
mod conformance_runner;
mod server;
