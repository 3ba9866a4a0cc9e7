//! Printing numbers, and reading and printing dates, as JavaScript does.

use bolide_protocol::ejson::{Date, Number, from_str, to_raw};
use serde::Deserialize;

use super::{read, types};

#[derive(Deserialize)]
struct Numbers {
    printed: Vec<PrintedNumber>,
}

#[derive(Deserialize)]
struct PrintedNumber {
    bits: String,
    text: String,
}

#[test]
#[expect(clippy::float_cmp, reason = "the number must be exact to the last bit")]
fn numbers_are_printed_as_in_javascript() {
    for vector in read::<Numbers>("numbers.json").printed {
        let float = f64::from_bits(u64::from_str_radix(&vector.bits, 16).unwrap());
        assert_eq!(Number::from(float).to_string(), vector.text);
        assert_eq!(to_raw(&float).unwrap().get(), vector.text);
        let again: Number = from_str(&vector.text, &types()).unwrap();
        assert_eq!(again.as_f64(), float);
    }
}

#[derive(Deserialize)]
struct Dates {
    parsed: Vec<ParsedDate>,
    printed: Vec<PrintedDate>,
}

#[derive(Deserialize)]
struct ParsedDate {
    text: String,
    milliseconds: Option<i64>,
}

#[derive(Deserialize)]
struct PrintedDate {
    milliseconds: i64,
    text: String,
}

#[test]
fn dates_are_read_from_iso_text() {
    for vector in read::<Dates>("dates.json").parsed {
        let date = Date::parse_iso(&vector.text);
        assert_eq!(date.milliseconds(), vector.milliseconds, "{}", vector.text);
    }
}

#[test]
fn dates_are_printed_as_iso_text() {
    for vector in read::<Dates>("dates.json").printed {
        let date = Date::from_milliseconds(vector.milliseconds);
        assert_eq!(date.to_iso_string().unwrap(), vector.text);
        assert_eq!(Date::parse_iso(&vector.text), date);
    }
}
