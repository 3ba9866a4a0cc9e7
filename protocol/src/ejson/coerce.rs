//! JavaScript's conversions to strings and numbers, for decoders that depend on them.

use super::Ejson;

/// Converts a plain JSON value as `String(value)` does.
pub(super) fn to_text(value: &Ejson) -> String {
    match value {
        Ejson::Null => "null".to_owned(),
        Ejson::Bool(value) => value.to_string(),
        Ejson::Number(number) => number.to_string(),
        Ejson::String(text) => text.clone(),
        Ejson::Array(items) => items.iter().map(to_element_text).collect::<Vec<_>>().join(","),
        _ => "[object Object]".to_owned(),
    }
}

fn to_element_text(value: &Ejson) -> String {
    match value {
        Ejson::Null => String::new(),
        other => to_text(other),
    }
}

/// Converts a plain JSON value as `Number(value)` does.
pub(super) fn to_number(value: &Ejson) -> f64 {
    match value {
        Ejson::Null => 0.0,
        Ejson::Bool(value) => f64::from(u8::from(*value)),
        Ejson::Number(number) => number.as_f64(),
        other => number_of_text(to_text(other).trim()),
    }
}

/// Parses decimal notation only: Rust would also accept `inf` and `nan`, JavaScript also hexadecimal.
fn number_of_text(text: &str) -> f64 {
    match text {
        "" => 0.0,
        "Infinity" | "+Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ if text.bytes().any(|byte| matches!(byte, b'i' | b'I' | b'n' | b'N')) => f64::NAN,
        _ => text.parse().unwrap_or(f64::NAN),
    }
}
