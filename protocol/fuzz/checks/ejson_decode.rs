//! The properties of every text that is read as EJSON. The fuzzer checks them, and a test checks them for the corpus.

use bolide_protocol::RawJson;
use bolide_protocol::ejson::{CustomTypes, Ejson, from_raw, from_str, needs_decoding, to_raw, validate};

/// Reading a text does not panic, and a value that was read is read again from its own text.
pub(super) fn ejson_decode(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let types = CustomTypes::default().with("t");
    let Ok(value) = Ejson::parse(text, &types) else {
        return;
    };
    assert!(validate(text, &types).is_ok());
    assert!(RawJson::parse(&value.to_plain_json()).is_ok());
    check_typed_reading(text, &value, &types);
    check_text_is_stable(&value, &types);
}

fn check_typed_reading(text: &str, value: &Ejson, types: &CustomTypes) {
    assert_eq!(&from_str::<Ejson>(text, types).unwrap(), value);
    let raw: RawJson = from_str(text, types).unwrap();
    if needs_decoding(text) {
        assert_eq!(raw, value.to_raw());
    }
    let _json: serde_json::Value = from_str(text, types).unwrap();
    assert_eq!(to_raw(value).unwrap(), value.to_raw());
}

/// The first text may round a large number and turn an invalid date into a valid one; later texts are identical.
fn check_text_is_stable(value: &Ejson, types: &CustomTypes) {
    let settled: Ejson = from_raw(&value.to_raw(), types).unwrap();
    let again: Ejson = from_raw(&settled.to_raw(), types).unwrap();
    assert_eq!(again, settled);
    assert_eq!(again.to_raw(), settled.to_raw());
    let canonical = Ejson::parse(&settled.to_canonical_string(), types).unwrap();
    assert_eq!(canonical, settled);
}
