//! Finds the parts of JSON text in one pass, without deserialising them. It accepts what `serde_json` accepts.

use std::ops::Range;

use serde_json::value::RawValue;

/// The name of a member.
#[derive(Clone, Copy)]
pub(crate) struct Name<'text> {
    /// The bytes between the quotes.
    pub(crate) bytes: &'text [u8],
    pub(crate) has_escapes: bool,
}

/// A value in JSON text that has not been read.
#[derive(Clone, Copy)]
pub(crate) struct Unread<'text> {
    places: Places<'text>,
    start: usize,
}

/// Reads the object that is the whole text. `member` is given each name, and returns the place of the value, which it has
/// read. Returns `None` for other text.
pub(crate) fn object<'text>(
    text: &'text str,
    mut member: impl FnMut(Name<'text>, Unread<'text>) -> Option<Range<usize>>,
) -> Option<()> {
    let places = Places(text.as_bytes());
    let end = places.after_list(places.after_space(0), b'{', b'}', |start| {
        let name = places.after_string(start)?;
        let value = Unread { places, start: places.after_colon(name.end)? };
        let bytes = text.as_bytes().get(start + 1..name.end - 1)?;
        Some(member(Name { bytes, has_escapes: name.has_escapes }, value)?.end)
    })?;
    places.check_end(end)
}

/// Reads the array that is the whole text, and passes the place of each element on. Returns `None` for other text.
pub(crate) fn array(text: &str, element: impl FnMut(Range<usize>)) -> Option<()> {
    let places = Places(text.as_bytes());
    let start = places.after(b'[', places.after_space(0))? - 1;
    places.check_end(Unread { places, start }.read_elements(element)?.end)
}

/// Returns the value that is the whole text, without the space around it, or `None` for other text.
pub(crate) fn only_value(text: &str) -> Option<&str> {
    let places = Places(text.as_bytes());
    let start = places.after_space(0);
    let end = places.after_value(start, OUTERMOST)?;
    places.check_end(end)?;
    text.get(start..end)
}

impl Unread<'_> {
    /// Reads the value. Returns its place, or `None` if it is malformed.
    #[inline]
    pub(crate) fn read(self) -> Option<Range<usize>> {
        Some(self.start..self.places.after_value(self.start, OUTERMOST)?)
    }

    /// The same, and passes on the place of each element if the value is an array.
    #[inline]
    pub(crate) fn read_elements(self, mut element: impl FnMut(Range<usize>)) -> Option<Range<usize>> {
        let Self { places, start } = self;
        if places.byte(start) != b'[' {
            return self.read();
        }
        let end = places.after_list(start, b'[', b']', |start| {
            let end = places.after_value(start, OUTERMOST + 1)?;
            element(start..end);
            Some(end)
        })?;
        Some(start..end)
    }
}

impl Name<'_> {
    /// Returns the name without escapes, or `None` if its escapes are not text.
    pub(crate) fn decode(self) -> Option<String> {
        serde_json::from_slice(&[b"\"", self.bytes, b"\""].concat()).ok()
    }
}

/// The depth of a value that is not in another one.
const OUTERMOST: u32 = 1;

/// The nesting depth up to which values are read by recursion.
const MAX_DEPTH: u32 = 128;

/// Text whose places are passed around by value, so that they stay in registers. A function `after_…` takes the place
/// where something begins, and returns the place after it, or `None` if the text is malformed.
#[derive(Clone, Copy)]
struct Places<'text>(&'text [u8]);

struct StringEnd {
    /// The place after the closing quote.
    end: usize,
    has_escapes: bool,
}

