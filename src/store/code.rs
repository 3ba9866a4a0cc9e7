//! What can be used once: codes by e-mail, links in mails, challenges of a login. Only their keyed hashes are stored.

use std::fmt;

use super::StoreFuture;
use super::private::Private;
use crate::clock::Timestamp;
use crate::user::UserId;

/// A hash made with a key that is not in the store.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyedHash(String);

/// What a code by e-mail is for. A code is valid only for the purpose it was requested for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodePurpose {
    /// A login.
    Login,
    /// A call of a gated method or endpoint.
    Call,
    /// Any purpose: the user has requested a code without saying what for.
    Any,
}

impl CodePurpose {
    /// Returns the name that is stored and hashed.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Call => "call",
            Self::Any => "any",
        }
    }
}

/// The valid code of a user for a purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmailCode {
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The number of wrong codes that were sent instead.
    pub failures: u32,
}

/// A link in a mail, which can be used once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// The hash of the token in the link.
    pub hash: KeyedHash,
    /// The user that it belongs to.
    pub user: UserId,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// The address that it was sent to, or `None` if an operator handed it over.
    pub address: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkPurpose {
    /// Choosing a new password.
    ResetPassword,
    /// Choosing the first password.
    EnrollAccount,
    /// Proving that mail to an address arrives.
    VerifyEmail,
}

/// A login that has passed the first factor and waits for the second, such as one through another service, which the
/// client cannot repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Challenge {
    /// The hash of the challenge's id.
    pub hash: KeyedHash,
    /// The user who logs in.
    pub user: UserId,
    /// The factor that is asked for, as it is named on the wire.
    pub method: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// The outcome of [`Codes::try_email_code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodeTry {
    /// The code was right, and is used up.
    Right,
    /// The code was wrong, or there is no valid one.
    Wrong {
        /// Whether a code has become invalid by it.
        is_last: bool,
    },
}

/// The codes, links and challenges of a store.
pub trait Codes: Private {
    /// Stores a code of a user. It replaces an earlier one for the same purpose.
    fn put_email_code<'store>(
        &'store self,
        user: &'store UserId,
        purpose: CodePurpose,
        hash: KeyedHash,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> StoreFuture<'store, ()>;

    /// Stores a code of a user unless there is a valid one for this purpose. Returns whether it was stored: of two
    /// concurrent calls, exactly one returns `true`.
    fn put_email_code_unless_live<'store>(
        &'store self,
        user: &'store UserId,
        purpose: CodePurpose,
        hash: KeyedHash,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> StoreFuture<'store, bool>;

    /// Returns the user's code for this purpose, or `None` if there is no code that is valid at `now`.
    fn email_code<'store>(
        &'store self,
        user: &'store UserId,
        purpose: CodePurpose,
        now: Timestamp,
    ) -> StoreFuture<'store, Option<EmailCode>>;

    /// Tries a code that is shown, against the user's valid codes for these purposes, each with its hashes (one for each key).
    /// The right one is used up. A wrong one is counted against each of them before it is compared, in the same transaction;
    /// a code becomes invalid when its count reaches `limit`. Of many parallel tries, at most `limit` are compared.
    fn try_email_code<'store>(
        &'store self,
        user: &'store UserId,
        shown: &'store [(CodePurpose, Vec<KeyedHash>)],
        limit: u32,
        now: Timestamp,
    ) -> StoreFuture<'store, CodeTry>;

    /// Deletes the user's codes for all purposes.
    fn delete_email_code<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, ()>;

    /// Stores a link. It replaces the user's other links of this purpose; for [`LinkPurpose::VerifyEmail`], only those
    /// for the same address.
    fn put_link(&self, link: Link) -> StoreFuture<'_, ()>;

    /// Returns the link with one of these hashes (one for each key), also if it has expired.
    fn link<'store>(&'store self, hashes: &'store [KeyedHash]) -> StoreFuture<'store, Option<Link>>;

    /// Consumes a link. Returns `true` once per link.
    fn take_link<'store>(&'store self, hash: &'store KeyedHash) -> StoreFuture<'store, bool>;

    /// Deletes the user's links of this purpose.
    fn delete_links<'store>(&'store self, user: &'store UserId, purpose: LinkPurpose) -> StoreFuture<'store, ()>;

    /// Stores a challenge.
    fn put_challenge(&self, challenge: Challenge) -> StoreFuture<'_, ()>;

    /// Returns the challenge with one of these hashes (one for each key), also if it has expired.
    fn challenge<'store>(&'store self, hashes: &'store [KeyedHash]) -> StoreFuture<'store, Option<Challenge>>;

    /// Consumes a challenge. Returns `true` once per challenge.
    fn take_challenge<'store>(&'store self, hash: &'store KeyedHash) -> StoreFuture<'store, bool>;

    /// Deletes the codes, links and challenges that have expired at `now`.
    fn delete_expired_codes(&self, now: Timestamp) -> StoreFuture<'_, ()>;
}

impl Link {
    /// Returns a link without an [`address`](Self::address), which is set through the field.
    #[must_use]
    pub const fn new(
        hash: KeyedHash,
        user: UserId,
        purpose: LinkPurpose,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self { hash, user, purpose, address: None, created_at, expires_at }
    }
}

impl Challenge {
    /// Returns a challenge for `method`, a factor as it is named on the wire.
    #[must_use]
    pub const fn new(
        hash: KeyedHash,
        user: UserId,
        method: String,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self { hash, user, method, created_at, expires_at }
    }
}

impl KeyedHash {
    /// Returns a hash from its text, which names the key.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text of the hash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyedHash")
    }
}
