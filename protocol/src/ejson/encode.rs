//! Encodes EJSON to JSON, as Meteor's `EJSON.toJSONValue` does.

use serde::ser::{Serialize, Serializer};

use super::form::{self, Form};
use super::number::sign_of;
use super::{Custom, Date, Ejson, Number, Object, object_id};

impl Ejson {
    /// Converts the value to the six kinds of JSON values.
    pub(super) fn into_json_value(self) -> Self {
        match self {
            Self::Array(items) => Self::Array(to_json_values(items).collect()),
            Self::Object(object) => object_to_json(object),
            Self::Number(number) if !number.is_finite() => one_entry("$InfNaN", i32::from(sign_of(number.as_f64()))),
            Self::Date(date) => one_entry("$date", date_to_json(date)),
            Self::Binary(binary) => one_entry("$binary", binary.to_base64()),
            Self::Regexp(regexp) => two_entries(("$regexp", regexp.source()), ("$flags", regexp.flags())),
            Self::ObjectId(id) => two_entries(("$type", object_id::TYPE_NAME), ("$value", id.to_string())),
            Self::Custom(custom) => custom_to_json(*custom),
            scalar => scalar,
        }
    }
}

/// Encodes as `date.getTime()` does: an invalid date is `NaN`, which prints as `null`.
fn date_to_json(date: Date) -> Number {
    date.milliseconds().map_or_else(|| Number::from(f64::NAN), Number::from)
}

fn to_json_values(items: Vec<Ejson>) -> impl Iterator<Item = Ejson> {
    items.into_iter().map(Ejson::into_json_value)
}

fn object_to_json(object: Object) -> Ejson {
    let is_look_alike = Form::of(&object).is_some();
    let values = object.into_iter().map(|(key, value)| (key, value.into_json_value()));
    let object = Ejson::Object(values.collect());
    if is_look_alike {
        return one_entry("$escape", object);
    }
    object
}

fn custom_to_json(custom: Custom) -> Ejson {
    two_entries(("$type", custom.type_name), ("$value", custom.value.into_literal()))
}

impl Ejson {
    /// Converts like [`Self::into_json_value`], without escaping objects: the value of a custom type is JSON already.
    fn into_literal(self) -> Self {
        match self {
            Self::Array(items) => items.into_iter().map(Self::into_literal).collect::<Vec<_>>().into(),
            Self::Object(object) => {
                let values = object.into_iter().map(|(key, value)| (key, value.into_literal()));
                Self::Object(values.collect())
            }
            other => other.into_json_value(),
        }
    }
}

fn one_entry(key: &str, value: impl Into<Ejson>) -> Ejson {
    Ejson::Object(Object::from([(key.to_owned(), value.into())]))
}

fn two_entries(first: (&str, impl Into<Ejson>), second: (&str, impl Into<Ejson>)) -> Ejson {
    Ejson::Object(Object::from([(first.0.to_owned(), first.1.into()), (second.0.to_owned(), second.1.into())]))
}

impl Serialize for Ejson {
    /// Escapes objects that look like a form, in every serializer.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Array(items) => items.serialize(serializer),
            Self::Object(object) if Form::of(object).is_some() => {
                form::serialize(serializer, "$escape", &Entries(object))
            }
            Self::Object(object) => Entries(object).serialize(serializer),
            other => Literal(other).serialize(serializer),
        }
    }
}

/// Writes the entries of an object without escaping the object itself. Its values escape themselves.
struct Entries<'a>(&'a Object);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0)
    }
}

/// Writes a value without escapes: the value of a custom type is JSON already.
pub(super) struct Literal<'a>(pub(super) &'a Ejson);

impl Serialize for Literal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Ejson::Null => serializer.serialize_unit(),
            Ejson::Bool(value) => serializer.serialize_bool(*value),
            Ejson::Number(number) => number.serialize(serializer),
            Ejson::String(text) => serializer.serialize_str(text),
            Ejson::Array(items) => serializer.collect_seq(items.iter().map(Literal)),
            Ejson::Object(object) => serializer.collect_map(object.iter().map(|(key, value)| (key, Literal(value)))),
            Ejson::Date(date) => date.serialize(serializer),
            Ejson::Binary(binary) => binary.serialize(serializer),
            Ejson::Regexp(regexp) => regexp.serialize(serializer),
            Ejson::ObjectId(id) => id.serialize(serializer),
            Ejson::Custom(custom) => custom.serialize(serializer),
        }
    }
}

impl Serialize for Custom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = Literal(&self.value);
        form::serialize_two(serializer, ("$type", &self.type_name), ("$value", &value))
    }
}
