//! [`Identity`]: who is signed in on a connection, and by which token.

use std::fmt;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::user::UserId;

/// Who is signed in on a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: Option<UserId>,
    /// `None` for a user that a method has set without a login.
    pub(crate) credential: Option<Credential>,
}

/// The login token by which a user signed in, as its hash.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) hashed: Arc<str>,
    /// `None` for a token that never expires.
    pub(crate) expires_at: Option<Timestamp>,
}

impl Identity {
    pub(crate) fn without_login(user: Option<UserId>) -> Self {
        Self { user, credential: None }
    }

    /// Returns whether the token has not expired.
    pub(crate) fn is_current(&self, now: Timestamp) -> bool {
        self.credential.as_ref().and_then(|credential| credential.expires_at).is_none_or(|end| now < end)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credential").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
