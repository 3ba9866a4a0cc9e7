//! The messages of clients and servers: one JSON object per frame. The member `msg` names the kind.
//!
//! A server parses [`client`] messages and writes [`server`] messages; a client does the opposite. Parameters, results
//! and fields stay [`RawJson`](crate::RawJson) until a typed value is read from them.

pub mod client;
mod envelope;
mod nesting;
pub mod server;

pub use client::{
    ClientMessage, ConnectRequest, MalformedMessage, MethodCall, MethodInFrame, ParamsInFrame, ReadMessage, Subscribe,
    offending_message,
};
pub use nesting::is_nested_deeper_than;
pub use server::{InvalidServerMessage, ServerMessage};
