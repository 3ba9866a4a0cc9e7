//! [`Caller`]: who makes a call that does not come from a connection.

use crate::user::UserId;

/// The caller of a method that the application calls itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    user: Option<UserId>,
}

impl Caller {
    /// Returns a caller who is not signed in.
    #[must_use]
    pub const fn anonymous() -> Self {
        Self { user: None }
    }

    /// Returns a caller who is signed in as this user.
    pub fn user(id: impl Into<UserId>) -> Self {
        Self { user: Some(id.into()) }
    }

    pub(super) fn into_user(self) -> Option<UserId> {
        self.user
    }
}
