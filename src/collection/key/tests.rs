//! The keys of random values: their order is the order of the values, and equal values have equal keys.

use std::cmp::Ordering;

use bolide_protocol::Ejson;
use bolide_protocol::ejson::{Binary, Custom, Date, Number, Object, ObjectId, Regexp};
use quickcheck::{Arbitrary, Gen, QuickCheck};
use sha2::{Digest as _, Sha256};

use super::Direction::{self, Ascending, Descending};
use super::{HASH_BYTES, PRECISE_BYTES, VERSION, after_prefix, append, append_id, compare_numbers, kind_byte};

/// Any EJSON value.
#[derive(Clone, Debug)]
struct Any(Ejson);

impl Arbitrary for Any {
    fn arbitrary(random: &mut Gen) -> Self {
        Self(value(random, 3))
    }
}

fn value(random: &mut Gen, depth: usize) -> Ejson {
    let kinds: &[u8] = if depth == 0 { b"0NNNNSSBDIRb" } else { b"0NNNNSSBDIRbCAAOO" };
    match pick(random, kinds) {
        b'0' => Ejson::Null,
        b'N' => Ejson::Number(number(random)),
        b'S' => Ejson::String(text(random)),
        b'B' => Ejson::Bool(bool::arbitrary(random)),
        b'D' => Ejson::Date(pick(random, &[-8_640_000_000_000_000, -1, 0, 1, i64::MAX].map(Date::from_milliseconds))),
        b'I' => Ejson::ObjectId(ObjectId::from_bytes([pick(random, &[0, 1, 255]); 12])),
        b'R' => {
            Ejson::Regexp(Regexp::new(pick(random, &["a", "a+"]), pick(random, &["", "i"])).expect("an expression"))
        }
        b'b' => Ejson::Binary(Binary::from(text(random).into_bytes())),
        b'C' => Ejson::Custom(Box::new(Custom::new(pick(random, &["A", "B"]), value(random, depth - 1)))),
        b'A' => Ejson::Array((0..below(random, 4)).map(|_| value(random, depth - 1)).collect()),
        _ => Ejson::Object(
            (0..below(random, 4))
                .map(|_| (pick(random, &["", "a", "b", "a\0"]).to_owned(), value(random, depth - 1)))
                .collect(),
        ),
    }
}

fn number(random: &mut Gen) -> Number {
    match pick(random, b"sslluf*") {
        b's' => Number::from(pick(random, &[-2, -1, 0, 1, 2])),
        b'l' => Number::from((1_i64 << 53) + pick(random, &[-1, 0, 1, 2])),
        b'u' => Number::from(u64::MAX - pick(random, &[0, 1, 2_000])),
        b'f' => Number::from(pick(
            random,
            &[-0.0, 0.5, -0.5, f64::MIN_POSITIVE, 9_007_199_254_740_992.0, 18_446_744_073_709_551_616.0, 1e300],
        )),
        _ => Number::from(pick(random, &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY])),
    }
}

fn text(random: &mut Gen) -> String {
    pick(random, &["", "\0", "\0\0", "a", "a\0", "a\u{1}", "ab", "é", "\u{10ffff}"]).to_owned()
}

fn pick<T: Copy>(random: &mut Gen, choices: &[T]) -> T {
    *random.choose(choices).expect("a choice")
}

fn below(random: &mut Gen, limit: usize) -> usize {
    usize::arbitrary(random) % limit
}

/// The documented order.
fn order(one: &Ejson, other: &Ejson) -> Ordering {
    match (one, other) {
        (Ejson::Number(one), Ejson::Number(other)) => order_numbers(*one, *other),
        (Ejson::String(one), Ejson::String(other)) => one.cmp(other),
        (Ejson::Bool(one), Ejson::Bool(other)) => one.cmp(other),
        (Ejson::Date(one), Ejson::Date(other)) => one.cmp(other),
        (Ejson::ObjectId(one), Ejson::ObjectId(other)) => one.cmp(other),
        (Ejson::Binary(one), Ejson::Binary(other)) => one.as_bytes().cmp(other.as_bytes()),
        (Ejson::Regexp(one), Ejson::Regexp(other)) => {
            one.source().cmp(other.source()).then_with(|| one.flags().cmp(other.flags()))
        }
        (Ejson::Custom(one), Ejson::Custom(other)) => {
            one.type_name.cmp(&other.type_name).then_with(|| order(&one.value, &other.value))
        }
        (Ejson::Array(one), Ejson::Array(other)) => {
            let different = one.iter().zip(other).map(|(one, other)| order(one, other)).find(|order| order.is_ne());
            different.unwrap_or_else(|| one.len().cmp(&other.len()))
        }
        (Ejson::Object(one), Ejson::Object(other)) => order_members(one, other),
        _ => kind_byte(one, Ascending).cmp(&kind_byte(other, Ascending)),
    }
}

