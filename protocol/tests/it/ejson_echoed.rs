//! A `serde_json::Value` that was read from EJSON is written as the same EJSON, wherever it stands.

use std::collections::HashMap;

use bolide_protocol::ejson::{CustomTypes, Ejson, from_str, to_raw};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The keys are in alphabetical order, in which a `Value` keeps them.
const TEXTS: [&str; 14] = [
    r#"{"$date":5}"#,
    r#"{"$date":null}"#,
    r#"{"$binary":"QUI="}"#,
    r#"{"$flags":"i","$regexp":"a+"}"#,
    r#"{"$InfNaN":0}"#,
    r#"{"$InfNaN":-1}"#,
    r#"{"$type":"oid","$value":"0123456789abcdef01234567"}"#,
    r#"{"$type":"t","$value":{"$date":5,"a":[{"$date":6}]}}"#,
    r#"{"$type":"t","$value":{"$date":5}}"#,
    r#"{"$escape":{"$date":5}}"#,
    r#"{"$escape":{"$date":{"$date":5}}}"#,
    r#"{"$escape":{"$escape":{"$escape":{"$date":1}}}}"#,
    r#"{"$escape":{"$type":"unknown","$value":{"$escape":{"$InfNaN":0}}}}"#,
    r#"{"$date":5,"a":[{"$date":5},[{"$escape":{"$binary":""}}]],"b":{"c":{"$InfNaN":1}}}"#,
];

fn echoed<T: DeserializeOwned + Serialize>(text: &str) -> String {
    let types = CustomTypes::default().with("t");
    let value: T = from_str(text, &types).unwrap();
    to_raw(&value).unwrap().get().to_owned()
}

/// `{"$date":null}` is read as 1970.
fn settled(text: &str) -> String {
    text.replace("null", "0")
}

#[derive(Serialize, Deserialize)]
struct Holder {
    value: Value,
    more: Option<Value>,
}

#[derive(Serialize, Deserialize)]
struct Flattened {
    id: i32,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

#[test]
fn a_json_value_is_echoed_unchanged() {
    for text in TEXTS {
        assert_eq!(echoed::<Value>(text), settled(text));
    }
}

#[test]
fn a_json_value_in_a_list_or_a_map_is_echoed_unchanged() {
    for text in TEXTS {
        assert_eq!(echoed::<Vec<Value>>(&format!("[{text},1]")), settled(&format!("[{text},1]")));
        let map = format!(r#"{{"a":{text}}}"#);
        assert_eq!(echoed::<HashMap<String, Value>>(&map), settled(&map));
    }
}

#[test]
fn a_json_value_in_a_struct_is_echoed_unchanged() {
    for text in TEXTS {
        let text = settled(&format!(r#"{{"value":{text},"more":{text}}}"#));
        assert_eq!(echoed::<Holder>(&text), text);
        let text = text.replace(r#""value":"#, r#""id":1,"value":"#);
        assert_eq!(sorted(&echoed::<Flattened>(&text)), sorted(&text));
    }
}

#[test]
fn a_map_that_is_escaped_on_the_wire_is_echoed_escaped() {
    let text = r#"{"$escape":{"$type":"unknown","$value":{"$date":5}}}"#;
    assert_eq!(echoed::<HashMap<String, Value>>(text), text);
    assert_eq!(echoed::<HashMap<String, Ejson>>(text), text);
    assert_eq!(echoed::<Ejson>(text), text);
}

fn sorted(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
