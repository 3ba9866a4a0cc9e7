//! [`LoginAttempt`] and [`Logout`]: what [hooks](super::hooks) are shown.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bolide_protocol::ejson::Object;
use bolide_protocol::{DdpError, Ejson};

use crate::call::Connection;
use crate::store::User;
use crate::user::UserId;

/// The members of the options of `login` and `createUser` that are secrets.
const SECRETS: [&str; 4] = ["password", "resume", "code", "webauthn"];

/// A login, as hooks receive it. It contains no password, token or code, except for what the application's own login
/// handlers read: see [`arguments`](Self::arguments). `Debug` omits the arguments.
#[derive(Clone)]
pub struct LoginAttempt {
    pub(super) kind: Cow<'static, str>,
    pub(super) user: Option<User>,
    pub(super) error: Option<DdpError>,
    method: &'static str,
    arguments: Arc<[Ejson]>,
    connection: Option<Connection>,
}

/// A logout, as hooks receive it.
#[derive(Clone, Debug)]
pub struct Logout {
    user: UserId,
    connection: Option<Connection>,
}

impl LoginAttempt {
    pub(super) fn begun(method: &'static str, arguments: Arc<[Ejson]>, connection: Option<&Connection>) -> Self {
        Self { kind: "".into(), user: None, error: None, method, arguments, connection: connection.cloned() }
    }

    /// Returns the attempt of a user whom the server or the application has recognized, without arguments.
    pub(crate) fn of_user(kind: &'static str, user: &User, connection: Option<&Connection>) -> Self {
        let begun = Self::begun("login", Arc::default(), connection);
        Self { kind: kind.into(), user: Some(user.clone()), ..begun }
    }

    /// Returns the same attempt, which fails with an error.
    pub(super) fn failed(self, error: DdpError) -> Self {
        Self { error: Some(error), ..self }
    }

    /// Returns the kind of login: `password`, `resume`, `external`, `challenge`, or the name of an own handler. It is empty
    /// if the login failed before one of them knew what to do with it.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the method that logs in: `login`, `createUser`, `resetPassword` or `verifyEmail`. A login over REST counts
    /// as `login`.
    #[must_use]
    pub const fn method(&self) -> &str {
        self.method
    }

    /// Returns the arguments of the method, as the client has sent them: the options of `login` and of `createUser`. They
    /// are not checked. Those of `resetPassword` and `verifyEmail` are secrets and left out, so there are none.
    ///
    /// In the options, the values of `password`, `resume`, `code` and `webauthn` are `null`, so that a hook that logs or stores what it
    /// sees does not spread them. The options of the application's own login handlers are as they were sent, since only the
    /// application knows which of them are secret.
    ///
    /// ```
    /// use bolide::accounts::LoginAttempt;
    /// use bolide::prelude::*;
    ///
    /// /// Returns the version of the app that logs in with `login({ user, password, appVersion })` of its own handler.
    /// fn app_version(attempt: &LoginAttempt) -> Option<&str> {
    ///     attempt.arguments().first()?.get("appVersion")?.as_str()
    /// }
    /// ```
    #[must_use]
    pub fn arguments(&self) -> &[Ejson] {
        &self.arguments
    }

    /// Returns the user, as far as it is known.
    #[must_use]
    pub const fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// Returns the error if the login fails already. A hook may replace it, and cannot let the login succeed.
    #[must_use]
    pub const fn error(&self) -> Option<&DdpError> {
        self.error.as_ref()
    }

    /// Returns whether the login succeeds so far.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.error.is_none()
    }

    /// Returns the connection. `None` for a login that the application makes itself.
    #[must_use]
    pub const fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }
}

impl Logout {
    pub(super) fn new(user: UserId, connection: Option<&Connection>) -> Self {
        Self { user, connection: connection.cloned() }
    }

    /// Returns the user who has logged out.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// Returns the connection. `None` for a logout that the application makes itself.
    #[must_use]
    pub const fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }
}

/// Returns the options of a login with `null` in the place of secrets.
pub(super) fn without_secrets(options: &Object) -> Ejson {
    let shown = |(name, value): (&String, &Ejson)| {
        let value = match (name.as_str(), value) {
            (name, _) if SECRETS.contains(&name) => Ejson::Null,
            // The code of a second factor, around the login itself, which is not wrapped again.
            ("totp", Ejson::Object(wrapped)) => wrapped_login(wrapped),
            ("totp", _) => Ejson::Null,
            (_, value) => value.clone(),
        };
        (name.clone(), value)
    };
    Ejson::Object(options.iter().map(shown).collect())
}

fn wrapped_login(wrapped: &Object) -> Ejson {
    let inner = |(name, value): (&String, &Ejson)| {
        let secret = SECRETS.contains(&name.as_str()) || name == "totp";
        (name.clone(), if secret { Ejson::Null } else { value.clone() })
    };
    let login = wrapped.get("login").and_then(Ejson::as_object);
    let login = login.map(|login| ("login".to_owned(), Ejson::Object(login.iter().map(inner).collect())));
    Ejson::Object(login.into_iter().chain([("code".to_owned(), Ejson::Null)]).collect())
}

impl fmt::Debug for LoginAttempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("LoginAttempt");
        shown.field("kind", &self.kind).field("method", &self.method).field("error", &self.error);
        shown.field("user", &self.user.as_ref().map(|user| &user.id)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hooks_see_the_options_without_their_secrets() {
        let options = json!({
            "user": { "username": "ada" }, "password": { "digest": "s3cret" }, "resume": "s3cret", "code": "s3cret",
            "totp": { "code": "s3cret", "login": { "user": { "id": "a" }, "password": "s3cret", "totp": { "code": "s3cret" } } },
            "flag": true,
        });
        let options = Ejson::from_typed(&options).unwrap();
        let shown = without_secrets(options.as_object().unwrap());
        let expected = json!({
            "user": { "username": "ada" }, "password": null, "resume": null, "code": null,
            "totp": { "login": { "user": { "id": "a" }, "password": null, "totp": null }, "code": null },
            "flag": true,
        });
        assert_eq!(serde_json::to_value(&shown).unwrap(), expected);
        let attempt = LoginAttempt::begun("login", [options].into(), None);
        assert!(!format!("{attempt:?}").contains("s3cret"));
    }
}
