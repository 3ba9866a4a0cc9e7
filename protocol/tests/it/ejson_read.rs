//! Reading typed Rust values from EJSON.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use bolide_protocol::RawJson;
use bolide_protocol::ejson::{
    Binary, CustomTypes, Date, DecodeError, Ejson, Number, ObjectId, Regexp, from_raw, from_str,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

fn read<T: DeserializeOwned>(text: &str) -> Result<T, DecodeError> {
    from_str(text, &CustomTypes::default())
}

#[derive(Debug, PartialEq, Deserialize)]
enum Shape {
    Empty,
    Line(i32, i32),
    Box { width: u8 },
}

#[derive(Debug, PartialEq, Deserialize)]
struct Everything {
    at: Date,
    ratio: f64,
    file: Binary,
    id: ObjectId,
    pattern: Regexp,
    #[serde(default)]
    note: Option<String>,
}

#[test]
fn structs_are_read_from_forms() {
    let text = r#"{"at":{"$date":5},"ratio":{"$InfNaN":-1},"file":{"$binary":"QQ"},
        "id":{"$type":"oid","$value":"0123456789ABCDEF01234567"},"pattern":{"$flags":"i","$regexp":"a"}}"#;
    let everything: Everything = read(text).unwrap();
    assert_eq!(
        everything,
        serde_json::from_str(&text.replace(r#"{"$InfNaN":-1}"#, "1"))
            .map(|other: Everything| Everything { ratio: f64::NEG_INFINITY, ..other })
            .unwrap()
    );
    assert_eq!(everything.at, Date::from_milliseconds(5));
    assert_eq!(everything.file.as_bytes(), b"A");
    assert_eq!(everything.id.to_string(), "0123456789abcdef01234567");
    assert_eq!(everything.pattern.source(), "a");
    assert_eq!(everything.note, None);
}

#[derive(Debug, PartialEq, Deserialize)]
struct Age(u8);

#[test]
fn numbers_are_read_into_any_type_as_by_serde_json() {
    fn check<T: DeserializeOwned + PartialEq + fmt::Debug>(text: &str) {
        match (read::<T>(text), serde_json::from_str::<T>(text)) {
            (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{text:?}"),
            (Err(error), Err(expected)) => {
                let expected = expected.to_string();
                let expected = expected.split(" at line ").next().unwrap();
                assert!(error.to_string().contains(expected), "{text:?}: {error}, {expected}");
            }
            (read, expected) => panic!("{text:?}: {read:?}, {expected:?}"),
        }
    }
    macro_rules! check {
        ($text:ident: $($type:ty),*) => {$(check::<$type>($text);)*};
    }
    let texts = [
        "0",
        "7",
        "42",
        "255",
        "256",
        "65536",
        "4294967296",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "9999999999999999999",
        "18446744073709551615",
        "18446744073709551616",
        "123456789012345678901234567890",
        "",
        "00",
        "07",
        "-0",
        "-7",
        "-129",
        " 7",
        "7 ",
        "7a",
        "7.5",
        "7e2",
        "٣",
        "1_000",
    ];
    for text in texts {
        check!(text: u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, f32, f64, Number, Ejson, Value, RawJson);
        check!(text: Option<u32>, Option<Option<f64>>, Option<String>, Age, Option<Age>, bool, char, String, ());
        check!(text: Vec<u8>, (u8, u8), BTreeMap<String, u8>, Shape, Everything, Date);
    }
}

#[test]
fn an_invalid_date_is_read_as_invalid() {
    assert_eq!(read::<Date>(r#"{"$date":"nonsense"}"#).unwrap(), Date::INVALID);
    assert_eq!(read::<Date>(r#"{"$date":null}"#).unwrap(), Date::from_milliseconds(0));
}

#[test]
fn flattened_and_untagged_types_are_read_from_forms() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        a: i32,
        #[serde(flatten)]
        rest: HashMap<String, Either>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(Number),
        Date(Date),
    }
    let outer: Outer = read(r#"{"a":1,"b":{"$date":5},"c":{"$InfNaN":1}}"#).unwrap();
    assert_eq!(outer.rest["b"], Either::Date(Date::from_milliseconds(5)));
    assert_eq!(outer.rest["c"], Either::Number(f64::INFINITY.into()));
}

#[test]
fn bytes_are_read_into_lists_of_numbers() {
    assert_eq!(read::<Vec<u8>>(r#"{"$binary":"QUI="}"#).unwrap(), b"AB");
    assert_eq!(read::<[u8; 2]>(r#"{"$binary":"QUI="}"#).unwrap(), *b"AB");
    assert!(read::<[u8; 3]>(r#"{"$binary":"QUI="}"#).is_err());
}

#[test]
fn a_json_value_receives_forms_and_escapes_as_they_are() {
    let text = r#"[{"$date":5},{"$escape":{"$date":{"$date":6}}},{"$InfNaN":1},{"$binary":"QQ=="}]"#;
    let value: Value = read(text).unwrap();
    assert_eq!(value, json!([{"$date": 5}, {"$escape": {"$date": {"$date": 6}}}, {"$InfNaN": 1}, {"$binary": "QQ=="}]));
}

#[test]
fn a_map_receives_escapes_and_a_struct_does_not() {
    #[derive(Deserialize)]
    struct Filter {
        #[serde(rename = "$date")]
        date: Value,
    }
    let text = r#"{"$escape":{"$date":{"$escape":{"$date":5}}}}"#;
    let map: HashMap<String, Value> = read(text).unwrap();
    assert_eq!(map["$escape"], json!({"$date": {"$escape": {"$date": 5}}}));
    let filter: Filter = read(text).unwrap();
    assert_eq!(filter.date, json!({"$escape": {"$date": 5}}));
}

#[test]
fn an_escaped_object_stays_an_object_in_flattened_and_untagged_types() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        rest: HashMap<String, Either>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Date(Date),
        Any(Ejson),
    }
    let outer: Outer = read(r#"{"a":{"$date":5},"b":{"$escape":{"$date":5}}}"#).unwrap();
    assert_eq!(outer.rest["a"], Either::Date(Date::from_milliseconds(5)));
    let Either::Any(object) = &outer.rest["b"] else { panic!("not a date") };
    assert_eq!(object.get("$date"), Some(&Ejson::from(5)));
}

#[test]
fn raw_json_receives_ejson_text() {
    let text = r#"{"a":{"$date":5},"b":[{"$escape":{"$date":6}},{"$InfNaN":1}]}"#;
    assert_eq!(read::<RawJson>(text).unwrap().get(), text);
    let members: HashMap<String, RawJson> = read(text).unwrap();
    assert_eq!(members["a"].get(), r#"{"$date":5}"#);
    assert_eq!(members["b"].get(), r#"[{"$escape":{"$date":6}},{"$InfNaN":1}]"#);
    let boxed: Vec<Box<RawValue>> = read(r#"[{"$date":5}]"#).unwrap();
    assert_eq!(boxed[0].get(), r#"{"$date":5}"#);
}

#[test]
fn raw_json_is_optional() {
    let both: (Option<RawJson>, Option<RawJson>) = read(r#"[null,{"$date":5}]"#).unwrap();
    assert_eq!(both, (None, Some(RawJson::parse(r#"{"$date":5}"#).unwrap())));
}

#[test]
fn map_keys_are_read_from_strings() {
    let numbers: BTreeMap<i32, Date> = read(r#"{"-1":{"$date":5}}"#).unwrap();
    assert_eq!(numbers[&-1], Date::from_milliseconds(5));
    let bools: BTreeMap<bool, Date> = read(r#"{"true":{"$date":5}}"#).unwrap();
    assert!(bools.contains_key(&true));
    let options: BTreeMap<Option<char>, Date> = read(r#"{"a":{"$date":5}}"#).unwrap();
    assert!(options.contains_key(&Some('a')));
    assert!(read::<BTreeMap<u8, Date>>(r#"{"256":{"$date":5}}"#).is_err());
}

#[test]
fn enums_are_read_when_forms_are_present() {
    let text = r#"[{"$date":5},"Empty",{"Line":[1,2]},{"Box":{"width":3}}]"#;
    let (_, empty, line, rectangle): (Date, Shape, Shape, Shape) = read(text).unwrap();
    assert_eq!(empty, Shape::Empty);
    assert_eq!(line, Shape::Line(1, 2));
    assert_eq!(rectangle, Shape::Box { width: 3 });
    assert!(read::<Vec<Shape>>(r#"["$date",{}]"#).is_err());
}

#[test]
fn integers_are_read_exactly_when_forms_are_present() {
    let text = r#"[9007199254740993,18446744073709551615,3.0,{"$date":5}]"#;
    let (odd, largest, three, _): (i64, u64, u8, Date) = read(text).unwrap();
    assert_eq!((odd, largest, three), (9_007_199_254_740_993, u64::MAX, 3));
}

#[test]
fn a_type_mismatch_names_the_expected_type() {
    let message = |text: &str| read::<Vec<i32>>(text).unwrap_err().to_string();
    assert!(message(r#"[{"$date":5}]"#).contains("invalid type: map"));
    assert!(message(r#"[1.5,"$"]"#).contains("invalid type: floating point"));
    assert!(message(r#"{"a":1}"#).contains("invalid type: map"));
    assert_eq!(read::<Date>("5").unwrap_err().to_string(), "expected a date");
    assert_eq!(read::<Binary>(r#"{"$date":5}"#).unwrap_err().to_string(), "expected bytes");
    assert!(read::<(i32, Date)>(r#"[1,{"$date":5},2]"#).is_err());
    assert!(read::<(i32, Date, i32)>(r#"[1,{"$date":5}]"#).is_err());
}

#[test]
fn an_unknown_custom_type_is_rejected_at_any_depth() {
    let error = read::<HashMap<String, RawJson>>(r#"{"a":[{"$type":"t","$value":1}]}"#);
    assert_eq!(error.unwrap_err().to_string(), "Custom EJSON type t is not defined");
}

#[test]
fn an_unpaired_surrogate_becomes_the_replacement_character() {
    assert_eq!(read::<String>(r#""a\ud83d""#).unwrap(), "a\u{fffd}");
    assert_eq!(read::<String>(r#""\ude00\ud83d\ude00\uD83D\uD83D""#).unwrap(), "\u{fffd}😀\u{fffd}\u{fffd}");
    assert_eq!(read::<String>(r#""\\ud83d\u0041""#).unwrap(), "\\ud83dA");
    assert!(read::<String>(r#""\ud83""#).is_err());
    assert!(read::<String>("\"\\ud8é").is_err());
}

#[test]
fn text_that_is_nested_too_deeply_is_an_error() {
    for unit in ["[", r#"{"$escape":"#, r#"{"$type":"oid","$value":"#, r#"{"a":"#] {
        let text = unit.repeat(100_000);
        assert!(read::<Ejson>(&text).is_err());
        assert!(read::<RawJson>(&text).is_err());
        assert!(serde_json::from_str::<Ejson>(&text).is_err());
    }
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    assert!(read::<Ejson>(&deep).is_err());
}

#[test]
fn text_may_be_nested_127_levels_deep() {
    let deep = format!("{}{}", "[".repeat(127), "]".repeat(127));
    let value: Ejson = read(&deep).unwrap();
    assert_eq!(value.to_raw().get(), deep);
    let forms = format!("{}1{}", r#"{"$escape":"#.repeat(127), "}".repeat(127));
    assert!(read::<Ejson>(&forms).is_ok());
}

#[test]
fn numbers_beyond_a_double_are_errors() {
    assert!(read::<f64>("1e400").is_err());
    assert!(read::<Ejson>(r#"[1e400,{"$date":1}]"#).is_err());
}

#[test]
fn raw_parameters_are_read_one_by_one() {
    let raw = RawJson::parse(r#"["a",{"$date":5}]"#).unwrap();
    let params: Vec<RawJson> = from_raw(&raw, &CustomTypes::default()).unwrap();
    assert_eq!(read::<String>(params[0].get()).unwrap(), "a");
    assert_eq!(read::<Date>(params[1].get()).unwrap(), Date::from_milliseconds(5));
}
