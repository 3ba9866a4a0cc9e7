//! The store: what outlives the process. One trait for each aggregate; [`Store`] is all of them.
//!
//! - [`user`]: users, their addresses, their factors;
//! - [`token`]: what a client shows instead of a password;
//! - [`code`]: what is shown once: codes, links, challenges;
//! - [`attempt`]: how often something failed;
//! - [`setting`], [`audit`]: settings, what happened.
//!
//! Everything that must happen once (a code, a step, a link) is one conditional write: of two tasks that consume the same
//! thing, exactly one is told `true`.

pub mod attempt;
pub mod audit;
mod changes;
pub mod code;
mod fold;
pub(crate) mod mail;
pub(crate) mod outgoing;
pub mod setting;
mod sqlite;
pub mod token;
pub mod user;

use std::pin::Pin;

pub use attempt::{Attempts, FailureRule};
pub use audit::{AuditEntry, AuditEvent, AuditFilter};
pub(crate) use changes::{Changes, Topic};
pub use code::{Challenge, CodePurpose, EmailCode, KeyedHash, Link, LinkPurpose};
pub use fold::fold;
pub use sqlite::{OpenError, SqliteStore};
pub use token::{Fingerprint, HashedToken, LoginToken, TokenKind, Trust};
pub use user::{BackupCodes, EmailAddress, NewUser, Sealed, StoredHash, Totp, User, UserFilter, UserPage};

/// The future of an operation on the store.
pub type StoreFuture<'store, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'store>>;

/// All aggregates of an app.
///
/// It cannot be implemented outside of this crate, and neither can the traits of the aggregates: methods are still added to
/// them. [`SqliteStore`] implements it.
pub trait Store:
    user::Users
    + token::Tokens
    + code::Codes
    + attempt::FailureCounters
    + setting::StoredSettings
    + audit::Audit
    + outgoing::Outgoing
    + private::Watched
    + Send
    + Sync
    + 'static
{
}

pub(crate) mod private {
    /// Keeps a trait to the types of this crate.
    #[expect(unnameable_types, reason = "it is sealed so")]
    pub trait Private {}

    /// Tells the publications that show the store live to read it again.
    #[expect(unnameable_types, reason = "applications do not call it")]
    pub trait Watched {
        fn changes(&self) -> &super::Changes;
    }
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Something else has this name already; nothing was written.
    #[error("{0} is taken")]
    Taken(Unique),
    /// The store cannot be reached or written, for instance since the disk is full; nothing was written.
    #[error("the store failed: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What is stored cannot be read: written by a newer version, or damaged.
    #[error("the store holds {what} that cannot be read: {reason}")]
    Unreadable {
        /// What it is.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

/// What can be there only once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unique {
    /// A user's id.
    UserId,
    /// A username, whatever its case.
    Username,
    /// An e-mail address, whatever its case.
    Address,
    /// The name of one of a user's personal access tokens, or a token itself.
    Token,
}

impl std::fmt::Display for Unique {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::UserId => "the user id",
            Self::Username => "the username",
            Self::Address => "the address",
            Self::Token => "the token",
        })
    }
}
