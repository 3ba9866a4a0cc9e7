//! EJSON: JSON with dates, bytes, regular expressions, ids, infinities and custom types.
//!
//! On the wire an EJSON value is a JSON text in which an object such as `{"$date":0}` represents a date. There are two
//! ways to use it:
//!
//! - typed: [`from_raw`] and [`to_raw`] read and write any serde type in one pass; [`Date`], [`Binary`],
//!   [`Regexp`], [`ObjectId`] and [`Custom`] are the types that JSON lacks;
//! - untyped: [`Ejson`] holds any value.
//!
//! ```
//! use bolide_protocol::RawJson;
//! use bolide_protocol::ejson::{self, CustomTypes, Date};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Message { text: String, at: Date }
//!
//! let raw = RawJson::parse(r#"{"text":"hi","at":{"$date":1500}}"#)?;
//! let message: Message = ejson::from_raw(&raw, &CustomTypes::default())?;
//! assert_eq!(message.at.milliseconds(), Some(1500));
//! assert_eq!(ejson::to_raw(&message)?, raw);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Forms and escapes
//!
//! An object with exactly one of these sets of keys is a *form* and represents another type: `$date`; `$binary`;
//! `$InfNaN`; `$regexp` and `$flags`; `$type` and `$value` (an [`ObjectId`] or a [`Custom`] type). An object that only
//! looks like a form is wrapped on the wire, which is a form as well: `{"$escape":{"$date":5}}` is an object with the
//! key `$date`, and not a date. Within a custom type's `$value`, nothing is a form.
//!
//! - [`Ejson`] knows forms from objects. It removes and adds `$escape` by itself.
//! - `serde_json::Value`, maps, and types that serde buffers (flattened fields, untagged enums) are JSON: they receive
//!   forms and escapes as they are on the wire, and are written as they are. A `Value` or a map that is read and written
//!   is the same on the wire, and `json!({"$date": 5})` is a date. An application that fills a map with keys that it
//!   does not choose uses [`Object`] in an [`Ejson`], where no key makes a form.
//! - Structs are written as they are too. They are read from the object without `$escape`.
//! - A variant of an enum that looks like a form is escaped, and is read without `$escape`.
//!
//! ```
//! use bolide_protocol::ejson::{CustomTypes, from_str, to_raw};
//! use serde_json::{Value, json};
//!
//! let text = r#"[{"$date":5},{"$escape":{"$date":5}}]"#;
//! let value: Value = from_str(text, &CustomTypes::default())?;
//! assert_eq!(value, json!([{"$date": 5}, {"$escape": {"$date": 5}}]));
//! assert_eq!(to_raw(&value)?.get(), text);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Differences from JavaScript
//!
//! - an unpaired surrogate (`"\ud83d"`) becomes U+FFFD;
//! - a number too large for a double (`1e400`) is an error, not infinity;
//! - text nested deeper than 127 levels is an error;
//! - dates are read from milliseconds and ISO 8601 text, with the variants that `Date` accepts (an offset without a colon, a
//!   space instead of `T`); any other text is an invalid date, and local time is UTC.

mod binary;
mod coerce;
mod custom;
mod date;
mod de;
mod decode;
mod encode;
mod error;
mod extended;
mod form;
mod iso;
mod key;
mod number;
mod object_id;
mod pattern;
mod plain;
mod print;
mod read;
mod regexp;
pub(crate) mod ser;
pub(crate) mod surrogate;
mod value;
mod whole;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::RawJson;
use crate::scratch::with_scratch;

pub use binary::Binary;
pub use custom::{Custom, CustomTypes};
pub use date::Date;
pub use error::{DecodeError, EncodeError};
pub use extended::{read_exported, write_exported};
pub use number::Number;
pub use object_id::{InvalidObjectId, ObjectId};
pub use print::Indent;
pub use regexp::Regexp;
pub use value::{Ejson, Object};

use whole::Whole;

/// Reads EJSON into a Rust type.
///
/// The types of this module read dates, bytes and so on; `f64` accepts `NaN` and infinities. A [`RawJson`] inside `T`
/// receives EJSON text, and a `serde_json::Value` or a map receives [forms and escapes](self#forms-and-escapes) as they
/// are on the wire.
///
/// # Errors
/// Returns an error if the text is not valid EJSON, uses a custom type that is not in `types`, or does not match `T`.
///
/// ```
/// use bolide_protocol::RawJson;
/// use bolide_protocol::ejson::{CustomTypes, from_raw};
///
/// let raw = RawJson::parse(r#"[1, {"$InfNaN":1}]"#)?;
/// let numbers: Vec<f64> = from_raw(&raw, &CustomTypes::default())?;
/// assert_eq!(numbers, [1.0, f64::INFINITY]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn from_raw<T: DeserializeOwned>(raw: &RawJson, types: &CustomTypes) -> Result<T, DecodeError> {
    from_str(raw.get(), types)
}

