//! The store: the data that outlives the process. There is a trait for each aggregate, and [`Store`] combines them.
//!
//! - [`user`]: users, their addresses and their factors;
//! - [`token`]: login tokens, which a client sends instead of a password;
//! - [`passkey`]: passkeys, and the challenges that they have signed;
//! - [`code`]: codes, links and challenges, which can be used once;
//! - [`access`]: how access to an account ends as a whole;
//! - [`attempt`]: counters of failures;
//! - [`setting`], [`audit`]: the values of settings, and the audit log;
//! - [`Outgoing`](crate::mail::Outgoing): mails that wait to be sent;
//! - [`backup`], [`inspection`]: copies of all data as files, and what is wrong with a database.
//!
//! Whatever may be used only once (a code, a time step, a link) is consumed by one conditional write: of two tasks that
//! consume the same one, exactly one gets `true`.

pub mod access;
pub mod attempt;
pub mod audit;
pub mod backup;
pub mod canary;
mod changes;
pub mod code;
mod fold;
pub mod inspection;
pub(crate) mod mail;
pub(crate) mod outgoing;
pub mod passkey;
mod postgres;
pub mod setting;
mod sql;
mod sqlite;
#[cfg(test)]
mod tests;
pub mod token;
pub mod user;

use std::pin::Pin;

pub use access::{Kept, PasswordProof, Verification};
pub use attempt::{Attempts, CountedAttempt, FailureRule};
pub use audit::{AuditEntry, AuditEvent, AuditFilter};
pub(crate) use changes::{Changes, Topic};
pub use code::{Challenge, CodePurpose, CodeTry, EmailCode, KeyedHash, Link, LinkPurpose};
pub use fold::{fold, skeleton};
pub use passkey::{Passkey, PasskeyAdded, PasskeyUse, PasskeyUsed, UsedChallenge};
pub use sql::{CopiedTable, CopyError, DatabaseOptions, OpenError, SqlStore};
pub use token::{ClientSighting, Fingerprint, HashedToken, LoginToken, TokenKind, Trust};
pub use user::{
    BackupCodes, EmailAddress, Lookalikes, Namesakes, NewUser, PendingTotp, RoleLoss, Sealed, StoredHash, Totp, User,
    UserFilter, UserPage,
};

/// The future of an operation on the store.
pub type StoreFuture<'store, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'store>>;

/// All data of an app.
///
/// It cannot be implemented outside of this crate, and neither can the traits of the aggregates: they still get new
/// methods. [`SqlStore`] implements it.
pub trait Store:
    user::Users
    + token::Tokens
    + passkey::Passkeys
    + code::Codes
    + access::Access
    + attempt::FailureCounters
    + setting::StoredSettings
    + audit::Audit
    + canary::Canary
    + outgoing::Outgoing
    + private::Watched
    + private::Cached
    + private::StoresDocuments
    + Send
    + Sync
    + 'static
{
}

pub(crate) mod private {
    /// Keeps other crates from implementing a trait.
    #[expect(unnameable_types, reason = "it is sealed so")]
    pub trait Private {}

    /// Notifies publications that show the store live, and tells what the store does.
    #[expect(unnameable_types, reason = "applications do not call it")]
    pub trait Watched {
        fn changes(&self) -> &super::Changes;

        /// Returns what its pools of connections do.
        fn pools(&self) -> Vec<crate::figures::PoolReport>;

        /// Returns the file in which it keeps the data. `None` if that is in memory or on another machine.
        fn file(&self) -> Option<std::path::PathBuf>;
    }

    /// Drops what a cache has of users and tokens that another node has changed. The bus may say so before the database does.
    #[expect(unnameable_types, reason = "applications do not call it")]
    pub trait Cached {
        fn forget_tokens(&self, hashed: &[String]);

        fn forget_user(&self, user: &crate::user::UserId);

        /// Drops the tokens of all users.
        fn forget_all_tokens(&self);
    }

    /// Keeps the documents of stored collections.
    #[expect(unnameable_types, reason = "applications use collections")]
    pub trait StoresDocuments {
        fn documents(&self) -> std::sync::Arc<dyn crate::collection::storage::DocumentStore>;
    }
}

/// Why an operation on the store has failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The value is in use already. Nothing was written.
    #[error("{0} is taken")]
    Taken(Unique),
    /// The store cannot be reached or written, for example because the disk is full. Nothing was written.
    #[error("the store failed: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection to the store was lost before it answered: it is not known whether anything was written.
    #[error("the connection to the store was lost, and whether the change was made is not known: {0}")]
    Unknown(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Stored data cannot be read: it was written by a newer version, or is damaged.
    #[error("the store holds {what} that cannot be read: {reason}")]
    Unreadable {
        /// What cannot be read.
        what: &'static str,
        /// Why it cannot be read.
        reason: String,
    },
}

/// A value that must be unique in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unique {
    /// A user's id.
    UserId,
    /// A username.
    Username,
    /// An e-mail address.
    Address,
    /// A login token, or the name of a personal access token among those of its user.
    Token,
    /// The id of a passkey.
    Passkey,
}

impl std::fmt::Display for Unique {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::UserId => "the user id",
            Self::Username => "the username",
            Self::Address => "the address",
            Self::Token => "the token",
            Self::Passkey => "the passkey",
        })
    }
}
