//! [`Query`]: a filter with an order, a window and a selection of fields.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bolide_protocol::Ejson;
use serde::de::DeserializeOwned;

use super::access::{Access, Source};
use super::core::CollectionCore;
use super::document::Document;
use super::error::{CollectionError, shortened};
use super::execution::Placed;
use super::filter::Filter;
use super::key::Direction;
use super::plan::{Plan, Projection};
use super::scans::helpful_index;

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
pub struct Query<T = bolide_protocol::ejson::Object> {
    pub(super) core: Arc<CollectionCore>,
    pub(super) plan: Plan,
    documents: PhantomData<fn() -> T>,
}

/// How a query finds its documents.
///
/// Its text is a sentence for people. Use it in tests, to be sure that an important query does not read the whole
/// collection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The name of the index, or `None` if the documents are found by their ids or by reading all of them.
    pub index: Option<String>,
    /// Whether all documents of the collection may have to be read.
    pub is_scan: bool,
    /// Whether the documents come in the order of the query. Otherwise all matching ones are read and sorted.
    pub is_ordered: bool,
    /// The index that would help, as it is declared, if all documents may have to be read and it is not declared yet.
    pub helpful_index: Option<String>,
    /// The index of a stored collection that the query would use, if it were ready.
    pub unready_index: Option<UnreadyIndex>,
}

/// A declared index that queries cannot use, with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnreadyIndex {
    /// It is being built.
    Building(String),
    /// It could not be built: documents violate it. The log names them.
    Refused(String),
}

impl<T> Query<T> {
    pub(super) fn new(core: Arc<CollectionCore>, filter: Filter) -> Self {
        Self { core, plan: Plan::new(filter), documents: PhantomData }
    }

    /// Orders the documents by a field. Further calls order documents that are equal so far; those that are equal by all
    /// fields are ordered by their ids, in the direction of the first field. Without a call, the order is that of the ids.
    /// The order decides which documents are within [`skip`](Self::skip) and [`limit`](Self::limit); it is not sent to
    /// clients.
    ///
    /// Values are ordered by kind: `null` and missing values, numbers, strings, objects, arrays, bytes, `MongoDB` ids,
    /// booleans, dates, regular expressions, custom types. Numbers are ordered by value with `NaN` first, strings by their
    /// bytes, dates by time, arrays element by element. The first 256 bytes of a value's key decide.
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

    /// Returns how the query finds its documents.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let messages: Collection = Collection::new("messages").index(["rid", "ts"]);
    /// let newest = messages.find(Filter::eq("rid", "general")).sort("ts", Direction::Descending).limit(50);
    /// let explanation = newest.explain().await?;
    /// assert_eq!(explanation.to_string(), "reads the index `rid, ts` in order");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`CollectionError::Unavailable`] if the collection is stored and cannot be opened.
    pub async fn explain(&self) -> Result<Explanation, CollectionError> {
        let (access, unready) = match self.core.store() {
            None => (self.core.access_in_memory(&self.plan), None),
            Some(stored) => {
                let opened = stored.open(&self.core).await?;
                (opened.access(&self.plan), opened.unready(&self.plan))
            }
        };
        Ok(Explanation::of(&self.core, &self.plan, &access, unready))
    }

    /// Returns the number of matching documents within the window.
    ///
    /// # Errors
    /// Returns [`CollectionError::Unavailable`] if the store fails.
    pub async fn count(&self) -> Result<usize, CollectionError> {
        match self.core.store() {
            None => Ok(self.core.count_in_memory(&self.plan)),
            Some(stored) => stored.count_matching(&self.core, &self.plan).await,
        }
    }

    /// Returns the documents within the window, in order.
    pub(super) async fn documents(&self) -> Result<Vec<Arc<Document>>, CollectionError> {
        let mut documents = Vec::new();
        match self.core.store() {
            None => {
                documents = self.core.find_noted(&self.plan);
            }
            Some(stored) => {
                let keep = |mut found: Vec<Placed>| {
                    documents.append(&mut found);
                    Ok(())
                };
                stored.find(&self.core, &self.plan, keep).await?;
            }
        }
        let shown = documents.into_iter().skip(self.plan.skip).take(self.plan.limit.unwrap_or(usize::MAX));
        Ok(shown.map(|placed| placed.document).collect())
    }
}

impl<T: DeserializeOwned> Query<T> {
    /// Returns the current documents of the result, in order. They have all fields, including those hidden from
    /// clients, and their ids as the member `_id`.
    ///
    /// # Errors
    /// Returns [`CollectionError::Unreadable`] if a document cannot be read as a `T`, and
    /// [`CollectionError::Unavailable`] if the store fails.
    pub async fn fetch(&self) -> Result<Vec<T>, CollectionError> {
        let documents = self.documents().await?;
        documents.iter().map(|document| typed(&self.core, document)).collect()
    }
}

/// Reads a document with its `_id` as a Rust type.
pub(super) fn typed<T: DeserializeOwned>(core: &CollectionCore, document: &Document) -> Result<T, CollectionError> {
    Ejson::Object(document.with_id()).into_typed().map_err(|error| CollectionError::Unreadable {
        collection: core.name().to_owned(),
        id: document.id.to_string(),
        reason: shortened(&error.to_string()),
    })
}

impl Explanation {
    fn of(core: &CollectionCore, plan: &Plan, access: &Access, unready_index: Option<UnreadyIndex>) -> Self {
        let index = match access.source {
            Source::Index { index, .. } => core.indexes().get(index).map(|index| index.name()),
            Source::Ids(_) | Source::All => None,
        };
        let is_scan = access.is_scan(plan);
        let helpful_index = if is_scan && unready_index.is_none() { helpful_index(plan) } else { None };
        Self { index, is_scan, is_ordered: access.is_ordered, helpful_index, unready_index }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.index, self.is_scan) {
            (Some(index), _) => write!(formatter, "reads the index `{index}`")?,
            (None, true) => formatter.write_str("reads all documents")?,
            (None, false) => formatter.write_str("reads documents by their ids")?,
        }
        formatter.write_str(if self.is_ordered { " in order" } else { " and sorts what matches" })?;
        match (&self.unready_index, &self.helpful_index) {
            (Some(UnreadyIndex::Building(index)), _) => write!(formatter, "; the index `{index}` is being built"),
            (Some(UnreadyIndex::Refused(index)), _) => {
                write!(formatter, "; the index `{index}` could not be built, and the log says why")
            }
            (None, Some(index)) => write!(formatter, "; `.index({index})` would help"),
            (None, None) => Ok(()),
        }
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
