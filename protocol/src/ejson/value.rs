//! [`Ejson`]: any EJSON value.

use indexmap::IndexMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::custom::Registered;
use super::de::EjsonDeserializer;
use super::decode::decode;
use super::plain::Plain;
use super::surrogate::mend_lone_surrogates;
use super::{Binary, Custom, CustomTypes, Date, DecodeError, EncodeError, Number, ObjectId, Regexp, ser, to_raw};
use crate::RawJson;
use crate::scratch::with_scratch;

/// An EJSON object: values by name, in insertion order. Equality ignores the order.
pub type Object = IndexMap<String, Ejson>;

/// Any EJSON value.
///
/// ```
/// use bolide_protocol::Ejson;
/// use bolide_protocol::ejson::{CustomTypes, Date};
///
/// let value = Ejson::parse(r#"{"at":{"$date":5}}"#, &CustomTypes::default())?;
/// assert_eq!(value.get("at"), Some(&Ejson::Date(Date::from_milliseconds(5))));
/// assert_eq!(value.to_raw().get(), r#"{"at":{"$date":5}}"#);
/// # Ok::<(), bolide_protocol::ejson::DecodeError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ejson {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, including `NaN` and the infinities.
    Number(Number),
    /// A string.
    String(String),
    /// A list.
    Array(Vec<Self>),
    /// Values by name.
    Object(Object),
    /// A point in time.
    Date(Date),
    /// Bytes.
    Binary(Binary),
    /// A regular expression.
    Regexp(Regexp),
    /// A `MongoDB` id.
    ObjectId(ObjectId),
    /// A value of a custom type.
    Custom(Box<Custom>),
}

impl Ejson {
    /// Parses EJSON text.
    ///
    /// # Errors
    /// Returns an error if `text` is not JSON, or contains something that Meteor cannot decode.
    ///
    /// ```
    /// use bolide_protocol::Ejson;
    /// use bolide_protocol::ejson::{Binary, CustomTypes};
    ///
    /// let value = Ejson::parse(r#"{"$binary":"QUI="}"#, &CustomTypes::default())?;
    /// assert_eq!(value, Ejson::Binary(Binary::from(&b"AB"[..])));
    /// # Ok::<(), bolide_protocol::ejson::DecodeError>(())
    /// ```
    pub fn parse(text: &str, types: &CustomTypes) -> Result<Self, DecodeError> {
        let Plain(value) = serde_json::from_str(&mend_lone_surrogates(text))?;
        decode(value, Registered::Only(types))
    }

    /// Returns the EJSON text of this value, as `EJSON.stringify` prints it.
    ///
    /// ```
    /// assert_eq!(bolide_protocol::Ejson::from(f64::NAN).to_raw().get(), r#"{"$InfNaN":0}"#);
    /// ```
    #[must_use]
    pub fn to_raw(&self) -> RawJson {
        with_scratch(|text| {
            ser::write_ejson(text, self);
            RawJson::copy_of(text)
        })
    }

    /// Converts a Rust value to EJSON, by the rules of [`to_raw`].
    ///
    /// # Errors
    /// Fails like [`to_raw`], and if `value` contains raw JSON that is not valid EJSON.
    ///
    /// ```
    /// use bolide_protocol::Ejson;
    ///
    /// assert_eq!(Ejson::from_typed(&("a", 1))?, Ejson::from(vec!["a".into(), 1.into()]));
    /// # Ok::<(), bolide_protocol::ejson::EncodeError>(())
    /// ```
    pub fn from_typed<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        let raw = to_raw(value)?;
        serde_json::from_str(raw.get()).map_err(|error| EncodeError::Refused(error.to_string()))
    }

    /// Converts this value to a Rust type.
    ///
    /// # Errors
    /// Returns an error if the value does not match `T`.
    ///
    /// ```
    /// use bolide_protocol::Ejson;
    ///
    /// let numbers: Vec<f64> = Ejson::from(vec![1.into(), f64::INFINITY.into()]).into_typed()?;
    /// assert_eq!(numbers, [1.0, f64::INFINITY]);
    /// # Ok::<(), bolide_protocol::ejson::DecodeError>(())
    /// ```
    pub fn into_typed<T: DeserializeOwned>(self) -> Result<T, DecodeError> {
        T::deserialize(EjsonDeserializer::new(self))
    }

    /// Returns the value under `key`, or `None` if this is not an object or lacks the key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    /// Returns the string, or `None` if this is another kind of value.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the number, or `None` if this is another kind of value.
    #[must_use]
    pub fn as_number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the boolean, or `None` if this is another kind of value.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the date, or `None` if this is another kind of value.
    #[must_use]
    pub fn as_date(&self) -> Option<Date> {
        match self {
            Self::Date(date) => Some(*date),
            _ => None,
        }
    }

    /// Returns the array, or `None` if this is another kind of value.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the object, or `None` if this is another kind of value.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Returns whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

macro_rules! from {
    ($($type:ty => |$value:ident| $ejson:expr;)*) => {$(
        impl From<$type> for Ejson {
            fn from($value: $type) -> Self {
                $ejson
            }
        }
    )*};
}

from! {
    () => |_unit| Self::Null;
    bool => |value| Self::Bool(value);
    Number => |number| Self::Number(number);
    i32 => |number| Self::Number(number.into());
    u32 => |number| Self::Number(number.into());
    i64 => |number| Self::Number(number.into());
    u64 => |number| Self::Number(number.into());
    f64 => |number| Self::Number(number.into());
    &str => |text| Self::String(text.to_owned());
    String => |text| Self::String(text);
    Vec<Self> => |items| Self::Array(items);
    Object => |object| Self::Object(object);
    Date => |date| Self::Date(date);
    Binary => |binary| Self::Binary(binary);
    Regexp => |regexp| Self::Regexp(regexp);
    ObjectId => |id| Self::ObjectId(id);
    Custom => |custom| Self::Custom(Box::new(custom));
}
