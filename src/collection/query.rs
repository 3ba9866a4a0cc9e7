//! [`Query`]: a filter with an order, a window and a selection of fields.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;
use serde::de::DeserializeOwned;

use super::core::CollectionCore;
use super::filter::Filter;
use super::plan::{Direction, Plan, Projection};

/// A query over a collection of documents of the type `T`. With
/// [`Subscription::publish`](crate::Subscription::publish), it is live.
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

impl<T> Query<T> {
    pub(super) fn new(core: Arc<CollectionCore>, filter: Filter) -> Self {
        Self { core, plan: Plan::new(filter), documents: PhantomData }
    }

    /// Orders the documents by a field. Further calls order documents that are equal so far. The order decides which
    /// documents are within [`skip`](Self::skip) and [`limit`](Self::limit); it is not sent to clients.
    pub fn sort(mut self, field: &str, direction: Direction) -> Self {
        self.plan.sort.push((field.to_owned(), direction));
        self
    }

    /// Sets the maximum number of documents. The default is no limit.
    pub const fn limit(mut self, documents: usize) -> Self {
        self.plan.limit = Some(documents);
        self
    }

    /// Skips this number of documents. The default is 0.
    pub const fn skip(mut self, documents: usize) -> Self {
        self.plan.skip = documents;
        self
    }

    /// Shows only these top-level fields to clients. Replaces [`without`](Self::without).
    pub fn only<Name: Into<String>>(mut self, fields: impl IntoIterator<Item = Name>) -> Self {
        self.plan.projection = Projection::Only(fields.into_iter().map(Into::into).collect());
        self
    }

    /// Hides these top-level fields from clients. Replaces [`only`](Self::only).
    pub fn without<Name: Into<String>>(mut self, fields: impl IntoIterator<Item = Name>) -> Self {
        self.plan.projection = Projection::Without(fields.into_iter().map(Into::into).collect());
        self
    }
}

impl<T: DeserializeOwned> Query<T> {
    /// Returns the current documents of the result, in order. They have all fields, including those hidden from
    /// clients. Documents that cannot be read as a `T` are skipped.
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

impl<T> fmt::Debug for Query<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Query").field("collection", &self.core.name()).field("plan", &self.plan).finish()
    }
}
