//! Reads [`Ejson`] and the types of its forms with serde, from any JSON deserializer.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::custom::Registered;
use super::decode::decode;
use super::plain::Plain;
use super::{Binary, Custom, Date, Ejson, Number, ObjectId, Regexp};

/// A newtype name that asks our deserializer for undecoded forms and escapes; the caller decodes them.
pub(super) const READ_FORM: &str = "$bolide_protocol::ejson::ReadForm";

impl<'de> Deserialize<'de> for Ejson {
    /// Accepts every custom type, because serde does not pass a list of them.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Plain(value) = deserializer.deserialize_newtype_struct(READ_FORM, FormVisitor)?;
        decode(value, Registered::Any).map_err(D::Error::custom)
    }
}

struct FormVisitor;

impl<'de> Visitor<'de> for FormVisitor {
    type Value = Plain;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an EJSON value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Plain, D::Error> {
        Plain::deserialize(inner)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        extract(deserializer, "bytes", |value| match value {
            Ejson::Binary(binary) => Some(binary),
            _ => None,
        })
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        extract(deserializer, "a date", |value| value.as_date())
    }
}

impl<'de> Deserialize<'de> for Regexp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        extract(deserializer, "a regular expression", |value| match value {
            Ejson::Regexp(regexp) => Some(regexp),
            _ => None,
        })
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        extract(deserializer, "an ObjectID", |value| match value {
            Ejson::ObjectId(id) => Some(id),
            _ => None,
        })
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        extract(deserializer, "a number", |value| value.as_number())
    }
}

impl<'de> Deserialize<'de> for Custom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        extract(deserializer, "a value of a custom type", |value| match value {
            Ejson::Custom(custom) => Some(*custom),
            _ => None,
        })
    }
}

/// Reads any EJSON value from any JSON deserializer, and extracts the requested type from it.
fn extract<'de, D, T>(deserializer: D, wanted: &str, take: impl FnOnce(Ejson) -> Option<T>) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    let value = Ejson::deserialize(deserializer)?;
    take(value).ok_or_else(|| D::Error::custom(format_args!("expected {wanted}")))
}