fn order_members(one: &Object, other: &Object) -> Ordering {
    let (mut one, mut other) = (one.clone(), other.clone());
    one.sort_keys();
    other.sort_keys();
    let pairs = one.iter().zip(&other);
    let mut different = pairs
        .map(|((name, value), (other_name, other_value))| name.cmp(other_name).then_with(|| order(value, other_value)));
    different.find(|order| order.is_ne()).unwrap_or_else(|| one.len().cmp(&other.len()))
}

fn order_numbers(one: Number, other: Number) -> Ordering {
    let exact = |number: Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (exact(one), exact(other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        // A number that is no integer of 64 bits is below, above or between them.
        (Some(integer), None) => order_with_double(integer, other.as_f64()),
        (None, Some(integer)) => order_with_double(integer, one.as_f64()).reverse(),
        (None, None) => {
            let (one, other) = (one.as_f64(), other.as_f64());
            one.partial_cmp(&other).unwrap_or_else(|| other.is_nan().cmp(&one.is_nan()))
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is between the bounds")]
fn order_with_double(integer: i128, double: f64) -> Ordering {
    if double.is_nan() {
        return Ordering::Greater;
    }
    // Saturates far beyond 64 bits.
    integer.cmp(&(double.floor() as i128)).then(if double.fract() == 0.0 { Ordering::Equal } else { Ordering::Less })
}

fn key(value: &Ejson, direction: Direction) -> Vec<u8> {
    let mut key = Vec::new();
    append(&mut key, Some(value), direction);
    key
}

/// Whether a value's key is its own, and not shortened.
fn is_precise(value: &Ejson) -> bool {
    key(value, Ascending).len() <= PRECISE_BYTES
}

#[test]
fn keys_are_ordered_like_values_in_both_directions() {
    fn is_ordered(Any(one): Any, Any(other): Any) -> bool {
        if !is_precise(&one) || !is_precise(&other) {
            return true;
        }
        let expected = order(&one, &other);
        key(&one, Ascending).cmp(&key(&other, Ascending)) == expected
            && key(&one, Descending).cmp(&key(&other, Descending)) == expected.reverse()
    }
    QuickCheck::new().tests(20_000).quickcheck(is_ordered as fn(Any, Any) -> bool);
}

#[test]
fn values_are_equal_if_their_keys_are() {
    fn is_the_same(Any(one): Any, Any(other): Any) -> bool {
        (one == other) == (key(&one, Ascending) == key(&other, Ascending))
    }
    QuickCheck::new().tests(20_000).quickcheck(is_the_same as fn(Any, Any) -> bool);
}

#[test]
fn no_key_begins_with_another_so_that_fields_do_not_mix() {
    fn is_free(Any(one): Any, Any(other): Any, descends: bool) -> bool {
        let direction = if descends { Descending } else { Ascending };
        let (one, other) = (key(&one, direction), key(&other, direction));
        one == other || !one.starts_with(&other)
    }
    QuickCheck::new().tests(20_000).quickcheck(is_free as fn(Any, Any, bool) -> bool);
}

#[test]
fn numbers_compare_as_their_keys_do() {
    fn is_consistent(Any(one): Any, Any(other): Any) -> bool {
        let (Ejson::Number(a), Ejson::Number(b)) = (&one, &other) else { return true };
        let ordering = key(&one, Ascending).cmp(&key(&other, Ascending));
        let has_order = !a.as_f64().is_nan() && !b.as_f64().is_nan();
        compare_numbers(*a, *b) == has_order.then_some(ordering)
    }
    QuickCheck::new().tests(20_000).quickcheck(is_consistent as fn(Any, Any) -> bool);
}

#[test]
fn long_values_are_bounded_told_apart_and_ordered_by_their_beginning() {
    let long = |beginning: &str, end: &str| Ejson::from(format!("{beginning}{}{end}", "x".repeat(10_000)));
    for direction in [Ascending, Descending] {
        let (one, other) = (key(&long("a", "1"), direction), key(&long("a", "2"), direction));
        assert_eq!(one.len(), PRECISE_BYTES + HASH_BYTES);
        assert_ne!(one, other);
        assert_eq!(one, key(&long("a", "1"), direction));
        let later = key(&long("b", ""), direction);
        assert_eq!(one < later, direction == Ascending);
    }
    let (short, longer) = ("x".repeat(100), "x".repeat(300));
    assert!(key(&short.into(), Ascending) < key(&longer.into(), Ascending));
}

#[test]
fn ids_are_never_shortened() {
    let (mut one, mut other) = (Vec::new(), Vec::new());
    append_id(&mut one, &("x".repeat(1_000) + "1"), Ascending);
    append_id(&mut other, &("x".repeat(1_000) + "2"), Ascending);
    assert!(one < other, "queries by id read in this order");
    assert!(one.len() > PRECISE_BYTES + HASH_BYTES);
}

#[test]
fn deep_values_do_not_overflow() {
    let deep = |end: &str| (0..10_000).fold(Ejson::from(end), |inner, _| Ejson::Array(vec![inner]));
    let (one, other) = (deep("1"), deep("2"));
    assert_eq!(key(&one, Ascending), key(&other, Ascending), "below the greatest depth, only filters tell them apart");
    // Dropping recurses.
    std::mem::forget((one, other));
}

#[test]
fn a_missing_value_is_null() {
    let mut missing = Vec::new();
    append(&mut missing, None, Ascending);
    assert_eq!(missing, key(&Ejson::Null, Ascending));
}

#[test]
fn the_key_after_a_prefix_follows_all_keys_that_begin_with_it() {
    assert_eq!(after_prefix(&[1, 2]), Some(vec![1, 3]));
    assert_eq!(after_prefix(&[1, 255, 255]), Some(vec![2]));
    assert_eq!(after_prefix(&[255, 255]), None);
    assert_eq!(after_prefix(&[]), None);
}

/// Stored indexes have these bytes. If this fails because the encoding has changed, increase `VERSION` and write down the new
/// hash: indexes with keys of the version before are then built again.
#[test]
fn the_keys_of_this_version_are_as_they_were() {
    let values = [
        "null",
        "0",
        "-0.0",
        "1",
        "-1.5",
        "9007199254740993",
        "1e300",
        "\"\"",
        "\"a\\u0000b\"",
        "[]",
        "[1,[\"a\"]]",
        "{}",
        r#"{"b":1,"a":null}"#,
        "true",
        "false",
        r#"{"$date":5}"#,
        r#"{"$date":-5}"#,
        r#"{"$InfNaN":0}"#,
        r#"{"$InfNaN":1}"#,
        r#"{"$binary":"AAEC"}"#,
        r#"{"$regexp":"a","$flags":"i"}"#,
    ];
    let others = [
        Ejson::from("long".repeat(200)),
        Ejson::ObjectId(ObjectId::from_bytes([0x5A; 12])),
        Ejson::Custom(Box::new(Custom::new("Any", Ejson::from(1)))),
    ];
    let values = values.map(|text| Ejson::parse(text, &bolide_protocol::ejson::CustomTypes::default()).expect("EJSON"));
    let mut keys = Vec::new();
    for direction in [Ascending, Descending] {
        for value in values.iter().chain(&others) {
            append(&mut keys, Some(value), direction);
        }
        append(&mut keys, None, direction);
        append_id(&mut keys, "an id", direction);
    }
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&keys));
    assert_eq!((VERSION, hash.as_str()), (1, "b162be1c2e9480b8cab58804edc805d4fde0afcc7148566940771c1353c5e59f"));
}
