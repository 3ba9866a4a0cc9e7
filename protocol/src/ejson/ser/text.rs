//! Strings and numbers as JSON text, in JavaScript's format.

use std::fmt::{self, Display, Write};

use crate::ejson::EncodeError;
use crate::ejson::number::LARGEST_SAFE_INTEGER;
use crate::scan::plain_bytes;

/// Writes a quoted string, with the escapes of `JSON.stringify`.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    write_escaped(out, text);
    out.push('"');
}

/// Writes a value's `Display` output, quoted.
pub(super) fn write_collected<T: Display + ?Sized>(out: &mut String, value: &T) -> Result<(), EncodeError> {
    out.push('"');
    let written = write!(EscapedWriter(out), "{value}");
    out.push('"');
    written.map_err(|_refused| EncodeError::Refused("a Display failed".to_owned()))
}

pub(super) fn write_integer(out: &mut String, integer: impl itoa::Integer) {
    out.push_str(itoa::Buffer::new().format(integer));
}

/// Writes a finite number. Whole numbers have the same digits as integers as long as they are safe, and these
/// are written faster.
#[expect(clippy::cast_possible_truncation, reason = "the bound is checked")]
pub(super) fn write_number(out: &mut String, number: f64) {
    if number.fract() == 0.0 && number.abs() <= LARGEST_SAFE_INTEGER {
        write_integer(out, number as i64);
    } else {
        write_float(out, number);
    }
}

/// Writes an `f32` with the shortest digits: `0.1`, not JavaScript's `0.10000000149011612`.
pub(super) fn write_float(out: &mut String, float: impl ryu_js::Float) {
    out.push_str(ryu_js::Buffer::new().format(float));
}

struct EscapedWriter<'a>(&'a mut String);

impl Write for EscapedWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_escaped(self.0, text);
        Ok(())
    }
}

fn write_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    loop {
        let plain = plain_bytes(rest.as_bytes());
        out.push_str(&rest[..plain]);
        let Some(special) = rest.as_bytes().get(plain) else { return };
        write_escape(out, *special);
        rest = &rest[plain + 1..];
    }
}

fn write_escape(out: &mut String, byte: u8) {
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        0x08 => out.push_str("\\b"),
        0x0c => out.push_str("\\f"),
        _ => write!(out, "\\u{byte:04x}").expect("writing to a String does not fail"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_the_digits_of_javascript() {
        let written = |number: f64| {
            let mut text = String::new();
            write_number(&mut text, number);
            text
        };
        for number in
            [0.0, -0.0, 1.0, -7.0, 1e15, 9_007_199_254_740_992.0, -9_007_199_254_740_992.0, 0.5, 1e16, 1e21, 1e300]
        {
            assert_eq!(written(number), ryu_js::Buffer::new().format(number), "{number}");
        }
    }
}
