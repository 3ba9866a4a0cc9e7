//! Bolide: a Meteor-compatible DDP server in which every method carries a two-factor policy.
//!
//! Clients that exist (Meteor apps, Rocket.Chat's apps, SDKs and bots) connect to it unchanged. An application
//! registers methods; a method is a plain async function with typed parameters, and states whether it asks for a second
//! factor:
//!
//! ```no_run
//! use bolide::prelude::*;
//!
//! async fn add(_: Context, a: f64, b: f64) -> MethodResult<f64> {
//!     Ok(a + b)
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), bolide::Error> {
//!     App::builder().method("add", TwoFactor::none(), add).serve("127.0.0.1:3000").await
//! }
//! ```
//!
//! In reading order, which is also the way of a call:
//!
//! - [`App`]: what an application registers, and how it is served;
//! - `transport` and `session`: how frames come in, and the rules of DDP for one connection;
//! - [`call`]: what a handler is given, its parameters, policy and errors, the gate, and the dispatcher that asks it;
//! - [`publication`] and [`collection`]: what clients subscribe to, and documents that can be watched;
//! - `accounts`, `settings`, `mail` and `store` (feature `accounts`): users and what they prove, with REST and web pages;
//! - `client` (feature `client`): a client for any DDP server, with a prompt for the second factor;
//! - [`Limits`], [`clock`], [`chance`] and [`bus`]: what bounds a server, and what it takes from outside.

#[cfg(feature = "accounts")]
pub mod accounts;
#[cfg(feature = "accounts")]
mod admin;
#[cfg(feature = "server")]
mod app;
#[cfg(feature = "server")]
pub mod bus;
#[cfg(feature = "server")]
pub mod call;
pub mod chance;
#[cfg(feature = "client")]
pub mod client;
pub mod clock;
#[cfg(feature = "server")]
pub mod collection;
#[cfg(feature = "server")]
mod error;
#[cfg(feature = "accounts")]
pub mod keys;
mod limits;
#[cfg(feature = "accounts")]
pub mod mail;
#[cfg(feature = "server")]
mod outbox;
#[cfg(feature = "server")]
mod peer;
#[cfg(feature = "accounts")]
mod public_name;
#[cfg(feature = "server")]
pub mod publication;
#[cfg(feature = "server")]
mod registry;
#[cfg(feature = "accounts")]
pub mod rest;
#[cfg(feature = "server")]
mod session;
#[cfg(feature = "accounts")]
pub mod settings;
#[cfg(feature = "accounts")]
pub mod store;
#[cfg(feature = "server")]
mod transport;
#[cfg(feature = "accounts")]
mod two_factor;
mod user;
#[cfg(feature = "accounts")]
mod web;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "server")]
pub use app::{AppBuilder, shutdown_signal};
pub use bolide_protocol as protocol;
pub use bolide_protocol::DdpError;
#[cfg(feature = "server")]
pub use call::{App, Caller, Connection, Context, MethodError, MethodResult, MethodSummary, SignedIn, TwoFactor};
#[cfg(feature = "server")]
pub use collection::{Collection, Filter, Query, Update};
#[cfg(feature = "server")]
pub use error::{BuildError, Error};
pub use limits::{Heartbeat, Limits};
#[cfg(feature = "server")]
pub use publication::{Audience, Strategy, Stream, Subscription};
#[cfg(feature = "server")]
pub use transport::memory::{FromServer, MemoryConnection};
#[cfg(feature = "server")]
pub use transport::proxies::{InvalidProxy, TrustedProxy};
pub use user::UserId;

/// What most applications use.
#[cfg(feature = "server")]
pub mod prelude {
    pub use crate::collection::Direction;
    pub use crate::protocol::Ejson;
    pub use crate::{
        App, Audience, Caller, Collection, Context, Filter, MethodError, MethodResult, SignedIn, Stream, Subscription,
        TwoFactor, Update, UserId,
    };
}
