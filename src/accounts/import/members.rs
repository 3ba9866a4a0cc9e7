//! [`Members`]: the members of a document. A value of an unusual type is converted or dropped, with a warning, because a
//! secondary value must not cost a user with a good password.

use bolide_protocol::Ejson;
use bolide_protocol::ejson::{Date, Object};

use super::ImportWarning;
use crate::clock::Timestamp;

/// Reads members of objects of one document, and collects warnings.
pub(super) trait Members {
    /// Adds a warning about a field.
    fn warn(&mut self, field: &'static str, problem: &'static str);

    /// Returns an object. Any other value is dropped.
    fn object<'object>(&mut self, parent: &'object Object, name: &str, field: &'static str) -> Option<&'object Object> {
        let value = member(parent, name)?;
        self.or_dropped(value.as_object(), field, "is not an object; it was dropped")
    }

    /// Returns a list. Any other value is dropped.
    fn list<'object>(&mut self, parent: &'object Object, name: &str, field: &'static str) -> &'object [Ejson] {
        let Some(value) = member(parent, name) else { return &[] };
        self.or_dropped(value.as_array(), field, "is not a list; it was dropped").unwrap_or_default()
    }

    /// Returns a text. Any other value is dropped.
    fn text<'object>(&mut self, parent: &'object Object, name: &str, field: &'static str) -> Option<&'object str> {
        let value = member(parent, name)?;
        self.or_dropped(value.as_str(), field, "is not a text; it was dropped")
    }

    /// Returns a boolean, also one that is written as a text or a number. Any other value is dropped.
    fn boolean(&mut self, parent: &Object, name: &str, field: &'static str) -> Option<bool> {
        let value = member(parent, name)?;
        if let Some(boolean) = value.as_bool() {
            return Some(boolean);
        }
        let read = boolean_of(value);
        self.warn(
            field,
            match read {
                Some(true) => "is not a boolean; it was read as true",
                Some(false) => "is not a boolean; it was read as false",
                None => "is not a boolean; it was dropped",
            },
        );
        read
    }

    /// Returns a date, also one that is written as ISO text or as milliseconds. Any other value is dropped.
    fn date(&mut self, parent: &Object, name: &str, field: &'static str) -> Option<Timestamp> {
        let value = member(parent, name)?;
        let read = date_of(value).and_then(Date::milliseconds).map(Timestamp::from_milliseconds);
        self.or_dropped(read, field, "is not a date; it was dropped")
    }

    /// Returns the value, or warns that it was dropped.
    fn or_dropped<T>(&mut self, value: Option<T>, field: &'static str, problem: &'static str) -> Option<T> {
        if value.is_none() {
            self.warn(field, problem);
        }
        value
    }
}

impl Members for Vec<ImportWarning> {
    fn warn(&mut self, field: &'static str, problem: &'static str) {
        let warning = ImportWarning { field, problem };
        if !self.contains(&warning) {
            self.push(warning);
        }
    }
}

/// Returns a member, or `None` if it is missing or null.
pub(super) fn member<'object>(object: &'object Object, name: &str) -> Option<&'object Ejson> {
    object.get(name).filter(|value| !value.is_null())
}

/// Reads a boolean that is written as a boolean, a text or a number.
pub(super) fn boolean_of(value: &Ejson) -> Option<bool> {
    if let Some(boolean) = value.as_bool() {
        return Some(boolean);
    }
    match (
        value.as_str().map(str::to_ascii_lowercase).as_deref(),
        value.as_number().map(bolide_protocol::ejson::Number::as_f64),
    ) {
        (Some("true" | "1" | "yes"), _) => Some(true),
        (Some("false" | "0" | "no" | ""), _) => Some(false),
        (_, Some(number)) if !number.is_nan() => Some(number != 0.0),
        _ => None,
    }
}

fn date_of(value: &Ejson) -> Option<Date> {
    let in_milliseconds = || {
        // A date of JavaScript is a whole number; 8.64e15 is its last one.
        let number = value.as_number()?.as_f64();
        (number.abs() <= 8.64e15).then(|| format!("{number:.0}").parse().map(Date::from_milliseconds).ok())?
    };
    value.as_date().or_else(|| value.as_str().map(Date::parse_iso)).or_else(in_milliseconds)
}
