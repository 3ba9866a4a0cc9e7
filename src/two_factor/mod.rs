//! The second factor. [`TwoFactor`] is the policy that every method states at its registration; [`Gate`] is asked by
//! the dispatcher before the handler of a gated method runs, and is the only one that admits.

mod gate;
mod policy;

pub use bolide_protocol::two_factor::{TwoFactorCode, TwoFactorMethod};
pub use gate::{ClosedGate, Gate, GateFuture, GatedCall};
pub use policy::{Policy, Requirement, TwoFactor};
