//! Writers for sequences, maps and structs.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::key::KeySerializer;
use super::{Mode, TextSerializer, write_string};
use crate::ejson::EncodeError;

/// Writes the items of a sequence.
pub(in crate::ejson) struct ListWriter<'a> {
    out: &'a mut String,
    is_empty: bool,
    close: &'static str,
}

impl<'a> ListWriter<'a> {
    pub(super) fn open(out: &'a mut String, close: &'static str) -> Self {
        out.push('[');
        Self { out, is_empty: true, close }
    }

    fn write<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), EncodeError> {
        if !self.is_empty {
            self.out.push(',');
        }
        self.is_empty = false;
        item.serialize(TextSerializer::new(self.out))
    }

    fn close(self) {
        self.out.push_str(self.close);
    }
}

macro_rules! write_list {
    ($($trait:ident::$method:ident)*) => {$(
        impl $trait for ListWriter<'_> {
            type Ok = ();
            type Error = EncodeError;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), EncodeError> {
                self.write(item)
            }

            fn end(self) -> Result<(), EncodeError> {
                self.close();
                Ok(())
            }
        }
    )*};
}

write_list! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

/// Writes the entries of a map.
pub(in crate::ejson) struct MapWriter<'a> {
    out: &'a mut String,
    is_empty: bool,
    tail: &'static str,
}

impl<'a> MapWriter<'a> {
    pub(super) fn open(out: &'a mut String, tail: &'static str) -> Self {
        out.push('{');
        Self { out, is_empty: true, tail }
    }

    fn begin_entry(&mut self) {
        if !self.is_empty {
            self.out.push(',');
        }
        self.is_empty = false;
    }

    fn write_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), EncodeError> {
        self.begin_entry();
        write_string(self.out, key);
        self.write_value(value)
    }

    fn write_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.begin_entry();
        key.serialize(KeySerializer::new(self.out))
    }

    fn write_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.out.push(':');
        value.serialize(TextSerializer::new(self.out))
    }

    fn close(self) {
        self.out.push('}');
        self.out.push_str(self.tail);
    }
}

impl SerializeMap for MapWriter<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.write_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.write_value(value)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.close();
        Ok(())
    }
}

impl SerializeStructVariant for MapWriter<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), EncodeError> {
        self.write_field(key, value)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.close();
        Ok(())
    }
}

/// Writes a struct, or copies the text of a `RawValue` unchanged.
pub(in crate::ejson) enum StructWriter<'a> {
    Fields(MapWriter<'a>),
    Verbatim(&'a mut String),
}

impl SerializeStruct for StructWriter<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), EncodeError> {
        match self {
            Self::Fields(map) => map.write_field(key, value),
            Self::Verbatim(out) => value.serialize(TextSerializer { out, mode: Mode::Verbatim }),
        }
    }

    fn end(self) -> Result<(), EncodeError> {
        if let Self::Fields(map) = self {
            map.close();
        }
        Ok(())
    }
}
