//! The deserializer: turns an [`Ejson`] value into a Rust type. The [module](super) says which types get an object as it
//! is on the wire.

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer, StringDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, Visitor};

use super::form::Form;
use super::key::KeyDeserializer;
use super::read::READ_FORM;
use super::ser::RAW_VALUE;
use super::{Binary, DecodeError, Ejson, Number, Object};

/// Presents a value to serde. A type that expects JSON gets dates, escaped objects and so on as they are on the wire.
pub(super) struct EjsonDeserializer {
    value: Ejson,
    /// Whether the value was converted to JSON: its objects are forms and escapes, and are not escaped again.
    is_json: bool,
}

impl EjsonDeserializer {
    pub(super) fn new(value: Ejson) -> Self {
        Self { value, is_json: false }
    }

    fn into_json(self) -> Self {
        if self.is_json {
            return self;
        }
        Self { value: self.value.into_json_value(), is_json: true }
    }

    /// Returns the value as text for a `RawValue`.
    fn to_text(&self) -> String {
        if self.is_json {
            return self.value.to_plain_json();
        }
        self.value.to_raw().get().to_owned()
    }
}

impl IntoDeserializer<'_, DecodeError> for EjsonDeserializer {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

type Result<T> = std::result::Result<T, DecodeError>;

impl<'de> Deserializer<'de> for EjsonDeserializer {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let is_json = self.is_json;
        match self.value {
            Ejson::Null => visitor.visit_unit(),
            Ejson::Bool(value) => visitor.visit_bool(value),
            Ejson::Number(number) if is_json || number.is_finite() => visit_number(number, visitor),
            Ejson::String(text) => visitor.visit_string(text),
            Ejson::Array(items) => visit_items(items.into_iter().map(|value| Self { value, is_json }), visitor),
            Ejson::Object(object) if is_json || Form::of(&object).is_none() => visit_entries(object, is_json, visitor),
            value => Self { value, is_json }.into_json().deserialize_any(visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value {
            Ejson::Number(number) => visit_number(number, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    /// A struct takes an object by its fields, even if it looks like a form.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.value {
            Ejson::Object(object) => visit_entries(object, self.is_json, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value {
            Ejson::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value {
            Ejson::Binary(binary) => visitor.visit_byte_buf(binary.into_bytes()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value {
            Ejson::Binary(binary) => visit_bytes(binary, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value> {
        match name {
            READ_FORM => visitor.visit_newtype_struct(self.into_json()),
            RAW_VALUE => visit_raw_value(self.to_text(), visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.value {
            Ejson::String(variant) => visitor.visit_enum(StringDeserializer::new(variant)),
            Ejson::Object(object) if object.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(entries_of(object, self.is_json)))
            }
            _ => Err(DecodeError::custom("expected a variant: a string or an object with one key")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string
        unit unit_struct tuple_struct map identifier
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: Number, visitor: V) -> Result<V::Value> {
    if let Some(integer) = number.as_i64() {
        return visitor.visit_i64(integer);
    }
    if let Some(integer) = number.as_u64() {
        return visitor.visit_u64(integer);
    }
    visitor.visit_f64(number.as_f64())
}

fn visit_bytes<'de, V: Visitor<'de>>(binary: Binary, visitor: V) -> Result<V::Value> {
    visit_items(binary.into_bytes().into_iter(), visitor)
}

fn visit_items<'de, I, V>(items: I, visitor: V) -> Result<V::Value>
where
    I: Iterator<Item: IntoDeserializer<'de, DecodeError>>,
    V: Visitor<'de>,
{
    let mut items = SeqDeserializer::new(items);
    let value = visitor.visit_seq(&mut items)?;
    items.end()?;
    Ok(value)
}

fn visit_entries<'de, V: Visitor<'de>>(object: Object, is_json: bool, visitor: V) -> Result<V::Value> {
    let mut entries = entries_of(object, is_json);
    let value = visitor.visit_map(&mut entries)?;
    entries.end()?;
    Ok(value)
}

type Entries<'de, I> = MapDeserializer<'de, I, DecodeError>;

fn entries_of<'de>(
    object: Object,
    is_json: bool,
) -> Entries<'de, impl Iterator<Item = (KeyDeserializer, EjsonDeserializer)>> {
    let deserialize = move |(key, value)| (KeyDeserializer::new(key), EjsonDeserializer { value, is_json });
    MapDeserializer::new(object.into_iter().map(deserialize))
}

/// `RawValue` reads its text from a map with one entry under a private name.
fn visit_raw_value<'de, V: Visitor<'de>>(text: String, visitor: V) -> Result<V::Value> {
    visitor.visit_map(MapDeserializer::new([(RAW_VALUE, text)].into_iter()))
}
