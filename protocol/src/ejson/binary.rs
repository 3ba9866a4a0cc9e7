//! [`Binary`]: bytes, base64-encoded on the wire.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::ser::{Serialize, Serializer};

use super::{DecodeError, form};

/// Bytes, like JavaScript's `Uint8Array`: `{"$binary":"<base64>"}`.
///
/// ```
/// use bolide_protocol::ejson::{Binary, to_raw};
///
/// let binary = Binary::from(vec![65, 66]);
/// assert_eq!(to_raw(&binary)?.get(), r#"{"$binary":"QUI="}"#);
/// # Ok::<(), bolide_protocol::ejson::EncodeError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Binary(Vec<u8>);

impl Binary {
    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Consumes the value and returns its bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Returns the bytes in base64 with padding.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(&self.0)
    }

    /// Decodes base64 as leniently as Meteor: padding may be missing, and invalid characters are ignored.
    ///
    /// # Errors
    /// Returns an error if padding appears where a byte must begin or continue.
    pub fn from_base64(text: &str) -> Result<Self, DecodeError> {
        match BASE64_STANDARD.decode(text) {
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => decode_as_meteor(text).map(Self),
        }
    }
}

/// Appends base64 to `out`.
pub(super) fn write_base64(out: &mut String, bytes: &[u8]) {
    BASE64_STANDARD.encode_string(bytes, out);
}

/// Decodes as Meteor does, including its flaws: the length is computed first, so ignored characters leave zeros at
/// the end, and bits of an earlier group can reappear.
fn decode_as_meteor(text: &str) -> Result<Vec<u8>, DecodeError> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let padding = units.iter().rev().take(2).take_while(|unit| **unit == PADDING).count();
    let mut bytes = Vec::with_capacity(units.len());
    let (mut first, mut second, mut third) = (0, 0, 0);
    for (index, unit) in units.iter().enumerate() {
        let is_first_half = index % 4 < 2;
        let value = match value_of(*unit) {
            Some(value) => value,
            None if is_first_half && *unit == PADDING => return Err(DecodeError::Binary),
            None if is_first_half => 0,
            None => continue,
        };
        match index % 4 {
            0 => first = value << 2,
            1 => {
                bytes.push(first | value >> 4);
                second = value << 4;
            }
            2 => {
                bytes.push(second | value >> 2);
                third = value << 6;
            }
            _ => bytes.push(third | value),
        }
    }
    bytes.resize((units.len() * 3 / 4).saturating_sub(padding), 0);
    Ok(bytes)
}

const PADDING: u16 = b'=' as u16;

fn value_of(unit: u16) -> Option<u8> {
    let byte = u8::try_from(unit).ok()?;
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Binary {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl AsRef<[u8]> for Binary {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        form::serialize(serializer, "$binary", &self.to_base64())
    }
}
