//! [`Ejson`] values: construction, comparison and access.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use bolide_protocol::Ejson;
use bolide_protocol::ejson::{CustomTypes, Date, Number, Object, ObjectId, Regexp, needs_decoding, validate};

fn parse(text: &str) -> Ejson {
    Ejson::parse(text, &CustomTypes::default()).unwrap()
}

#[test]
fn equality_ignores_the_order_of_keys() {
    assert_eq!(parse(r#"{"a":1,"b":{"c":2,"d":3}}"#), parse(r#"{"b":{"d":3,"c":2},"a":1}"#));
    assert_ne!(parse(r#"{"a":1}"#), parse(r#"{"a":1,"b":null}"#));
    assert_ne!(parse("[1,2]"), parse("[2,1]"));
}

#[test]
fn a_form_differs_from_an_object_that_looks_like_it() {
    assert_ne!(parse(r#"{"$date":1}"#), parse(r#"{"$escape":{"$date":1}}"#));
}

#[test]
fn numbers_are_equal_by_value() {
    assert_eq!(Number::from(1), Number::from(1.0));
    assert_eq!(Number::from(-0.0), Number::from(0));
    assert_eq!(Number::from(f64::NAN), Number::from(-f64::NAN));
    assert_eq!(Number::from(2_u64.pow(63)), Number::from(2_f64.powi(63)));
    assert_ne!(Number::from(u64::MAX), Number::from(2_f64.powi(64)));
    assert_ne!(Number::from(9_007_199_254_740_993_i64), Number::from(9_007_199_254_740_992.0));
    assert_ne!(Number::from(f64::INFINITY), Number::from(f64::NEG_INFINITY));
    assert_ne!(Number::from(f64::NAN), Number::from(0));
    assert_eq!(Number::from(1e300), Number::from(1e300));
}

#[test]
fn equal_numbers_have_equal_hashes() {
    let numbers = [
        Number::from(0),
        Number::from(-0.0),
        Number::from(2_u64.pow(63)),
        Number::from(2_f64.powi(63)),
        Number::from(f64::NAN),
        Number::from(-f64::NAN),
    ];
    assert_eq!(HashSet::from(numbers).len(), 3);
}

#[test]
fn a_number_is_an_integer_only_if_it_fits() {
    assert_eq!(Number::from(3.0).as_i64(), Some(3));
    assert_eq!(Number::from(3.5).as_i64(), None);
    assert_eq!(Number::from(-1).as_u64(), None);
    assert_eq!(Number::from(u64::MAX).as_i64(), None);
    assert_eq!(Number::from(u64::MAX).as_u64(), Some(u64::MAX));
    assert_eq!(Number::from(1e300).as_i64(), None);
    assert_eq!(Number::from(f64::NAN).as_i64(), None);
    assert_eq!(Number::from(f64::INFINITY).as_u64(), None);
}

#[test]
fn integers_of_64_bits_are_exact() {
    let text = "[9007199254740993,-9223372036854775808,18446744073709551615]";
    assert_eq!(parse(text).to_raw().get(), text);
}

#[test]
fn accessors_return_the_parts_of_a_value() {
    let value = parse(r#"{"text":"a","list":[true,null,1.5],"at":{"$date":5}}"#);
    assert_eq!(value.get("text").and_then(Ejson::as_str), Some("a"));
    let list = value.get("list").and_then(Ejson::as_array).unwrap();
    assert_eq!(list[0].as_bool(), Some(true));
    assert!(list[1].is_null());
    assert_eq!(list[2].as_number(), Some(1.5.into()));
    assert_eq!(value.get("at").and_then(Ejson::as_date), Some(Date::from_milliseconds(5)));
    assert_eq!(value.get("missing"), None);
    assert_eq!(Ejson::Null.get("a"), None);
    assert_eq!(value.as_object().map(Object::len), Some(3));
}

#[test]
fn typed_values_become_ejson_and_back() {
    let dates = vec![Some(Date::from_milliseconds(5)), None];
    let value = Ejson::from_typed(&dates).unwrap();
    assert_eq!(value, parse(r#"[{"$date":5},null]"#));
    assert_eq!(value.into_typed::<Vec<Option<Date>>>().unwrap(), dates);
}

#[test]
fn a_regexp_is_printed_as_in_javascript() {
    let regexp = Regexp::new("", "").unwrap();
    assert_eq!(regexp.source(), "(?:)");
    let again = Regexp::new(regexp.source(), "").unwrap();
    assert_eq!(again, regexp);
    let error = Regexp::new("(a", "").unwrap_err();
    assert_eq!(error.to_string(), "Invalid regular expression: /(a/: Unterminated group");
}

#[test]
fn an_object_id_is_24_hexadecimal_digits() {
    for text in ["", "0123", "0123456789abcdef0123456", "0123456789abcdef0123456z", "é123456789abcdef0123456"] {
        assert!(text.parse::<ObjectId>().is_err(), "{text}");
    }
    let id: ObjectId = "00ff00ff00ff00ff00ff00ff".parse().unwrap();
    assert_eq!(ObjectId::from_bytes(id.bytes()), id);
}

#[test]
fn dates_convert_to_and_from_system_time() {
    let epoch = SystemTime::UNIX_EPOCH;
    let later = epoch + Duration::from_micros(1_500_999);
    assert_eq!(Date::from(later), Date::from_milliseconds(1500));
    assert_eq!(Date::from(epoch - Duration::from_secs(1)), Date::from_milliseconds(-1000));
    let date = Date::from_milliseconds(-1500);
    assert_eq!(date.to_system_time().map(Date::from), Some(date));
    assert_eq!(Date::INVALID.to_system_time(), None);
    assert_eq!(Date::from_milliseconds(i64::MAX), Date::INVALID);
}

#[test]
fn text_without_forms_needs_no_decoding() {
    for text in ["1", "\"$date\\n\"".trim_start_matches('"'), r#"{"a":"5$"}"#, r#"["a\\n","\"",{"b$":1}]"#] {
        assert!(!needs_decoding(text), "{text}");
    }
    for text in [r#"{"$date":1}"#, r#"{"\u0024date":1}"#, r#"["\ud83d"]"#, r#"{ "$type" : 1 }"#] {
        assert!(needs_decoding(text), "{text}");
    }
}

#[test]
fn deeply_nested_text_without_forms_is_validated_without_recursion() {
    let text = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert!(validate(&text, &CustomTypes::default()).is_ok());
}

#[test]
fn only_registered_types_are_accepted() {
    let text = r#"{"$type":"t","$value":1}"#;
    assert!(validate(text, &CustomTypes::default()).is_err());
    let mut types = CustomTypes::default();
    types.register("t");
    assert!(validate(text, &types).is_ok());
    assert!(types.contains("oid"));
}

#[test]
fn objects_keep_the_order_of_their_keys() {
    let value = parse(r#"{"b":1,"a":2,"b":3}"#);
    let keys: Vec<&String> = value.as_object().map(Object::keys).unwrap().collect();
    assert_eq!(keys, ["b", "a"]);
}
