//! Compares a message with the expected one, and tells where they differ.

use std::fmt;

use serde_json::{Map, Value, json};

use super::computed::Computed;
use super::memory::{Memory, check_sent};
use super::placeholder::{ID_LENGTH, Placeholder, is_id};

/// The place at which a message differs from the expected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    path: String,
    reason: String,
    /// A key that only one of both has.
    key: Option<String>,
}

type Matched = Result<(), Mismatch>;

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return formatter.write_str(&self.reason);
        }
        write!(formatter, "at {}: {}", self.path.trim_start_matches('.'), self.reason)
    }
}

impl Mismatch {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { path: String::new(), reason: reason.into(), key: None }
    }

    fn of_key(self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self }
    }

    /// Returns where a message of a `kind` differs, such as `result.error.message`, without its values.
    pub(crate) fn place(&self, kind: &str) -> String {
        let key = self.key.as_ref().map_or_else(String::new, |key| format!(".{key}"));
        let path = format!("{}{key}", self.path);
        let dot = if path.is_empty() || path.starts_with(['.', '[']) { "" } else { "." };
        format!("{kind}{dot}{path}")
    }

    pub(crate) fn under(self, step: impl fmt::Display) -> Self {
        Self { path: format!("{step}{}", self.path), ..self }
    }
}

/// Compares a value with the expected one, and remembers the values that `expected` names.
///
/// After a mismatch, `memory` may contain values of the message that did not match.
pub(crate) fn matches(expected: &Value, actual: &Value, memory: &mut Memory<'_>) -> Matched {
    match expected {
        Value::String(text) => match_text(text, actual, memory),
        Value::Object(members) => match Form::read(members).map_err(Mismatch::new)? {
            Form::Error(error) => matches(&error, actual, memory),
            Form::Json(inner) => match_json(inner, actual, memory),
            Form::Contains(part) => match_part(part, actual, memory),
            Form::Either(choices) => match_either(choices, actual, memory),
            Form::Begins(prefix, rest) => match_begin(prefix, rest, actual, memory),
            Form::Near(near) => match_near(&near, actual, memory),
            Form::Computed(_) => equal(&memory.fill(expected).map_err(Mismatch::new)?, actual),
            Form::Members { open } => match_members(members, open, actual, memory),
        },
        Value::Array(items) => match ArrayForm::read(items) {
            ArrayForm::Unordered(items) => match_unordered(items, actual, memory),
            ArrayForm::Some(items) => match_some(items, actual, memory),
            ArrayForm::Ordered(items) => match_items(items, actual, memory),
        },
        other => equal(other, actual),
    }
}

/// Checks all placeholders and forms of an expected message.
pub(crate) fn check_expected(expected: &Value) -> Result<(), String> {
    match expected {
        Value::String(text) => Placeholder::read(text).map(drop),
        Value::Object(members) => match Form::read(members)? {
            Form::Error(error) => check_expected(&error),
            Form::Json(inner) => check_expected(inner),
            Form::Contains(text) => check_sent(text),
            Form::Either(choices) => choices.iter().try_for_each(check_expected),
            Form::Begins(_, rest) => check_expected(rest),
            Form::Near(near) => check_sent(&near.base),
            Form::Computed(computed) => check_sent(computed.argument()),
            Form::Members { .. } => members.values().try_for_each(check_expected),
        },
        Value::Array(items) => ArrayForm::read(items).items().iter().try_for_each(check_expected),
        _ => Ok(()),
    }
}

/// Compares the text of a frame, in which `<id>` stands for an id.
pub(crate) fn text_matches(expected: &str, actual: &str) -> bool {
    let Some((before, after)) = expected.split_once("<id>") else {
        return expected == actual;
    };
    let Some(rest) = actual.strip_prefix(before) else {
        return false;
    };
    match rest.split_at_checked(ID_LENGTH) {
        Some((id, rest)) => is_id(id) && text_matches(after, rest),
        None => false,
    }
}