/// Reads EJSON text into a Rust type, like [`from_raw`].
///
/// # Errors
/// Fails like [`from_raw`], and if `text` is not JSON.
///
/// ```
/// use bolide_protocol::ejson::{CustomTypes, Date, from_str};
///
/// let date: Date = from_str(r#"{"$date":5}"#, &CustomTypes::default())?;
/// assert_eq!(date, Date::from_milliseconds(5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn from_str<T: DeserializeOwned>(text: &str, types: &CustomTypes) -> Result<T, DecodeError> {
    // Not needed for the result, but for the speed of calls.
    if let Some(number) = Whole::of(text) {
        return Ok(number.read()?);
    }
    if !needs_decoding(text) {
        return Ok(serde_json::from_str(text)?);
    }
    Ejson::parse(text, types)?.into_typed()
}

/// Writes a Rust value as EJSON text, in one pass.
///
/// - Numbers are printed as in JavaScript; `NaN` and infinities become `{"$InfNaN":…}`. Integers keep all digits,
///   including those that exceed JavaScript's precision.
/// - `()` and `None` are `null`; bytes (`serialize_bytes`) become `{"$binary":…}`.
/// - A `serde_json::Value`, a map or a struct that looks like a form is written as that form; an object in an [`Ejson`]
///   is wrapped in `$escape` then. See [forms and escapes](self#forms-and-escapes).
/// - [`RawJson`] and `serde_json`'s `RawValue` are copied unchanged.
///
/// # Errors
/// Returns an error if a map has keys other than strings, numbers, booleans, chars or unit variants, or if `value`
/// fails to serialise.
///
/// ```
/// use bolide_protocol::ejson::{Date, to_raw};
///
/// assert_eq!(to_raw(&(1.0, f64::NAN))?.get(), r#"[1,{"$InfNaN":0}]"#);
/// assert_eq!(to_raw(&Date::from_milliseconds(5))?.get(), r#"{"$date":5}"#);
/// # Ok::<(), bolide_protocol::ejson::EncodeError>(())
/// ```
pub fn to_raw<T: Serialize + ?Sized>(value: &T) -> Result<RawJson, EncodeError> {
    with_scratch(|text| {
        write(text, value)?;
        Ok(RawJson::copy_of(text))
    })
}

/// Appends a Rust value to `text` as EJSON, like [`to_raw`].
///
/// # Errors
/// Fails like [`to_raw`]; `text` then ends with an incomplete value.
///
/// ```
/// let mut text = String::from("a[");
/// bolide_protocol::ejson::write(&mut text, "b")?;
/// assert_eq!(text, r#"a["b""#);
/// # Ok::<(), bolide_protocol::ejson::EncodeError>(())
/// ```
pub fn write<T: Serialize + ?Sized>(text: &mut String, value: &T) -> Result<(), EncodeError> {
    value.serialize(ser::TextSerializer::new(text))
}

/// Returns whether JSON text may contain something that EJSON reads differently. `false` is certain.
///
/// ```
/// use bolide_protocol::ejson::needs_decoding;
///
/// assert!(!needs_decoding(r#"{"price":"5$"}"#));
/// assert!(needs_decoding(r#"{"at":{"$date":1}}"#));
/// ```
#[must_use]
pub fn needs_decoding(text: &str) -> bool {
    let bytes = text.as_bytes();
    if matches!(bytes.first(), Some(b'0'..=b'9' | b'-' | b't' | b'f' | b'n')) {
        return false;
    }
    memchr::memchr2_iter(b'$', b'\\', bytes).any(|index| match bytes[index] {
        b'$' => index > 0 && bytes[index - 1] == b'"',
        _ => bytes.get(index + 1) == Some(&b'u'),
    })
}

/// Checks that valid JSON text is valid EJSON, which Meteor can decode.
///
/// Text that does not [need decoding](needs_decoding) passes without further checks.
///
/// # Errors
/// Returns an error that names the invalid part.
///
/// ```
/// use bolide_protocol::ejson::{CustomTypes, validate};
///
/// let error = validate(r#"{"$type":"t","$value":1}"#, &CustomTypes::default()).unwrap_err();
/// assert_eq!(error.to_string(), "Custom EJSON type t is not defined");
/// ```
pub fn validate(text: &str, types: &CustomTypes) -> Result<(), DecodeError> {
    if !needs_decoding(text) {
        return Ok(());
    }
    Ejson::parse(text, types).map(drop)
}
