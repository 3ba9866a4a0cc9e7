//! [`UserId`]: the id of a user.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The `_id` of a user. Cloning shares the text.
///
/// ```
/// use bolide::UserId;
///
/// let alice = UserId::from("user-alice");
/// assert_eq!(alice.as_str(), "user-alice");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct UserId(Arc<str>);

impl UserId {
    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<&str> for UserId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl From<String> for UserId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.as_str().to_owned()
    }
}
