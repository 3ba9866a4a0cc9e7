//! Extended JSON, as `mongoexport` writes it: version 2 in both of its forms, and the forms of version 1.

use bolide_protocol::Ejson;
use bolide_protocol::ejson::{Binary, Date, Regexp};
use serde_json::{Map, Value};

/// Decodes extended JSON. A value without a counterpart becomes null.
pub(super) fn decode(value: Value) -> Ejson {
    match value {
        Value::Null => Ejson::Null,
        Value::Bool(value) => Ejson::Bool(value),
        Value::Number(number) => decode_number(&number),
        Value::String(text) => Ejson::String(text),
        Value::Array(values) => Ejson::Array(values.into_iter().map(decode).collect()),
        Value::Object(object) => match decode_wrapped(&object) {
            Some(value) => value,
            None => Ejson::Object(object.into_iter().map(|(name, value)| (name, decode(value))).collect()),
        },
    }
}

fn decode_number(number: &serde_json::Number) -> Ejson {
    match number.as_i64() {
        Some(integer) => Ejson::from(integer),
        None => number.as_f64().map_or(Ejson::Null, Ejson::from),
    }
}

/// Decodes an object whose first name begins with a dollar.
fn decode_wrapped(object: &Map<String, Value>) -> Option<Ejson> {
    let only = |name: &str| object.get(name).filter(|_| object.len() == 1);
    let text = |name: &str| only(name).and_then(Value::as_str);
    if let Some(date) = only("$date") {
        return Some(decode_date(date));
    }
    if let Some(id) = text("$oid") {
        return Some(id.parse().map_or(Ejson::Null, Ejson::ObjectId));
    }
    if let Some(number) = text("$numberInt").or_else(|| text("$numberLong")) {
        return Some(number.parse::<i64>().map_or(Ejson::Null, Ejson::from));
    }
    if let Some(number) = text("$numberDouble").or_else(|| text("$numberDecimal")) {
        return Some(number.parse::<f64>().map_or(Ejson::Null, Ejson::from));
    }
    if let Some(symbol) = text("$symbol") {
        return Some(Ejson::from(symbol));
    }
    if let Some(timestamp) = only("$timestamp") {
        let seconds = timestamp.get("t").and_then(Value::as_i64)?;
        return Some(Ejson::Date(Date::from_milliseconds(seconds.saturating_mul(1000))));
    }
    if let Some(expression) = only("$regularExpression") {
        let part = |name: &str| expression.get(name).and_then(Value::as_str);
        return Some(decode_regexp(part("pattern")?, part("options").unwrap_or_default()));
    }
    if let (Some(pattern), Some(options), 2) = (object.get("$regex"), object.get("$options"), object.len()) {
        return Some(decode_regexp(pattern.as_str()?, options.as_str()?));
    }
    if let Some(binary) = object.get("$binary") {
        let base64 = binary.as_str().or_else(|| binary.get("base64").and_then(Value::as_str))?;
        return Some(Binary::from_base64(base64).map_or(Ejson::Null, Ejson::Binary));
    }
    let has_no_counterpart = ["$undefined", "$minKey", "$maxKey", "$code", "$dbPointer"];
    has_no_counterpart.iter().any(|name| only(name).is_some()).then_some(Ejson::Null)
}

fn decode_date(date: &Value) -> Ejson {
    let in_milliseconds = || {
        let long = date.get("$numberLong").and_then(Value::as_str);
        date.as_i64().or_else(|| long?.parse().ok()).map(Date::from_milliseconds)
    };
    let date = date.as_str().map(Date::parse_iso).or_else(in_milliseconds);
    date.map_or(Ejson::Null, Ejson::Date)
}

fn decode_regexp(pattern: &str, options: &str) -> Ejson {
    Regexp::new(pattern, options).map_or(Ejson::Null, Ejson::Regexp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn decodes(extended: &str, expected: &Ejson) {
        assert_eq!(decode(serde_json::from_str(extended).unwrap()), *expected, "{extended}");
    }

    #[test]
    fn dates_are_read_in_every_form() {
        let date = Ejson::Date(Date::from_milliseconds(1_620_118_800_123));
        for form in [
            r#"{"$date":"2021-05-04T09:00:00.123Z"}"#,
            r#"{"$date":{"$numberLong":"1620118800123"}}"#,
            r#"{"$date":1620118800123}"#,
        ] {
            decodes(form, &date);
        }
    }

    #[test]
    fn numbers_ids_and_bytes_are_read_in_every_form() {
        decodes(r#"{"$numberInt":"5"}"#, &Ejson::from(5));
        decodes(r#"{"$numberLong":"5"}"#, &Ejson::from(5));
        decodes(r#"{"$numberDouble":"5.5"}"#, &Ejson::from(5.5));
        decodes(r#"{"$numberDecimal":"5.5"}"#, &Ejson::from(5.5));
        decodes(
            r#"{"$oid":"5f1e9c3b8c8b4e0012345678"}"#,
            &Ejson::ObjectId("5f1e9c3b8c8b4e0012345678".parse().unwrap()),
        );
        let bytes = Ejson::Binary(Binary::from(&b"AB"[..]));
        decodes(r#"{"$binary":{"base64":"QUI=","subType":"00"}}"#, &bytes);
        decodes(r#"{"$binary":"QUI=","$type":"00"}"#, &bytes);
    }

    #[test]
    fn what_only_looks_wrapped_stays_an_object_and_what_has_no_counterpart_is_null() {
        let object = decode(serde_json::json!({ "$date": 5, "more": 6 }));
        assert_eq!(object.get("more"), Some(&Ejson::from(6)));
        decodes(r#"{"$undefined":true}"#, &Ejson::Null);
        decodes(r#"{"$oid":"no id"}"#, &Ejson::Null);
    }
}
