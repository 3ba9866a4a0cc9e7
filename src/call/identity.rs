//! [`Identity`]: who is on a connection, and what was shown for it.

use std::fmt;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::user::UserId;

/// Who calls; nobody, unless somebody has signed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: Option<UserId>,
    /// Nothing for a user that a method has set without a log-in.
    pub(crate) credential: Option<Credential>,
}

/// The login token that was shown, by its hash.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) hashed: Arc<str>,
    /// Nothing for one that never ends.
    pub(crate) expires_at: Option<Timestamp>,
}

impl Identity {
    pub(crate) fn without_login(user: Option<UserId>) -> Self {
        Self { user, credential: None }
    }

    /// Whether what was shown still counts, as far as time goes.
    pub(crate) fn is_current(&self, now: Timestamp) -> bool {
        self.credential.as_ref().and_then(|credential| credential.expires_at).is_none_or(|end| now < end)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credential").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
