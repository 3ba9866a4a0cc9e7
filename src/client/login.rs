//! [`Login`]: the ways to sign in.

use std::fmt;

use bolide_protocol::RawJson;
use bolide_protocol::ejson::{self, EncodeError};
use serde::Serialize;
use serde_json::{Value, json};

use super::two_factor::{Dialect, Proof, sha256};

/// A way to sign in. `Debug` does not show its secrets.
///
/// ```
/// use bolide::client::Login;
///
/// let by_name = Login::password("ada", "correct horse");
/// let by_address = Login::password("ada@example.com", "correct horse");
/// let again = Login::resume("a token of an earlier login, or a personal access token");
/// ```
#[derive(Clone)]
pub struct Login {
    /// The parameter of the server's `login` method, without a code.
    options: Value,
    /// A code that is sent before the server asks for one.
    code: Option<String>,
}

impl Login {
    /// Signs in by password. A `user` that contains `@` is an email address, any other a username. Only the SHA-256
    /// hash of the password is sent.
    #[must_use]
    pub fn password(user: &str, password: &str) -> Self {
        let selector = if user.contains('@') { "email" } else { "username" };
        let digest = json!({ "digest": sha256(password), "algorithm": "sha-256" });
        Self::new(json!({ "user": { selector: user }, "password": digest }))
    }

    /// Signs in with the token of an earlier login, or with a personal access token.
    #[must_use]
    pub fn resume(token: &str) -> Self {
        Self::new(json!({ "resume": token }))
    }

    /// Signs in with a token that was sent by mail (Meteor's passwordless login). `user` is as for
    /// [`password`](Self::password).
    #[must_use]
    pub fn token(user: &str, token: &str) -> Self {
        let selector = if user.contains('@') { "email" } else { "username" };
        Self::new(json!({ "selector": { selector: user }, "token": token }))
    }

    /// Signs in with a passkey alone. `answer` is what it has returned, as JSON text, for the result of the method
    /// `passkeys:beginLogin`.
    #[must_use]
    pub fn passkey(answer: &str) -> Self {
        Self::new(json!({ "webauthn": answer }))
    }

    /// Signs in with any other object that the server's `login` method accepts.
    ///
    /// # Errors
    /// Returns an error if `options` is not a JSON object.
    pub fn options(options: &impl Serialize) -> Result<Self, serde_json::Error> {
        let options = serde_json::to_value(options)?;
        if options.is_object() {
            return Ok(Self::new(options));
        }
        Err(serde::ser::Error::custom("the options of a login must be an object"))
    }

    /// Returns the same login with a code, for programs that ask for the code before the server does: `{totp: {login,
    /// code}}`. The code is sent once; if it is wrong, the client prompts for another.
    #[must_use]
    pub fn with_code(self, code: &str) -> Self {
        Self { code: Some(code.to_owned()), ..self }
    }

    fn new(options: Value) -> Self {
        Self { options, code: None }
    }

    /// Returns the parameters of the next attempt, and whether they contain a code. A code is sent in one attempt only.
    pub(super) fn next_attempt(&mut self, proof: Option<&Proof>) -> (Result<RawJson, EncodeError>, bool) {
        let (login, code) = (&self.options, self.code.take());
        let shows_code = proof.is_some() || code.is_some();
        let options = match (proof, code) {
            (None, None) => login.clone(),
            (None, Some(code)) => json!({ "totp": { "login": login, "code": code } }),
            (Some(Proof { code, dialect: Dialect::Meteor }), _) => with_member(login.clone(), code.code()),
            (Some(Proof { code, dialect: Dialect::RocketChat }), _) => {
                json!({ "totp": { "login": login, "code": code.code() } })
            }
        };
        (ejson::to_raw(&[options]), shows_code)
    }
}

/// Meteor's `accounts-2fa` expects a member `code`.
fn with_member(mut login: Value, code: &str) -> Value {
    if let Value::Object(members) = &mut login {
        members.insert("code".to_owned(), code.into());
    }
    login
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Login").finish_non_exhaustive()
    }
}
