//! The keys of indexes: an encoding of EJSON values whose order of bytes is the order of the values.
//!
//! The order of values, which sorting uses as well:
//!
//! 1. by kind: `null` and missing values, numbers, strings, objects, arrays, bytes, ids of `MongoDB`, booleans, dates,
//!    regular expressions, custom types;
//! 2. numbers by value, `NaN` first; strings and bytes by their bytes; `false` before `true`; dates by time, invalid
//!    ones first; arrays element by element; objects member by member in the order of the members' names; custom types
//!    by their name, then by their value.
//!
//! Of each value, the first [`PRECISE_BYTES`] of its key decide. Values that agree in them and are longer come in an
//! order that is fixed and has no meaning; they are still distinct.

use std::cmp::Ordering;

use bolide_protocol::Ejson;
use bolide_protocol::ejson::{Number, Object};
use sha2::{Digest as _, Sha256};

/// The version of this encoding. Whoever changes the bytes of a key increases it: then stored indexes are built again.
pub(super) const VERSION: u32 = 1;

/// The number of bytes of a value's key that follow the order of values.
pub(super) const PRECISE_BYTES: usize = 256;

/// The number of bytes of the hash that tells longer values apart.
const HASH_BYTES: usize = 16;

/// The greatest depth of a value that its key follows. Deeper values are taken as equal; filters compare them exactly.
const DEPTH: usize = 64;

/// Ends a string, and a list of values. Smaller than the first byte of each value.
const END: u8 = 0;

/// Follows a zero byte within a string.
const ESCAPE: u8 = 0xFF;

/// The first byte of a key: the kind of the value.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Null = 1,
    Number = 2,
    String = 3,
    Object = 4,
    Array = 5,
    Binary = 6,
    ObjectId = 7,
    Bool = 8,
    Date = 9,
    Regexp = 10,
    Custom = 11,
    /// A value below the [greatest depth](DEPTH).
    Deep = 12,
}

/// Whether smaller values come first or last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Direction {
    /// Smallest value first.
    Ascending,
    /// Greatest value first.
    Descending,
}

impl Direction {
    pub(super) const fn reversed_if(self, reversed: bool) -> Self {
        match (self, reversed) {
            (Self::Ascending, false) | (Self::Descending, true) => Self::Ascending,
            _ => Self::Descending,
        }
    }
}

/// Appends the key of a value, `None` for a missing one.
pub(super) fn append(key: &mut Vec<u8>, value: Option<&Ejson>, direction: Direction) {
    append_with(key, direction, |key| append_value(key, value.unwrap_or(&Ejson::Null), 0));
}

/// Appends the key of an id, as on the wire. It is not shortened, since ids are bounded, and its order is exactly that of
/// the ids.
pub(super) fn append_id(key: &mut Vec<u8>, id: &str, direction: Direction) {
    let start = key.len();
    key.push(Kind::String as u8);
    append_bytes(key, id.as_bytes());
    invert_if_descending(&mut key[start..], direction);
}

/// Compares two numbers in the order of their keys. Returns `None` for `NaN`, which has no order in filters.
pub(super) fn compare_numbers(one: Number, other: Number) -> Option<Ordering> {
    let ordering = one.as_f64().partial_cmp(&other.as_f64())?;
    Some(ordering.then_with(|| beyond_double(one, one.as_f64()).cmp(&beyond_double(other, other.as_f64()))))
}

/// Returns the first key after all keys that begin with `prefix`, or `None` if no key can follow.
pub(super) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut after = prefix[..=last].to_vec();
    after[last] += 1;
    Some(after)
}

/// Returns the beginning that the key of a value shares with the keys of all values that it cannot be told from by order.
pub(super) fn precise(key_of_value: &[u8]) -> &[u8] {
    &key_of_value[..key_of_value.len().min(PRECISE_BYTES)]
}

/// Returns the first byte of the keys of a value's kind.
pub(super) fn kind_byte(value: &Ejson, direction: Direction) -> u8 {
    let byte = kind(value) as u8;
    if direction == Direction::Descending { !byte } else { byte }
}

