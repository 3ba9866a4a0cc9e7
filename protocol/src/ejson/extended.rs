//! `MongoDB`'s extended JSON, as `mongoexport` writes it: version 2 in both of its forms, and the forms of version 1.

use std::borrow::Cow;
use std::mem;

use super::custom::Registered;
use super::decode::decode as decode_form;
use super::encode::Literal;
use super::form::Form;
use super::plain::Plain;
use super::surrogate::mend_lone_surrogates;
use super::{Binary, Date, DecodeError, Ejson, Object, Regexp};

/// The forms with one key that are not EJSON.
const FORMS: [&str; 14] = [
    "$oid",
    "$numberInt",
    "$numberLong",
    "$numberDouble",
    "$numberDecimal",
    "$symbol",
    "$timestamp",
    "$regularExpression",
    "$uuid",
    "$undefined",
    "$minKey",
    "$maxKey",
    "$code",
    "$dbPointer",
];

/// The forms with two keys that are not EJSON.
const FORMS_OF_TWO: [[&str; 2]; 2] = [["$regex", "$options"], ["$binary", "$type"]];

/// Reads a document of `MongoDB`, as `mongoexport` writes it, or as EJSON. Each of its fields is read by itself, so that
/// the document as a whole is never a form. Values without a counterpart, such as `$minKey` and `$code`, become `null`.
///
/// # Errors
/// Returns an error if the text is not a JSON object, or if a form in it is malformed.
///
/// ```
/// use bolide_protocol::Ejson;
/// use bolide_protocol::ejson::{Date, read_exported};
///
/// let extended = read_exported(r#"{"n":{"$numberLong":"5"},"at":{"$date":"1970-01-01T00:00:01Z"}}"#)?;
/// assert_eq!(extended["n"], Ejson::from(5));
/// assert_eq!(extended["at"], Ejson::Date(Date::from_milliseconds(1000)));
/// assert_eq!(extended, read_exported(r#"{"n":5,"at":{"$date":1000}}"#)?);
/// # Ok::<(), bolide_protocol::ejson::DecodeError>(())
/// ```
pub fn read_exported(document: &str) -> Result<Object, DecodeError> {
    let Plain(value) = serde_json::from_str(&mend_lone_surrogates(document))?;
    let Ejson::Object(mut object) = value else {
        return Err(DecodeError::Mismatch("a document must be an object".to_owned()));
    };
    decode_in_place(object.values_mut())?;
    Ok(object)
}

/// Returns the EJSON text of a document so that [`read_exported`] reads the same document from it: objects that only look
/// like extended JSON, such as one with the key `$oid`, are wrapped in `$escape`, which EJSON unwraps.
///
/// # Errors
/// Returns an error if the text is not a JSON object.
///
/// ```
/// use bolide_protocol::ejson::write_exported;
///
/// assert_eq!(write_exported(r#"{"a":{"$oid":"b"}}"#)?, r#"{"a":{"$escape":{"$oid":"b"}}}"#);
/// # Ok::<(), bolide_protocol::ejson::DecodeError>(())
/// ```
pub fn write_exported(document: &str) -> Result<Cow<'_, str>, DecodeError> {
    // Most documents have no key with a dollar, and are not read.
    if !document.contains("\"$") && !document.contains("\\u0024") {
        return Ok(Cow::Borrowed(document));
    }
    let Plain(value) = serde_json::from_str(document)?;
    let Ejson::Object(mut object) = value else {
        return Err(DecodeError::Mismatch("a document must be an object".to_owned()));
    };
    object.values_mut().for_each(escape);
    Ok(Cow::Owned(serde_json::to_string(&Literal(&Ejson::Object(object)))?))
}

/// Wraps the objects that look like extended JSON in a plain JSON value.
fn escape(value: &mut Ejson) {
    match value {
        Ejson::Array(items) => items.iter_mut().for_each(escape),
        Ejson::Object(object) => match Form::of(object) {
            None => {
                object.values_mut().for_each(escape);
                if is_extended(object) {
                    let inner = Ejson::Object(mem::take(object));
                    object.insert("$escape".to_owned(), inner);
                }
            }
            Some(Form::Escape) => {
                if let Some(Ejson::Object(inner)) = object.get_mut("$escape") {
                    inner.values_mut().for_each(escape);
                }
            }
            // Their values are no documents.
            Some(Form::Date | Form::Regexp | Form::InfinityOrNan | Form::Binary | Form::Custom) => {}
        },
        _ => {}
    }
}

/// Returns whether the keys of an object are those of extended JSON.
fn is_extended(object: &Object) -> bool {
    match object.len() {
        1 => FORMS.iter().any(|form| object.contains_key(*form)),
        2 => FORMS_OF_TWO.iter().any(|form| form.iter().all(|key| object.contains_key(*key))),
        _ => false,
    }
}

fn decode(value: Ejson) -> Result<Ejson, DecodeError> {
    match value {
        Ejson::Array(mut items) => {
            decode_in_place(items.iter_mut())?;
            Ok(Ejson::Array(items))
        }
        Ejson::Object(object) => decode_object(object),
        scalar => Ok(scalar),
    }
}

