//! The errors of reading and writing EJSON.

use std::fmt::Display;

/// Why a text is not valid EJSON, or does not match the requested type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The text is not JSON, or (if nothing in it needed decoding) does not match the requested type.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The value does not match the requested type.
    #[error("{0}")]
    Mismatch(String),
    /// `{"$type":…}` names a type that is not registered.
    #[error("Custom EJSON type {0} is not defined")]
    UnknownType(String),
    /// `{"$type":"oid"}` without 24 hexadecimal digits.
    #[error("Invalid hexadecimal string for creating an ObjectID")]
    ObjectId,
    /// `{"$binary":…}` without base64 text.
    #[error("invalid base64 string")]
    Binary,
    /// `{"$regexp":…}` with a pattern that is not a regular expression.
    #[error("Invalid regular expression: /{pattern}/: {reason}")]
    Regexp {
        /// The pattern, as received.
        pattern: String,
        /// The reason.
        reason: &'static str,
    },
    /// `{"$regexp":…}` with `$flags` that are not a string.
    #[error("The flags of a regular expression must be a string")]
    RegexpFlags,
    /// `{"$escape":null}`.
    #[error("Cannot convert undefined or null to object")]
    Escape,
}

impl serde::de::Error for DecodeError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Mismatch(message.to_string())
    }
}

/// Why a Rust value cannot be written as EJSON.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A map has a key that cannot be converted to a string.
    #[error("the keys of a map must be strings, numbers, bools, chars or unit variants")]
    Key,
    /// The value's own serialisation failed.
    #[error("{0}")]
    Refused(String),
}

impl serde::ser::Error for EncodeError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Refused(message.to_string())
    }
}
