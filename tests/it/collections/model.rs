//! The simplest possible collection: a list of documents, which is searched and sorted as the documentation says.

use std::cmp::Ordering;

use bolide::collection::Query;
use bolide::prelude::*;
use bolide::protocol::ejson::{CustomTypes, Number, Object};

/// A value, as EJSON text.
pub(super) type Text = &'static str;

#[derive(Clone, Debug)]
pub(super) enum Condition {
    Ids(Vec<Text>),
    Equals(Text, Text),
    In(Text, Vec<Text>),
    Below(Text, Text),
    AtMost(Text, Text),
    AtLeast(Text, Text),
    Above(Text, Text),
    Exists(Text),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) condition: Condition,
    pub(super) sort: Vec<(Text, Direction)>,
    pub(super) skip: usize,
    pub(super) limit: Option<usize>,
    pub(super) projection: Projection,
}

#[derive(Clone, Debug)]
pub(super) enum Projection {
    Everything,
    Only(Text),
    Without(Text),
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Set(Text, Text),
    SetOnInsert(Text, Text),
    Unset(Text),
    Increment(Text, Text),
    Push(Text, Text),
    PushUnique(Text, Text),
    Pull(Text, Text),
}

#[derive(Clone, Debug)]
pub(super) enum Write {
    Insert(Text, Vec<(Text, Text)>),
    Update(Text, Vec<Change>),
    UpdateIf(Text, Condition, Vec<Change>),
    Upsert(Text, Vec<Change>),
    Remove(Text),
}

/// Why a write is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Duplicate,
    NotUnique,
    Mismatch,
    Unmatched,
}

/// The documents, without `_id`, by their ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    documents: Vec<(Text, Object)>,
    /// The field that has a unique index.
    unique: Option<Text>,
}

