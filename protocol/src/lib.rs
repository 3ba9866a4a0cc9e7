//! DDP, the protocol of Meteor and Rocket.Chat: messages, EJSON, ids and random streams.
//!
//! This crate does no IO and needs no runtime, so servers, clients and browsers can use it. In reading order:
//!
//! - [`message`]: the messages of clients and servers, one JSON object per frame;
//! - [`version`]: the three protocol versions, and how a connection negotiates one;
//! - [`error`]: the error of methods, subscriptions and logins;
//! - [`ejson`]: JSON with dates, bytes and other types that JSON lacks;
//! - [`document_id`]: document ids and their form on the wire;
//! - [`random`] and [`random_stream`]: ids, secrets, and seeded ids on which client and server agree;
//! - [`two_factor`]: the parameter that carries a two-factor code;
//! - [`sockjs`]: the frames in which a browser client sends and receives messages;
//! - `conformance` (feature `conformance`): test conversations and vectors for any implementation.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod document_id;
pub mod ejson;
mod elements;
pub mod error;
pub mod message;
pub mod random;
pub mod random_stream;
mod raw;
mod scan;
mod scratch;
pub mod sockjs;
pub mod two_factor;
pub mod version;

pub use document_id::DocumentId;
pub use ejson::Ejson;
pub use elements::Elements;
pub use error::DdpError;
pub use message::{ClientMessage, ServerMessage};
pub use random_stream::RandomStream;
pub use raw::RawJson;
pub use version::Version;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
