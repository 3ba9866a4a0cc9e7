//! [`MethodError`]: how a handler fails, and what of it a client may see.

use std::fmt;

use bolide_protocol::error::ErrorCode;
use bolide_protocol::{DdpError, RawJson, ejson};
use serde::Serialize;

/// What a handler gives back.
pub type MethodResult<T> = Result<T, MethodError>;

/// How a method or publication fails: with an error that the client sees, or with one that it must not see.
///
/// `?` works on any error. A [`DdpError`] reaches the client as it is; every other one is logged with an id, and the
/// client is told `500`, `Internal server error`.
///
/// ```
/// use bolide::{MethodError, MethodResult};
///
/// fn parse_amount(text: &str) -> MethodResult<u32> {
///     if text.is_empty() {
///         return Err(MethodError::new("no-amount", "Say how much"));
///     }
///     Ok(text.parse()?) // an error that the client must not see
/// }
///
/// assert_eq!(parse_amount("").unwrap_err().for_client().unwrap().message(), "Say how much [no-amount]");
/// assert!(parse_amount("much").unwrap_err().for_client().is_none());
/// ```
pub struct MethodError(Cause);

enum Cause {
    Client(DdpError),
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

impl MethodError {
    /// An error for the client, with a code and a reason.
    pub fn new(error: impl Into<ErrorCode>, reason: impl Into<String>) -> Self {
        Self(Cause::Client(DdpError::new(error, reason)))
    }

    /// An error that the client must not see.
    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Cause::Internal(error.into()))
    }

    /// The same error with details for programs, as plain JSON. An internal error stays without.
    #[must_use]
    pub fn with_details(self, value: &impl Serialize) -> Self {
        match self.0 {
            Cause::Client(error) => Self(Cause::Client(error.with_details(details(value)))),
            Cause::Internal(_) => self,
        }
    }

    /// The error that the client sees, if it is for the client.
    #[must_use]
    pub fn for_client(&self) -> Option<&DdpError> {
        match &self.0 {
            Cause::Client(error) => Some(error),
            Cause::Internal(_) => None,
        }
    }
}

impl fmt::Debug for MethodError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Client(error) => formatter.debug_tuple("MethodError::Client").field(error).finish(),
            Cause::Internal(error) => formatter.debug_tuple("MethodError::Internal").field(error).finish(),
        }
    }
}

impl fmt::Display for MethodError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Client(error) => error.fmt(formatter),
            Cause::Internal(error) => error.fmt(formatter),
        }
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for MethodError {
    fn from(error: E) -> Self {
        let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
        match boxed.downcast::<DdpError>() {
            Ok(error) => Self(Cause::Client(*error)),
            Err(error) => Self(Cause::Internal(error)),
        }
    }
}

/// What the client is told. An internal error is logged under an id, and nothing of it leaves the server.
pub(crate) fn sanitize(error: MethodError, kind: &str, name: &str, log_id: &str) -> DdpError {
    match error.0 {
        Cause::Client(error) => error,
        Cause::Internal(error) => {
            tracing::error!(kind, name, log_id, error = %chain(&*error), "internal error");
            DdpError::internal()
        }
    }
}

/// Nobody is signed in where somebody must be, in Rocket.Chat's words.
pub(super) fn invalid_user(method: &str) -> DdpError {
    DdpError::new("error-invalid-user", "Invalid user").with_details(details(&serde_json::json!({ "method": method })))
}

/// Details of an error, as JSON.
pub(crate) fn details(value: &impl Serialize) -> RawJson {
    ejson::to_raw(value).unwrap_or_else(|_| RawJson::null())
}

/// An error and its sources in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