fn decode_in_place<'values>(mut values: impl Iterator<Item = &'values mut Ejson>) -> Result<(), DecodeError> {
    values.try_for_each(|value| {
        *value = decode(mem::take(value))?;
        Ok(())
    })
}

fn decode_object(mut object: Object) -> Result<Ejson, DecodeError> {
    if is_extended(&object) {
        return decode_extended(&object);
    }
    match Form::of(&object) {
        None => {
            decode_in_place(object.values_mut())?;
            Ok(Ejson::Object(object))
        }
        Some(Form::Escape) => match object.get_mut("$escape").map(mem::take) {
            Some(Ejson::Object(mut inner)) => {
                decode_in_place(inner.values_mut())?;
                Ok(Ejson::Object(inner))
            }
            _ => Err(DecodeError::Escape),
        },
        Some(Form::Date) if matches!(object["$date"], Ejson::Object(_)) => {
            let long = object["$date"].get("$numberLong").and_then(Ejson::as_str);
            let date = long.and_then(|long| long.parse().ok()).map(Date::from_milliseconds);
            date.map(Ejson::Date).ok_or_else(|| malformed("$date", "a date"))
        }
        Some(Form::Binary) if matches!(object["$binary"], Ejson::Object(_)) => decode_binary(&object["$binary"]),
        Some(_) => decode_form(Ejson::Object(object), Registered::Any),
    }
}

/// Decodes an object with the keys of a form of extended JSON.
fn decode_extended(object: &Object) -> Result<Ejson, DecodeError> {
    if let Some(binary) = object.get("$binary") {
        return decode_binary(binary);
    }
    if let (Some(pattern), Some(options)) = (object.get("$regex"), object.get("$options")) {
        return decode_regexp("$regex", pattern, options);
    }
    let Some((form, value)) = object.first() else { return Ok(Ejson::Null) };
    let text = |expected| value.as_str().ok_or_else(|| malformed(form, expected));
    Ok(match form.as_str() {
        "$oid" => Ejson::ObjectId(text("an ObjectID")?.parse().map_err(|_invalid| DecodeError::ObjectId)?),
        "$numberInt" | "$numberLong" => {
            Ejson::from(text(INTEGER)?.parse::<i64>().map_err(|_invalid| malformed(form, INTEGER))?)
        }
        "$numberDouble" | "$numberDecimal" => {
            Ejson::from(text(NUMBER)?.parse::<f64>().map_err(|_invalid| malformed(form, NUMBER))?)
        }
        "$symbol" => Ejson::from(text("a string")?),
        "$uuid" => Ejson::Binary(bytes_of_uuid(text(UUID)?).ok_or_else(|| malformed(form, UUID))?),
        "$timestamp" => {
            let seconds = value.get("t").and_then(Ejson::as_number).and_then(super::Number::as_i64);
            let seconds = seconds.ok_or_else(|| malformed(form, "a timestamp"))?;
            Ejson::Date(Date::from_milliseconds(seconds.saturating_mul(1000)))
        }
        "$regularExpression" => {
            let part = |name: &str| value.get(name).cloned().unwrap_or_default();
            return decode_regexp(form, &part("pattern"), &part("options"));
        }
        _without_counterpart => Ejson::Null,
    })
}

const INTEGER: &str = "the text of an integer";
const NUMBER: &str = "the text of a number";
const UUID: &str = "a UUID";

/// Decodes the base64 text of version 1, or the object of version 2.
fn decode_binary(binary: &Ejson) -> Result<Ejson, DecodeError> {
    let base64 = binary.as_str().or_else(|| binary.get("base64").and_then(Ejson::as_str));
    Binary::from_base64(base64.ok_or(DecodeError::Binary)?).map(Ejson::Binary)
}

fn bytes_of_uuid(text: &str) -> Option<Binary> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = digits.chunks(2).map(byte).collect::<Option<_>>()?;
    (digits.len() == 32).then(|| Binary::from(bytes.as_slice()))
}

fn decode_regexp(form: &str, pattern: &Ejson, options: &Ejson) -> Result<Ejson, DecodeError> {
    let text = |value: &Ejson| value.as_str().map(str::to_owned).ok_or_else(|| malformed(form, "a regular expression"));
    // Flags that JavaScript lacks are dropped.
    let flags: String = text(options)?.chars().filter(|flag| "gimsuy".contains(*flag)).collect();
    Regexp::new(&text(pattern)?, &flags).map(Ejson::Regexp)
}