fn match_text(text: &str, actual: &Value, memory: &mut Memory<'_>) -> Matched {
    let placeholder = Placeholder::read(text).map_err(Mismatch::new)?;
    match placeholder {
        None => equal(&text.into(), actual),
        Some(Placeholder::Text(given)) => equal(&given.into(), actual),
        Some(Placeholder::Fresh(name)) => equal(&memory.fresh(&name), actual),
        Some(Placeholder::Round) => equal(&memory.round().map_err(Mismatch::new)?, actual),
        Some(Placeholder::Remembered(name)) => equal(&memory.remembered(&name).map_err(Mismatch::new)?, actual),
        Some(Placeholder::Other(name)) => match equal(&memory.remembered(&name).map_err(Mismatch::new)?, actual) {
            Ok(()) => Err(Mismatch::new(format!("expected another value than {actual}"))),
            Err(_) => Ok(()),
        },
        Some(Placeholder::Kind(kind, name)) => {
            if !kind.admits(actual) {
                return Err(Mismatch::new(format!("expected {text}, received {actual}")));
            }
            if let Some(name) = name {
                memory.remember(&name, actual);
            }
            Ok(())
        }
    }
}

fn match_json(expected: &Value, actual: &Value, memory: &mut Memory<'_>) -> Matched {
    let text = actual.as_str().ok_or_else(|| Mismatch::new(format!("expected a string of JSON, received {actual}")))?;
    let inner = serde_json::from_str(text).map_err(|error| Mismatch::new(format!("{actual} is not JSON: {error}")))?;
    matches(expected, &inner, memory).map_err(|mismatch| mismatch.under("<json>"))
}

/// The first choice is the recommended one.
fn match_either(choices: &[Value], actual: &Value, memory: &mut Memory<'_>) -> Matched {
    match choices.iter().position(|choice| matches_alone(choice, actual, memory)) {
        Some(0) => Ok(()),
        Some(_) => {
            memory.note_departure(format!("{} is recommended; received {actual}", choices[0]));
            Ok(())
        }
        None => {
            let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
            Err(Mismatch::new(format!("expected {}, received {actual}", choices.join(" or "))))
        }
    }
}

fn match_part(part: &Value, actual: &Value, memory: &mut Memory<'_>) -> Matched {
    let part = memory.fill(part).map_err(Mismatch::new)?;
    match (part.as_str(), actual.as_str()) {
        (Some(part), Some(actual)) if actual.contains(part) => Ok(()),
        _ => Err(Mismatch::new(format!("expected a string that contains {part}, received {actual}"))),
    }
}

fn match_begin(prefix: &str, rest: &Value, actual: &Value, memory: &mut Memory<'_>) -> Matched {
    let Some(actual) = actual.as_str().and_then(|text| text.strip_prefix(prefix)) else {
        return Err(Mismatch::new(format!("expected a string that begins with {prefix:?}, received {actual}")));
    };
    matches(rest, &actual.into(), memory).map_err(|mismatch| mismatch.under("<begins>"))
}

fn match_near(near: &Near, actual: &Value, memory: &mut Memory<'_>) -> Matched {
    let base = memory.fill(&near.base).map_err(Mismatch::new)?;
    let (Some(base), Some(number)) = (base.as_f64(), actual.as_f64()) else {
        return Err(Mismatch::new(format!("expected a number, received {actual}")));
    };
    let expected = base + near.offset;
    if (number - expected).abs() <= near.tolerance {
        return Ok(());
    }
    Err(Mismatch::new(format!("expected {expected} with a tolerance of {}, received {actual}", near.tolerance)))
}

fn match_members(expected: &Map<String, Value>, open: bool, actual: &Value, memory: &mut Memory<'_>) -> Matched {
    let Value::Object(actual) = actual else {
        return Err(Mismatch::new(format!("expected an object, received {actual}")));
    };
    for (key, value) in expected.iter().filter(|(key, _)| *key != MORE) {
        let Some(found) = actual.get(key) else {
            if value == ABSENT {
                continue;
            }
            return Err(Mismatch::new(format!("the key {key:?} is missing")).of_key(key));
        };
        matches(value, found, memory).map_err(|mismatch| mismatch.under(format!(".{key}")))?;
    }
    match actual.iter().find(|(key, _)| !expected.contains_key(*key)) {
        Some((key, value)) if !open => {
            Err(Mismatch::new(format!("the key {key:?} was not expected (its value: {value})")).of_key(key))
        }
        _ => Ok(()),
    }
}

