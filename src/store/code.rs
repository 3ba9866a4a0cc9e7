//! What is shown once: codes by e-mail, links in mails, challenges of a log-in. Only keyed hashes of them are stored.

use std::fmt;

use super::StoreFuture;
use super::private::Private;
use crate::clock::Timestamp;
use crate::user::UserId;

/// A hash under a key that the store does not know.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyedHash(String);

/// What a code by e-mail is for. One that was asked for by one of them counts for no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodePurpose {
    /// To log in.
    Login,
    /// To call a gated method or endpoint.
    Call,
    /// Whatever comes next: the user asked for a code without saying what for.
    Any,
}

impl CodePurpose {
    /// As it is stored and hashed.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Call => "call",
            Self::Any => "any",
        }
    }
}

/// The one live code of a user for a purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmailCode {
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How often a wrong code was shown instead.
    pub failures: u32,
}

/// A link in a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// The hash of its token.
    pub hash: KeyedHash,
    /// Whose it is.
    pub user: UserId,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// To which address it was sent; nothing for one that was handed over by an operator.
    pub address: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkPurpose {
    /// To choose a new password.
    ResetPassword,
    /// To choose the first password.
    EnrollAccount,
    /// To show that mail arrives.
    VerifyEmail,
}

/// A log-in whose first factor was shown and which cannot be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Challenge {
    /// The hash of its id.
    pub hash: KeyedHash,
    /// Who logs in.
    pub user: UserId,
    /// The factor that is asked for, as on the wire.
    pub method: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The codes of a store.
pub trait Codes: Private {
    /// Gives a user a code in place of any other for this purpose.
    fn put_email_code<'store>(
        &'store self,
        user: &'store UserId,
        purpose: CodePurpose,
        hash: KeyedHash,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> StoreFuture<'store, ()>;

    /// Gives a user a code if there is no live one for this purpose; of two at once, exactly one is told `true`.
    fn put_email_code_unless_live<'store>(
        &'store self,
        user: &'store UserId,
        purpose: CodePurpose,
        hash: KeyedHash,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> StoreFuture<'store, bool>;

    /// The user's code for this purpose, if it is live at `now`.
    fn email_code<'store>(
        &'store self,
        user: &'store UserId,
        purpose: CodePurpose,
        now: Timestamp,
    ) -> StoreFuture<'store, Option<EmailCode>>;

    /// Consumes the user's live code, which has any of these hashes (one for each key); `true` once.
    fn take_email_code<'store>(
        &'store self,
        user: &'store UserId,
        purpose: CodePurpose,
        hashes: &'store [KeyedHash],
        now: Timestamp,
    ) -> StoreFuture<'store, bool>;

    /// Counts a wrong code against the live one, which ends when the count reaches `limit`. Gives the count; nothing
    /// if there is no live code.
    fn fail_email_code<'store>(
        &'store self,
        user: &'store UserId,
        purpose: CodePurpose,
        limit: u32,
        now: Timestamp,
    ) -> StoreFuture<'store, Option<u32>>;

    /// Ends the user's codes, for whatever purpose.
    fn delete_email_code<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, ()>;

    /// Stores a link. It ends the user's other links of this purpose, or for [`LinkPurpose::VerifyEmail`] those to the
    /// same address.
    fn put_link(&self, link: Link) -> StoreFuture<'_, ()>;

    /// The link with any of these hashes (one for each key), whether it has ended or not.
    fn link<'store>(&'store self, hashes: &'store [KeyedHash]) -> StoreFuture<'store, Option<Link>>;

    /// Consumes a link; `true` once.
    fn take_link<'store>(&'store self, hash: &'store KeyedHash) -> StoreFuture<'store, bool>;

    /// Ends the user's links of this purpose.
    fn delete_links<'store>(&'store self, user: &'store UserId, purpose: LinkPurpose) -> StoreFuture<'store, ()>;

    /// Stores a challenge.
    fn put_challenge(&self, challenge: Challenge) -> StoreFuture<'_, ()>;

    /// The challenge with any of these hashes (one for each key), whether it has ended or not.
    fn challenge<'store>(&'store self, hashes: &'store [KeyedHash]) -> StoreFuture<'store, Option<Challenge>>;

    /// Consumes a challenge; `true` once.
    fn take_challenge<'store>(&'store self, hash: &'store KeyedHash) -> StoreFuture<'store, bool>;

    /// Removes codes, links and challenges that ended before `now`.
    fn delete_expired_codes(&self, now: Timestamp) -> StoreFuture<'_, ()>;
}

impl Link {
    /// Returns a link that was sent to no address; [`address`](Self::address) is set through the field.
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
    /// A hash, as text that names its key.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
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
