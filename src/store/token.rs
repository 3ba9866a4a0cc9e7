//! Login tokens, which a client sends instead of a password. Only their hashes are stored.

use std::fmt;
use std::sync::Arc;

use super::private::Private;
use super::{KeyedHash, StoreFuture};
use crate::clock::Timestamp;
use crate::user::UserId;

/// The SHA-256 hash of a login token, in base64. It cannot be used to log in.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HashedToken(Arc<str>);

/// A login token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginToken {
    /// The hash of the token.
    pub hashed: HashedToken,
    /// The user that it belongs to.
    pub user: UserId,
    /// What the token was created for.
    pub kind: TokenKind,
    /// When it was created.
    pub created_at: Timestamp,
    /// Set if the client is trusted because it has passed a second factor with this token.
    pub trust: Option<Trust>,
    /// When it was last used, as far as that was recorded.
    pub last_used_at: Option<Timestamp>,
    /// The network address that last used it.
    pub last_address: Option<String>,
    /// The user agent that last used it.
    pub last_user_agent: Option<String>,
}

/// What a token was created for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// A login.
    Session {
        /// When it expires.
        expires_at: Timestamp,
    },
    /// An integration: a personal access token, which does not expire.
    Personal {
        /// The name, unique among the tokens of the user.
        name: String,
        /// The last characters of the token, for lists.
        last_part: String,
        /// Whether calls with it are not asked for a second factor.
        bypasses_two_factor: bool,
    },
}

/// The mark of a trusted client: a second factor was passed with the token, and is not asked for again for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trust {
    /// When the second factor was passed.
    pub since: Timestamp,
    /// When the trust ends.
    pub until: Timestamp,
    /// The client that passed it. Other clients with the same token are not trusted.
    pub fingerprint: Fingerprint,
}

/// Whether a client has logged in as a user before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientSighting {
    /// It is the first client of the user that is noted.
    First,
    /// Other clients of the user were noted, and this one was not.
    New,
    /// It was noted before.
    Known,
}

/// A keyed hash of a client's address and user agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub Vec<u8>);

/// The login tokens of a store.
pub trait Tokens: Private {
    /// Stores a token.
    ///
    /// # Errors
    /// Returns [`Taken`](super::StoreError::Taken) if the token exists, or its name is in use by another token of the user.
    fn insert_token(&self, token: LoginToken) -> StoreFuture<'_, ()>;

    /// Stores a token if `own`, a token of the same user, still exists: a login that was revoked must not create more
    /// tokens. Returns whether it was stored.
    ///
    /// # Errors
    /// Returns the same errors as [`insert_token`](Self::insert_token).
    fn insert_token_beside<'store>(
        &'store self,
        own: &'store HashedToken,
        token: LoginToken,
    ) -> StoreFuture<'store, bool>;

    /// Returns the token with this hash, or `None` if there is no such token.
    fn token<'store>(&'store self, hashed: &'store HashedToken) -> StoreFuture<'store, Option<LoginToken>>;

    /// Returns all tokens of a user, the oldest first.
    fn tokens_of<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, Vec<LoginToken>>;

    /// Returns those of these tokens that are not valid any more at `now`: they were deleted, have expired, or their user is
    /// not active. It reads past all caches and removes what is outdated from them: the write may have been another node's.
    fn ended_tokens<'store>(
        &'store self,
        tokens: &'store [HashedToken],
        now: Timestamp,
    ) -> StoreFuture<'store, Vec<HashedToken>>;

    /// Deletes a token, and returns whether it existed.
    fn delete_token<'store>(&'store self, hashed: &'store HashedToken) -> StoreFuture<'store, bool>;

    /// Deletes the session tokens of a user other than `except`, and returns the deleted ones. Personal access tokens
    /// stay.
    fn delete_session_tokens<'store>(
        &'store self,
        user: &'store UserId,
        except: Option<&'store HashedToken>,
    ) -> StoreFuture<'store, Vec<HashedToken>>;

    /// Deletes the personal access token with this name and returns it, or `None` if there is no such token.
    fn delete_personal_token<'store>(
        &'store self,
        user: &'store UserId,
        name: &'store str,
    ) -> StoreFuture<'store, Option<HashedToken>>;

    /// Replaces the personal access token with this name by a new one with the same rights. Returns the old one, or
    /// `None` if there is no such token.
    fn replace_personal_token<'store>(
        &'store self,
        user: &'store UserId,
        name: &'store str,
        hashed: HashedToken,
        last_part: String,
        now: Timestamp,
    ) -> StoreFuture<'store, Option<HashedToken>>;

    /// Marks the client of a token as trusted. Returns `false` if there is no such token.
    fn trust_token<'store>(&'store self, hashed: &'store HashedToken, trust: Trust) -> StoreFuture<'store, bool>;

    /// Removes the trust from all tokens of a user.
    fn distrust_tokens<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, ()>;

    /// Records the last use of a token.
    fn touch_token<'store>(
        &'store self,
        hashed: &'store HashedToken,
        at: Timestamp,
        address: Option<String>,
        user_agent: Option<String>,
    ) -> StoreFuture<'store, ()>;

    /// Deletes the session tokens that have expired at `now`, and returns the deleted ones.
    fn delete_expired_tokens(&self, now: Timestamp) -> StoreFuture<'_, Vec<HashedToken>>;

    /// Notes that a client has logged in as a user. `client` has the hashes of what identifies it, one for each key, the
    /// current key first. The 50 clients of a user that were seen last are kept.
    fn note_client<'store>(
        &'store self,
        user: &'store UserId,
        client: &'store [KeyedHash],
        at: Timestamp,
    ) -> StoreFuture<'store, ClientSighting>;
}

impl HashedToken {
    /// Returns a hash from its base64.
    #[must_use]
    pub fn from_base64(hash: impl Into<Arc<str>>) -> Self {
        Self(hash.into())
    }

    /// Returns the hash in base64.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl LoginToken {
    /// Returns a token whose client is not trusted, and that was not used yet.
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

    /// Returns when the token expires, or `None` for a personal access token, which does not.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        match self.kind {
            TokenKind::Session { expires_at } => Some(expires_at),
            TokenKind::Personal { .. } => None,
        }
    }

    /// Returns whether calls with the token are not asked for a second factor.
    #[must_use]
    pub const fn bypasses_two_factor(&self) -> bool {
        matches!(self.kind, TokenKind::Personal { bypasses_two_factor: true, .. })
    }
}

impl Trust {
    /// Returns the mark of a client with this fingerprint that passed a second factor at `since`.
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
