//! [`DocumentImport`]: writes documents to a collection, many at once.

use std::sync::Arc;

use bolide_protocol::ejson::{DecodeError, Object, read_exported};
use bolide_protocol::{DocumentId, Ejson, random};
use futures::{StreamExt as _, stream};

use super::super::core::{CollectionCore, DOCUMENT_BYTES};
use super::super::edit::{Edit, Existing, Outcome, Step};
use super::super::error::CollectionError;
use super::super::filter::ID;
use crate::chance::{Chance, Generator};

/// The number of documents that wait for the store together when they are written one by one.
const WRITES_AT_ONCE: usize = 256;

/// How documents are imported.
#[derive(Clone, Copy, Debug)]
pub struct ImportOptions {
    /// What becomes of a document that exists with other contents. Default: it is kept.
    pub existing: Existing,
    /// The maximum size of a document, in bytes of its fields as EJSON text. Default: 1 MiB.
    pub max_document_bytes: usize,
}

/// A document to import.
#[derive(Clone, Debug)]
pub struct NewDocument {
    id: DocumentId,
    fields: Object,
    has_own_id: bool,
}

/// Why a text is not a document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnreadableDocument {
    /// It is no JSON object, or a value in it is malformed.
    #[error(transparent)]
    Value(#[from] DecodeError),
    /// Its `_id` cannot be the id of a document.
    #[error("`_id` must be a string, an ObjectID, a number, a boolean or null")]
    Id,
}

/// What became of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is new.
    Inserted,
    /// It existed with equal contents.
    AlreadyThere,
    /// It existed with other contents, and was replaced.
    Replaced,
    /// It exists with other contents, which were kept.
    Different,
}

/// Writes documents to a stored collection.
pub struct DocumentImport {
    core: Arc<CollectionCore>,
    existing: Existing,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self { existing: Existing::Keep, max_document_bytes: DOCUMENT_BYTES }
    }
}

impl NewDocument {
    /// Reads a document: EJSON, or extended JSON as `mongoexport` writes it. Its `_id` is its id; without one, the id is
    /// random.
    ///
    /// # Errors
    /// Returns [`UnreadableDocument`], a sentence about what is wrong.
    pub fn read(text: &str, chance: &dyn Chance) -> Result<Self, UnreadableDocument> {
        let mut fields = read_exported(text)?;
        let Some(id) = fields.shift_remove(ID) else {
            let id = DocumentId::String(random::id(&mut Generator(chance)));
            return Ok(Self { id, fields, has_own_id: false });
        };
        let id = match id {
            Ejson::String(text) => DocumentId::String(text),
            Ejson::ObjectId(id) => DocumentId::ObjectId(id),
            Ejson::Number(number) => DocumentId::Number(number),
            Ejson::Bool(value) => DocumentId::Bool(value),
            Ejson::Null => DocumentId::Null,
            _ => return Err(UnreadableDocument::Id),
        };
        Ok(Self { id, fields, has_own_id: true })
    }

    /// Returns the id.
    #[must_use]
    pub const fn id(&self) -> &DocumentId {
        &self.id
    }

    /// Returns whether the text had an `_id`.
    #[must_use]
    pub const fn has_own_id(&self) -> bool {
        self.has_own_id
    }
}

impl DocumentImport {
    pub(super) const fn new(core: Arc<CollectionCore>, existing: Existing) -> Self {
        Self { core, existing }
    }

    /// Writes documents, and returns what became of each. They are one transaction, unless one of them is refused: then
    /// the others are written without it. Some hundred documents at once are fast.
    ///
    /// # Errors
    /// Returns [`CollectionError::Unavailable`] or [`CollectionError::OutcomeUnknown`] if the store fails. The error of a single document is in the list.
    pub async fn write(
        &self,
        documents: Vec<NewDocument>,
    ) -> Result<Vec<Result<Written, CollectionError>>, CollectionError> {
        let steps: Vec<_> = documents.into_iter().map(|document| self.step(document)).collect();
        match CollectionCore::write(steps.clone()).await {
            Ok(outcomes) => return Ok(outcomes.into_iter().map(|outcome| Ok(Written::of(outcome))).collect()),
            Err(error @ (CollectionError::Unavailable { .. } | CollectionError::OutcomeUnknown { .. })) => {
                return Err(error);
            }
            // It is not known which documents are refused.
            Err(_refused) => {}
        }
        let each = steps.into_iter().map(|step| CollectionCore::write(vec![step]));
        let each: Vec<_> = stream::iter(each).buffered(WRITES_AT_ONCE).collect().await;
        let written = each.into_iter().map(|written| match written {
            Err(error @ (CollectionError::Unavailable { .. } | CollectionError::OutcomeUnknown { .. })) => Err(error),
            Err(refused) => Ok(Err(refused)),
            Ok(outcomes) => Ok(Ok(Written::of(outcomes.first().copied().unwrap_or(Outcome::Nothing)))),
        });
        written.collect()
    }

    fn step(&self, NewDocument { id, fields, .. }: NewDocument) -> (Arc<CollectionCore>, Step) {
        let edit = Edit::Put { object: fields, existing: self.existing };
        (Arc::clone(&self.core), Step::new(id.to_wire().into_owned(), edit))
    }
}

impl Written {
    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Inserted => Self::Inserted,
            Outcome::Unchanged => Self::AlreadyThere,
            Outcome::Updated => Self::Replaced,
            Outcome::Nothing | Outcome::Removed => Self::Different,
        }
    }
}

impl std::fmt::Debug for DocumentImport {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DocumentImport").field("collection", &self.core.name()).finish_non_exhaustive()
    }
}
