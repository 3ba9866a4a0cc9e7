//! Login tokens: what a client shows instead of a password. Only their hashes are stored.

use std::fmt;
use std::sync::Arc;

use super::StoreFuture;
use super::private::Private;
use crate::clock::Timestamp;
use crate::user::UserId;

/// The base64 SHA-256 of a login token. Who knows it cannot log in with it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HashedToken(Arc<str>);

/// A login token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginToken {
    /// The hash of it.
    pub hashed: HashedToken,
    /// Whose it is.
    pub user: UserId,
    /// Of a log-in, or made for an integration.
    pub kind: TokenKind,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether a second factor was shown with it.
    pub trust: Option<Trust>,
    /// When it was used last, as far as that was noted.
    pub last_used_at: Option<Timestamp>,
    /// From where it was used last.
    pub last_address: Option<String>,
    /// By what it was used last.
    pub last_user_agent: Option<String>,
}

/// What a token was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// A log-in.
    Session {
        /// When it ends.
        expires_at: Timestamp,
    },
    /// An integration: it never ends.
    Personal {
        /// The name, unique for the user.
        name: String,
        /// The last characters of the token, for lists.
        last_part: String,
        /// Whether it is never asked for a second factor.
        bypasses_two_factor: bool,
    },
}

/// A second factor was shown with the token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trust {
    /// When it was shown.
    pub since: Timestamp,
    /// How long that counts.
    pub until: Timestamp,
    /// By which client: the mark counts for no other.
    pub fingerprint: Fingerprint,
}

/// A keyed hash of a client's address and user agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub Vec<u8>);

/// The login tokens of a store.
pub trait Tokens: Private {
    /// Stores a token.
    ///
    /// # Errors
    /// [`Taken`](super::StoreError::Taken) when it, or its name for this user, is there already.
    fn insert_token(&self, token: LoginToken) -> StoreFuture<'_, ()>;

    /// Stores a token if another one of the same user is still there: a log-in that has ended makes no more of them. Says
    /// whether it did.
    ///
    /// # Errors
    /// As [`insert_token`](Self::insert_token).
    fn insert_token_beside<'store>(
        &'store self,
        own: &'store HashedToken,
        token: LoginToken,
    ) -> StoreFuture<'store, bool>;

    /// The token with this hash.
    fn token<'store>(&'store self, hashed: &'store HashedToken) -> StoreFuture<'store, Option<LoginToken>>;

    /// All tokens of a user, the oldest first.
    fn tokens_of<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, Vec<LoginToken>>;

    /// Removes a token; says whether it was there.
    fn delete_token<'store>(&'store self, hashed: &'store HashedToken) -> StoreFuture<'store, bool>;

    /// Removes the tokens of a user's log-ins, but not `except` and not those of integrations; gives what it removed.
    fn delete_session_tokens<'store>(
        &'store self,
        user: &'store UserId,
        except: Option<&'store HashedToken>,
    ) -> StoreFuture<'store, Vec<HashedToken>>;

    /// Removes all tokens of a user; gives what it removed.
    fn delete_all_tokens<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, Vec<HashedToken>>;

    /// Removes the personal access token of this name; gives what it removed.
    fn delete_personal_token<'store>(
        &'store self,
        user: &'store UserId,
        name: &'store str,
    ) -> StoreFuture<'store, Option<HashedToken>>;

    /// Replaces the personal access token of this name by a new one that may do the same; gives the old one.
    fn replace_personal_token<'store>(
        &'store self,
        user: &'store UserId,
        name: &'store str,
        hashed: HashedToken,
        last_part: String,
        now: Timestamp,
    ) -> StoreFuture<'store, Option<HashedToken>>;

    /// Notes that a second factor was shown; `false` if the token is gone.
    fn trust_token<'store>(&'store self, hashed: &'store HashedToken, trust: Trust) -> StoreFuture<'store, bool>;

    /// Forgets for all tokens of a user that a second factor was shown.
    fn distrust_tokens<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, ()>;

    /// Notes when, from where and by what a token was used.
    fn touch_token<'store>(
        &'store self,
        hashed: &'store HashedToken,
        at: Timestamp,
        address: Option<String>,
        user_agent: Option<String>,
    ) -> StoreFuture<'store, ()>;

    /// Removes the tokens of log-ins that have ended; gives what it removed.
    fn delete_expired_tokens(&self, now: Timestamp) -> StoreFuture<'_, Vec<HashedToken>>;
}

impl HashedToken {
    /// A hash, as base64.
    #[must_use]
    pub fn from_base64(hash: impl Into<Arc<str>>) -> Self {
        Self(hash.into())
    }

    /// The hash, as base64.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl LoginToken {
    /// Returns a token that is not trusted and was not used yet.
    #[must_use]
    pub const fn new(hashed: HashedToken, user: UserId, kind: TokenKind, created_at: Timestamp) -> Self {
        Self {
            hashed,
            user,
            kind,
            created_at,
            trust: None,
            last_used_at: None,
            last_address: None,
            last_user_agent: None,
        }
    }

    /// When it ends; nothing for one that never does.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        match self.kind {
            TokenKind::Session { expires_at } => Some(expires_at),
            TokenKind::Personal { .. } => None,
        }
    }

    /// Whether it is never asked for a second factor.
    #[must_use]
    pub const fn bypasses_two_factor(&self) -> bool {
        matches!(self.kind, TokenKind::Personal { bypasses_two_factor: true, .. })
    }
}

impl Trust {
    /// Returns the mark that a second factor was shown at `since` by the client with this fingerprint.
    #[must_use]
    pub const fn new(since: Timestamp, until: Timestamp, fingerprint: Fingerprint) -> Self {
        Self { since, until, fingerprint }
    }
}

impl fmt::Debug for HashedToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HashedToken")
    }
}
