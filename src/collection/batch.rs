//! [`Batch`]: several writes that are made together or not at all.

use std::sync::Arc;

use bolide_protocol::DocumentId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Collection;
use super::core::CollectionCore;
use super::edit::{Condition, Edit, Step};
use super::error::CollectionError;
use super::filter::Filter;
use super::update::Update;

/// Several writes, possibly to several collections, that are made together or not at all. Subscribers see them together.
///
/// The steps are made in order, and later steps see what earlier ones have done. All collections must be in memory, or all
/// in the same store.
///
/// ```
/// use bolide::prelude::*;
/// use bolide::collection::Batch;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let accounts: Collection = Collection::new("accounts");
/// accounts.upsert("ada", Update::new().set("balance", 10)).await?;
/// accounts.upsert("bob", Update::new().set("balance", 0)).await?;
///
/// let transfer = Batch::new()
///     .update_if(&accounts, "ada", Filter::at_least("balance", 7), Update::new().increment("balance", -7))
///     .update(&accounts, "bob", Update::new().increment("balance", 7));
/// transfer.clone().commit().await?;
/// assert!(transfer.commit().await.is_err(), "3 are left");
/// assert_eq!(accounts.find(Filter::eq("balance", 7)).count().await?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch {
    steps: Vec<(Arc<CollectionCore>, Step)>,
    /// The first document that is none.
    refused: Option<CollectionError>,
}

impl Batch {
    /// Creates a batch without steps.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a document, like [`Collection::insert`].
    pub fn insert<T: Serialize + DeserializeOwned>(
        mut self,
        collection: &Collection<T>,
        id: impl Into<DocumentId>,
        document: &T,
    ) -> Self {
        match collection.to_object(document) {
            Ok(object) => self.step(collection, &id.into(), Edit::Insert(object), Condition::Any),
            Err(error) => {
                self.refused.get_or_insert(error);
                self
            }
        }
    }

    /// Changes a document. If the collection does not have it, the batch fails with [`CollectionError::Unmatched`].
    pub fn update<T>(self, collection: &Collection<T>, id: impl Into<DocumentId>, update: Update) -> Self {
        self.update_if(collection, id, Filter::everything(), update)
    }

    /// Changes a document that matches a filter. If it does not, the batch fails with [`CollectionError::Unmatched`].
    pub fn update_if<T>(
        self,
        collection: &Collection<T>,
        id: impl Into<DocumentId>,
        filter: Filter,
        update: Update,
    ) -> Self {
        self.step(collection, &id.into(), Edit::Update(update), Condition::Must(filter))
    }

    /// Changes a document, or makes it, like [`Collection::upsert`].
    pub fn upsert<T>(self, collection: &Collection<T>, id: impl Into<DocumentId>, update: Update) -> Self {
        self.step(collection, &id.into(), Edit::Upsert(update), Condition::Any)
    }

    /// Removes a document, if the collection has it.
    pub fn remove<T>(self, collection: &Collection<T>, id: impl Into<DocumentId>) -> Self {
        self.step(collection, &id.into(), Edit::Remove, Condition::Any)
    }

    /// Removes a document that matches a filter. If it does not, the batch fails with [`CollectionError::Unmatched`].
    pub fn remove_if<T>(self, collection: &Collection<T>, id: impl Into<DocumentId>, filter: Filter) -> Self {
        self.step(collection, &id.into(), Edit::Remove, Condition::Must(filter))
    }

    /// Makes all steps.
    ///
    /// # Errors
    /// Returns the error of the first step that fails; then nothing was written.
    pub async fn commit(self) -> Result<(), CollectionError> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        CollectionCore::write(self.steps).await?;
        Ok(())
    }

    fn step<T>(mut self, collection: &Collection<T>, id: &DocumentId, edit: Edit, condition: Condition) -> Self {
        let step = Step { id: id.to_wire().into_owned(), edit, condition };
        self.steps.push((Arc::clone(collection.core()), step));
        self
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Batch").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}
