//! [`ObjectId`]: `MongoDB`'s document ids.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use serde::ser::{Serialize, Serializer};

use super::form;

/// A `MongoDB` id: twelve bytes, written as 24 hexadecimal digits in `{"$type":"oid","$value":"…"}`.
///
/// ```
/// use bolide_protocol::ejson::ObjectId;
///
/// let id: ObjectId = "ABCDEF012345678901234567".parse()?;
/// assert_eq!(id.to_string(), "abcdef012345678901234567");
/// # Ok::<(), bolide_protocol::ejson::InvalidObjectId>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 12]);

/// The name of this type in `$type`.
pub(super) const TYPE_NAME: &str = "oid";

/// The error for text that is not 24 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Invalid hexadecimal string for creating an ObjectID")]
pub struct InvalidObjectId;

impl ObjectId {
    /// Creates an id from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the id.
    #[must_use]
    pub const fn bytes(self) -> [u8; 12] {
        self.0
    }

    /// Returns whether `text` has the form in which an id prints: 24 lower-case hexadecimal digits.
    #[must_use]
    pub fn is_printed_as(text: &str) -> bool {
        text.len() == 24 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }
}

impl FromStr for ObjectId {
    type Err = InvalidObjectId;

    /// Accepts upper case as well.
    fn from_str(text: &str) -> Result<Self, InvalidObjectId> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 12 || !rest.is_empty() {
            return Err(InvalidObjectId);
        }
        let mut bytes = [0; 12];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
        }
        Ok(Self(bytes))
    }
}

fn hex_digit(digit: u8) -> Result<u8, InvalidObjectId> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(InvalidObjectId),
    }
}

impl Display for ObjectId {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.to_string();
        form::serialize_two(serializer, ("$type", TYPE_NAME), ("$value", &value))
    }
}
