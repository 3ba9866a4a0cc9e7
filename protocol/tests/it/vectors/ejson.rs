//! EJSON texts and their values.

use bolide_protocol::Ejson;
use bolide_protocol::ejson::{Indent, from_str, validate};
use serde::Deserialize;
use serde_json::Value;

use super::{read, typed, types, value_of};

#[derive(Deserialize)]
struct EjsonVectors {
    decoded: Vec<Decoded>,
    refused: Vec<Refused>,
    sorted: Vec<Sorted>,
    indented: Vec<Indented>,
}

#[derive(Deserialize)]
struct Decoded {
    text: String,
    value: Value,
    printed: String,
    canonical: String,
    plain: String,
}

#[derive(Deserialize)]
struct Refused {
    text: String,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Sorted {
    text: String,
    canonical: String,
}

#[derive(Deserialize)]
struct Indented {
    text: String,
    indent: Value,
    canonical: bool,
    printed: String,
}

fn ejson_vectors() -> EjsonVectors {
    read("ejson.json")
}

#[test]
fn ejson_text_decodes_to_the_value() {
    for vector in ejson_vectors().decoded {
        let value = Ejson::parse(&vector.text, &types()).unwrap();
        assert_eq!(value, value_of(&vector.value), "{}", vector.text);
        assert!(validate(&vector.text, &types()).is_ok(), "{}", vector.text);
    }
}

#[test]
fn a_typed_reader_gets_the_same_value() {
    for vector in ejson_vectors().decoded {
        let value: Ejson = from_str(&vector.text, &types()).unwrap();
        assert_eq!(value, value_of(&vector.value), "{}", vector.text);
    }
}

#[test]
fn serde_json_decodes_ejson_as_well() {
    for vector in ejson_vectors().decoded {
        let value: Ejson = serde_json::from_str(&vector.text).unwrap();
        assert_eq!(value, value_of(&vector.value), "{}", vector.text);
    }
}

#[test]
fn values_are_printed_as_in_javascript() {
    for vector in ejson_vectors().decoded {
        let value = value_of(&vector.value);
        assert_eq!(value.to_raw().get(), vector.printed, "{}", vector.text);
        assert_eq!(value.to_indented_string(Indent::None), vector.printed, "{}", vector.text);
        assert_eq!(value.to_canonical_string(), vector.canonical, "{}", vector.text);
        assert_eq!(value.to_plain_json(), vector.plain, "{}", vector.text);
    }
}

#[test]
fn printed_text_decodes_to_the_same_value() {
    for vector in ejson_vectors().decoded {
        let value = value_of(&vector.value);
        if vector.printed.contains("{\"$date\":null}") {
            continue;
        }
        assert_eq!(Ejson::parse(&vector.printed, &types()).unwrap(), value, "{}", vector.text);
    }
}

#[test]
fn serde_json_prints_the_same_forms() {
    for vector in ejson_vectors().decoded {
        let value = value_of(&vector.value);
        let text = serde_json::to_string(&value).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        let expected: Value = serde_json::from_str(value.to_raw().get()).unwrap();
        assert_eq!(json, expected, "{}", vector.text);
    }
}

#[test]
fn invalid_ejson_is_rejected() {
    for vector in ejson_vectors().refused {
        let error = Ejson::parse(&vector.text, &types()).expect_err(&vector.text);
        assert!(validate(&vector.text, &types()).is_err(), "{}", vector.text);
        if let Some(expected) = vector.error {
            assert_eq!(error.to_string(), expected, "{}", vector.text);
        }
    }
}

#[test]
fn canonical_text_has_sorted_keys() {
    for vector in ejson_vectors().sorted {
        let value = Ejson::parse(&vector.text, &types()).unwrap();
        assert_eq!(value.to_canonical_string(), vector.canonical);
    }
}

#[test]
fn indented_text_has_meteors_layout() {
    for vector in ejson_vectors().indented {
        let value = Ejson::parse(&vector.text, &types()).unwrap();
        let indent = match &vector.indent {
            Value::Bool(true) => Indent::Spaces(2),
            Value::String(text) => Indent::Text(text),
            other => Indent::Spaces(typed(other)),
        };
        let printed = if vector.canonical {
            value.to_canonical_indented_string(indent)
        } else {
            value.to_indented_string(indent)
        };
        assert_eq!(printed, vector.printed);
    }
}
