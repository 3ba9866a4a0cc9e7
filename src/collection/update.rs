//! [`Update`]: a change of a document.

use bolide_protocol::Ejson;
use bolide_protocol::ejson::{Number, Object};

use super::document::id_value;
use super::filter::ID;
use super::paths::{NoObject, holder_of, remove_at};

/// The maximum number of parts of a path. Each may make an object around the value.
const MAX_PATH_PARTS: usize = 50;

/// A change of a document: steps that are applied in order, as one write. A field can be a path, such as `address.city`;
/// missing objects of a path are made. `_id` cannot be changed: a step that names it is refused, unless it sets the id that
/// the document has. It can have 1,000 steps.
///
/// ```
/// use bolide::prelude::*;
///
/// let update = Update::new().set("done", true).unset("owner").increment("edits", 1).push("tags", "late");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    steps: Vec<(String, Step)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Set(Ejson),
    SetOnInsert(Ejson),
    Unset,
    Increment(Number),
    Push(Ejson),
    PushUnique(Ejson),
    Pull(Ejson),
}

/// Whether an update changes a document or makes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    ToDocument,
    ToNew,
}

/// Why an update cannot be applied to a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub(super) field: String,
    pub(super) expected: &'static str,
}

impl Update {
    /// Creates an update that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field.
    #[must_use]
    pub fn set(self, field: &str, value: impl Into<Ejson>) -> Self {
        self.step(field, Step::Set(value.into()))
    }

    /// Sets a field if the document is new, see [`Collection::upsert`](super::Collection::upsert).
    #[must_use]
    pub fn set_on_insert(self, field: &str, value: impl Into<Ejson>) -> Self {
        self.step(field, Step::SetOnInsert(value.into()))
    }

    /// Removes a field.
    #[must_use]
    pub fn unset(self, field: &str) -> Self {
        self.step(field, Step::Unset)
    }

    /// Adds a number to a field. A missing field counts as 0; another kind of value is an error. Integers keep all digits.
    #[must_use]
    pub fn increment(self, field: &str, by: impl Into<Number>) -> Self {
        self.step(field, Step::Increment(by.into()))
    }

    /// Appends a value to an array. A missing field counts as an empty array; another kind of value is an error.
    #[must_use]
    pub fn push(self, field: &str, value: impl Into<Ejson>) -> Self {
        self.step(field, Step::Push(value.into()))
    }

    /// Appends a value to an array that does not contain it, like [`push`](Self::push).
    #[must_use]
    pub fn push_unique(self, field: &str, value: impl Into<Ejson>) -> Self {
        self.step(field, Step::PushUnique(value.into()))
    }

    /// Removes all elements that equal a value from an array. Does nothing if the field is missing; another kind of value
    /// is an error.
    #[must_use]
    pub fn pull(self, field: &str, value: impl Into<Ejson>) -> Self {
        self.step(field, Step::Pull(value.into()))
    }

    fn step(mut self, field: &str, step: Step) -> Self {
        self.steps.push((field.to_owned(), step));
        self
    }

    /// Returns the number of steps.
    pub(super) const fn len(&self) -> usize {
        self.steps.len()
    }

    /// Returns the document after the update.
    pub(super) fn apply(&self, id: &str, before: &Object, applied: Applied) -> Result<Object, Mismatch> {
        let mut object = before.clone();
        for (field, step) in &self.steps {
            if field.split('.').count() > MAX_PATH_PARTS {
                let field = field.chars().take(20).chain(['…']).collect();
                return Err(Mismatch { field, expected: "a path of at most 50 parts" });
            }
            let is_of_id = field == ID || field.strip_prefix(ID).is_some_and(|rest| rest.starts_with('.'));
            if !is_of_id {
                step.apply(&mut object, field, applied)?;
            } else if field != ID || !step.keeps_id(id, applied) {
                return Err(Mismatch::new(ID, "immutable"));
            }
        }
        Ok(object)
    }
}

impl Step {
    /// Returns whether the document has this id, or the step does not apply to it.
    fn keeps_id(&self, id: &str, applied: Applied) -> bool {
        match self {
            Self::SetOnInsert(_) if applied == Applied::ToDocument => true,
            Self::Set(value) | Self::SetOnInsert(value) => *value == id_value(id),
            _ => false,
        }
    }

    fn apply(&self, object: &mut Object, field: &str, applied: Applied) -> Result<(), Mismatch> {
        match self {
            Self::SetOnInsert(_) if applied == Applied::ToDocument => {}
            Self::Set(value) | Self::SetOnInsert(value) => {
                let (holder, name) = holder(object, field)?;
                holder.insert(name.to_owned(), value.clone());
            }
            Self::Unset => remove_at(object, field),
            Self::Increment(by) => {
                let (holder, name) = holder(object, field)?;
                let value = holder.entry(name.to_owned()).or_insert_with(|| Ejson::from(0));
                let Ejson::Number(number) = value else { return Err(Mismatch::new(field, "a number")) };
                *number = sum(*number, *by);
            }
            Self::Push(value) => array(object, field)?.push(value.clone()),
            Self::PushUnique(value) => {
                let array = array(object, field)?;
                if !array.contains(value) {
                    array.push(value.clone());
                }
            }
            Self::Pull(value) if super::paths::value_at(object, field).is_some() => {
                array(object, field)?.retain(|element| element != value);
            }
            Self::Pull(_) => {}
        }
        Ok(())
    }
}

impl Mismatch {
    fn new(field: &str, expected: &'static str) -> Self {
        Self { field: field.to_owned(), expected }
    }
}

fn holder<'object, 'field>(
    object: &'object mut Object,
    field: &'field str,
) -> Result<(&'object mut Object, &'field str), Mismatch> {
    holder_of(object, field).map_err(|NoObject { path }| Mismatch { field: path, expected: "an object" })
}

fn array<'object>(object: &'object mut Object, field: &str) -> Result<&'object mut Vec<Ejson>, Mismatch> {
    let (holder, name) = holder(object, field)?;
    match holder.entry(name.to_owned()).or_insert_with(|| Ejson::Array(Vec::new())) {
        Ejson::Array(elements) => Ok(elements),
        _ => Err(Mismatch::new(field, "an array")),
    }
}

/// Adds integers exactly if the sum fits into 64 bits.
fn sum(one: Number, other: Number) -> Number {
    match (one.as_i64(), other.as_i64()) {
        (Some(a), Some(b)) if let Some(sum) = a.checked_add(b) => Number::from(sum),
        _ => Number::from(one.as_f64() + other.as_f64()),
    }
}
