//! [`Whole`]: a whole number in JSON text. Many parameters are one, and `serde_json` takes twice as long to read it, since it
//! makes a parser for any JSON.

use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::Error;
use serde_json::de::StrRead;

/// The maximum number of digits. A `u64` holds each number that has no more.
const DIGITS: usize = 19;

/// The text of a whole number, which serde reads like `serde_json` does.
#[derive(Clone, Copy)]
pub(super) struct Whole<'text> {
    text: &'text str,
    number: u64,
}

impl<'text> Whole<'text> {
    /// Returns the number that the text is, or `None` for any other text and for a negative or very long number.
    #[inline]
    pub(super) fn of(text: &'text str) -> Option<Self> {
        let has_leading_zero = text.len() > 1 && text.starts_with('0');
        if text.is_empty() || text.len() > DIGITS || has_leading_zero {
            return None;
        }
        let mut number = 0;
        for byte in text.bytes() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            number = number * 10 + u64::from(digit);
        }
        Some(Self { text, number })
    }

    #[inline]
    pub(super) fn read<T: Deserialize<'text>>(self) -> Result<T, Error> {
        T::deserialize(self)
    }

    fn any_type(self) -> serde_json::Deserializer<StrRead<'text>> {
        serde_json::Deserializer::from_str(self.text)
    }
}

macro_rules! numbers {
    ($($deserialize:ident)*) => {$(
        #[inline]
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.visit_u64(self.number)
        }
    )*};
}

/// For types that are not numbers: `serde_json` reads the text itself.
macro_rules! others {
    ($($deserialize:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Error> {
            self.any_type().$deserialize($($argument,)* visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Whole<'de> {
    type Error = Error;

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    others! {
        deserialize_any() deserialize_bool() deserialize_i128() deserialize_u128() deserialize_char()
        deserialize_str() deserialize_string() deserialize_bytes() deserialize_byte_buf() deserialize_unit()
        deserialize_unit_struct(name: &'static str) deserialize_newtype_struct(name: &'static str)
        deserialize_seq() deserialize_tuple(length: usize) deserialize_tuple_struct(name: &'static str, length: usize)
        deserialize_map() deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier() deserialize_ignored_any()
    }
}
