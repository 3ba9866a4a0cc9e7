//! [`Plan`]: the filter, order, window and fields of a query, and the selection of its result.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use bolide_protocol::Ejson;

use super::document::{Document, Documents, Shown};
use super::filter::{Filter, ID, compare, value_at};

/// The filter, order, window and fields of a query. Live queries with equal plans share one result.
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

/// The direction of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Direction {
    /// Smallest value first.
    Ascending,
    /// Greatest value first.
    Descending,
}

impl Plan {
    pub(super) const fn new(filter: Filter) -> Self {
        Self { filter, sort: Vec::new(), skip: 0, limit: None, projection: Projection::Everything }
    }

    /// Returns whether other documents affect which documents belong to the result.
    pub(super) const fn is_window(&self) -> bool {
        self.limit.is_some() || self.skip > 0
    }

    pub(super) fn matches(&self, id: &str, document: &Document) -> bool {
        self.filter.matches(id, &document.object)
    }

    /// Returns the documents of the result, in order.
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

    /// Returns the fields of a document that the query shows.
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

/// Returns the documents with one of the ids, in the order of the collection.
fn named<'documents>(
    documents: &'documents Documents,
    ids: &[String],
) -> Vec<(&'documents Arc<str>, &'documents Arc<Document>)> {
    let places: BTreeSet<usize> = ids.iter().filter_map(|id| documents.get_index_of(id.as_str())).collect();
    places.into_iter().filter_map(|place| documents.get_index(place)).collect()
}

/// Orders missing values first, and values of different kinds by kind.
fn order(a: Option<&Ejson>, b: Option<&Ejson>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => kind(a).cmp(&kind(b)).then_with(|| {
            // `NaN` comes before all numbers, so that the order is total.
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
