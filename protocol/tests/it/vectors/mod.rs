//! Every vector in `protocol/vectors`, in both directions.

mod ejson;
mod ids;
mod numbers_and_dates;

use std::fs;
use std::path::Path;

use bolide_protocol::Ejson;
use bolide_protocol::ejson::{Binary, Custom, CustomTypes, Date, ObjectId, Regexp};
use serde::de::DeserializeOwned;
use serde_json::Value;

fn read<T: DeserializeOwned>(file: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn types() -> CustomTypes {
    CustomTypes::default().with("Decimal")
}

/// Returns the value that a vector's notation represents.
fn value_of(notation: &Value) -> Ejson {
    let Value::Object(tagged) = notation else {
        return serde_json::from_value(notation.clone()).unwrap();
    };
    let (kind, content) = tagged.iter().next().unwrap();
    match kind.as_str() {
        "array" => Ejson::Array(content.as_array().unwrap().iter().map(value_of).collect()),
        "object" => Ejson::Object(content.as_array().unwrap().iter().map(entry_of).collect()),
        "date" => content.as_i64().map_or(Date::INVALID, Date::from_milliseconds).into(),
        "bytes" => Binary::from(typed::<Vec<u8>>(content)).into(),
        "regexp" => Regexp::new(text(&content[0]), text(&content[1])).unwrap().into(),
        "number" => text(content).to_lowercase().parse::<f64>().unwrap().into(),
        "objectId" => text(content).parse::<ObjectId>().unwrap().into(),
        "custom" => Custom::new(text(&content[0]), value_of(&content[1])).into(),
        other => panic!("unknown kind {other}"),
    }
}

fn entry_of(entry: &Value) -> (String, Ejson) {
    (text(&entry[0]).to_owned(), value_of(&entry[1]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn typed<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}
