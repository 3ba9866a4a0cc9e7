//! Unpaired surrogates in JSON text. JavaScript strings can contain them (a text cut within an emoji), Rust's cannot.

use std::borrow::Cow;

const REPLACEMENT: &str = "\\ufffd";

/// Replaces each unpaired surrogate, such as `\ud83d` alone, with `\ufffd`.
pub(crate) fn mend_lone_surrogates(text: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let mut copied = 0;
    let mut from = 0;
    while let Some(found) = memchr::memchr(b'\\', &text.as_bytes()[from..]) {
        let start = from + found;
        from = start + escape_length(&text.as_bytes()[start..]);
        if is_lone_surrogate(&text.as_bytes()[start..from]) {
            mended.push_str(&text[copied..start]);
            mended.push_str(REPLACEMENT);
            copied = from;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    mended.push_str(&text[copied..]);
    Cow::Owned(mended)
}

/// Returns the length of the escape, or of the surrogate pair, at the start of `text`.
fn escape_length(text: &[u8]) -> usize {
    match text.get(1) {
        Some(b'u') if is_pair(text) => 12,
        Some(b'u') if text.len() >= 6 => 6,
        _ => text.len().min(2),
    }
}

fn is_pair(text: &[u8]) -> bool {
    is_high(code_unit(text)) && text.get(6..).is_some_and(|second| is_low(code_unit(second)))
}

fn is_lone_surrogate(escape: &[u8]) -> bool {
    let unit = code_unit(escape);
    escape.len() == 6 && (is_high(unit) || is_low(unit))
}

fn is_high(unit: Option<u16>) -> bool {
    matches!(unit, Some(0xd800..=0xdbff))
}

fn is_low(unit: Option<u16>) -> bool {
    matches!(unit, Some(0xdc00..=0xdfff))
}

/// Returns the code unit of the `\uXXXX` at the start of `text`.
fn code_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
