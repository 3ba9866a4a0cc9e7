//! Passwords: how a client sends one, how it is stored, and how the two are compared.
//!
//! Meteor's clients send the SHA-256 digest of a password, not the password. What is stored is a slow, salted hash of that
//! digest in hexadecimal: bcrypt in older Meteor servers, argon2id in newer ones and here.
//!
//! - [`Password`]: what a client sends;
//! - [`PasswordHash`]: what is stored;
//! - [`PasswordHasher`]: makes the one from the other and compares them, on threads of its own;
//! - [`HashingCost`]: how much work a hash takes;
//! - `new`: a password that is to be set, and `common`: whether it is easily guessed.

mod common;
mod cost;
mod hash;
mod hasher;
mod new;
mod permits;
mod sent;

pub use cost::{HashingCost, HashingCostError};
pub use hash::{PasswordHash, PasswordHashError, Scheme};
pub use hasher::{HashingError, PasswordHasher, Verification};
pub(super) use permits::{HashingLine, HashingPlace};
pub use sent::Password;

pub(crate) use common::is_common;
pub(crate) use new::NewPassword;
pub(crate) use permits::HashingLines;
