//! [`Query`]: a filter with order, limit and a choice of fields.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;
use serde::de::DeserializeOwned;

use super::CollectionCore;
use super::core::Documents;
use super::document::{Document, Shown};
use super::filter::{Filter, ID, compare, value_at};

/// A query over a collection of documents of the type `T`. Given to
/// [`Subscription::publish`](crate::Subscription::publish) it is live.
///
/// ```
/// use bolide::prelude::*;
///
/// let items: Collection = Collection::new("items");
/// let newest = items.find(Filter::everything()).sort("at", Direction::Descending).limit(10).only(["name"]);
/// ```
#[must_use = "a query does nothing until it is published or fetched"]
pub struct Query<T = Object> {
    pub(super) core: Arc<CollectionCore>,
    pub(super) plan: Plan,
    documents: PhantomData<fn() -> T>,
}

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Direction {
    /// The smallest first.
    Ascending,
    /// The greatest first.
    Descending,
}

/// What a query asks for. Queries of equal plans share their work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    filter: Filter,
    sort: Vec<(String, Direction)>,
    skip: usize,
    limit: Option<usize>,
    projection: Projection,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Projection {
    Everything,
    Only(Vec<String>),
    Without(Vec<String>),
}

impl<T> Query<T> {
    pub(super) fn new(core: Arc<CollectionCore>, filter: Filter) -> Self {
        let plan = Plan { filter, sort: Vec::new(), skip: 0, limit: None, projection: Projection::Everything };
        Self { core, plan, documents: PhantomData }
    }

    /// Orders by a field; of several, the one that is named first counts most. The order decides which documents a limit
    /// lets through; clients are not told of it.
    pub fn sort(mut self, field: &str, direction: Direction) -> Self {
        self.plan.sort.push((field.to_owned(), direction));
        self
    }

    /// Gives this many documents at most.
    pub const fn limit(mut self, documents: usize) -> Self {
        self.plan.limit = Some(documents);
        self
    }

    /// Leaves out the first ones.
    pub const fn skip(mut self, documents: usize) -> Self {
        self.plan.skip = documents;
        self
    }

    /// Shows only these top-level fields.
    pub fn only<Name: Into<String>>(mut self, fields: impl IntoIterator<Item = Name>) -> Self {
        self.plan.projection = Projection::Only(fields.into_iter().map(Into::into).collect());
        self
    }

    /// Shows all but these top-level fields.
    pub fn without<Name: Into<String>>(mut self, fields: impl IntoIterator<Item = Name>) -> Self {
        self.plan.projection = Projection::Without(fields.into_iter().map(Into::into).collect());
        self
    }
}

impl<T: DeserializeOwned> Query<T> {
    /// Returns the documents of the result as they are now, with all of their fields whatever the query shows to clients.
    /// Documents that cannot be read as a `T` are left out.
    #[must_use]
    pub fn fetch(&self) -> Vec<T> {
        let objects = self.core.fetch(&self.plan);
        objects.into_iter().filter_map(|object| Ejson::Object(object).into_typed().ok()).collect()
    }
}

impl<T> Clone for Query<T> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), plan: self.plan.clone(), documents: PhantomData }
    }
}

impl Plan {
    /// A text that is the same for equal plans.
    pub(super) fn key(&self) -> String {
        format!("{self:?}")
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

impl<T> fmt::Debug for Query<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Query").field("collection", &self.core.name()).field("plan", &self.plan).finish()
    }
}
