//! EJSON as text for people and for comparison: sorted, indented, or as plain JSON.

use std::fmt::Write;

use super::ser::write_string;
use super::{Ejson, Object};

/// How [`Ejson::to_indented_string`] lays out nested values.
///
/// ```
/// use bolide_protocol::Ejson;
/// use bolide_protocol::ejson::Indent;
///
/// let list = Ejson::from(vec![1.into()]);
/// assert_eq!(list.to_indented_string(Indent::Spaces(2)), "[\n  1\n]");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indent<'a> {
    /// Prints one line without spaces.
    None,
    /// Indents each level by this number of spaces.
    Spaces(usize),
    /// Indents each level by this text.
    Text(&'a str),
}

impl Ejson {
    /// Returns the same text for equal values: the keys of objects are sorted, as in
    /// `EJSON.stringify(v, {canonical: true})`.
    ///
    /// ```
    /// use bolide_protocol::Ejson;
    /// use bolide_protocol::ejson::CustomTypes;
    ///
    /// let value = Ejson::parse(r#"{"b":1,"a":{"$date":5}}"#, &CustomTypes::default())?;
    /// assert_eq!(value.to_canonical_string(), r#"{"a":{"$date":5},"b":1}"#);
    /// # Ok::<(), bolide_protocol::ejson::DecodeError>(())
    /// ```
    #[must_use]
    pub fn to_canonical_string(&self) -> String {
        print(&sorted(self.clone().into_json_value()), Indent::None)
    }

    /// Returns the canonical text, indented, as in `EJSON.stringify(v, {canonical: true, indent})`.
    #[must_use]
    pub fn to_canonical_indented_string(&self, indent: Indent<'_>) -> String {
        print(&sorted(self.clone().into_json_value()), indent)
    }

    /// Returns the EJSON text, indented, as in `EJSON.stringify(v, {indent})`.
    #[must_use]
    pub fn to_indented_string(&self, indent: Indent<'_>) -> String {
        print(&self.clone().into_json_value(), indent)
    }

    /// Returns what `JSON.stringify` (not `EJSON.stringify`) prints for this value in JavaScript: dates as ISO text,
    /// bytes by index, regular expressions as `{}`, `NaN` and infinities as `null`, custom types as their value.
    ///
    /// ```
    /// use bolide_protocol::Ejson;
    /// use bolide_protocol::ejson::Date;
    ///
    /// let date = Ejson::from(Date::from_milliseconds(5));
    /// assert_eq!(date.to_plain_json(), r#""1970-01-01T00:00:00.005Z""#);
    /// ```
    #[must_use]
    pub fn to_plain_json(&self) -> String {
        print(&flattened(self.clone()), Indent::None)
    }
}

/// Sorts keys by UTF-16 code units, as JavaScript does.
fn sorted(value: Ejson) -> Ejson {
    match value {
        Ejson::Array(items) => Ejson::Array(items.into_iter().map(sorted).collect()),
        Ejson::Object(object) => {
            let mut object = map_values(object, sorted);
            object.sort_by(|one, _, two, _| one.encode_utf16().cmp(two.encode_utf16()));
            Ejson::Object(object)
        }
        scalar => scalar,
    }
}

fn flattened(value: Ejson) -> Ejson {
    match value {
        Ejson::Array(items) => Ejson::Array(items.into_iter().map(flattened).collect()),
        Ejson::Object(object) => Ejson::Object(map_values(object, flattened)),
        Ejson::Number(number) if !number.is_finite() => Ejson::Null,
        Ejson::Date(date) => date.to_iso_string().map_or(Ejson::Null, Ejson::from),
        Ejson::Binary(binary) => Ejson::Object(bytes_by_index(binary.as_bytes())),
        Ejson::Regexp(_) => Ejson::Object(Object::new()),
        Ejson::ObjectId(id) => Ejson::Object(Object::from([("_str".to_owned(), id.to_string().into())])),
        Ejson::Custom(custom) => flattened(custom.value),
        scalar => scalar,
    }
}

fn map_values(object: Object, change: fn(Ejson) -> Ejson) -> Object {
    object.into_iter().map(|(key, value)| (key, change(value))).collect()
}

fn bytes_by_index(bytes: &[u8]) -> Object {
    let entry = |(index, byte): (usize, &u8)| (index.to_string(), u32::from(*byte).into());
    bytes.iter().enumerate().map(entry).collect()
}

/// Prints a value of the six JSON kinds.
fn print(value: &Ejson, indent: Indent<'_>) -> String {
    let unit = match indent {
        Indent::None => String::new(),
        Indent::Spaces(count) => " ".repeat(count),
        Indent::Text(text) => text.to_owned(),
    };
    let mut printer = Printer { out: String::new(), unit, level: 0 };
    printer.value(value);
    printer.out
}

struct Printer {
    out: String,
    /// The indentation per level; empty for a single line.
    unit: String,
    level: usize,
}

impl Printer {
    fn value(&mut self, value: &Ejson) {
        match value {
            Ejson::Array(items) => self.nested(['[', ']'], items.iter(), Self::value),
            Ejson::Object(object) => self.nested(['{', '}'], object.iter(), Self::entry),
            Ejson::Bool(true) => self.out.push_str("true"),
            Ejson::Bool(false) => self.out.push_str("false"),
            Ejson::String(text) => write_string(&mut self.out, text),
            Ejson::Number(number) if number.is_finite() => {
                write!(self.out, "{number}").expect("writing to a String does not fail");
            }
            _ => self.out.push_str("null"),
        }
    }

    fn entry(&mut self, (key, value): (&String, &Ejson)) {
        write_string(&mut self.out, key);
        self.out.push_str(if self.unit.is_empty() { ":" } else { ": " });
        self.value(value);
    }

    fn nested<T>(
        &mut self,
        [open, close]: [char; 2],
        items: impl ExactSizeIterator<Item = T>,
        print: fn(&mut Self, T),
    ) {
        self.out.push(open);
        let is_empty = items.len() == 0;
        self.level += 1;
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.line_break();
            print(self, item);
        }
        self.level -= 1;
        if !is_empty {
            self.line_break();
        }
        self.out.push(close);
    }

    fn line_break(&mut self) {
        if self.unit.is_empty() {
            return;
        }
        self.out.push('\n');
        (0..self.level).for_each(|_| self.out.push_str(&self.unit));
    }
}
