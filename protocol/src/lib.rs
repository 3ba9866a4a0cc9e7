//! The words of DDP, the protocol that Meteor and Rocket.Chat speak: messages, EJSON, ids and random streams.
//!
//! No IO and no runtime: a server, a client and a browser can all use it. In reading order:
//!
//! - [`message`]: what clients and servers say to each other, one JSON object a frame;
//! - [`version`]: which of the three protocol versions a connection speaks;
//! - [`error`]: the one shape in which anything fails;
//! - [`ejson`]: JSON with dates, bytes and the other things that JSON lacks;
//! - [`document_id`]: how the id of a document becomes a string;
//! - [`random`] and [`random_stream`]: ids, secrets, and the seeded ids on which client and server agree;
//! - [`two_factor`]: the last parameter that carries a second factor;
//! - [`sockjs`]: the frames in which a browser client sends and receives messages;
//! - `conformance` (feature `conformance`): conversations and vectors that any implementation can be tested against.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod document_id;
pub mod ejson;
pub mod error;
pub mod message;
pub mod random;
pub mod random_stream;
mod raw;
pub mod sockjs;
pub mod two_factor;
pub mod version;

pub use document_id::DocumentId;
pub use ejson::Ejson;
pub use error::DdpError;
pub use message::{ClientMessage, ServerMessage};
pub use random_stream::RandomStream;
pub use raw::RawJson;
pub use version::Version;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
