//! The deserializer: turns an [`Ejson`] value into a Rust type.

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer, StringDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, Visitor};

use super::form::READ_FORM;
use super::key::KeyDeserializer;
use super::ser::RAW_VALUE;
use super::{Binary, DecodeError, Ejson, Number, Object};

/// Presents a value to serde. A type that expects JSON gets EJSON types such as dates in their wire form.
pub(super) struct EjsonDeserializer(Ejson);

impl EjsonDeserializer {
    pub(super) fn new(value: Ejson) -> Self {
        Self(value)
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
        match self.0 {
            Ejson::Null => visitor.visit_unit(),
            Ejson::Bool(value) => visitor.visit_bool(value),
            Ejson::Number(number) => visit_number(number, visitor),
            Ejson::String(text) => visitor.visit_string(text),
            Ejson::Array(items) => visit_items(items.into_iter().map(Self), visitor),
            Ejson::Object(object) => visit_entries(object, visitor),
            form => Self(form.into_json_value()).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Ejson::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Ejson::Binary(binary) => visitor.visit_byte_buf(binary.into_bytes()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Ejson::Binary(binary) => visit_bytes(binary, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value> {
        match name {
            READ_FORM => visitor.visit_newtype_struct(Self(self.0.into_json_value())),
            RAW_VALUE => visit_raw_value(&self.0, visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.0 {
            Ejson::String(variant) => visitor.visit_enum(StringDeserializer::new(variant)),
            Ejson::Object(object) if object.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(entries_of(object)))
            }
            _ => Err(DecodeError::custom("expected a variant: a string or an object with one key")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        unit unit_struct tuple_struct map struct identifier
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

fn visit_entries<'de, V: Visitor<'de>>(object: Object, visitor: V) -> Result<V::Value> {
    let mut entries = entries_of(object);
    let value = visitor.visit_map(&mut entries)?;
    entries.end()?;
    Ok(value)
}

type Entries<'de, I> = MapDeserializer<'de, I, DecodeError>;

fn entries_of<'de>(object: Object) -> Entries<'de, impl Iterator<Item = (KeyDeserializer, EjsonDeserializer)>> {
    let deserialize = |(key, value)| (KeyDeserializer::new(key), EjsonDeserializer(value));
    MapDeserializer::new(object.into_iter().map(deserialize))
}

/// `RawValue` reads its text from a map with one entry under a private name.
fn visit_raw_value<'de, V: Visitor<'de>>(value: &Ejson, visitor: V) -> Result<V::Value> {
    let text = value.to_raw().get().to_owned();
    visitor.visit_map(MapDeserializer::new([(RAW_VALUE, text)].into_iter()))
}
