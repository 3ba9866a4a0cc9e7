//! Calls: what clients ask of methods. In the order of a call:
//!
//! - [`Connection`] and the identity on it say where a call comes from;
//! - [`Parameters`] are what the client sent, still raw;
//! - the dispatcher finds the method, counts the call against the [rate limits](RateLimitRule), asks the [`Gate`] what
//!   the method's [policy](TwoFactor) demands, and runs the handler;
//! - a [`MethodHandler`] is an async function that takes a [`Context`] or [`SignedIn`], then typed parameters;
//! - [`MethodError`] is how it fails.

mod app;
mod caller;
mod connection;
mod context;
mod current;
mod dispatcher;
mod error;
mod gate;
mod handler;
mod identity;
mod invocation;
mod parameters;
mod policy;
mod rate_limit;
mod rate_limiter;
mod registry;
mod request_id;
mod slots;
#[cfg(feature = "accounts")]
mod slow;
mod statistics;
mod summary;
mod windows;

pub(crate) use app::{AppCore, CachedMethods};
pub(crate) use connection::{ConnectionPort, EndCallback};
pub(crate) use context::{State, state};
pub(crate) use current::{Cached, Current};
pub(crate) use dispatcher::{EndedMethod, MethodOutcome, RunningMethod, guarded};
pub(crate) use error::sanitize;
#[cfg(feature = "accounts")]
pub(crate) use identity::Credential;
pub(crate) use identity::Identity;
pub(crate) use invocation::Invocation;
pub(crate) use rate_limit::Counted;
pub(crate) use rate_limiter::RateLimiter;
pub(crate) use registry::{Method, MethodRegistry};
#[cfg(feature = "accounts")]
pub(crate) use request_id::{answering_as, current_request};
pub(crate) use slots::Slots;
#[cfg(feature = "accounts")]
pub(crate) use slow::{SLOW_CALL, SlowCall, SlowCalls};
pub(crate) use statistics::{CallBatch, CallFigures, MethodStatistics};
#[cfg(feature = "accounts")]
pub(crate) use windows::{WindowCount, WindowRule, Windows};

pub use app::App;
pub use bolide_protocol::two_factor::{TwoFactorCode, TwoFactorMethod};
pub use caller::Caller;
pub use connection::Connection;
pub use context::{Context, SignedIn};
pub use dispatcher::Admitted;
pub use error::{MethodError, MethodResult};
pub use gate::{AccessFuture, AccessKind, AccessRequest, Admission, ClosedGate, Gate, GateFuture, GatedCall};
pub use handler::{
    AnyParameters, Blocking, BlockingHandler, BlockingSignature, CallerArgument, CallerKind, HandlerFuture,
    MethodHandler, blocking,
};
pub use parameters::Parameters;
pub use policy::{Policy, Requirement, TwoFactor};
pub use rate_limit::{CountedKind, RateLimitRefusal, RateLimitRule};
pub use rate_limiter::RateLimitId;
pub use statistics::MethodCounts;
pub use summary::{MethodKind, MethodSummary};
