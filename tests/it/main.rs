//! The integration tests: promises of the library, kept over real sockets and in the process.

mod application;
mod attack;
mod client;
mod conformance;
mod conformance_runner;
mod dispatch;
mod gates;
mod handlers;
mod limits;
mod live_queries;
mod mounted;
mod publications;
mod rate_limits;
mod raw;
mod requests;
mod resumption;
mod server;
mod shutdown;
mod sockets;
mod subscriber;
mod waiting;
mod windows;