impl Places<'_> {
    /// Returns the byte at a place, or at the end a zero, which no JSON contains.
    #[inline]
    fn byte(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    /// Returns the next bytes as a word, with zeros after the end of the text.
    fn word(self, at: usize) -> u64 {
        let rest = self.0.get(at..).unwrap_or_default();
        match (rest.first_chunk(), self.0.last_chunk()) {
            (Some(word), _) => u64::from_le_bytes(*word),
            (None, Some(last)) if !rest.is_empty() => u64::from_le_bytes(*last) >> (8 * (WORD - rest.len())),
            // The text is shorter than a word.
            _ => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        }
    }

    #[inline]
    fn after(self, byte: u8, at: usize) -> Option<usize> {
        (self.byte(at) == byte).then_some(at + 1)
    }

    #[inline]
    fn after_space(self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\n' | b'\t' | b'\r') {
            at += 1;
        }
        at
    }

    #[inline]
    fn after_colon(self, at: usize) -> Option<usize> {
        Some(self.after_space(self.after(b':', self.after_space(at))?))
    }

    /// Checks that only space is left.
    fn check_end(self, at: usize) -> Option<()> {
        (self.after_space(at) == self.0.len()).then_some(())
    }

    /// Reads what stands between two brackets. `after_item` reads one item.
    #[inline]
    fn after_list(
        self,
        at: usize,
        open: u8,
        close: u8,
        mut after_item: impl FnMut(usize) -> Option<usize>,
    ) -> Option<usize> {
        let mut at = self.after_space(self.after(open, at)?);
        if self.byte(at) == close {
            return Some(at + 1);
        }
        loop {
            at = self.after_space(after_item(at)?);
            match self.byte(at) {
                b',' => at = self.after_space(at + 1),
                byte if byte == close => return Some(at + 1),
                _ => return None,
            }
        }
    }

    #[inline]
    fn after_value(self, at: usize, depth: u32) -> Option<usize> {
        match self.byte(at) {
            b'"' => self.after_string(at).map(|string| string.end),
            b'0'..=b'9' => self.after_number(at),
            _ => self.after_other_value(at, depth),
        }
    }

    /// Not a part of the function above, which is small enough to stand where it is called.
    #[inline(never)]
    fn after_other_value(self, at: usize, depth: u32) -> Option<usize> {
        match self.byte(at) {
            b'{' | b'[' if depth > MAX_DEPTH => self.after_deep_value(at),
            b'{' => self.after_list(at, b'{', b'}', |at| {
                let name = self.after_string(at)?;
                self.after_value(self.after_colon(name.end)?, depth + 1)
            }),
            b'[' => self.after_list(at, b'[', b']', |at| self.after_value(at, depth + 1)),
            b't' => self.after_word(at, "true"),
            b'f' => self.after_word(at, "false"),
            b'n' => self.after_word(at, "null"),
            _ => self.after_number(at),
        }
    }

    /// Reads a value that is nested too deeply for recursion.
    fn after_deep_value(self, at: usize) -> Option<usize> {
        let mut values = serde_json::Deserializer::from_slice(self.0.get(at..)?).into_iter::<&RawValue>();
        Some(at + values.next()?.ok()?.get().len())
    }

    #[inline]
    fn after_string(self, at: usize) -> Option<StringEnd> {
        let start = self.after(b'"', at)?;
        // Most strings of messages end within one word.
        if let Some(word) = self.0.get(start..).and_then(<[u8]>::first_chunk)
            && let end = start + first_special(u64::from_le_bytes(*word))
            && self.byte(end) == b'"'
        {
            return Some(StringEnd { end: end + 1, has_escapes: false });
        }
        self.after_long_string(start)
    }

    #[inline(never)]
    fn after_long_string(self, mut at: usize) -> Option<StringEnd> {
        let mut has_escapes = false;
        loop {
            at += first_special(self.word(at));
            match self.byte(at) {
                b'"' => return Some(StringEnd { end: at + 1, has_escapes }),
                b'\\' => {
                    at = self.after_escape(at + 1)?;
                    has_escapes = true;
                }
                // A control character, or the zero at the end. Any other byte begins the next word.
                0x00..0x20 => return None,
                _ => {}
            }
        }
    }

    /// Reads what follows a backslash.
    fn after_escape(self, at: usize) -> Option<usize> {
        match self.byte(at) {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
            b'u' => self.0.get(at + 1..at + 5)?.iter().all(u8::is_ascii_hexdigit).then_some(at + 5),
            _ => None,
        }
    }

    #[inline]
    fn after_number(self, at: usize) -> Option<usize> {
        let at = self.after(b'-', at).unwrap_or(at);
        let mut at = match self.byte(at) {
            b'0' => at + 1,
            _ => self.after_digits(at)?,
        };
        if self.byte(at) == b'.' {
            at = self.after_digits(at + 1)?;
        }
        if matches!(self.byte(at), b'e' | b'E') {
            let has_sign = matches!(self.byte(at + 1), b'+' | b'-');
            at = self.after_digits(if has_sign { at + 2 } else { at + 1 })?;
        }
        Some(at)
    }

    /// Reads at least one digit.
    #[inline]
    fn after_digits(self, start: usize) -> Option<usize> {
        let mut at = start;
        while self.byte(at).is_ascii_digit() {
            at += 1;
        }
        (at > start).then_some(at)
    }

    fn after_word(self, at: usize, word: &str) -> Option<usize> {
        self.0.get(at..)?.starts_with(word.as_bytes()).then_some(at + word.len())
    }
}

const WORD: usize = size_of::<u64>();

/// Returns the number of bytes before the first one that is a quote, a backslash or a control character.
pub(crate) fn plain_bytes(bytes: &[u8]) -> usize {
    if bytes.len() < WORD {
        let is_special = |byte: &u8| *byte < 0x20 || matches!(*byte, b'"' | b'\\');
        return bytes.iter().position(is_special).unwrap_or(bytes.len());
    }
    let places = Places(bytes);
    let mut at = 0;
    // The zeros after the end are special, so the end is never passed.
    while at < bytes.len() {
        let found = first_special(places.word(at));
        at += found;
        if found < WORD {
            break;
        }
    }
    at
}

