//! The second factor on the wire: the kinds of factor, and the parameter that carries a code.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of second factor, as `details.method` and `twoFactorMethod` name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TwoFactorMethod {
    /// A code from an authenticator app, or a backup code.
    Totp,
    /// A code from an e-mail.
    Email,
    /// The password, as the hexadecimal SHA-256 of what the user typed.
    Password,
    /// A passkey: the answer of `navigator.credentials.get` as JSON text. No `details.method` names it, since clients that
    /// do not know it would not ask for anything; `details.webauthn` is what it answers.
    WebAuthn,
}

impl TwoFactorMethod {
    /// Returns the name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Email => "email",
            Self::Password => "password",
            Self::WebAuthn => "webauthn",
        }
    }

    /// Returns the kind with this name on the wire, or `None` if it is unknown.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Totp, Self::Email, Self::Password, Self::WebAuthn].into_iter().find(|method| method.as_str() == name)
    }
}

impl fmt::Display for TwoFactorMethod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Returns a code as an authenticator app or a mail shows it, from what a person typed: without spaces and hyphens if only
/// digits remain, otherwise without spaces around it. Passwords are not codes: they are used as typed.
///
/// ```
/// use bolide_protocol::two_factor::typed_code;
///
/// assert_eq!(typed_code(" 123 456 "), "123456");
/// assert_eq!(typed_code("123-456"), "123456");
/// assert_eq!(typed_code(" abcd-EFGH "), "abcd-EFGH");
/// ```
#[must_use]
pub fn typed_code(typed: &str) -> String {
    let digits: String = typed.chars().filter(|character| !character.is_whitespace() && *character != '-').collect();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits } else { typed.trim().to_owned() }
}

/// A code from a client, with the name of its method. `Debug` omits the code, because it is a secret.
///
/// ```
/// use bolide_protocol::two_factor::TwoFactorCode;
///
/// assert!(!format!("{:?}", TwoFactorCode::new("123456", "totp")).contains("123456"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TwoFactorCode {
    code: String,
    method: String,
}

impl TwoFactorCode {
    /// Creates a code for the method with this name. The name is not checked.
    pub fn new(code: impl Into<String>, method: impl Into<String>) -> Self {
        Self { code: code.into(), method: method.into() }
    }

    /// Reads the JSON text of a last parameter of the form `{twoFactorCode, twoFactorMethod}`. Returns `None` unless both are non-empty
    /// strings.
    ///
    /// ```
    /// use bolide_protocol::two_factor::TwoFactorCode;
    ///
    /// let last = r#"{"twoFactorCode":"123456","twoFactorMethod":"totp"}"#;
    /// assert_eq!(TwoFactorCode::from_parameter(last).unwrap().method(), "totp");
    /// ```
    #[must_use]
    pub fn from_parameter(parameter: &str) -> Option<Self> {
        if !parameter.starts_with('{') {
            return None;
        }
        let read: Parameter = serde_json::from_str(parameter).ok()?;
        if read.two_factor_code.is_empty() || read.two_factor_method.is_empty() {
            return None;
        }
        Some(Self::new(read.two_factor_code, read.two_factor_method))
    }

    /// Returns the parameter that a client appends to the call.
    #[must_use]
    pub fn to_parameter(&self) -> serde_json::Value {
        serde_json::json!({ "twoFactorCode": self.code, "twoFactorMethod": self.method })
    }

    /// Returns the code as the client sent it.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Returns the name of the method as the client sent it.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }
}

impl fmt::Debug for TwoFactorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TwoFactorCode").field("method", &self.method).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameter {
    two_factor_code: String,
    two_factor_method: String,
}
