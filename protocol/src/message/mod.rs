//! What clients and servers say to each other: one JSON object a frame, told apart by its member `msg`.
//!
//! [`client`] is read by a server and written by a client, [`server`] the other way round. Parameters, results and
//! fields stay [`RawJson`](crate::RawJson) until somebody types them.

pub mod client;
mod envelope;
mod nesting;
pub mod server;

pub use client::{ClientMessage, ConnectRequest, MalformedMessage, MethodCall, Subscribe, offending_message};
pub use nesting::is_nested_deeper_than;
pub use server::{InvalidServerMessage, ServerMessage};