/// Returns the number of bytes before the first one that is a quote, a backslash or a control character; 8 if none is. The
/// lowest byte is the first.
const fn first_special(word: u64) -> usize {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGH: u64 = ONES * 0x80;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    // A borrow may only reach bytes above one that is found itself.
    let found = word.wrapping_sub(ONES * 0x20) & !word
        | quote.wrapping_sub(ONES) & !quote
        | backslash.wrapping_sub(ONES) & !backslash;
    (found & HIGH).trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What `serde_json` says of the text, after the members that it finds at the top.
    fn by_serde(text: &str) -> Option<&str> {
        serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get)
    }

    fn check(text: &str) {
        assert_eq!(only_value(text), by_serde(text), "{text:?}");
        let mut elements = Vec::new();
        let is_array = array(text, |place| elements.push(&text[place])).is_some();
        let expected = serde_json::from_str::<Vec<&RawValue>>(text).ok();
        let expected = expected.map(|elements| elements.into_iter().map(RawValue::get).collect::<Vec<_>>());
        assert_eq!(is_array.then_some(elements), expected, "{text:?}");
    }

    #[test]
    fn what_serde_json_accepts_is_accepted() {
        let texts = [
            "",
            " ",
            "0",
            "-0",
            "-",
            "01",
            "1.",
            ".5",
            "1.5",
            "1e5",
            "1E+5",
            "1e-",
            "1e",
            "--1",
            "+1",
            "9007199254740993",
            "true",
            "tru",
            "truee",
            "null",
            "nul",
            "NaN",
            "Infinity",
            "\"\"",
            "\"a",
            "\"\\",
            "\"\\u12",
            "\"\\u12G4\"",
            "\"\\ud800\"",
            "\"\\x\"",
            "\"\u{1}\"",
            "\"\u{7f}\"",
            "\"ä€😀\"",
            "[]",
            "[ ]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1,2",
            "[1]]",
            "{}",
            "{ }",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\" : [ {} , {\"b\":[[]]} ] }",
            "{a:1}",
            "[}",
            "{]",
            "[{]}",
            "\u{feff}[]",
            "\u{a0}1",
            "1 ",
            "\t\n\r 1",
            "\u{b}1",
            "[\"01234567\",\"0123456\",\"012345678\\n\"]",
            "[\"01234567890\",\"012345678901\",\"0123456789012\",\"01234567890123456789\\n\",\"01234567890123456789\u{1}\"]",
            "{\"a\":1 \"b\":2}",
        ];
        for text in texts {
            check(text);
        }
    }

    #[test]
    fn deeply_nested_text_is_accepted_like_any_other() {
        for depth in [1, 127, 128, 129, 130, 1_000, 100_000] {
            let (open, close) = ("[{\"a\":".repeat(depth), "}]".repeat(depth));
            assert!(only_value(&format!("{open}1{close}")).is_some(), "{depth}");
            assert!(only_value(&format!("{open}1{close}]")).is_none(), "{depth}");
            assert!(only_value(&format!("{open}{close}")).is_none(), "{depth}");
        }
    }

    #[test]
    fn each_special_byte_is_found_at_each_place_of_a_word() {
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                let mut word = [b'a'; 8];
                word[place] = byte;
                let is_special = byte < 0x20 || byte == b'"' || byte == b'\\';
                let found = first_special(u64::from_le_bytes(word));
                assert_eq!(found, if is_special { place } else { 8 }, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn each_special_byte_is_found_at_each_place_of_a_text() {
        for length in 0..=40 {
            let mut bytes = vec![b'a'; length];
            assert_eq!(plain_bytes(&bytes), length);
            for place in 0..length {
                for special in [0, 0x1F, b'"', b'\\'] {
                    bytes[place] = special;
                    assert_eq!(plain_bytes(&bytes), place, "{special} at {place} of {length}");
                }
                // Neighbours of special bytes, and parts of other characters.
                for plain in [b' ', b'!', b'#', b'[', b']', 0x7F, 0x80, 0xA2, 0xDC, 0xFF] {
                    bytes[place] = plain;
                    assert_eq!(plain_bytes(&bytes), length, "{plain} at {place} of {length}");
                }
                bytes[place] = b'a';
            }
        }
    }

    proptest! {
        #[test]
        fn text_of_json_characters_is_judged_as_by_serde_json(text in r#"[\[\]{}:, "\\a0-9eE.+u\-tn]{0,14}"#) {
            check(&text);
        }

        #[test]
        fn a_changed_byte_is_judged_as_by_serde_json(place in 0..94_usize, byte in r"[ -~é\n]") {
            let text = r#" {"msg":"method","id":"a\"b","params":[1.5e-3,{"ä":[true,null,-0]},"\u00e4"],"x":{"y":"😀"}} "#;
            let mut places = text.char_indices().map(|(place, _)| place).collect::<Vec<_>>();
            places.push(text.len());
            let place = place % (places.len() - 1);
            check(&format!("{}{byte}{}", &text[..places[place]], &text[places[place + 1]..]));
            check(&format!("{}{byte}{}", &text[..places[place]], &text[places[place]..]));
        }
    }
}
