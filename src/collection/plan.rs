//! [`Plan`]: what a query asks for, and how its result is selected.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use bolide_protocol::Ejson;

use super::document::{Document, Documents, Shown};
use super::filter::{Filter, ID, compare, value_at};

/// What a query asks for. Queries of equal plans share their work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Plan {
    filter: Filter,
    pub(super) sort: Vec<(String, Direction)>,
    pub(super) skip: usize,
    pub(super) limit: Option<usize>,
    pub(super) projection: Projection,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Projection {
    Everything,
    Only(Vec<String>),
    Without(Vec<String>),
}

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Direction {
    /// The smallest first.
    Ascending,
    /// The greatest first.
    Descending,
}

impl Plan {
    pub(super) const fn new(filter: Filter) -> Self {
        Self { filter, sort: Vec::new(), skip: 0, limit: None, projection: Projection::Everything }
    }

    /// Whether a document belongs to the result by itself, or the others decide as well.
    pub(super) const fn is_window(&self) -> bool {
        self.limit.is_some() || self.skip > 0
    }

    pub(super) fn matches(&self, id: &str, document: &Document) -> bool {
        self.filter.matches(id, &document.object)
    }

    /// The documents of the result, in order.
    pub(super) fn select<'documents>(
        &self,
        documents: &'documents Documents,
    ) -> Vec<(&'documents Arc<str>, &'documents Arc<Document>)> {
        let mut found = match self.filter.ids() {
            Some(ids) => named(documents, ids),
            None => documents.iter().collect(),
        };
        found.retain(|(id, document)| self.matches(id, document));
        if !self.sort.is_empty() {
            found.sort_by(|a, b| self.order(*a, *b));
        }
        found.into_iter().skip(self.skip).take(self.limit.unwrap_or(usize::MAX)).collect()
    }

    /// What is shown of a document.
    pub(super) fn show(&self, collection: &str, id: &str, document: &Document) -> Shown {
        let shows = |name: &String| match &self.projection {
            Projection::Everything => true,
            Projection::Only(names) => names.contains(name),
            Projection::Without(names) => !names.contains(name),
        };
        if self.projection == Projection::Everything {
            return document.shown.clone();
        }
        Shown::of(collection, id, document.object.iter().filter(|(name, _)| shows(name)))
    }

    fn order(&self, (a_id, a): (&Arc<str>, &Arc<Document>), (b_id, b): (&Arc<str>, &Arc<Document>)) -> Ordering {
        for (field, direction) in &self.sort {
            let ordering = match field.as_str() {
                ID => a_id.cmp(b_id),
                field => order(value_at(&a.object, field), value_at(&b.object, field)),
            };
            let ordering = if *direction == Direction::Descending { ordering.reverse() } else { ordering };
            if ordering.is_ne() {
                return ordering;
            }
        }
        Ordering::Equal
    }
}

/// Those of the documents that have one of the ids, in their order.
fn named<'documents>(
    documents: &'documents Documents,
    ids: &[String],
) -> Vec<(&'documents Arc<str>, &'documents Arc<Document>)> {
    let places: BTreeSet<usize> = ids.iter().filter_map(|id| documents.get_index_of(id.as_str())).collect();
    places.into_iter().filter_map(|place| documents.get_index(place)).collect()
}

/// What is not there comes first; values of different kinds by kind.
fn order(a: Option<&Ejson>, b: Option<&Ejson>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => kind(a).cmp(&kind(b)).then_with(|| {
            // What is not a number comes before all that are, lest the order of the others depended on it.
            compare(a, b).unwrap_or_else(|| is_not_a_number(b).cmp(&is_not_a_number(a)))
        }),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

fn is_not_a_number(value: &Ejson) -> bool {
    matches!(value, Ejson::Number(number) if number.as_f64().is_nan())
}

fn kind(value: &Ejson) -> u8 {
    match value {
        Ejson::Null => 0,
        Ejson::Number(_) => 1,
        Ejson::String(_) => 2,
        Ejson::Object(_) => 3,
        Ejson::Array(_) => 4,
        Ejson::Binary(_) => 5,
        Ejson::ObjectId(_) => 6,
        Ejson::Bool(_) => 7,
        Ejson::Date(_) => 8,
        _ => 9,
    }
}
