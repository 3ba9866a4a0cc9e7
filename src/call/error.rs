//! [`MethodError`]: the error of a handler, and what a client may see of it.

use std::fmt;

use bolide_protocol::DdpError;
use bolide_protocol::error::ErrorCode;
use serde::Serialize;

use super::request_id::current_request;
use crate::error::UnknownOutcome;
use crate::named::named;

/// The result of a handler.
pub type MethodResult<T> = Result<T, MethodError>;

/// The error of a method or publication: one for the client, or an internal one that the client must not see.
///
/// `?` converts any error. A [`DdpError`] reaches the client unchanged. Every other error is logged with an id, and the
/// client receives `500`, `Internal server error`; after a write whose outcome is [not known](crate::UnknownOutcome), it
/// receives `outcome-unknown`, so that it reads what is stored before it tries again.
///
/// Because `?` converts any `std::error::Error`, this type cannot be one. A `main` that calls functions with a
/// [`MethodResult`] returns `MethodResult<()>` itself, in which `?` works on all errors.
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
    /// Boxed, so that outcomes are small to move.
    Client(Box<DdpError>),
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

named! {
    /// How a call has failed.
    pub(crate) enum CallFailure {
        /// With an error for the client.
        Rejected = "rejected",
        /// The client was asked for a second factor, and may call again with one.
        Challenged = "challenged",
        /// A rate limit or a full line has refused the call.
        Limited = "limited",
        /// With an internal error.
        Failed = "failed",
    }
}

impl MethodError {
    /// Creates an error for the client, with a code and a reason.
    pub fn new(error: impl Into<ErrorCode>, reason: impl Into<String>) -> Self {
        Self(Cause::Client(Box::new(DdpError::new(error, reason))))
    }

    /// Creates an internal error, which the client does not see.
    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Cause::Internal(error.into()))
    }

    /// Adds details for programs, from any value that serialises. An internal error stays as it is.
    ///
    /// ```
    /// use bolide::MethodError;
    /// use serde_json::json;
    ///
    /// let error = MethodError::new("not-allowed", "Not yours").with_details(json!({ "owner": "alice" }));
    /// let details = error.for_client().unwrap().details.clone().unwrap();
    /// assert_eq!(details.get(), r#"{"owner":"alice"}"#);
    /// ```
    #[must_use]
    pub fn with_details(self, details: impl Serialize) -> Self {
        match self.0 {
            Cause::Client(error) => Self(Cause::Client(Box::new(error.with_details(details)))),
            Cause::Internal(_) => self,
        }
    }

    /// Returns the error for the client. `None` if it is an internal error.
    #[must_use]
    pub fn for_client(&self) -> Option<&DdpError> {
        match &self.0 {
            Cause::Client(error) => Some(error),
            Cause::Internal(_) => None,
        }
    }

    pub(crate) fn failure(&self) -> CallFailure {
        match self.for_client().map(|error| &error.error) {
            None => CallFailure::Failed,
            Some(ErrorCode::Name(code)) if code == "totp-required" => CallFailure::Challenged,
            Some(ErrorCode::Name(code)) if code == "too-many-requests" => CallFailure::Limited,
            Some(_) => CallFailure::Rejected,
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
            Ok(error) => Self(Cause::Client(error)),
            Err(error) => Self(Cause::Internal(error)),
        }
    }
}

/// Returns the error for the client. An internal error is logged with an id and replaced by `500`, or by `outcome-unknown`.
pub(crate) fn sanitize(error: MethodError, kind: &str, name: &str, log_id: &str) -> DdpError {
    match error.0 {
        Cause::Client(error) => *error,
        Cause::Internal(error) => {
            let request = current_request();
            tracing::error!(kind, name, log_id, request = request.as_deref(), error = %chain(&*error), "internal error");
            if is_outcome_unknown(&*error) { outcome_unknown() } else { DdpError::internal() }
        }
    }
}

/// Returns Rocket.Chat's error for a method that needs a signed-in user.
pub(super) fn invalid_user(method: &str) -> DdpError {
    DdpError::new("error-invalid-user", "Invalid user").with_details(serde_json::json!({ "method": method }))
}

fn outcome_unknown() -> DdpError {
    DdpError::new("outcome-unknown", "The change may have been made, or may not: the database did not answer")
}

/// Returns whether the error comes from a write that may have been made or not.
fn is_outcome_unknown(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<UnknownOutcome>)
}

/// Describes an error and its sources in one line. What a message says already is not repeated.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_that_an_outcome_is_not_known_however_deep_it_lies() {
        #[derive(Debug, thiserror::Error)]
        #[error("the order failed: {0}")]
        struct Outer(#[source] UnknownOutcome);

        let unknown = UnknownOutcome::new("the connection to db.internal was lost");
        for error in [MethodError::internal(unknown.clone()), MethodError::from(Outer(unknown.clone()))] {
            let told = sanitize(error, "method", "order", "1");
            assert_eq!(told.error, ErrorCode::Name("outcome-unknown".into()));
            assert!(!told.message().contains("db.internal"), "{told:?}");
        }
        let told = sanitize(MethodError::internal("something else"), "method", "order", "1");
        assert_eq!(told.error, ErrorCode::Number(500));
        assert_eq!(chain(&Outer(unknown)), "the order failed: the connection to db.internal was lost");
    }
}
