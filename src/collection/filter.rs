//! [`Filter`]: the condition that selects the documents of a query.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::mem;

use bolide_protocol::ejson::Object;
use bolide_protocol::{DocumentId, Ejson};

use super::key;
use super::paths::{any_element, value_at};

/// The maximum number of conditions of a list that are shown.
const MAX_SHAPES: usize = 20;

/// The field name that stands for the id of a document.
pub(super) const ID: &str = "_id";

/// A condition on the fields of a document. A field can be a path, such as `address.city`. `_id` is the id of the
/// document; it can be compared only for equality.
///
/// [`eq`](Self::eq) and [`is_in`](Self::is_in) also match if the field is an array of which an element equals the value.
/// The other comparisons do not look into arrays.
///
/// ```
/// use bolide::prelude::*;
///
/// let ada = Filter::eq("_id", "user-ada");
/// let cheap_or_mine = Filter::any([Filter::below("price", 10), Filter::eq("owner", "ada")]);
/// let open = Filter::all([Filter::eq("open", true), cheap_or_mine]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter(Condition);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Condition {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    /// The id is one of these, in their form on the wire.
    Id(Vec<String>),
    Equals(String, Operand),
    In(String, Vec<Operand>),
    Compares(String, Comparison, Operand),
    Exists(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Comparison {
    Below,
    AtMost,
    AtLeast,
    Above,
}

/// A value that a field is compared with. It can be hashed, which [`Ejson`] cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Operand(Ejson);

impl Filter {
    /// Matches every document.
    #[must_use]
    pub const fn everything() -> Self {
        Self(Condition::All(Vec::new()))
    }

    /// Matches if the field equals the value, as EJSON compares values. A missing field equals `null`.
    pub fn eq(field: &str, value: impl Into<Ejson>) -> Self {
        if field == ID {
            return Self::is_in(field, [value]);
        }
        Self(Condition::Equals(field.to_owned(), Operand(value.into())))
    }

    /// Matches if the field equals one of the values. A missing field equals `null`.
    pub fn is_in<Value: Into<Ejson>>(field: &str, values: impl IntoIterator<Item = Value>) -> Self {
        let values = values.into_iter().map(Into::into);
        if field == ID {
            return Self(Condition::Id(values.filter_map(to_id).collect()));
        }
        Self(Condition::In(field.to_owned(), values.map(Operand).collect()))
    }

    /// Matches if the field is less than the value. Only numbers, strings, dates and booleans have an order, and only
    /// values of the same kind can be compared; others do not match.
    pub fn below(field: &str, value: impl Into<Ejson>) -> Self {
        Self(Condition::Compares(field.to_owned(), Comparison::Below, Operand(value.into())))
    }

    /// Matches if the field is less than or equal to the value; see [`below`](Self::below).
    pub fn at_most(field: &str, value: impl Into<Ejson>) -> Self {
        Self(Condition::Compares(field.to_owned(), Comparison::AtMost, Operand(value.into())))
    }

    /// Matches if the field is greater than or equal to the value; see [`below`](Self::below).
    pub fn at_least(field: &str, value: impl Into<Ejson>) -> Self {
        Self(Condition::Compares(field.to_owned(), Comparison::AtLeast, Operand(value.into())))
    }

    /// Matches if the field is greater than the value; see [`below`](Self::below).
    pub fn above(field: &str, value: impl Into<Ejson>) -> Self {
        Self(Condition::Compares(field.to_owned(), Comparison::Above, Operand(value.into())))
    }

    /// Matches if the document has the field, whatever its value.
    #[must_use]
    pub fn exists(field: &str) -> Self {
        if field == ID {
            return Self::everything();
        }
        Self(Condition::Exists(field.to_owned()))
    }

    /// Matches if all conditions match. Without conditions, matches every document.
    pub fn all(filters: impl IntoIterator<Item = Self>) -> Self {
        Self(Condition::All(filters.into_iter().collect()))
    }

    /// Matches if at least one condition matches. Without conditions, matches no document.
    pub fn any(filters: impl IntoIterator<Item = Self>) -> Self {
        Self(Condition::Any(filters.into_iter().collect()))
    }

    /// Matches if the condition does not match.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "`Filter::not(filter)` reads as the other conditions do")]
    pub fn not(filter: Self) -> Self {
        Self(Condition::Not(Box::new(filter)))
    }

    /// Returns the ids of all documents that can match, or `None` if the filter does not name them.
    pub(super) fn ids(&self) -> Option<&[String]> {
        self.find_condition(&mut |condition| match condition {
            Condition::Id(ids) => Some(ids.as_slice()),
            _ => None,
        })
    }

    /// Returns the values of which the field must equal one, or `None` if the filter does not compare it for equality.
    pub(super) fn equality(&self, field: &str) -> Option<Vec<&Ejson>> {
        self.find_condition(&mut |condition| match condition {
            Condition::Equals(name, value) if name == field => Some(vec![&value.0]),
            Condition::In(name, values) if name == field => Some(values.iter().map(|value| &value.0).collect()),
            _ => None,
        })
    }

    /// Returns the fields that every matching document has with one of some values, in the order of their names.
    pub(super) fn equality_fields(&self) -> BTreeSet<&str> {
        let mut fields = BTreeSet::new();
        self.find_condition::<()>(&mut |condition| {
            if let Condition::Equals(name, _) | Condition::In(name, _) = condition {
                fields.insert(name.as_str());
            }
            None
        });
        fields
    }

    /// Returns the comparisons that every matching document fulfils with a field.
    pub(super) fn comparisons(&self, field: &str) -> Vec<(Comparison, &Ejson)> {
        let mut comparisons = Vec::new();
        self.find_condition::<()>(&mut |condition| {
            if let Condition::Compares(name, comparison, value) = condition
                && name == field
            {
                comparisons.push((*comparison, &value.0));
            }
            None
        });
        comparisons
    }

    /// Returns the first field that is compared for order, or `None`.
    pub(super) fn compared_field(&self) -> Option<&str> {
        self.find_condition(&mut |condition| match condition {
            Condition::Compares(name, ..) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Returns the first result of `find` among the conditions that all must match.
    fn find_condition<'filter, Found>(
        &'filter self,
        find: &mut impl FnMut(&'filter Condition) -> Option<Found>,
    ) -> Option<Found> {
        match &self.0 {
            Condition::All(filters) => filters.iter().find_map(|filter| filter.find_condition(find)),
            condition => find(condition),
        }
    }

    /// Returns the condition without its values, such as `rid = … and ts > …`. Empty if every document matches.
    pub(super) fn shape(&self) -> String {
        let several = |filters: &[Self], between: &str| {
            let shapes: Vec<String> = filters.iter().take(MAX_SHAPES).map(Self::shape).collect();
            shapes.join(between)
        };
        match &self.0 {
            Condition::All(filters) => several(filters, " and "),
            Condition::Any(filters) => format!("({})", several(filters, " or ")),
            Condition::Not(filter) => format!("not ({})", filter.shape()),
            Condition::Id(_) => "_id = …".to_owned(),
            Condition::Equals(field, _) => format!("{field} = …"),
            Condition::In(field, _) => format!("{field} in …"),
            Condition::Exists(field) => format!("{field} exists"),
            Condition::Compares(field, comparison, _) => format!("{field} {} …", comparison.sign()),
        }
    }

    pub(super) fn matches(&self, id: &str, document: &Object) -> bool {
        match &self.0 {
            Condition::All(filters) => filters.iter().all(|filter| filter.matches(id, document)),
            Condition::Any(filters) => filters.iter().any(|filter| filter.matches(id, document)),
            Condition::Not(filter) => !filter.matches(id, document),
            Condition::Id(ids) => ids.iter().any(|other| other == id),
            Condition::Equals(field, value) => equals(document, field, &mut |found| *found == value.0),
            Condition::In(field, values) => {
                equals(document, field, &mut |found| values.iter().any(|value| *found == value.0))
            }
            Condition::Exists(field) => value_at(document, field).is_some(),
            Condition::Compares(field, comparison, value) => {
                let ordering = value_at(document, field).and_then(|found| compare(found, &value.0));
                ordering.is_some_and(|ordering| comparison.accepts(ordering))
            }
        }
    }
}

impl Hash for Operand {
    fn hash<H: Hasher>(&self, state: &mut H) {
        mem::discriminant(&self.0).hash(state);
        match &self.0 {
            Ejson::Bool(value) => value.hash(state),
            Ejson::Number(number) => number.hash(state),
            Ejson::String(text) => text.hash(state),
            Ejson::Date(date) => date.hash(state),
            Ejson::ObjectId(id) => id.hash(state),
            Ejson::Array(values) => values.len().hash(state),
            Ejson::Object(members) => members.len().hash(state),
            // Values of the other kinds are rare operands, so they may share a hash.
            _ => {}
        }
    }
}

/// Returns the id in its form on the wire, or `None` if the value cannot be an id.
fn to_id(value: Ejson) -> Option<String> {
    let id = match value {
        Ejson::String(text) => DocumentId::String(text),
        Ejson::ObjectId(id) => DocumentId::ObjectId(id),
        Ejson::Number(number) => DocumentId::Number(number),
        Ejson::Bool(value) => DocumentId::Bool(value),
        _ => return None,
    };
    Some(id.to_wire().into_owned())
}

impl Comparison {
    const fn sign(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "≤",
            Self::AtLeast => "≥",
            Self::Above => ">",
        }
    }

    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Below => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::AtLeast => ordering.is_ge(),
            Self::Above => ordering.is_gt(),
        }
    }
}

/// Compares two values of the same kind. Returns `None` if their kinds differ or have no order.
pub(super) fn compare(a: &Ejson, b: &Ejson) -> Option<Ordering> {
    match (a, b) {
        (Ejson::Number(a), Ejson::Number(b)) => key::compare_numbers(*a, *b),
        (Ejson::String(a), Ejson::String(b)) => Some(a.cmp(b)),
        (Ejson::Bool(a), Ejson::Bool(b)) => Some(a.cmp(b)),
        (Ejson::Date(a), Ejson::Date(b)) => a.milliseconds().partial_cmp(&b.milliseconds()),
        _ => None,
    }
}

/// Returns whether `is_wanted` accepts the value of a field, or an element of it.
fn equals(document: &Object, field: &str, is_wanted: &mut impl FnMut(&Ejson) -> bool) -> bool {
    is_wanted(value_at(document, field).unwrap_or(&Ejson::Null)) || any_element(document, field, is_wanted)
}
