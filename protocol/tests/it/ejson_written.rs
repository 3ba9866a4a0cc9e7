//! Writing typed Rust values as EJSON.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use bolide_protocol::RawJson;
use bolide_protocol::ejson::{
    Binary, Custom, CustomTypes, Date, DecodeError, Ejson, EncodeError, Number, ObjectId, Regexp, from_str, to_raw,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use serde_json::value::RawValue;

fn written<T: Serialize + ?Sized>(value: &T) -> String {
    to_raw(value).unwrap().get().to_owned()
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, DecodeError> {
    from_str(text, &CustomTypes::default())
}

struct Bytes(&'static [u8]);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct Displayed(&'static str);

impl Serialize for Displayed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("<{}>", self.0))
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct LooksLikeDate {
    #[serde(rename = "$date")]
    date: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct LooksLikeCustom {
    #[serde(rename = "$value")]
    value: LooksLikeDate,
    #[serde(rename = "$type")]
    kind: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Circle(f64),
    Line(i32, i32),
    Box {
        width: u8,
    },
    #[serde(rename = "$date")]
    Date(i64),
    #[serde(rename = "$binary")]
    Pair(i32, i32),
    #[serde(rename = "$escape")]
    Named {
        a: i32,
    },
}

#[test]
fn floats_are_written_as_in_javascript() {
    assert_eq!(written(&[3.0, -0.0, 0.1, 1e21, 1e-7]), "[3,0,0.1,1e+21,1e-7]");
    assert_eq!(written(&[0.1_f32, 16_777_216.0, 1e-8]), "[0.1,16777216,1e-8]");
}

#[test]
fn non_finite_numbers_become_forms() {
    let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    assert_eq!(written(&numbers), r#"[{"$InfNaN":0},{"$InfNaN":1},{"$InfNaN":-1}]"#);
    assert_eq!(written(&f32::INFINITY), r#"{"$InfNaN":1}"#);
}

#[test]
fn integers_keep_all_their_digits() {
    let ends = (i64::MIN, u64::MAX, i128::MIN);
    let text = "[-9223372036854775808,18446744073709551615,-170141183460469231731687303715884105728]";
    assert_eq!(written(&ends), text);
}

#[test]
fn unit_and_none_are_null() {
    assert_eq!(written(&((), None::<i32>, Some(1))), "[null,null,1]");
}

#[test]
fn bytes_become_a_form() {
    assert_eq!(written(&Bytes(b"AB")), r#"{"$binary":"QUI="}"#);
}

#[test]
fn strings_are_escaped_as_by_json_stringify() {
    let text = "\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}\u{2028}é😀";
    assert_eq!(written(text), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\u{7f}\u{2028}é😀\"");
    assert_eq!(written(&Displayed("\"\n")), r#""<\"\n>""#);
    assert_eq!(written(&'"'), r#""\"""#);
}

#[test]
fn a_struct_that_looks_like_a_form_is_written_as_that_form() {
    let date = LooksLikeDate { date: 1 };
    assert_eq!(written(&date), r#"{"$date":1}"#);
    assert_eq!(read::<LooksLikeDate>(r#"{"$date":1}"#).unwrap(), date);
    let custom = LooksLikeCustom { value: date, kind: "x".to_owned() };
    let text = r#"{"$value":{"$date":1},"$type":"x"}"#;
    assert_eq!(written(&custom), text);
    assert_eq!(from_str::<LooksLikeCustom>(text, &CustomTypes::default().with("x")).unwrap(), custom);
}

#[test]
fn a_map_that_looks_like_a_form_is_written_as_that_form() {
    let date = BTreeMap::from([("$date".to_owned(), 1)]);
    assert_eq!(written(&date), r#"{"$date":1}"#);
    assert_eq!(read::<BTreeMap<String, i32>>(r#"{"$date":1}"#).unwrap(), date);
    assert_eq!(written(&json!([{ "$escape": { "$date": 5 } }])), r#"[{"$escape":{"$date":5}}]"#);
}

#[test]
fn an_object_that_looks_like_a_form_is_escaped() {
    let object = |keys: &[&str]| Ejson::Object(keys.iter().map(|key| ((*key).to_owned(), 1.into())).collect());
    for keys in [&["$date"][..], &["$InfNaN"], &["$binary"], &["$escape"], &["$flags", "$regexp"], &["$type", "$value"]]
    {
        assert!(written(&object(keys)).starts_with(r#"{"$escape":{"#), "{keys:?}");
    }
    for key in ["$regexp", "$flags", "$type", "$value", "$", "date", "\"$date\"", "$date\""] {
        assert!(!written(&object(&[key])).contains("$escape"), "{key}");
    }
    assert_eq!(written(&object(&["$date", "$x"])), r#"{"$date":1,"$x":1}"#);
    assert_eq!(written(&object(&["$date", "$escape"])), r#"{"$date":1,"$escape":1}"#);
    assert_eq!(written(&HashMap::from([("a", object(&["$date"]))])), r#"{"a":{"$escape":{"$date":1}}}"#);
}

#[test]
fn a_variant_that_looks_like_a_form_is_escaped() {
    let shapes = [
        (Shape::Empty, r#""Empty""#),
        (Shape::Circle(1.5), r#"{"Circle":1.5}"#),
        (Shape::Line(1, 2), r#"{"Line":[1,2]}"#),
        (Shape::Box { width: 1 }, r#"{"Box":{"width":1}}"#),
        (Shape::Date(1), r#"{"$escape":{"$date":1}}"#),
        (Shape::Pair(1, 2), r#"{"$escape":{"$binary":[1,2]}}"#),
        (Shape::Named { a: 1 }, r#"{"$escape":{"$escape":{"a":1}}}"#),
    ];
    for (shape, text) in shapes {
        assert_eq!(written(&shape), text);
        assert_eq!(read::<Shape>(text).unwrap(), shape);
    }
}

#[test]
fn ejson_types_are_written_as_their_forms() {
    let id: ObjectId = "0123456789abcdef01234567".parse().unwrap();
    let values = (
        Date::from_milliseconds(1),
        Binary::from(vec![65]),
        Regexp::new("a", "i").unwrap(),
        id,
        Custom::new("t", Ejson::from_typed(&Ejson::from(1)).unwrap()),
        Number::from(f64::NAN),
    );
    let text = concat!(
        r#"[{"$date":1},{"$binary":"QQ=="},{"$regexp":"a","$flags":"i"},"#,
        r#"{"$type":"oid","$value":"0123456789abcdef01234567"},{"$type":"t","$value":1},{"$InfNaN":0}]"#
    );
    assert_eq!(written(&values), text);
    let by_serde_json = serde_json::to_string(&values).unwrap();
    assert_eq!(by_serde_json, text);
}

#[test]
fn an_invalid_date_is_written_as_null() {
    assert_eq!(written(&Date::INVALID), r#"{"$date":null}"#);
}

#[test]
fn the_value_of_a_custom_type_is_written_literally() {
    let look_alike = Ejson::Object([("$date".to_owned(), Ejson::from(1))].into_iter().collect());
    let custom = Custom::new("t", look_alike.clone());
    let text = r#"{"$type":"t","$value":{"$date":1}}"#;
    assert_eq!(written(&custom), text);
    assert_eq!(Ejson::from(custom.clone()).to_raw().get(), text);
    let types = CustomTypes::default().with("t");
    assert_eq!(from_str::<Custom>(text, &types).unwrap(), custom);
    assert_eq!(written(&(custom, look_alike)), format!(r#"[{text},{{"$escape":{{"$date":1}}}}]"#));
}

#[test]
fn raw_json_is_copied_unchanged() {
    let text = r#"{ "$date" : 1.0 }"#;
    let raw = RawJson::parse(text).unwrap();
    let value: Box<RawValue> = serde_json::from_str(text).unwrap();
    assert_eq!(written(&(raw, value)), format!("[{text},{text}]"));
}

#[test]
fn map_keys_become_strings() {
    assert_eq!(written(&BTreeMap::from([(-1, 1)])), r#"{"-1":1}"#);
    assert_eq!(written(&BTreeMap::from([(true, 1)])), r#"{"true":1}"#);
    assert_eq!(written(&BTreeMap::from([('"', 1)])), r#"{"\"":1}"#);
    assert_eq!(written(&BTreeMap::from([(Some("a"), 1)])), r#"{"a":1}"#);
    assert_eq!(written(&HashMap::from([(u128::MAX, 1)])), format!(r#"{{"{}":1}}"#, u128::MAX));
}

#[test]
fn map_keys_that_are_not_strings_are_rejected() {
    let error = to_raw(&BTreeMap::from([([1], 1)])).unwrap_err();
    assert!(matches!(error, EncodeError::Key));
    assert!(to_raw(&BTreeMap::from([((), 1)])).is_err());
}

#[test]
fn a_failing_serialisation_reports_its_reason() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    assert_eq!(to_raw(&[Refuses]).unwrap_err().to_string(), "not today");
}

#[test]
fn a_failing_display_is_an_error() {
    struct Fails;
    impl fmt::Display for Fails {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Err(fmt::Error)
        }
    }
    impl Serialize for Fails {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }
    assert!(to_raw(&Fails).is_err());
}
