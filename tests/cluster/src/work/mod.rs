//! What clients do while faults happen, and what must be true of it at rest.
//!
//! `writer` writes documents; `sessions` logs in and revokes; `codes` uses one-time codes on all nodes at once; `mails` asks for
//! mails; `budgets` tries wrong codes and passwords.

pub(crate) mod budgets;
pub(crate) mod codes;
pub(crate) mod mails;
pub(crate) mod sessions;
pub(crate) mod writer;