impl Model {
    /// Creates a collection without documents. `unique` is the field that has a unique index.
    pub(super) fn new(unique: Option<Text>) -> Self {
        Self { unique, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.documents.len()
    }

    /// Returns the result of a query, in order.
    pub(super) fn find(&self, selection: &Selection) -> Vec<(Text, Object)> {
        let matches = |(id, document): &&(Text, Object)| selection.condition.matches(id, document);
        let mut found: Vec<(Text, Object)> = self.documents.iter().filter(matches).cloned().collect();
        found.sort_by(|one, other| selection.compare(one, other));
        found.into_iter().skip(selection.skip).take(selection.limit.unwrap_or(usize::MAX)).collect()
    }

    /// Makes one write. Returns whether it applied to a document.
    pub(super) fn write(&mut self, write: &Write) -> Result<bool, Refusal> {
        let before = self.documents.clone();
        let outcome = self.try_write(write);
        if outcome.is_err() {
            self.documents = before;
        }
        outcome
    }

    /// Makes all writes or none. A write for which there is no document is an error, unless it removes.
    pub(super) fn write_together(&mut self, writes: &[Write]) -> Result<(), Refusal> {
        let before = self.documents.clone();
        let outcome = writes.iter().try_for_each(|write| match (self.write(write)?, write) {
            (false, Write::Update(..) | Write::UpdateIf(..)) => Err(Refusal::Unmatched),
            _ => Ok(()),
        });
        if outcome.is_err() {
            self.documents = before;
        }
        outcome
    }

    pub(super) fn update_many(&mut self, condition: &Condition, changes: &[Change]) -> Result<usize, Refusal> {
        let ids = self.ids(condition);
        let writes: Vec<Write> = ids.iter().map(|id| Write::Update(id, changes.to_vec())).collect();
        self.write_together(&writes)?;
        Ok(ids.len())
    }

    pub(super) fn remove_many(&mut self, condition: &Condition) -> usize {
        let ids = self.ids(condition);
        self.documents.retain(|(id, _)| !ids.contains(id));
        ids.len()
    }

    fn ids(&self, condition: &Condition) -> Vec<Text> {
        let mut ids: Vec<Text> =
            self.documents.iter().filter(|(id, document)| condition.matches(id, document)).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    fn try_write(&mut self, write: &Write) -> Result<bool, Refusal> {
        match write {
            Write::Insert(id, _) if self.place(id).is_some() => Err(Refusal::Duplicate),
            Write::Insert(id, fields) => {
                let document = fields.iter().map(|(name, value)| ((*name).to_owned(), read(value))).collect();
                self.documents.push((id, document));
                self.check_unique(id).map(|()| true)
            }
            Write::Update(id, changes) => self.update(id, changes),
            Write::UpdateIf(id, condition, changes) => match self.place(id) {
                Some(place) if condition.matches(id, &self.documents[place].1) => self.update(id, changes),
                _ => Ok(false),
            },
            Write::Upsert(id, changes) if self.place(id).is_some() => self.update(id, changes),
            Write::Upsert(id, changes) => {
                let mut document = Object::new();
                changes.iter().try_for_each(|change| change.apply(&mut document, true))?;
                self.documents.push((id, document));
                self.check_unique(id).map(|()| true)
            }
            Write::Remove(id) => {
                let place = self.place(id);
                place.map(|place| self.documents.remove(place));
                Ok(place.is_some())
            }
        }
    }

    fn update(&mut self, id: Text, changes: &[Change]) -> Result<bool, Refusal> {
        let Some(place) = self.place(id) else { return Ok(false) };
        let document = &mut self.documents[place].1;
        changes.iter().try_for_each(|change| change.apply(document, false))?;
        self.check_unique(id).map(|()| true)
    }

    fn place(&self, id: &str) -> Option<usize> {
        self.documents.iter().position(|(other, _)| *other == id)
    }

    fn check_unique(&self, id: &str) -> Result<(), Refusal> {
        let Some(unique) = self.unique else { return Ok(()) };
        let values = |document: &Object| {
            let mut values = equal_values(document, unique);
            values.retain(|value| !value.is_null());
            values
        };
        let own = self.place(id).map(|place| values(&self.documents[place].1)).unwrap_or_default();
        let others = self.documents.iter().filter(|(other, _)| *other != id);
        let is_taken = others.flat_map(|(_, document)| values(document)).any(|value| own.contains(&value));
        if is_taken { Err(Refusal::NotUnique) } else { Ok(()) }
    }
}

impl Selection {
    /// Returns all documents, by their ids.
    pub(super) fn everything() -> Self {
        let condition = Condition::All(Vec::new());
        Self { condition, sort: Vec::new(), skip: 0, limit: None, projection: Projection::Everything }
    }

    pub(super) fn query(&self, items: &Collection) -> Query {
        let mut query = items.find(self.condition.filter()).skip(self.skip);
        for (field, direction) in &self.sort {
            query = query.sort(field, *direction);
        }
        if let Some(limit) = self.limit {
            query = query.limit(limit);
        }
        match self.projection {
            Projection::Everything => query,
            Projection::Only(field) => query.only([field]),
            Projection::Without(field) => query.without([field]),
        }
    }

    /// Returns the fields that clients see.
    pub(super) fn show(&self, mut document: Object) -> Object {
        document.retain(|name, _| match self.projection {
            Projection::Everything => true,
            Projection::Only(field) => name == field,
            Projection::Without(field) => name != field,
        });
        document
    }

    fn compare(&self, one: &(Text, Object), other: &(Text, Object)) -> Ordering {
        let directed = |ordering: Ordering, direction| match direction {
            Direction::Descending => ordering.reverse(),
            _ => ordering,
        };
        for (field, direction) in &self.sort {
            let ordering = match *field {
                "_id" => one.0.cmp(other.0),
                field => order(&value(&one.1, field), &value(&other.1, field)),
            };
            if ordering.is_ne() {
                return directed(ordering, *direction);
            }
        }
        directed(one.0.cmp(other.0), self.sort.first().map_or(Direction::Ascending, |(_, direction)| *direction))
    }
}

impl Condition {
    pub(super) fn filter(&self) -> Filter {
        let filters = |conditions: &[Self]| conditions.iter().map(Self::filter).collect::<Vec<_>>();
        match self {
            Self::Ids(ids) => Filter::is_in("_id", ids.clone()),
            Self::Equals(field, value) => Filter::eq(field, read(value)),
            Self::In(field, values) => Filter::is_in(field, values.iter().map(|value| read(value))),
            Self::Below(field, value) => Filter::below(field, read(value)),
            Self::AtMost(field, value) => Filter::at_most(field, read(value)),
            Self::AtLeast(field, value) => Filter::at_least(field, read(value)),
            Self::Above(field, value) => Filter::above(field, read(value)),
            Self::Exists(field) => Filter::exists(field),
            Self::Not(condition) => Filter::not(condition.filter()),
            Self::All(conditions) => Filter::all(filters(conditions)),
            Self::Any(conditions) => Filter::any(filters(conditions)),
        }
    }

    fn matches(&self, id: &str, document: &Object) -> bool {
        let compares = |field: &str, other: &str, accepts: fn(Ordering) -> bool| {
            compare(&value(document, field), &read(other)).is_some_and(accepts)
        };
        match self {
            Self::Ids(ids) => ids.contains(&id),
            Self::Equals(field, value) => equal_values(document, field).contains(&read(value)),
            Self::In(field, values) => values.iter().any(|value| equal_values(document, field).contains(&read(value))),
            Self::Below(field, value) => compares(field, value, Ordering::is_lt),
            Self::AtMost(field, value) => compares(field, value, Ordering::is_le),
            Self::AtLeast(field, value) => compares(field, value, Ordering::is_ge),
            Self::Above(field, value) => compares(field, value, Ordering::is_gt),
            Self::Exists(field) => follow(document, field).is_some(),
            Self::Not(condition) => !condition.matches(id, document),
            Self::All(conditions) => conditions.iter().all(|condition| condition.matches(id, document)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.matches(id, document)),
        }
    }
}

impl Change {
    pub(super) fn add_to(&self, update: Update) -> Update {
        match self {
            Self::Set(field, value) => update.set(field, read(value)),
            Self::SetOnInsert(field, value) => update.set_on_insert(field, read(value)),
            Self::Unset(field) => update.unset(field),
            Self::Increment(field, by) => update.increment(field, number(by)),
            Self::Push(field, value) => update.push(field, read(value)),
            Self::PushUnique(field, value) => update.push_unique(field, read(value)),
            Self::Pull(field, value) => update.pull(field, read(value)),
        }
    }

    fn apply(&self, document: &mut Object, is_new: bool) -> Result<(), Refusal> {
        match self {
            Self::SetOnInsert(..) if !is_new => Ok(()),
            Self::Set(field, value) | Self::SetOnInsert(field, value) => put(document, field, read(value)),
            Self::Unset(field) => {
                remove(document, field);
                Ok(())
            }
            Self::Increment(field, by) => {
                let before = match follow(document, field) {
                    None => Number::from(0),
                    Some(Ejson::Number(number)) => number,
                    Some(_) => return Err(Refusal::Mismatch),
                };
                put(document, field, Ejson::Number(sum(before, number(by))))
            }
            Self::Push(field, value) => {
                let elements = array(document, field)?.unwrap_or_default();
                put(document, field, Ejson::Array([elements, vec![read(value)]].concat()))
            }
            Self::PushUnique(field, value) => match array(document, field)?.unwrap_or_default() {
                elements if elements.contains(&read(value)) => Ok(()),
                elements => put(document, field, Ejson::Array([elements, vec![read(value)]].concat())),
            },
            Self::Pull(field, value) => match array(document, field)? {
                None => Ok(()),
                Some(elements) => {
                    let kept = elements.into_iter().filter(|element| *element != read(value)).collect();
                    put(document, field, Ejson::Array(kept))
                }
            },
        }
    }
}

/// Reads EJSON text.
pub(super) fn read(text: &str) -> Ejson {
    Ejson::parse(text, &CustomTypes::default()).expect("EJSON")
}

fn number(text: &str) -> Number {
    match read(text) {
        Ejson::Number(number) => number,
        other => panic!("not a number: {other:?}"),
    }
}

fn sum(one: Number, other: Number) -> Number {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => Number::from(one + other),
        _ => Number::from(one.as_f64() + other.as_f64()),
    }
}

fn follow(document: &Object, path: &str) -> Option<Ejson> {
    let mut names = path.split('.');
    let mut value = document.get(names.next()?)?;
    for name in names {
        let Ejson::Object(inner) = value else { return None };
        value = inner.get(name)?;
    }
    Some(value.clone())
}

fn value(document: &Object, path: &str) -> Ejson {
    follow(document, path).unwrap_or(Ejson::Null)
}

/// Returns all values that a comparison for equality looks at.
fn equal_values(document: &Object, path: &str) -> Vec<Ejson> {
    let mut values = vec![value(document, path)];
    if let Some(Ejson::Array(elements)) = follow(document, path) {
        values.extend(elements);
    }
    let Some((first, rest)) = path.split_once('.') else { return values };
    if let Some(Ejson::Array(elements)) = document.get(first) {
        for element in elements {
            if let Ejson::Object(inner) = element
                && follow(inner, rest).is_some()
            {
                values.extend(equal_values(inner, rest));
            }
        }
    }
    values
}

fn array(document: &Object, path: &str) -> Result<Option<Vec<Ejson>>, Refusal> {
    match follow(document, path) {
        None => Ok(None),
        Some(Ejson::Array(elements)) => Ok(Some(elements)),
        Some(_) => Err(Refusal::Mismatch),
    }
}

fn put(document: &mut Object, path: &str, value: Ejson) -> Result<(), Refusal> {
    let Some((first, rest)) = path.split_once('.') else {
        document.insert(path.to_owned(), value);
        return Ok(());
    };
    match document.entry(first.to_owned()).or_insert_with(|| Ejson::Object(Object::new())) {
        Ejson::Object(inner) => put(inner, rest, value),
        _ => Err(Refusal::Mismatch),
    }
}

fn remove(document: &mut Object, path: &str) {
    match path.split_once('.') {
        None => drop(document.shift_remove(path)),
        Some((first, rest)) => {
            if let Some(Ejson::Object(inner)) = document.get_mut(first) {
                remove(inner, rest);
            }
        }
    }
}

/// Compares two values of one kind, as filters do.
fn compare(one: &Ejson, other: &Ejson) -> Option<Ordering> {
    let is_nan = |value: &Ejson| matches!(value, Ejson::Number(number) if number.as_f64().is_nan());
    match (one, other) {
        _ if is_nan(one) || is_nan(other) => None,
        (Ejson::Number(_), Ejson::Number(_))
        | (Ejson::String(_), Ejson::String(_))
        | (Ejson::Bool(_), Ejson::Bool(_))
        | (Ejson::Date(_), Ejson::Date(_)) => Some(order(one, other)),
        _ => None,
    }
}

/// Compares any two values, as sorting does.
fn order(one: &Ejson, other: &Ejson) -> Ordering {
    match (one, other) {
        (Ejson::Number(one), Ejson::Number(other)) => order_numbers(*one, *other),
        (Ejson::String(one), Ejson::String(other)) => one.cmp(other),
        (Ejson::Bool(one), Ejson::Bool(other)) => one.cmp(other),
        (Ejson::Date(one), Ejson::Date(other)) => one.cmp(other),
        (Ejson::Array(one), Ejson::Array(other)) => {
            let different = one.iter().zip(other).map(|(one, other)| order(one, other)).find(|order| order.is_ne());
            different.unwrap_or_else(|| one.len().cmp(&other.len()))
        }
        (Ejson::Object(one), Ejson::Object(other)) => order_members(one, other),
        _ => kind(one).cmp(&kind(other)),
    }
}

fn order_numbers(one: Number, other: Number) -> Ordering {
    if let (Some(one), Some(other)) = (one.as_i64(), other.as_i64()) {
        return one.cmp(&other);
    }
    let (one, other) = (one.as_f64(), other.as_f64());
    one.partial_cmp(&other).unwrap_or_else(|| other.is_nan().cmp(&one.is_nan()))
}

fn order_members(one: &Object, other: &Object) -> Ordering {
    let (mut one, mut other) = (one.clone(), other.clone());
    one.sort_keys();
    other.sort_keys();
    for ((name, value), (other_name, other_value)) in one.iter().zip(&other) {
        let ordering = name.cmp(other_name).then_with(|| order(value, other_value));
        if ordering.is_ne() {
            return ordering;
        }
    }
    one.len().cmp(&other.len())
}

fn kind(value: &Ejson) -> usize {
    match value {
        Ejson::Null => 0,
        Ejson::Number(_) => 1,
        Ejson::String(_) => 2,
        Ejson::Object(_) => 3,
        Ejson::Array(_) => 4,
        Ejson::Bool(_) => 5,
        Ejson::Date(_) => 6,
        other => panic!("the histories do not have {other:?}"),
    }
}
