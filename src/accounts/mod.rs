//! Accounts: who users are, and how they prove it.

pub mod password;
