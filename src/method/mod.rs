//! Methods: what clients call. In the order of a call:
//!
//! - [`parameters`](Parameters) are what the client sent, still raw;
//! - the dispatcher finds the method, counts the call, asks the gate and runs the handler;
//! - a [`MethodHandler`] is an async function with typed parameters;
//! - [`MethodError`] is how it fails.

mod dispatcher;
mod error;
mod handler;
mod parameters;
mod registry;
mod statistics;
mod summary;

pub(crate) use dispatcher::{Invocation, MethodOutcome, RunningMethod, guarded};
pub(crate) use error::{details, sanitize};
pub(crate) use registry::{Method, MethodRegistry};
pub(crate) use statistics::MethodStatistics;

pub use dispatcher::Admitted;
pub use error::{MethodError, MethodResult};
pub use handler::{
    AnyParameters, Blocking, BlockingHandler, BlockingSignature, CallerArgument, CallerKind, HandlerFuture,
    MethodHandler, blocking,
};
pub use parameters::Parameters;
pub use statistics::MethodCounts;
pub use summary::{MethodKind, MethodSummary};
