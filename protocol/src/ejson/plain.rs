//! [`Plain`]: JSON before EJSON decoding.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Ejson, Number, Object};

/// A value of the six JSON kinds. Forms are still objects.
pub(super) struct Plain(pub(super) Ejson);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Self)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Ejson;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an EJSON value")
    }

    fn visit_unit<E>(self) -> Result<Ejson, E> {
        Ok(Ejson::Null)
    }

    fn visit_none<E>(self) -> Result<Ejson, E> {
        Ok(Ejson::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Ejson, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Ejson, E> {
        Ok(Ejson::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Ejson, E> {
        Ok(Ejson::Number(Number::from(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Ejson, E> {
        Ok(Ejson::Number(Number::from(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Ejson, E> {
        Ok(Ejson::Number(Number::from(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Ejson, E> {
        Ok(Ejson::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Ejson, E> {
        Ok(Ejson::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Ejson, A::Error> {
        let mut array = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Ejson::Array(array))
    }

    /// As in `JSON.parse`, the last value of a repeated key wins, in the position of the first.
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Ejson, A::Error> {
        let mut object = Object::new();
        while let Some((key, Plain(value))) = entries.next_entry()? {
            object.insert(key, value);
        }
        Ok(Ejson::Object(object))
    }
}
