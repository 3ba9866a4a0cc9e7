//! Round trips of arbitrary values: what is written is read as the same value.

use std::collections::BTreeMap;

use bolide_protocol::ejson::{
    Binary, Custom, CustomTypes, Date, Ejson, Number, Object, ObjectId, Regexp, from_raw, from_str, needs_decoding,
    to_raw, validate,
};
use bolide_protocol::{DocumentId, RawJson};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

fn types() -> CustomTypes {
    CustomTypes::default().with("t")
}

/// Keys that are sometimes those of forms.
fn key() -> impl Strategy<Value = String> {
    let of_forms = ["$date", "$regexp", "$flags", "$InfNaN", "$binary", "$escape", "$type", "$value", "$"];
    prop_oneof![
        2 => prop::sample::select(of_forms.to_vec()).prop_map(str::to_owned),
        1 => ".{0,4}",
    ]
}

fn object(value: impl Strategy<Value = Ejson>) -> impl Strategy<Value = Ejson> {
    vec((key(), value), 0..4).prop_map(|entries| Ejson::Object(entries.into_iter().collect()))
}

/// 64-bit integers, and doubles whose text does not read as such an integer.
fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>()
            .prop_filter("reads as another integer", |float| { !(9e15..1e21).contains(&float.abs()) })
            .prop_map(Number::from),
        (-1000..1000).prop_map(|integer| Number::from(f64::from(integer) / 8.0)),
    ]
}

fn plain_scalar() -> impl Strategy<Value = Ejson> {
    prop_oneof![
        Just(Ejson::Null),
        any::<bool>().prop_map(Ejson::from),
        number().prop_filter("JSON has no such number", |one| one.is_finite()).prop_map(Ejson::from),
        any::<String>().prop_map(Ejson::from),
    ]
}

fn plain_json() -> impl Strategy<Value = Ejson> {
    plain_scalar()
        .prop_recursive(3, 16, 4, |inner| prop_oneof![vec(inner.clone(), 0..4).prop_map(Ejson::from), object(inner)])
}

fn special() -> impl Strategy<Value = Ejson> {
    prop_oneof![
        number().prop_map(Ejson::from),
        (-8_640_000_000_000_000_i64..=8_640_000_000_000_000)
            .prop_map(|milliseconds| Date::from_milliseconds(milliseconds).into()),
        any::<Vec<u8>>().prop_map(|bytes| Binary::from(bytes).into()),
        ("[a-z/\n.]{0,6}", "[gimuyx]{0,8}").prop_map(|(pattern, flags)| Regexp::new(&pattern, &flags).unwrap().into()),
        any::<[u8; 12]>().prop_map(|bytes| ObjectId::from_bytes(bytes).into()),
        plain_json().prop_map(|value| Custom::new("t", value).into()),
    ]
}

