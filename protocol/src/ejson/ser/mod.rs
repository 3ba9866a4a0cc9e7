//! The serializer: writes any Rust value as EJSON text, without an intermediate tree.

mod compound;
mod key;
mod text;

use std::fmt::Display;

use serde::ser::{Serialize, Serializer};

use self::compound::{ListWriter, MapWriter, StructWriter};
use self::text::{write_collected, write_float, write_integer, write_number};
use super::binary::write_base64;
use super::form::Keys;
use super::number::sign_of;
use super::{Ejson, EncodeError};

pub(crate) use self::text::write_string;

/// The name under which `serde_json`'s `RawValue` passes its text.
pub(super) const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// Appends any EJSON value to `out`.
pub(super) fn write_ejson(out: &mut String, value: &Ejson) {
    value.serialize(TextSerializer::new(out)).expect("the keys of an Ejson are strings, and no value in it fails");
}

/// Appends one value to a text.
pub(super) struct TextSerializer<'a> {
    out: &'a mut String,
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Strings are quoted.
    Quoting,
    /// The next string is JSON text and is copied unchanged.
    Verbatim,
}

impl<'a> TextSerializer<'a> {
    pub(super) fn new(out: &'a mut String) -> Self {
        Self { out, mode: Mode::Quoting }
    }

    fn list(self, close: &'static str) -> ListWriter<'a> {
        ListWriter::open(self.out, close)
    }

    fn map(self, tail: &'static str) -> MapWriter<'a> {
        MapWriter::open(self.out, tail)
    }

    /// Writes the part of `{"variant":…}` before the value, and returns the part after it. A variant that looks like a
    /// form is escaped: unlike a map, it cannot have come from JSON.
    fn open_variant(&mut self, variant: &str) -> Tail {
        let is_form = Keys::default().with(variant).form().is_some();
        let tail = if is_form {
            self.out.push_str("{\"$escape\":");
            Tail { map: "}}", list: "]}}" }
        } else {
            Tail { map: "}", list: "]}" }
        };
        self.out.push('{');
        write_string(self.out, variant);
        self.out.push(':');
        tail
    }

    /// Writes a number that has no JSON literal.
    fn infinity_or_nan(self, sign: i8) {
        self.out.push_str("{\"$InfNaN\":");
        write_integer(self.out, sign);
        self.out.push('}');
    }
}

/// The end of an enum variant, after a map, a single value or a sequence.
struct Tail {
    map: &'static str,
    list: &'static str,
}

macro_rules! serialize_integers {
    ($($method:ident($type:ty);)*) => {$(
        fn $method(self, value: $type) -> Result<(), EncodeError> {
            write_integer(self.out, value);
            Ok(())
        }
    )*};
}

impl<'a> Serializer for TextSerializer<'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = ListWriter<'a>;
    type SerializeTuple = ListWriter<'a>;
    type SerializeTupleStruct = ListWriter<'a>;
    type SerializeTupleVariant = ListWriter<'a>;
    type SerializeMap = MapWriter<'a>;
    type SerializeStruct = StructWriter<'a>;
    type SerializeStructVariant = MapWriter<'a>;

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
        self.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), EncodeError> {
        if value.is_finite() {
            write_float(self.out, value);
        } else {
            self.infinity_or_nan(sign_of(value.into()));
        }
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), EncodeError> {
        if value.is_finite() {
            write_number(self.out, value);
        } else {
            self.infinity_or_nan(sign_of(value));
        }
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), EncodeError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), EncodeError> {
        match self.mode {
            Mode::Quoting => write_string(self.out, value),
            Mode::Verbatim => self.out.push_str(value),
        }
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), EncodeError> {
        self.out.push_str("{\"$binary\":\"");
        write_base64(self.out, value);
        self.out.push_str("\"}");
        Ok(())
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        self.out.push_str("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), EncodeError> {
        self.serialize_unit()
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
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        let tail = self.open_variant(variant);
        value.serialize(TextSerializer::new(self.out))?;
        self.out.push_str(tail.map);
        Ok(())
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<ListWriter<'a>, EncodeError> {
        Ok(self.list("]"))
    }

    fn serialize_tuple(self, _length: usize) -> Result<ListWriter<'a>, EncodeError> {
        Ok(self.list("]"))
    }

    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<ListWriter<'a>, EncodeError> {
        Ok(self.list("]"))
    }

    fn serialize_tuple_variant(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<ListWriter<'a>, EncodeError> {
        let tail = self.open_variant(variant);
        Ok(self.list(tail.list))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<MapWriter<'a>, EncodeError> {
        Ok(self.map(""))
    }

    fn serialize_struct(self, name: &'static str, _length: usize) -> Result<StructWriter<'a>, EncodeError> {
        if name == RAW_VALUE {
            return Ok(StructWriter::Verbatim(self.out));
        }
        Ok(StructWriter::Fields(self.map("")))
    }

    fn serialize_struct_variant(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<MapWriter<'a>, EncodeError> {
        let tail = self.open_variant(variant);
        Ok(self.map(tail.map))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        write_collected(self.out, value)
    }
}
