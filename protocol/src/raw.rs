//! [`RawJson`]: JSON text that was validated but not deserialised. Parameters, results and fields use it, so that the
//! message around them is parsed once and the handler's own types parse the rest.

use std::fmt;
use std::ops::Range;

use bytestring::ByteString;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::scan;

/// A piece of valid JSON text. Clones share the text.
///
/// It is usually a slice of the frame that contained it, and keeps that frame in memory.
///
/// ```
/// use bolide_protocol::RawJson;
///
/// let raw = RawJson::parse("[1, 2]")?;
/// assert_eq!(raw.get(), "[1, 2]");
/// assert!(RawJson::parse("[1, 2").is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawJson(ByteString);

impl RawJson {
    /// Validates that `text` is one JSON value, and copies it.
    ///
    /// # Errors
    /// Returns an error if `text` is not valid JSON.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self(raw.get().into()))
    }

    /// Returns the JSON text.
    #[must_use]
    pub fn get(&self) -> &str {
        &self.0
    }

    /// Returns the JSON text as a shared string.
    #[must_use]
    pub fn text(&self) -> &ByteString {
        &self.0
    }

    /// Returns `null`.
    #[must_use]
    pub const fn null() -> Self {
        Self(ByteString::from_static("null"))
    }

    /// Returns `{}`.
    #[must_use]
    pub const fn empty_object() -> Self {
        Self(ByteString::from_static("{}"))
    }

    /// Returns the elements of an array as slices of this text, or `None` if this is not an array.
    ///
    /// ```
    /// use bolide_protocol::RawJson;
    ///
    /// let elements = RawJson::parse(r#"[1, {"a": 2}]"#)?.elements().unwrap();
    /// assert_eq!(elements[1].get(), r#"{"a": 2}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn elements(&self) -> Option<Vec<Self>> {
        let mut elements = Vec::new();
        scan::array(&self.0, |place| elements.push(Self::part_of(&self.0, place)))?;
        Some(elements)
    }

    /// Returns a part of a frame that is valid JSON.
    pub(crate) fn part_of(frame: &ByteString, part: Range<usize>) -> Self {
        Self(frame.slice_ref(&frame[part]))
    }

    /// Wraps JSON text that this crate wrote.
    pub(crate) fn from_written(text: String) -> Self {
        Self(text.into())
    }

    /// Copies text that is valid JSON.
    pub(crate) fn copy_of(value: &str) -> Self {
        Self(value.into())
    }
}

impl From<Box<RawValue>> for RawJson {
    fn from(raw: Box<RawValue>) -> Self {
        Self(String::from(Box::<str>::from(raw)).into())
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.get())
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(self.get()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Box::<RawValue>::deserialize(deserializer)?.into())
    }
}
