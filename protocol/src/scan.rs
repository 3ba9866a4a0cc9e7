//! [`Scanner`]: finds the parts of JSON text in one pass, without deserialising them. It accepts what `serde_json` accepts.

use std::ops::Range;

use serde_json::value::RawValue;

use crate::ejson::needs_decoding;

/// A place in JSON text, from which the next parts are read. A method that returns `None` has met malformed text.
pub(crate) struct Scanner<'text> {
    text: &'text str,
    at: usize,
    /// Whether one of the strings so far begins with `$` or contains an escape with `u`, so that the text may be EJSON.
    may_be_ejson: bool,
}

/// A string in JSON text.
#[derive(Clone, Copy)]
pub(crate) struct Quoted<'text> {
    text: &'text str,
    has_escapes: bool,
}

/// The nesting depth up to which values are read by recursion.
const MAX_DEPTH: u32 = 128;

impl<'text> Scanner<'text> {
    pub(crate) const fn new(text: &'text str) -> Self {
        Self { text, at: 0, may_be_ejson: false }
    }

    /// Returns whether the text that was read may need EJSON decoding, like [`needs_decoding`](crate::ejson::needs_decoding).
    pub(crate) const fn may_be_ejson(&self) -> bool {
        self.may_be_ejson
    }

    /// Reads the object that is the whole text, and passes the name and the value of each member on.
    pub(crate) fn object(&mut self, mut member: impl FnMut(Quoted<'text>, &'text str) -> Option<()>) -> Option<()> {
        self.skip_space();
        self.list(b'{', b'}', |scanner| {
            let name = scanner.quoted()?;
            scanner.skip_colon()?;
            let value = scanner.value()?;
            member(name, value)
        })?;
        self.skip_end()
    }

    /// Reads the array that is the whole text, and passes the place of each element on.
    pub(crate) fn array(mut self, mut element: impl FnMut(Range<usize>)) -> Option<()> {
        self.skip_space();
        self.list(b'[', b']', |scanner| {
            let start = scanner.at;
            scanner.skip_outer_value()?;
            element(start..scanner.at);
            Some(())
        })?;
        self.skip_end()
    }

