//! [`Account`]: the result of a login, and [`SavedLogin`], the part with which the client signs in after a
//! reconnection.

use std::fmt;

use bolide_protocol::RawJson;
use bolide_protocol::ejson::{self, CustomTypes, Date};
use serde::Deserialize;

/// The user who is signed in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    login: SavedLogin,
    kind: Option<String>,
    expires: Option<Date>,
}

/// What the client needs to sign in again after a reconnection.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::client) struct SavedLogin {
    user: String,
    token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginResult {
    id: String,
    token: String,
    #[serde(default)]
    token_expires: Option<Date>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

impl Account {
    /// Reads the result of a login.
    pub(in crate::client) fn read(result: &RawJson) -> Result<Self, ejson::DecodeError> {
        let read: LoginResult = ejson::from_raw(result, &CustomTypes::default())?;
        let login = SavedLogin { user: read.id, token: read.token };
        Ok(Self { login, kind: read.kind, expires: read.token_expires })
    }

    /// Returns the id of the user.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.login.user
    }

    /// Returns the login token, a secret that [`Login::resume`](crate::client::Login::resume) accepts until it expires.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.login.token
    }

    /// Returns when the token expires, or `None` if the server does not tell.
    #[must_use]
    pub const fn token_expires(&self) -> Option<Date> {
        self.expires
    }

    /// Returns how the user signed in, such as `password` or `resume`, or `None` if the server does not tell.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }
}

impl SavedLogin {
    pub(super) fn read(result: &RawJson) -> Option<Self> {
        Account::read(result).ok().map(|account| account.login)
    }

    pub(in crate::client) fn user_id(&self) -> &str {
        &self.user
    }

    /// Returns the parameters of the `login` call that resumes it.
    pub(super) fn to_params(&self) -> RawJson {
        let params = serde_json::json!([{ "resume": self.token }]);
        RawJson::parse(&params.to_string()).unwrap_or_else(|_| RawJson::null())
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Account").field("user_id", &self.user_id()).finish_non_exhaustive()
    }
}

impl fmt::Debug for SavedLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SavedLogin").field("user_id", &self.user).finish_non_exhaustive()
    }
}