fn match_items(expected: &[Value], actual: &Value, memory: &mut Memory<'_>) -> Matched {
    let actual = items_of(actual, expected.len())?;
    for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        matches(expected, actual, memory).map_err(|mismatch| mismatch.under(format!("[{index}]")))?;
    }
    Ok(())
}

fn match_unordered(expected: &[Value], actual: &Value, memory: &mut Memory<'_>) -> Matched {
    let mut waiting: Vec<&Value> = expected.iter().collect();
    for (index, item) in items_of(actual, expected.len())?.iter().enumerate() {
        let taken = waiting.iter().position(|expected| matches_alone(expected, item, memory));
        let Some(taken) = taken else {
            let reason = format!("{item} is not one of the expected elements");
            return Err(Mismatch::new(reason).under(format!("[{index}]")));
        };
        waiting.swap_remove(taken);
    }
    Ok(())
}

fn match_some(expected: &[Value], actual: &Value, memory: &mut Memory<'_>) -> Matched {
    let Value::Array(items) = actual else {
        return Err(Mismatch::new(format!("expected an array, received {actual}")));
    };
    let mut is_there = |expected: &&Value| items.iter().any(|item| matches_alone(expected, item, &mut *memory));
    match expected.iter().find(|expected| !is_there(expected)) {
        None => Ok(()),
        Some(missing) => Err(Mismatch::new(format!("{missing} is not among {actual}"))),
    }
}

/// Compares, and remembers values only if they match.
pub(crate) fn matches_alone(expected: &Value, actual: &Value, memory: &mut Memory<'_>) -> bool {
    let mut attempt = memory.clone();
    let matched = matches(expected, actual, &mut attempt).is_ok();
    if matched {
        *memory = attempt;
    }
    matched
}

fn items_of(actual: &Value, expected_length: usize) -> Result<&[Value], Mismatch> {
    let Value::Array(items) = actual else {
        return Err(Mismatch::new(format!("expected an array, received {actual}")));
    };
    if items.len() != expected_length {
        return Err(Mismatch::new(format!("expected {expected_length} elements, received {}: {actual}", items.len())));
    }
    Ok(items)
}

/// Compares without placeholders. Numbers are equal if their values are.
fn is_same(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Number(expected), actual) => is_same_number(expected, actual),
        (Value::Array(expected), Value::Array(actual)) => {
            expected.len() == actual.len() && expected.iter().zip(actual).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(expected), Value::Object(actual)) => {
            let is_there = |(key, value): (&String, &Value)| actual.get(key).is_some_and(|other| is_same(value, other));
            expected.len() == actual.len() && expected.iter().all(is_there)
        }
        (expected, actual) => expected == actual,
    }
}

// JavaScript has one type of number, so a server may write 1 as 1.0. Integers are compared as integers: as floats,
// neighbours above 2^53 would be equal.
fn is_same_number(expected: &serde_json::Number, actual: &Value) -> bool {
    let Value::Number(actual) = actual else {
        return false;
    };
    if expected.is_f64() || actual.is_f64() {
        return expected.as_f64() == actual.as_f64();
    }
    expected == actual
}

fn equal(expected: &Value, actual: &Value) -> Matched {
    if is_same(expected, actual) {
        return Ok(());
    }
    Err(Mismatch::new(format!("expected {expected}, received {actual}")))
}

pub(crate) const MORE: &str = "<more>";
const ERROR: &str = "<error>";
const EITHER: &str = "<either>";
const CONTAINS: &str = "<contains>";
const BEGINS: &str = "<begins>";
const ABSENT: &str = "<absent>";
const NEAR: &str = "<near>";
const UNORDERED: &str = "<unordered>";
const SOME: &str = "<some>";

