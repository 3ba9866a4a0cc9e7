//! [`DocumentId`]: how the id of a document becomes the string that DDP carries, as Meteor's `mongo-id` does it.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use crate::ejson::{Number, ObjectId};

/// The id of a document.
///
/// On the wire every id is a string. Most ids are strings already and stay as they are; the others are marked by
/// their first character.
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
    /// A string: what `Random.id()` makes, or any other.
    String(String),
    /// An id of `MongoDB`.
    ObjectId(ObjectId),
    /// A number.
    Number(Number),
    /// A truth value.
    Bool(bool),
    /// `null`
    Null,
    /// No id at all.
    Undefined,
}

/// The text after `~` is no scalar JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a document id that begins with ~ must go on with a number, a string, true, false or null")]
pub struct InvalidDocumentId;

impl DocumentId {
    /// The id as DDP carries it. Nothing is copied unless something must be marked.
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

    /// Reads an id as DDP carries it.
    ///
    /// # Errors
    /// When the text begins with `~` and does not go on with a scalar JSON value.
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

/// Whether a string would be taken for something else if it went out as it is.
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
