//! The integration tests: promises of the library, kept over real sockets and in the process.

mod application;
mod client;
mod conformance;
mod conformance_runner;
mod dispatch;
mod gates;
mod handlers;
mod limits;
mod mounted;
mod publications;
mod raw;
mod requests;
mod server;
mod sockets;
mod subscriber;
mod waiting;