fn kind(value: &Ejson) -> Kind {
    match value {
        Ejson::Null => Kind::Null,
        Ejson::Number(_) => Kind::Number,
        Ejson::String(_) => Kind::String,
        Ejson::Object(_) => Kind::Object,
        Ejson::Array(_) => Kind::Array,
        Ejson::Binary(_) => Kind::Binary,
        Ejson::ObjectId(_) => Kind::ObjectId,
        Ejson::Bool(_) => Kind::Bool,
        Ejson::Date(_) => Kind::Date,
        Ejson::Regexp(_) => Kind::Regexp,
        Ejson::Custom(_) => Kind::Custom,
    }
}

fn append_with(key: &mut Vec<u8>, direction: Direction, append: impl FnOnce(&mut Vec<u8>)) {
    let start = key.len();
    append(key);
    shorten(key, start);
    invert_if_descending(&mut key[start..], direction);
}

fn invert_if_descending(key: &mut [u8], direction: Direction) {
    if direction == Direction::Descending {
        for byte in key {
            *byte = !*byte;
        }
    }
}

/// Replaces what follows the precise bytes of a long key by a hash of the whole.
fn shorten(key: &mut Vec<u8>, start: usize) {
    if key.len() - start <= PRECISE_BYTES {
        return;
    }
    let hash = Sha256::digest(&key[start..]);
    key.truncate(start + PRECISE_BYTES);
    key.extend_from_slice(&hash[..HASH_BYTES]);
}

fn append_value(key: &mut Vec<u8>, value: &Ejson, depth: usize) {
    if depth == DEPTH {
        return key.push(Kind::Deep as u8);
    }
    key.push(kind(value) as u8);
    match value {
        Ejson::Null => {}
        Ejson::Number(number) => append_number(key, *number),
        Ejson::String(text) => append_bytes(key, text.as_bytes()),
        Ejson::Object(members) => append_members(key, members, depth),
        Ejson::Array(values) => {
            for value in values {
                append_value(key, value, depth + 1);
            }
            key.push(END);
        }
        Ejson::Binary(bytes) => append_bytes(key, bytes.as_bytes()),
        Ejson::ObjectId(id) => append_bytes(key, id.to_string().as_bytes()),
        Ejson::Bool(value) => key.push(u8::from(*value)),
        Ejson::Date(date) => match date.milliseconds() {
            None => key.push(0),
            Some(time) => {
                key.push(1);
                append_integer(key, time);
            }
        },
        Ejson::Regexp(expression) => {
            append_bytes(key, expression.source().as_bytes());
            append_bytes(key, expression.flags().as_bytes());
        }
        Ejson::Custom(custom) => {
            append_bytes(key, custom.type_name.as_bytes());
            append_value(key, &custom.value, depth + 1);
        }
    }
}

/// Appends the members in the order of their names, since the order in the object has no meaning.
fn append_members(key: &mut Vec<u8>, members: &Object, depth: usize) {
    let mut sorted: Vec<(&String, &Ejson)> = members.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in sorted {
        key.push(Kind::String as u8);
        append_bytes(key, name.as_bytes());
        append_value(key, value, depth + 1);
    }
    key.push(END);
}

/// Appends bytes such that a beginning comes before what it begins.
fn append_bytes(key: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        key.push(*byte);
        if *byte == END {
            key.push(ESCAPE);
        }
    }
    key.extend_from_slice(&[END, END]);
}

/// Appends the nearest double, and how far the exact integer is from it.
fn append_number(key: &mut Vec<u8>, number: Number) {
    const SIGN: u64 = 1 << 63;
    let double = number.as_f64();
    if double.is_nan() {
        return key.extend_from_slice(&[0; 10]);
    }
    // -0 equals 0.
    let bits = if double == 0.0 { 0 } else { double.to_bits() };
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    key.extend_from_slice(&ordered.to_be_bytes());
    key.extend_from_slice(&beyond_double(number, double).to_be_bytes());
}

/// Returns the distance of an integer from its nearest double, such that greater integers have greater ones.
#[expect(clippy::cast_possible_truncation, reason = "a double that is near an integer of 64 bits fits into 128")]
fn beyond_double(number: Number, double: f64) -> u16 {
    const MIDDLE: i128 = 1 << 15;
    let exact = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    let distance = exact.map_or(0, |exact| exact - double as i128);
    u16::try_from(distance + MIDDLE).unwrap_or(0)
}

fn append_integer(key: &mut Vec<u8>, integer: i64) {
    key.extend_from_slice(&(integer.cast_unsigned() ^ (1 << 63)).to_be_bytes());
}

#[cfg(test)]
mod tests;