fn malformed(form: &str, expected: &str) -> DecodeError {
    DecodeError::Mismatch(format!("`{form}` must be {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ejson::{Custom, CustomTypes};

    fn read(value: &str) -> Result<Ejson, DecodeError> {
        Ok(read_exported(&format!(r#"{{"value":{value}}}"#))?.swap_remove("value").unwrap())
    }

    #[track_caller]
    fn reads(extended: &str, expected: impl Into<Ejson>) {
        assert_eq!(read(extended).unwrap(), expected.into(), "{extended}");
    }

    #[test]
    fn dates_are_read_in_every_form() {
        for form in [
            r#"{"$date":"2021-05-04T09:00:00.123Z"}"#,
            r#"{"$date":"2021-05-04T09:00:00.123+0000"}"#,
            r#"{"$date":{"$numberLong":"1620118800123"}}"#,
            r#"{"$date":1620118800123}"#,
        ] {
            reads(form, Date::from_milliseconds(1_620_118_800_123));
        }
    }

    #[test]
    fn numbers_ids_and_bytes_are_read_in_every_form() {
        reads(r#"{"$numberInt":"5"}"#, 5);
        reads(r#"{"$numberLong":"9007199254740993"}"#, 9_007_199_254_740_993_i64);
        reads(r#"{"$numberDouble":"5.5"}"#, 5.5);
        reads(r#"{"$numberDouble":"-Infinity"}"#, f64::NEG_INFINITY);
        reads(r#"{"$numberDouble":"NaN"}"#, f64::NAN);
        reads(r#"{"$numberDecimal":"5.5"}"#, 5.5);
        reads(r#"{"$oid":"5f1e9c3b8c8b4e0012345678"}"#, Ejson::ObjectId("5f1e9c3b8c8b4e0012345678".parse().unwrap()));
        let bytes = || Binary::from(&b"AB"[..]);
        reads(r#"{"$binary":{"base64":"QUI=","subType":"00"}}"#, bytes());
        reads(r#"{"$binary":"QUI=","$type":"00"}"#, bytes());
        reads(r#"{"$binary":"QUI="}"#, bytes());
        reads(
            r#"{"$uuid":"41420000-0000-0000-0000-000000000000"}"#,
            Binary::from(&b"AB\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..]),
        );
        reads(r#"{"$timestamp":{"t":2,"i":1}}"#, Date::from_milliseconds(2000));
        reads(r#"{"$regex":"a","$options":"ix"}"#, Regexp::new("a", "i").unwrap());
        reads(r#"{"$regularExpression":{"pattern":"a","options":"i"}}"#, Regexp::new("a", "i").unwrap());
    }

    #[test]
    fn forms_of_ejson_are_read() {
        reads(r#"{"$InfNaN":1}"#, f64::INFINITY);
        reads(r#"{"$regexp":"a","$flags":"i"}"#, Regexp::new("a", "i").unwrap());
        reads(
            r#"{"$type":"point","$value":{"$oid":"x"}}"#,
            Custom::new("point", Object::from([("$oid".to_owned(), "x".into())])),
        );
        reads(r#"{"$escape":{"$date":5}}"#, Object::from([("$date".to_owned(), 5.into())]));
    }

    #[test]
    fn what_only_looks_like_a_form_stays_an_object_and_what_has_no_counterpart_is_null() {
        assert_eq!(read(r#"{"$date":5,"more":{"$numberInt":"6"}}"#).unwrap().get("more"), Some(&Ejson::from(6)));
        reads(r#"{"$undefined":true}"#, Ejson::Null);
        reads(r#"{"$minKey":1}"#, Ejson::Null);
        assert_eq!(read_exported(r#"{"$date":5}"#).unwrap()["$date"], Ejson::from(5));
    }

    #[test]
    fn malformed_forms_are_refused() {
        for form in [
            r#"{"$oid":"no id"}"#,
            r#"{"$oid":5}"#,
            r#"{"$numberLong":"x"}"#,
            r#"{"$date":{"$numberLong":5}}"#,
            r#"{"$date":{}}"#,
            r#"{"$binary":{}}"#,
            r#"{"$uuid":"4"}"#,
            r#"{"$timestamp":5}"#,
            r#"{"$regularExpression":{}}"#,
            r#"{"$escape":null}"#,
        ] {
            assert!(read(form).is_err(), "{form}");
        }
        assert!(read_exported("[]").is_err());
        assert!(read_exported("{").is_err());
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let look_alike = |key: &str| Ejson::Object(Object::from([(key.to_owned(), look_alike_value())]));
        let mut all: Vec<Ejson> = FORMS.iter().map(|form| look_alike(form)).collect();
        all.extend(["$date", "$binary", "$escape", "$InfNaN"].map(look_alike));
        for [one, other] in FORMS_OF_TWO {
            let object = Object::from([(one.to_owned(), "a".into()), (other.to_owned(), look_alike("$oid"))]);
            all.push(Ejson::Object(object));
        }
        all.push(Custom::new("point", look_alike("$oid")).into());
        all.push(Ejson::Array(vec![look_alike("$numberInt"), f64::NAN.into()]));
        let document = Object::from([("all".to_owned(), Ejson::Array(all))]);
        let text = Ejson::Object(document.clone()).to_raw();
        let written = write_exported(text.get()).unwrap();
        assert_eq!(read_exported(&written).unwrap(), document);
        let types = CustomTypes::default().with("point");
        assert_eq!(
            Ejson::parse(&written, &types).unwrap(),
            Ejson::Object(document),
            "it is EJSON of the same document"
        );
    }

    fn look_alike_value() -> Ejson {
        Ejson::Object(Object::from([("$oid".to_owned(), Ejson::from("a"))]))
    }
}
