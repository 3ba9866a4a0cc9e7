//! The keys of maps. JSON keys are strings, so numbers, booleans, chars and unit variants are converted to strings.

use std::fmt::Display;

use serde::ser::{Impossible, Serialize, Serializer};

use super::text::{write_collected, write_float, write_integer};
use super::write_string;
use crate::ejson::EncodeError;

/// Writes one quoted key.
pub(super) struct KeySerializer<'a> {
    out: &'a mut String,
}

impl<'a> KeySerializer<'a> {
    pub(super) fn new(out: &'a mut String) -> Self {
        Self { out }
    }

    fn in_quotes(self, write: impl FnOnce(&mut String)) {
        self.out.push('"');
        write(self.out);
        self.out.push('"');
    }
}

type NoKey = Impossible<(), EncodeError>;

macro_rules! serialize_integers {
    ($($method:ident($type:ty);)*) => {$(
        fn $method(self, value: $type) -> Result<(), EncodeError> {
            self.in_quotes(|out| write_integer(out, value));
            Ok(())
        }
    )*};
}

impl Serializer for KeySerializer<'_> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = NoKey;
    type SerializeTuple = NoKey;
    type SerializeTupleStruct = NoKey;
    type SerializeTupleVariant = NoKey;
    type SerializeMap = NoKey;
    type SerializeStruct = NoKey;
    type SerializeStructVariant = NoKey;

    serialize_integers! {
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
    }

    fn serialize_bool(self, value: bool) -> Result<(), EncodeError> {
        self.serialize_str(if value { "true" } else { "false" })
    }

    fn serialize_f32(self, value: f32) -> Result<(), EncodeError> {
        if !value.is_finite() {
            return Err(EncodeError::Key);
        }
        self.in_quotes(|out| write_float(out, value));
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), EncodeError> {
        if !value.is_finite() {
            return Err(EncodeError::Key);
        }
        self.in_quotes(|out| write_float(out, value));
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), EncodeError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), EncodeError> {
        write_string(self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, _value: &[u8]) -> Result<(), EncodeError> {
        Err(EncodeError::Key)
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        Err(EncodeError::Key)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        Err(EncodeError::Key)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), EncodeError> {
        Err(EncodeError::Key)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), EncodeError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), EncodeError> {
        Err(EncodeError::Key)
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<NoKey, EncodeError> {
        Err(EncodeError::Key)
    }

    fn serialize_tuple(self, _length: usize) -> Result<NoKey, EncodeError> {
        Err(EncodeError::Key)
    }

    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<NoKey, EncodeError> {
        Err(EncodeError::Key)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<NoKey, EncodeError> {
        Err(EncodeError::Key)
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<NoKey, EncodeError> {
        Err(EncodeError::Key)
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<NoKey, EncodeError> {
        Err(EncodeError::Key)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<NoKey, EncodeError> {
        Err(EncodeError::Key)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        write_collected(self.out, value)
    }
}
