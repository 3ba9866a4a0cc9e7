//! [`DocumentId`]: document ids and their string form on the wire, as in Meteor's `mongo-id`.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use crate::ejson::{Number, ObjectId};

/// The id of a document.
///
/// On the wire every id is a string. Most ids are strings and are sent unchanged; others are marked by their first
/// character.
///
/// ```
/// use bolide_protocol::DocumentId;
///
/// assert_eq!(DocumentId::from("kQ4fNzXrPvbGhDaL2").to_wire(), "kQ4fNzXrPvbGhDaL2");
/// assert_eq!(DocumentId::from("-dashed").to_wire(), "--dashed");
/// assert_eq!(DocumentId::from_wire("~12")?, DocumentId::Number(12.into()));
/// # Ok::<(), bolide_protocol::document_id::InvalidDocumentId>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DocumentId {
    /// A string, such as `Random.id()` makes.
    String(String),
    /// A `MongoDB` id.
    ObjectId(ObjectId),
    /// A number.
    Number(Number),
    /// A boolean.
    Bool(bool),
    /// `null`.
    Null,
    /// A missing id.
    Undefined,
}

/// The error for text after `~` that is not a scalar JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a document id that begins with ~ must continue with a number, a string, true, false or null")]
pub struct InvalidDocumentId;

impl DocumentId {
    /// Returns the id as it is sent on the wire. Allocates only if a mark must be added.
    #[must_use]
    pub fn to_wire(&self) -> Cow<'_, str> {
        match self {
            Self::String(text) if needs_mark(text) => Cow::Owned(format!("-{text}")),
            Self::String(text) => Cow::Borrowed(text),
            Self::ObjectId(id) => Cow::Owned(id.to_string()),
            Self::Number(number) if number.is_finite() => Cow::Owned(format!("~{number}")),
            Self::Bool(true) => Cow::Borrowed("~true"),
            Self::Bool(false) => Cow::Borrowed("~false"),
            Self::Number(_) | Self::Null => Cow::Borrowed("~null"),
            Self::Undefined => Cow::Borrowed("-"),
        }
    }

    /// Parses an id from its form on the wire.
    ///
    /// # Errors
    /// Returns an error if the text begins with `~` and the rest is not a scalar JSON value.
    pub fn from_wire(wire: &str) -> Result<Self, InvalidDocumentId> {
        if wire == "-" {
            return Ok(Self::Undefined);
        }
        if let Some(text) = wire.strip_prefix('-') {
            return Ok(Self::String(text.to_owned()));
        }
        if let Some(json) = wire.strip_prefix('~') {
            return from_json(json);
        }
        if ObjectId::is_printed_as(wire) {
            return wire.parse().map(Self::ObjectId).map_err(|_| InvalidDocumentId);
        }
        Ok(Self::String(wire.to_owned()))
    }
}

/// Returns whether a string would be read as another kind of id if it were sent unchanged.
fn needs_mark(text: &str) -> bool {
    text.starts_with(['-', '~', '{']) || ObjectId::is_printed_as(text)
}

fn from_json(json: &str) -> Result<DocumentId, InvalidDocumentId> {
    match serde_json::from_str(json) {
        Ok(serde_json::Value::Null) => Ok(DocumentId::Null),
        Ok(serde_json::Value::Bool(value)) => Ok(DocumentId::Bool(value)),
        Ok(serde_json::Value::String(text)) => Ok(DocumentId::String(text)),
        Ok(serde_json::Value::Number(_)) => {
            serde_json::from_str(json).map(DocumentId::Number).map_err(|_out_of_range| InvalidDocumentId)
        }
        _ => Err(InvalidDocumentId),
    }
}

impl Display for DocumentId {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_wire())
    }
}

impl From<&str> for DocumentId {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for DocumentId {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<ObjectId> for DocumentId {
    fn from(id: ObjectId) -> Self {
        Self::ObjectId(id)
    }
}

impl From<Number> for DocumentId {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}