/// The meaning of an expected object.
pub(crate) enum Form<'form> {
    /// An object with these members.
    Members {
        /// Whether further members are allowed.
        open: bool,
    },
    /// `{"<error>": […]}`: this DDP error.
    Error(Value),
    /// `{"<json>": …}`: a string of JSON that matches this.
    Json(&'form Value),
    /// `{"<contains>": …}`: a string that contains this.
    Contains(&'form Value),
    /// `{"<either>": […]}`: one of these, and preferably the first.
    Either(&'form [Value]),
    /// `{"<begins>": [PREFIX, …]}`: a string that begins with this text, and whose rest matches.
    Begins(&'form str, &'form Value),
    /// `{"<near>": [BASE, OFFSET, TOLERANCE]}`: a number that is about this.
    Near(Near),
    /// Exactly this value.
    Computed(Computed<'form>),
}

impl<'form> Form<'form> {
    pub(crate) fn read(members: &'form Map<String, Value>) -> Result<Self, String> {
        if let Some(parts) = members.get(ERROR) {
            if members.len() > 1 {
                return Err(format!("`{ERROR}` must be the only key of its object"));
            }
            return written_out(parts).map(Self::Error);
        }
        if let Some(text) = members.get(CONTAINS) {
            return Ok(Self::Contains(text));
        }
        if let Some(choices) = members.get(EITHER) {
            return match choices.as_array() {
                Some(choices) if choices.len() > 1 && members.len() == 1 => Ok(Self::Either(choices)),
                _ => Err(format!("`{EITHER}` must be a list of several values, and the only key of its object")),
            };
        }
        if let Some(parts) = members.get(BEGINS) {
            return match parts.as_array().map(Vec::as_slice) {
                Some([Value::String(prefix), rest]) => Ok(Self::Begins(prefix, rest)),
                _ => Err(format!("`{BEGINS}` must be a list of a text and what follows it")),
            };
        }
        if let Some(parts) = members.get(NEAR) {
            return Near::read(parts).map(Self::Near);
        }
        match Computed::read(members)? {
            Some(Computed::Json(inner)) => return Ok(Self::Json(inner)),
            Some(computed) => return Ok(Self::Computed(computed)),
            None => {}
        }
        match members.get(MORE) {
            None => Ok(Self::Members { open: false }),
            Some(Value::Bool(true)) => Ok(Self::Members { open: true }),
            Some(_) => Err(format!("`{MORE}` must be true or omitted")),
        }
    }
}

/// A number that may differ from `base` plus `offset` by `tolerance`.
pub(crate) struct Near {
    base: Value,
    offset: f64,
    tolerance: f64,
}

impl Near {
    fn read(parts: &Value) -> Result<Self, String> {
        if let Some([base, offset, tolerance]) = parts.as_array().map(Vec::as_slice)
            && let (Some(offset), Some(tolerance)) = (offset.as_f64(), tolerance.as_f64())
        {
            return Ok(Self { base: base.clone(), offset, tolerance });
        }
        Err(format!("`{NEAR}` must be a list of a number or a remembered one, an offset and a tolerance"))
    }
}

fn written_out(parts: &Value) -> Result<Value, String> {
    let (code, reason, details) = match parts.as_array().map(Vec::as_slice) {
        Some([code]) => (code, &Value::Null, None),
        Some([code, reason]) => (code, reason, None),
        Some([code, reason, details]) => (code, reason, Some(details)),
        _ => return Err(format!("`{ERROR}` must be a list of code, reason and details")),
    };
    let shown_code = match code {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut error = json!({"isClientSafe": true, "error": code, "errorType": "Meteor.Error"});
    error["message"] = format!("[{shown_code}]").into();
    if let Some(reason) = reason.as_str() {
        error["message"] = format!("{reason} [{shown_code}]").into();
        error["reason"] = reason.into();
    }
    if let Some(details) = details {
        error["details"] = details.clone();
    }
    Ok(error)
}

/// The meaning of an expected array.
pub(crate) enum ArrayForm<'form> {
    /// These elements in this order.
    Ordered(&'form [Value]),
    /// `["<unordered>", …]`: these elements in any order.
    Unordered(&'form [Value]),
    /// `["<some>", …]`: these elements and possibly others.
    Some(&'form [Value]),
}

impl<'form> ArrayForm<'form> {
    pub(crate) fn read(items: &'form [Value]) -> Self {
        match items.split_first() {
            Some((Value::String(first), rest)) if first == UNORDERED => Self::Unordered(rest),
            Some((Value::String(first), rest)) if first == SOME => Self::Some(rest),
            _ => Self::Ordered(items),
        }
    }

    pub(crate) const fn items(&self) -> &'form [Value] {
        match self {
            Self::Ordered(items) | Self::Unordered(items) | Self::Some(items) => items,
        }
    }
}
