//! Decodes JSON to EJSON, as Meteor's `EJSON.fromJSONValue` does.

use std::mem;

use super::coerce::{to_number, to_text};
use super::custom::Registered;
use super::form::Form;
use super::{Binary, Custom, Date, DecodeError, Ejson, Number, Object, Regexp, object_id};

/// Replaces the forms in a plain JSON value with the values they represent, from the outside in.
pub(super) fn decode(value: Ejson, types: Registered<'_>) -> Result<Ejson, DecodeError> {
    match value {
        Ejson::Array(mut items) => {
            decode_in_place(items.iter_mut(), types)?;
            Ok(Ejson::Array(items))
        }
        Ejson::Object(object) => decode_object(object, types),
        scalar => Ok(scalar),
    }
}

fn decode_object(mut object: Object, types: Registered<'_>) -> Result<Ejson, DecodeError> {
    let Some(form) = Form::of(&object) else {
        decode_in_place(object.values_mut(), types)?;
        return Ok(Ejson::Object(object));
    };
    let mut take = |key: &str| object.get_mut(key).map(mem::take).unwrap_or_default();
    match form {
        Form::Date => Ok(Ejson::Date(decode_date(&take("$date")))),
        Form::InfinityOrNan => Ok(Ejson::Number(decode_infinity(&take("$InfNaN")))),
        Form::Binary => decode_binary(&take("$binary")),
        Form::Regexp => decode_regexp(&take("$regexp"), &take("$flags")),
        Form::Escape => decode_escape(take("$escape"), types),
        Form::Custom => decode_custom(take("$type"), take("$value"), types),
    }
}

fn decode_in_place<'a>(
    mut values: impl Iterator<Item = &'a mut Ejson>,
    types: Registered<'_>,
) -> Result<(), DecodeError> {
    values.try_for_each(|value| {
        *value = decode(mem::take(value), types)?;
        Ok(())
    })
}

/// Decodes as JavaScript's `new Date(value)` does.
fn decode_date(value: &Ejson) -> Date {
    match value {
        Ejson::Null | Ejson::Bool(_) | Ejson::Number(_) => date_of_number(to_number(value)),
        other => Date::parse_iso(&to_text(other)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "truncation is wanted, and it saturates")]
fn date_of_number(milliseconds: f64) -> Date {
    if milliseconds.is_nan() {
        return Date::INVALID;
    }
    Date::from_milliseconds(milliseconds as i64)
}

/// Decodes as JavaScript's `value / 0` does.
fn decode_infinity(value: &Ejson) -> Number {
    Number::from(to_number(value) / 0.0)
}

fn decode_binary(value: &Ejson) -> Result<Ejson, DecodeError> {
    let text = value.as_str().ok_or(DecodeError::Binary)?;
    Binary::from_base64(text).map(Ejson::Binary)
}

fn decode_regexp(pattern: &Ejson, flags: &Ejson) -> Result<Ejson, DecodeError> {
    let flags = flags.as_str().ok_or(DecodeError::RegexpFlags)?;
    Regexp::new(&to_text(pattern), flags).map(Ejson::Regexp)
}

/// Keeps the keys as they are and decodes the values. A value that is not an object is split as `Object.keys` does.
fn decode_escape(value: Ejson, types: Registered<'_>) -> Result<Ejson, DecodeError> {
    let mut object = match value {
        Ejson::Null => return Err(DecodeError::Escape),
        Ejson::Object(object) => object,
        Ejson::Array(items) => by_index(items),
        Ejson::String(text) => by_index(text.encode_utf16().map(text_of_unit)),
        _ => Object::new(),
    };
    decode_in_place(object.values_mut(), types)?;
    Ok(Ejson::Object(object))
}

fn by_index(values: impl IntoIterator<Item = Ejson>) -> Object {
    values.into_iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
}

fn text_of_unit(unit: u16) -> Ejson {
    let character = char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER);
    Ejson::String(character.into())
}

/// Keeps the value unchanged: only the custom type itself can interpret it.
fn decode_custom(type_name: Ejson, value: Ejson, types: Registered<'_>) -> Result<Ejson, DecodeError> {
    let Ejson::String(type_name) = type_name else {
        return Err(DecodeError::UnknownType(to_text(&type_name)));
    };
    if type_name == object_id::TYPE_NAME {
        return decode_object_id(&value);
    }
    if !types.contains(&type_name) {
        return Err(DecodeError::UnknownType(type_name));
    }
    Ok(Ejson::from(Custom::new(type_name, value)))
}

fn decode_object_id(value: &Ejson) -> Result<Ejson, DecodeError> {
    let text = value.as_str().ok_or(DecodeError::ObjectId)?;
    text.parse().map(Ejson::ObjectId).map_err(|_invalid| DecodeError::ObjectId)
}
