//! The second factor. [`TwoFactor`] is the policy that every method states at its registration; [`Gate`] is asked by
//! the dispatcher before the handler of a gated method runs, and is the only one that admits.

#[cfg(feature = "accounts")]
mod call_with_code;
#[cfg(feature = "accounts")]
mod challenge;
#[cfg(feature = "accounts")]
mod check;
#[cfg(feature = "accounts")]
mod decision;
#[cfg(feature = "accounts")]
mod email;
#[cfg(feature = "accounts")]
mod enrolment;
mod gate;
#[cfg(feature = "accounts")]
mod meteor;
#[cfg(feature = "accounts")]
mod methods;
mod policy;
#[cfg(feature = "accounts")]
mod reset;
#[cfg(feature = "accounts")]
mod totp;

#[cfg(feature = "accounts")]
pub(crate) use challenge::Begun;
#[cfg(feature = "accounts")]
pub(crate) use check::AccountsGate;
#[cfg(feature = "accounts")]
pub(crate) use email::MailAsker;
#[cfg(feature = "accounts")]
pub(crate) use enrolment::EnrolmentRule;
#[cfg(feature = "accounts")]
pub(crate) use methods::register;
#[cfg(feature = "accounts")]
pub(crate) use totp::{backup_code_hash, totp_owner};

pub use bolide_protocol::two_factor::{TwoFactorCode, TwoFactorMethod};
pub use gate::{ClosedGate, Errand, ErrandKind, Gate, GateFuture, GatedCall};
pub use policy::{Policy, Requirement, TwoFactor};
