//! [`DdpError`]: the error of a method, a subscription or a login on the wire. Meteor calls it `Meteor.Error`.

use std::fmt;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::two_factor::TwoFactorMethod;
use crate::{RawJson, ejson};

/// An error that may be shown to a client.
///
/// It serialises with the same keys, in the same order, as Meteor's error: `isClientSafe`, `error`, `reason`,
/// `details`, `message`, `errorType`. Clients rebuild the error from `error`, `reason` and `details`; some show only
/// `message`.
///
/// ```
/// use bolide_protocol::DdpError;
///
/// let error = DdpError::new(404, "Method 'fly' not found");
/// assert_eq!(
///     serde_json::to_string(&error)?,
///     r#"{"isClientSafe":true,"error":404,"reason":"Method 'fly' not found","message":"Method 'fly' not found [404]","errorType":"Meteor.Error"}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DdpError {
    /// The error code, for programs.
    pub error: ErrorCode,
    /// The description, for people.
    #[serde(default)]
    pub reason: Option<String>,
    /// Additional data for programs, as plain JSON: dates in it are not EJSON.
    #[serde(default)]
    pub details: Option<RawJson>,
}

/// The `error` member: a number as in HTTP, or a name. Clients distinguish `403` from `"403"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ErrorCode {
    /// A number as in HTTP: 400, 403, 404, 500.
    Number(i64),
    /// A name such as `totp-required`.
    Name(String),
}

impl DdpError {
    /// Creates an error with a code and a reason.
    pub fn new(error: impl Into<ErrorCode>, reason: impl Into<String>) -> Self {
        Self { error: error.into(), reason: Some(reason.into()), details: None }
    }

    /// Creates an error with a code only.
    pub fn bare(error: impl Into<ErrorCode>) -> Self {
        Self { error: error.into(), reason: None, details: None }
    }

    /// Adds details to the error, from any value that serialises. They are `null` if its serialisation fails.
    ///
    /// ```
    /// use bolide_protocol::DdpError;
    /// use serde_json::json;
    ///
    /// let error = DdpError::new("too-many", "Too many items").with_details(json!({ "maximum": 3 }));
    /// assert_eq!(error.details.unwrap().get(), r#"{"maximum":3}"#);
    /// ```
    #[must_use]
    pub fn with_details(mut self, details: impl Serialize) -> Self {
        self.details = Some(ejson::to_raw(&details).unwrap_or_else(|_| RawJson::null()));
        self
    }

    /// Returns the error `totp-required`, `TOTP Required`: the challenge of an application's own gate. Clients ask their
    /// user for a code of this method, and make the same call again with the code.
    ///
    /// ```
    /// use bolide_protocol::DdpError;
    /// use bolide_protocol::two_factor::TwoFactorMethod;
    ///
    /// let challenge = DdpError::totp_required(TwoFactorMethod::Totp);
    /// assert_eq!(challenge.message(), "TOTP Required [totp-required]");
    /// let details = challenge.details.unwrap();
    /// assert_eq!(details.get(), r#"{"method":"totp","codeGenerated":false,"availableMethods":[]}"#);
    /// ```
    #[must_use]
    pub fn totp_required(method: TwoFactorMethod) -> Self {
        Self::new("totp-required", "TOTP Required").with_details(Challenge {
            method,
            code_generated: false,
            available_methods: [],
        })
    }

    /// Returns the error `404`, `Method 'name' not found`. Of a longer name, it holds the first 1 000 characters.
    #[must_use]
    pub fn method_not_found(name: &str) -> Self {
        Self::new(404, format!("Method '{}' not found", shortened(name)))
    }

    /// Returns the error `404`, `Subscription 'name' not found`. Of a longer name, it holds the first 1 000 characters.
    #[must_use]
    pub fn subscription_not_found(name: &str) -> Self {
        Self::new(404, format!("Subscription '{}' not found", shortened(name)))
    }

    /// Returns the error `400`, `Match failed`, for a parameter of the wrong type.
    #[must_use]
    pub fn match_failed() -> Self {
        Self::new(400, "Match failed")
    }

    /// Returns the error `500`, `Internal server error`, which hides an internal error from the client.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(500, "Internal server error")
    }

    /// Returns the reason and the code as clients show them: `reason [error]`, or `[error]` without a reason.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{reason} [{}]", self.error),
            None => format!("[{}]", self.error),
        }
    }
}

/// The details of a challenge.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Challenge {
    method: TwoFactorMethod,
    code_generated: bool,
    available_methods: [TwoFactorMethod; 0],
}

impl From<i64> for ErrorCode {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for ErrorCode {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<String> for ErrorCode {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(formatter),
            Self::Name(name) => name.fmt(formatter),
        }
    }
}

impl fmt::Display for DdpError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message())
    }
}

impl std::error::Error for DdpError {}

impl Serialize for DdpError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("isClientSafe", &true)?;
        map.serialize_entry("error", &self.error)?;
        if let Some(reason) = &self.reason {
            map.serialize_entry("reason", reason)?;
        }
        if let Some(details) = &self.details {
            map.serialize_entry("details", details)?;
        }
        map.serialize_entry("message", &self.message())?;
        map.serialize_entry("errorType", "Meteor.Error")?;
        map.end()
    }
}

/// Returns a name from a client as an error quotes it: a long one would be sent back twice.
fn shortened(name: &str) -> &str {
    name.char_indices().nth(1_000).map_or(name, |(end, _)| &name[..end])
}
