//! [`ExportFile`]: reads the documents of a file that `mongoexport` has written, one at a time, however large the file
//! is. The file has a document per line, documents over several lines (`--pretty`), or a JSON array (`--jsonArray`).

use std::io::{self, BufRead};

/// The maximum size of a document, in bytes. `MongoDB` limits documents to 16 MiB; extended JSON is a few times longer.
const LONGEST: usize = 64 << 20;

/// One document as text, or why it cannot be read. Documents after it may be readable.
pub(crate) type ExportedDocument = Result<String, String>;

/// The documents of a file, with the line numbers at which they begin.
pub(crate) struct ExportFile<Input> {
    input: Input,
    form: Form,
    line: u64,
}

#[derive(Clone, Copy)]
enum Form {
    /// The file was not read yet.
    Unknown,
    Lines,
    /// A document begins with a line `{`, and ends with a line that begins with `}`.
    Pretty,
    Array,
}

impl<Input: BufRead> ExportFile<Input> {
    pub(crate) const fn new(input: Input) -> Self {
        Self { input, form: Form::Unknown, line: 1 }
    }

    /// Reads the next document. Returns `None` at the end of the file.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, ExportedDocument)>> {
        if matches!(self.form, Form::Unknown) {
            self.skip_byte_order_mark()?;
            self.skip(|byte| byte.is_ascii_whitespace())?;
            self.form = self.recognize()?;
            self.skip(|byte| byte == b'[')?;
        }
        match self.form {
            Form::Array => self.next_element(),
            Form::Pretty => self.next_pretty(),
            Form::Lines | Form::Unknown => self.next_line(),
        }
    }

    fn skip_byte_order_mark(&mut self) -> io::Result<()> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if self.input.fill_buf()?.starts_with(MARK) {
            self.input.consume(MARK.len());
        }
        Ok(())
    }

    /// Recognizes the form by the beginning of the file.
    fn recognize(&mut self) -> io::Result<Form> {
        let start = self.input.fill_buf()?;
        let first_line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Ok(match first_line.trim_ascii_end() {
            [b'[', ..] => Form::Array,
            b"{" if first_line.len() < start.len() => Form::Pretty,
            _ => Form::Lines,
        })
    }

    fn next_pretty(&mut self) -> io::Result<Option<(u64, ExportedDocument)>> {
        self.skip(|byte| byte.is_ascii_whitespace())?;
        let line = self.line;
        let mut text = Text::default();
        let mut is_last_line = false;
        while let Some(byte) = self.take()? {
            text.push(byte);
            if byte != b'\n' {
                continue;
            }
            if is_last_line {
                break;
            }
            is_last_line = self.peek()? == Some(b'}');
        }
        Ok(text.is_there().then(|| (line, text.finish())))
    }

    fn next_line(&mut self) -> io::Result<Option<(u64, ExportedDocument)>> {
        self.skip(|byte| byte.is_ascii_whitespace())?;
        let line = self.line;
        let mut text = Text::default();
        while let Some(byte) = self.take()? {
            if byte == b'\n' {
                break;
            }
            text.push(byte);
        }
        Ok(text.is_there().then(|| (line, text.finish())))
    }

    /// Cuts out the text up to the next comma, or the end of the array, that is not within braces or strings.
    fn next_element(&mut self) -> io::Result<Option<(u64, ExportedDocument)>> {
        self.skip(|byte| byte.is_ascii_whitespace() || byte == b',')?;
        let line = self.line;
        let mut text = Text::default();
        let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
        while let Some(byte) = self.peek()? {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if in_text => is_escaped = true,
                b'"' => in_text = !in_text,
                _ if in_text => {}
                b',' | b']' if depth == 0 => break,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.take()?;
            text.push(byte);
        }
        Ok(text.is_there().then(|| (line, text.finish())))
    }

    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) -> io::Result<()> {
        while self.peek()?.is_some_and(&is_skipped) {
            self.take()?;
        }
        Ok(())
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.input.fill_buf()?.first().copied())
    }

    fn take(&mut self) -> io::Result<Option<u8>> {
        let Some(byte) = self.peek()? else { return Ok(None) };
        self.input.consume(1);
        self.line += u64::from(byte == b'\n');
        Ok(Some(byte))
    }
}

/// The text of one document, up to the maximum size.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    is_too_long: bool,
}

impl Text {
    fn push(&mut self, byte: u8) {
        if self.bytes.len() == LONGEST {
            self.is_too_long = true;
            return;
        }
        self.bytes.push(byte);
    }

    const fn is_there(&self) -> bool {
        !self.bytes.is_empty()
    }

    fn finish(self) -> ExportedDocument {
        if self.is_too_long {
            return Err(format!("the document is longer than {LONGEST} bytes"));
        }
        String::from_utf8(self.bytes).map_err(|_| "the document is not UTF-8".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Vec<(u64, ExportedDocument)> {
        let mut documents = ExportFile::new(file.as_bytes());
        std::iter::from_fn(|| documents.next().unwrap()).collect()
    }

    fn found(line: u64, text: &str) -> (u64, ExportedDocument) {
        (line, Ok(text.to_owned()))
    }

    #[test]
    fn lines_are_read_one_by_one_and_a_malformed_one_does_not_affect_others() {
        let file = "{\"a\":1}\r\n\n{\"a\":\n  {\"a\":3}";
        assert_eq!(read(file), [found(1, "{\"a\":1}\r"), found(3, "{\"a\":"), found(4, "{\"a\":3}")]);
    }

    #[test]
    fn an_array_is_split_at_the_ends_of_its_elements() {
        let file = "\n[ {\"a\":[1,{\"b\":\"],}\\\"\"}]},\n{\"a\":\n2} , 5 ]\n";
        assert_eq!(read(file), [found(2, "{\"a\":[1,{\"b\":\"],}\\\"\"}]}"), found(3, "{\"a\":\n2} "), found(4, "5 ")]);
    }

    #[test]
    fn documents_over_several_lines_are_read_one_by_one() {
        let file = "{\n\t\"a\": {\n\t\t\"b\": 1\n\t}\n}\n{\n\t\"a\":\n}\n{\n\t\"c\": 2\n}";
        let documents = [
            found(1, "{\n\t\"a\": {\n\t\t\"b\": 1\n\t}\n}\n"),
            found(6, "{\n\t\"a\":\n}\n"),
            found(9, "{\n\t\"c\": 2\n}"),
        ];
        assert_eq!(read(file), documents);
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        for (file, document) in [("\u{feff}{\"a\":1}\n", "{\"a\":1}"), ("\u{feff}[{}]", "{}")] {
            assert_eq!(read(file), [found(1, document)]);
        }
    }

    #[test]
    fn an_empty_file_or_array_has_no_documents() {
        for file in ["", "  \n", "[]", " [ ] "] {
            assert_eq!(read(file), [], "{file:?}");
        }
    }

    #[test]
    fn invalid_utf_8_is_reported() {
        let mut documents = ExportFile::new(&b"\xff\xfe\n{}"[..]);
        assert!(documents.next().unwrap().unwrap().1.is_err());
        assert_eq!(documents.next().unwrap(), Some(found(2, "{}")));
    }

    #[test]
    fn a_line_that_is_too_long_is_reported_and_the_next_is_read() {
        let file = format!("{}\n{{}}", "x".repeat(LONGEST + 1));
        let all = read(&file);
        assert!(all[0].1.is_err());
        assert_eq!(all[1], found(2, "{}"));
    }
}