    /// Reads one value that is the whole text.
    pub(crate) fn only_value(mut self) -> Option<&'text str> {
        self.skip_space();
        let value = self.value()?;
        self.skip_end()?;
        Some(value)
    }

    fn quoted(&mut self) -> Option<Quoted<'text>> {
        let start = self.at;
        let has_escapes = self.skip_string()?;
        Some(Quoted { text: self.text.get(start..self.at)?, has_escapes })
    }

    fn value(&mut self) -> Option<&'text str> {
        let start = self.at;
        self.skip_outer_value()?;
        self.text.get(start..self.at)
    }

    /// Reads what stands between two brackets. `item` reads one item.
    fn list(&mut self, open: u8, close: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.skip(open)?;
        self.skip_space();
        if self.skip(close).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            self.skip_space();
            if self.skip(b',').is_none() {
                return self.skip(close);
            }
            self.skip_space();
        }
    }

    /// Skips a value that is not in another one.
    fn skip_outer_value(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.skip_string().map(drop),
            b'0'..=b'9' => self.skip_number(),
            _ => self.skip_value(1),
        }
    }

    /// Skips a value. `depth` is 1 for the outermost one.
    fn skip_value(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.skip_string().map(drop),
            b'{' | b'[' if depth > MAX_DEPTH => self.skip_by_serde(),
            b'{' => self.list(b'{', b'}', |scanner| {
                scanner.skip_string()?;
                scanner.skip_colon()?;
                scanner.skip_value(depth + 1)
            }),
            b'[' => self.list(b'[', b']', |scanner| scanner.skip_value(depth + 1)),
            b't' => self.skip_word("true"),
            b'f' => self.skip_word("false"),
            b'n' => self.skip_word("null"),
            _ => self.skip_number(),
        }
    }

    fn skip_colon(&mut self) -> Option<()> {
        self.skip_space();
        self.skip(b':')?;
        self.skip_space();
        Some(())
    }

    /// Skips a string. Returns whether it contains escapes.
    #[inline]
    fn skip_string(&mut self) -> Option<bool> {
        self.skip(b'"')?;
        let rest = self.text.as_bytes().get(self.at..)?;
        // Most strings of messages end within one word.
        if let Some(word) = rest.first_chunk()
            && let place = first_special(*word)
            && rest.get(place) == Some(&b'"')
            && place < WORD
        {
            self.may_be_ejson |= rest.first() == Some(&b'$');
            self.at += place + 1;
            return Some(false);
        }
        self.skip_long_string()
    }

    /// Not a part of the function above, which is small enough to stand where it is called.
    #[inline(never)]
    fn skip_long_string(&mut self) -> Option<bool> {
        self.may_be_ejson |= self.peek()? == b'$';
        let mut has_escapes = false;
        loop {
            self.at += plain_bytes(self.text.as_bytes().get(self.at..)?);
            match self.next()? {
                b'"' => return Some(has_escapes),
                b'\\' => self.skip_escape()?,
                _ => return None,
            }
            has_escapes = true;
        }
    }

    fn skip_escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
                self.at += 4;
                self.may_be_ejson = true;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())
            }
            _ => None,
        }
    }

    fn skip_number(&mut self) -> Option<()> {
        let _sign = self.skip(b'-');
        if self.skip(b'0').is_none() {
            self.skip_digits()?;
        }
        if self.skip(b'.').is_some() {
            self.skip_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.skip_digits()?;
        }
        Some(())
    }

    /// Skips at least one digit.
    fn skip_digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn skip_word(&mut self, word: &str) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at..)?;
        rest.starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    /// Skips a value that is nested too deeply for recursion.
    fn skip_by_serde(&mut self) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        let value = values.next()?.ok()?;
        self.at += value.get().len();
        self.may_be_ejson |= needs_decoding(value.get());
        Some(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips space at the end of the text.
    fn skip_end(&mut self) -> Option<()> {
        self.skip_space();
        (self.at == self.text.len()).then_some(())
    }

    fn skip(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

impl<'text> Quoted<'text> {
    /// Returns the string without quotes, or `None` if it contains escapes.
    pub(crate) fn plain(self) -> Option<&'text str> {
        if self.has_escapes { None } else { self.text.strip_prefix('"')?.strip_suffix('"') }
    }

    /// Returns the string without quotes and escapes, or `None` if its escapes are not text.
    pub(crate) fn decode(self) -> Option<String> {
        serde_json::from_str(self.text).ok()
    }
}

const WORD: usize = size_of::<u64>();

/// Returns the number of bytes before the first quote, backslash or control character.
fn plain_bytes(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<WORD>();
    for (index, word) in words.iter().enumerate() {
        let place = first_special(*word);
        if place < WORD {
            return index * WORD + place;
        }
    }
    let is_special = |byte: &u8| *byte < 0x20 || matches!(*byte, b'"' | b'\\');
    words.len() * WORD + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// The same for one word. Returns its length if it has no such byte.
const fn first_special(word: [u8; WORD]) -> usize {
    special_bytes(u64::from_le_bytes(word)).trailing_zeros() as usize / 8
}

/// Returns a word whose lowest set bit is in the first byte that is a quote, a backslash or a control character; 0 if none is.
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGH: u64 = ONES * 0x80;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    // A borrow may only reach bytes above one that is found itself.
    let found = word.wrapping_sub(ONES * 0x20) & !word
        | quote.wrapping_sub(ONES) & !quote
        | backslash.wrapping_sub(ONES) & !backslash;
    found & HIGH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_that_may_be_ejson_is_noticed() {
        let texts = [
            r#"{"a":1}"#,
            r#"{"$a":1}"#,
            r#"{"a":["$date"]}"#,
            r#"{"a":"5 $"}"#,
            r#"{"a":"\u0024"}"#,
            r#"{"\u0024a":1}"#,
            r#"{"a":"\n"}"#,
            r#"{"":""}"#,
        ];
        for text in texts {
            let mut scanner = Scanner::new(text);
            scanner.object(|_, _| Some(())).expect("an object");
            assert_eq!(scanner.may_be_ejson(), needs_decoding(text), "{text}");
        }
        let deep = format!(r#"{{"a":{}{}}}"#, r#"{"$b":"#.repeat(200), "}".repeat(200).replacen('}', "1}", 1));
        let mut scanner = Scanner::new(&deep);
        scanner.object(|_, _| Some(())).expect("an object");
        assert!(scanner.may_be_ejson());
    }

    /// What `serde_json` says of the text, after the members that it finds at the top.
    fn by_serde(text: &str) -> Option<&str> {
        serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get)
    }

    fn check(text: &str) {
        assert_eq!(Scanner::new(text).only_value(), by_serde(text), "{text:?}");
        let mut elements = Vec::new();
        let is_array = Scanner::new(text).array(|place| elements.push(&text[place])).is_some();
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
            assert!(Scanner::new(&format!("{open}1{close}")).only_value().is_some(), "{depth}");
            assert!(Scanner::new(&format!("{open}1{close}]")).only_value().is_none(), "{depth}");
            assert!(Scanner::new(&format!("{open}{close}")).only_value().is_none(), "{depth}");
        }
    }

    #[test]
    fn each_special_byte_is_found_at_each_place_of_a_word() {
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                let mut word = [b'a'; 8];
                word[place] = byte;
                let is_special = byte < 0x20 || byte == b'"' || byte == b'\\';
                assert_eq!(plain_bytes(&word), if is_special { place } else { 8 }, "{byte} at {place}");
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
