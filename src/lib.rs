//! Bolide: a Meteor-compatible DDP server in which every method carries a two-factor policy.
//!
//! Existing clients (Meteor apps, Rocket.Chat's apps, SDKs and bots) connect to it unchanged. An application registers
//! methods. A method is a plain async function with typed parameters; its registration states whether it needs a second
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
//! The rooms of the crate, by layer; a room uses its own layer and those above it in this list:
//!
//! - ground: [`Limits`], [`clock`], [`chance`], [`UserId`], errors, `webauthn` (the ceremonies of passkeys), and the
//!   [`protocol`] crate;
//! - runtime, a DDP server without users: [`call`] (the dispatcher, the gate, what a handler is given), [`publication`],
//!   [`collection`], `session` (the rules of DDP for one connection), `outbox`, `transport`, `registry`;
//! - storage: [`bus`], and with the feature `accounts` `store`, `mail` and `keys`;
//! - features (feature `accounts`): `accounts`, `two_factor`, `settings`, `admin`;
//! - doors: `metrics`, and with the feature `accounts` `rest` and `web`;
//! - assembly: [`AppBuilder`], which puts an [`App`] together.
//!
//! Outside the layers are `client` (feature `client`), a client for any DDP server with a prompt for the second factor;
//! `conformance`, the runner of the conformance cases; and `testing`, a client and a mail server for the tests of an
//! application.

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
#[cfg_attr(
    not(feature = "accounts"),
    expect(dead_code, unreachable_pub, reason = "only apps with a store have stored collections")
)]
pub mod collection;
#[cfg(feature = "server")]
mod error;
#[cfg(feature = "server")]
mod figures;
#[cfg(feature = "accounts")]
pub mod keys;
mod limits;
#[cfg(feature = "accounts")]
pub mod mail;
#[cfg(feature = "server")]
mod metrics;
#[cfg(feature = "server")]
mod named;
mod node;
#[cfg(feature = "server")]
mod outbox;
#[cfg(feature = "server")]
mod peer;
#[cfg(feature = "server")]
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
#[cfg(feature = "server")]
mod shares;
#[cfg(feature = "server")]
mod spans;
#[cfg(feature = "accounts")]
pub mod store;
#[cfg(feature = "server")]
mod transport;
#[cfg(feature = "accounts")]
mod two_factor;
mod user;
#[cfg(feature = "accounts")]
mod web;
#[cfg(feature = "accounts")]
mod webauthn;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "server")]
pub use app::{AppBuilder, shutdown_signal, shutdown_signals};
pub use bolide_protocol as protocol;
pub use bolide_protocol::DdpError;
#[cfg(feature = "server")]
pub use call::{App, Caller, Connection, Context, MethodError, MethodResult, MethodSummary, SignedIn, TwoFactor};
#[cfg(feature = "server")]
pub use collection::{Collection, Filter, Query, Update};
#[cfg(feature = "server")]
pub use error::{BuildError, Error, UnknownOutcome};
pub use limits::{Heartbeat, Limits};
#[cfg(feature = "server")]
pub use publication::{Audience, Strategy, Stream, Subscription};
#[cfg(feature = "server")]
pub use transport::listener::bind;
#[cfg(feature = "server")]
pub use transport::listening::Listener;
#[cfg(feature = "server")]
pub use transport::memory::{FromServer, MemoryConnection};
#[cfg(feature = "server")]
pub use transport::origins::{AllowedOrigin, InvalidOrigin};
#[cfg(feature = "server")]
pub use transport::proxies::{InvalidProxy, TrustedProxy};
#[cfg(feature = "tls")]
pub use transport::tls::{Tls, TlsError};
pub use user::UserId;

/// Compiles the examples in the docs, and runs them.
#[cfg(all(doctest, feature = "accounts"))]
#[doc = include_str!("../docs/collections.md")]
mod pages {}

/// The names that most applications use.
#[cfg(feature = "server")]
pub mod prelude {
    #[cfg(feature = "accounts")]
    pub use crate::accounts::Accounts;
    pub use crate::collection::Direction;
    pub use crate::protocol::Ejson;
    pub use crate::{
        App, Audience, Caller, Collection, Context, Filter, MethodError, MethodResult, SignedIn, Stream, Subscription,
        TwoFactor, Update, UserId,
    };
}
