//! [`Scanner`]: finds the parts of JSON text in one pass, without deserialising them. It accepts what `serde_json` accepts.

use serde_json::value::RawValue;

/// A place in JSON text, from which the next parts are read. A method that returns `None` has met malformed text.
pub(crate) struct Scanner<'text> {
    text: &'text str,
    at: usize,
}

/// The arrays and objects around a place, the innermost last.
#[derive(Default)]
struct Nesting {
    /// One bit each: 1 for an object, 0 for an array. The lowest one is the innermost.
    kinds: u128,
    depth: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Object,
}

impl<'text> Scanner<'text> {
    pub(crate) const fn new(text: &'text str) -> Self {
        Self { text, at: 0 }
    }

    /// Reads the object that is the whole text, and passes each member on: its name with quotes and escapes, and its value.
    pub(crate) fn object(mut self, mut member: impl FnMut(&'text str, &'text str) -> Option<()>) -> Option<()> {
        self.list(b'{', b'}', |scanner| {
            let name = scanner.part(Self::skip_string)?;
            scanner.skip_colon()?;
            let value = scanner.part(Self::skip_value)?;
            member(name, value)
        })
    }

    /// Reads the array that is the whole text, and passes each element on.
    pub(crate) fn array(mut self, mut element: impl FnMut(&'text str)) -> Option<()> {
        self.list(b'[', b']', |scanner| scanner.part(Self::skip_value).map(&mut element))
    }

    /// Reads one value that is the whole text.
    pub(crate) fn only_value(mut self) -> Option<&'text str> {
        self.skip_space();
        let value = self.part(Self::skip_value)?;
        self.skip_end()?;
        Some(value)
    }

    fn list(&mut self, open: u8, close: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.skip_space();
        self.skip(open)?;
        self.skip_space();
        if self.skip(close).is_some() {
            return self.skip_end();
        }
        loop {
            item(self)?;
            self.skip_space();
            if self.skip(b',').is_none() {
                self.skip(close)?;
                return self.skip_end();
            }
            self.skip_space();
        }
    }

    /// Returns the text that `skip` skips.
    fn part(&mut self, skip: impl FnOnce(&mut Self) -> Option<()>) -> Option<&'text str> {
        let start = self.at;
        skip(self)?;
        self.text.get(start..self.at)
    }

    fn skip_value(&mut self) -> Option<()> {
        let mut around = Nesting::default();
        loop {
            let is_inside = match self.peek()? {
                b'{' => self.enter(Kind::Object, &mut around)?,
                b'[' => self.enter(Kind::Array, &mut around)?,
                b'"' => self.skip_string().map(|()| false)?,
                b't' => self.skip_word("true").map(|()| false)?,
                b'f' => self.skip_word("false").map(|()| false)?,
                b'n' => self.skip_word("null").map(|()| false)?,
                _ => self.skip_number().map(|()| false)?,
            };
            if !is_inside && self.leave(&mut around)? {
                return Some(());
            }
        }
    }

    /// Skips a bracket, up to the first value behind it. Returns whether there is one.
    fn enter(&mut self, kind: Kind, around: &mut Nesting) -> Option<bool> {
        if around.is_full() {
            return self.skip_by_serde().map(|()| false);
        }
        self.at += 1;
        self.skip_space();
        let close = if kind == Kind::Object { b'}' } else { b']' };
        if self.skip(close).is_some() {
            return Some(false);
        }
        around.push(kind);
        if kind == Kind::Object {
            self.skip_name()?;
        }
        Some(true)
    }

    /// Skips what stands between a value and the next one. Returns whether the outermost value has ended.
    fn leave(&mut self, around: &mut Nesting) -> Option<bool> {
        while let Some(kind) = around.last() {
            self.skip_space();
            match (kind, self.peek()?) {
                (Kind::Array, b',') => {
                    self.at += 1;
                    self.skip_space();
                    return Some(false);
                }
                (Kind::Object, b',') => {
                    self.at += 1;
                    self.skip_space();
                    self.skip_name()?;
                    return Some(false);
                }
                (Kind::Array, b']') | (Kind::Object, b'}') => {
                    self.at += 1;
                    around.pop();
                }
                _ => return None,
            }
        }
        Some(true)
    }

    fn skip_name(&mut self) -> Option<()> {
        self.skip_string()?;
        self.skip_colon()
    }

    fn skip_colon(&mut self) -> Option<()> {
        self.skip_space();
        self.skip(b':')?;
        self.skip_space();
        Some(())
    }

    fn skip_string(&mut self) -> Option<()> {
        self.skip(b'"')?;
        loop {
            self.at += plain_bytes(self.text.as_bytes().get(self.at..)?);
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => self.skip_escape()?,
                _ => return None,
            }
        }
    }

    fn skip_escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
                self.at += 4;
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

    /// Skips a value that is nested deeper than [`Nesting`] can tell.
    fn skip_by_serde(&mut self) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        let value = values.next()?.ok()?;
        self.at += value.get().len();
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

impl Nesting {
    const fn is_full(&self) -> bool {
        self.depth == u128::BITS
    }

    fn push(&mut self, kind: Kind) {
        self.kinds = self.kinds << 1 | u128::from(kind == Kind::Object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.kinds >>= 1;
        self.depth = self.depth.saturating_sub(1);
    }

    fn last(&self) -> Option<Kind> {
        let kind = if self.kinds & 1 == 1 { Kind::Object } else { Kind::Array };
        (self.depth > 0).then_some(kind)
    }
}

/// Returns the number of bytes before the first quote, backslash or control character.
fn plain_bytes(bytes: &[u8]) -> usize {
    const WORD: usize = size_of::<u64>();
    let (words, rest) = bytes.as_chunks::<WORD>();
    for (index, word) in words.iter().enumerate() {
        let found = special_bytes(u64::from_le_bytes(*word));
        if found != 0 {
            return index * WORD + found.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| *byte < 0x20 || matches!(*byte, b'"' | b'\\');
    words.len() * WORD + rest.iter().position(is_special).unwrap_or(rest.len())
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

    /// What `serde_json` says of the text, after the members that it finds at the top.
    fn by_serde(text: &str) -> Option<&str> {
        serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get)
    }

    fn check(text: &str) {
        assert_eq!(Scanner::new(text).only_value(), by_serde(text), "{text:?}");
        let mut elements = Vec::new();
        let is_array = Scanner::new(text).array(|element| elements.push(element)).is_some();
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