fn ejson() -> impl Strategy<Value = Ejson> {
    prop_oneof![plain_scalar(), special()]
        .prop_recursive(5, 48, 4, |inner| prop_oneof![vec(inner.clone(), 0..4).prop_map(Ejson::from), object(inner)])
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Typed {
    text: String,
    number: f64,
    at: Option<Date>,
    map: BTreeMap<String, (i64, Number)>,
    any: Ejson,
    variants: Vec<Variant>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Variant {
    Unit,
    #[serde(rename = "$date")]
    Newtype(Binary),
    #[serde(rename = "$escape")]
    Struct {
        id: ObjectId,
    },
}

fn variant() -> impl Strategy<Value = Variant> {
    prop_oneof![
        Just(Variant::Unit),
        any::<Vec<u8>>().prop_map(|bytes| Variant::Newtype(bytes.into())),
        any::<[u8; 12]>().prop_map(|bytes| Variant::Struct { id: ObjectId::from_bytes(bytes) }),
    ]
}

prop_compose! {
    fn typed()(
        text in any::<String>(),
        number in any::<f64>().prop_filter("NaN differs from itself", |float| !float.is_nan()),
        at in prop::option::of(-8_640_000_000_000_000_i64..=8_640_000_000_000_000),
        map in prop::collection::btree_map("[a-z$]{0,3}", (any::<i64>(), number()), 0..4),
        any in ejson(),
        variants in vec(variant(), 0..3),
    ) -> Typed {
        Typed { text, number, at: at.map(Date::from_milliseconds), map, any, variants }
    }
}

proptest! {
    #[test]
    fn a_value_is_read_from_its_text(value in ejson()) {
        let raw = value.to_raw();
        prop_assert_eq!(&Ejson::parse(raw.get(), &types()).unwrap(), &value);
        prop_assert_eq!(&from_raw::<Ejson>(&raw, &types()).unwrap(), &value);
        prop_assert!(validate(raw.get(), &types()).is_ok());
        prop_assert!(RawJson::parse(raw.get()).is_ok());
    }

    #[test]
    fn a_value_keeps_the_order_of_its_keys(value in ejson()) {
        let text = value.to_raw();
        let again = Ejson::parse(text.get(), &types()).unwrap();
        prop_assert_eq!(again.to_raw(), text);
    }

    #[test]
    fn serde_json_writes_and_reads_the_same_value(value in ejson()) {
        let text = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(&Ejson::parse(&text, &types()).unwrap(), &value);
        prop_assert_eq!(&serde_json::from_str::<Ejson>(&text).unwrap(), &value);
    }

    #[test]
    fn canonical_and_indented_texts_contain_the_same_value(value in ejson()) {
        use bolide_protocol::ejson::Indent;
        for text in [value.to_canonical_string(), value.to_indented_string(Indent::Spaces(2))] {
            prop_assert_eq!(&Ejson::parse(&text, &types()).unwrap(), &value);
        }
    }

    #[test]
    fn equal_values_have_the_same_canonical_text(entries in vec((key(), ejson()), 0..5)) {
        let object: Object = entries.into_iter().collect();
        let reversed: Object = object.clone().into_iter().rev().collect();
        let texts = [object, reversed].map(|object| Ejson::from(object).to_canonical_string());
        prop_assert_eq!(&texts[0], &texts[1]);
    }

    #[test]
    fn the_plain_text_of_a_value_is_json(value in ejson()) {
        prop_assert!(RawJson::parse(&value.to_plain_json()).is_ok());
    }

    #[test]
    fn a_typed_value_is_read_from_its_text(value in typed()) {
        let raw = to_raw(&value).unwrap();
        prop_assert_eq!(from_raw::<Typed>(&raw, &types()).unwrap(), value);
    }

    #[test]
    fn a_typed_value_survives_conversion_to_untyped(value in typed()) {
        let untyped = Ejson::from_typed(&value).unwrap();
        prop_assert_eq!(untyped.into_typed::<Typed>().unwrap(), value);
    }

    #[test]
    fn a_json_value_is_what_is_on_the_wire(value in ejson()) {
        let raw = value.to_raw();
        let json: serde_json::Value = from_raw(&raw, &types()).unwrap();
        prop_assert_eq!(&json, &serde_json::from_str::<serde_json::Value>(raw.get()).unwrap());
        prop_assert_eq!(Ejson::parse(to_raw(&json).unwrap().get(), &types()).unwrap(), value);
    }

    #[test]
    fn strings_are_written_as_serde_json_writes_them(text in any::<String>()) {
        let raw = to_raw(&text).unwrap();
        prop_assert_eq!(raw.get(), serde_json::to_string(&text).unwrap());
    }

    #[test]
    fn doubles_are_read_to_the_last_bit(bits in any::<u64>()) {
        let float = f64::from_bits(bits);
        let raw = to_raw(&float).unwrap();
        let again: f64 = from_raw(&raw, &types()).unwrap();
        prop_assert_eq!(Number::from(again), Number::from(float));
    }

    #[test]
    fn text_that_needs_no_decoding_is_plain_json(value in plain_json()) {
        let text = serde_json::to_string(&value).unwrap();
        if !needs_decoding(&text) {
            prop_assert_eq!(from_str::<serde_json::Value>(&text, &types()).unwrap(),
                serde_json::from_str::<serde_json::Value>(&text).unwrap());
            prop_assert_eq!(Ejson::parse(&text, &types()).unwrap(), value);
        }
    }

    #[test]
    fn a_document_id_survives_the_wire(text in "[-~{0-9a-f]{0,2}.{0,24}|[0-9a-f]{23,25}") {
        let id = DocumentId::from(text);
        prop_assert_eq!(DocumentId::from_wire(&id.to_wire()), Ok(id));
    }

    #[test]
    fn a_document_id_of_any_kind_survives_the_wire(number in number(), bytes in any::<[u8; 12]>()) {
        for id in [DocumentId::Number(number), DocumentId::ObjectId(ObjectId::from_bytes(bytes))] {
            if number.is_finite() {
                prop_assert_eq!(DocumentId::from_wire(&id.to_wire()), Ok(id));
            }
        }
    }

    #[test]
    fn reading_any_text_does_not_panic(text in ".{0,64}", structured in "[\\[\\]{}\",:$\\\\ud8date0-9]{0,64}") {
        for text in [text, structured] {
            let _outcome = Ejson::parse(&text, &types()).is_ok();
            let _outcome = validate(&text, &types()).is_ok();
            let _outcome = DocumentId::from_wire(&text).is_ok();
            let _outcome = Date::parse_iso(&text);
            let _outcome = Regexp::new(&text, &text).is_ok();
            let _outcome = Binary::from_base64(&text).is_ok();
        }
    }
}
