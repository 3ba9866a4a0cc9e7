//! [`Edit`]: one write of one document, and the document after it. The same code decides in memory and in a store.

use bolide_protocol::ejson::Object;

use super::document::Document;
use super::error::{CollectionError, shortened};
use super::filter::{Filter, ID};
use super::update::{Applied, Mismatch, Update};

/// The maximum length of an id, in bytes.
const MAX_ID_BYTES: usize = 1 << 10;

/// The maximum number of steps of an update. A step may cost as much as the document is long, and others wait meanwhile.
const MAX_UPDATE_STEPS: usize = 1_000;

/// One write of one document.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    Insert(Object),
    Update(Update),
    Upsert(Update),
    Remove,
    /// Puts a whole document where none is.
    Put {
        object: Object,
        existing: Existing,
    },
}

/// What becomes of a document that exists with other contents than the one to put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is left as it is.
    Keep,
    /// It is replaced.
    Replace,
}

/// What a write requires of the document.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// Nothing: a missing document is left alone.
    Any,
    /// The document must match; another one is left alone.
    If(Filter),
    /// The document must exist and match, or the whole batch fails.
    Must(Filter),
}

/// One write of one document, with its target and condition.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The id, as on the wire.
    pub(super) id: String,
    pub(super) edit: Edit,
    pub(super) condition: Condition,
}

/// What a write makes of the document.
#[derive(Debug)]
pub(super) enum After {
    /// It is left as it is, because it is missing or does not match.
    Unmatched,
    /// It matches, and the write does not change anything.
    Same,
    Stored(Object),
    Removed,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    Inserted,
    Updated,
    /// The document was there, and is as it was.
    Unchanged,
    Removed,
}

impl Step {
    pub(super) fn new(id: String, edit: Edit) -> Self {
        Self { id, edit, condition: Condition::Any }
    }

    /// Returns the document after the write.
    pub(super) fn apply(&self, collection: &str, before: Option<&Document>) -> Result<After, CollectionError> {
        self.check_id(collection)?;
        self.check_steps(collection)?;
        let is_met = match &self.condition {
            Condition::Any => true,
            Condition::If(filter) | Condition::Must(filter) => {
                before.is_some_and(|document| filter.matches(&document.id, &document.object))
            }
        };
        if !is_met {
            return match self.condition {
                Condition::Must(_) => {
                    Err(CollectionError::Unmatched { collection: collection.into(), id: self.id.clone() })
                }
                _ => Ok(After::Unmatched),
            };
        }
        match (&self.edit, before) {
            (Edit::Insert(_), Some(_)) => {
                Err(CollectionError::Duplicate { collection: collection.into(), id: self.id.clone() })
            }
            (Edit::Insert(object) | Edit::Put { object, .. }, None) => Ok(After::Stored(object.clone())),
            (Edit::Put { object, existing }, Some(before)) => Ok(existing.resolve(object, &before.object)),
            (Edit::Update(_) | Edit::Remove, None) => Ok(After::Unmatched),
            (Edit::Remove, Some(_)) => Ok(After::Removed),
            (Edit::Update(update) | Edit::Upsert(update), Some(before)) => {
                let object = self.updated(collection, update, &before.object, Applied::ToDocument)?;
                Ok(if object == before.object { After::Same } else { After::Stored(object) })
            }
            (Edit::Upsert(update), None) => {
                Ok(After::Stored(self.updated(collection, update, &Object::new(), Applied::ToNew)?))
            }
        }
    }

    fn updated(
        &self,
        collection: &str,
        update: &Update,
        before: &Object,
        applied: Applied,
    ) -> Result<Object, CollectionError> {
        update.apply(&self.id, before, applied).map_err(|Mismatch { field, expected }| {
            let (collection, id) = (collection.to_owned(), self.id.clone());
            if field == ID {
                CollectionError::ImmutableId { collection, id }
            } else {
                CollectionError::Mismatch { collection, id, field: shortened(&field), expected }
            }
        })
    }

    fn check_id(&self, collection: &str) -> Result<(), CollectionError> {
        if self.id.contains('\0') {
            let id = self.id.chars().take(20).collect();
            return Err(CollectionError::Id { collection: collection.into(), id });
        }
        if self.id.len() <= MAX_ID_BYTES {
            return Ok(());
        }
        let id = self.id.chars().take(20).chain(['…']).collect();
        Err(CollectionError::TooLarge { collection: collection.into(), id, limit: "id_bytes", maximum: MAX_ID_BYTES })
    }

    fn check_steps(&self, collection: &str) -> Result<(), CollectionError> {
        match &self.edit {
            Edit::Update(update) | Edit::Upsert(update) if update.len() > MAX_UPDATE_STEPS => {
                let (collection, id) = (collection.to_owned(), self.id.clone());
                Err(CollectionError::TooLarge { collection, id, limit: "update_steps", maximum: MAX_UPDATE_STEPS })
            }
            _ => Ok(()),
        }
    }
}

impl Existing {
    /// Returns the document after another one was put in its place.
    fn resolve(self, new: &Object, before: &Object) -> After {
        match self {
            _ if new == before => After::Same,
            Self::Keep => After::Unmatched,
            Self::Replace => After::Stored(new.clone()),
        }
    }
}

impl Outcome {
    /// Returns whether an update has found its document.
    pub(super) const fn has_found(self) -> bool {
        matches!(self, Self::Updated | Self::Unchanged)
    }
}

impl After {
    pub(super) fn outcome(&self, before: Option<&Document>) -> Outcome {
        match (self, before) {
            (Self::Unmatched, _) => Outcome::Nothing,
            (Self::Removed, _) => Outcome::Removed,
            (Self::Stored(_), None) => Outcome::Inserted,
            (Self::Stored(_), Some(_)) => Outcome::Updated,
            (Self::Same, _) => Outcome::Unchanged,
        }
    }
}
