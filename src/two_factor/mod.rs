//! The second factor: the gate of an app with accounts, and the methods that set factors up.

mod call_with_code;
mod challenge;
mod check;
mod decision;
mod email;
mod enrolment;
mod meteor;
mod methods;
mod reset;
mod totp;

pub(crate) use challenge::Begun;
pub(crate) use check::AccountsGate;
pub(crate) use email::MailAsker;
pub(crate) use enrolment::EnrolmentRule;
pub(crate) use methods::register;
pub(crate) use totp::{backup_code_hash, totp_owner};
