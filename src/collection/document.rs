//! [`Document`]: one document of a collection, with its encoded form.

use std::sync::Arc;

use bolide_protocol::ejson::{self, Object};
use bytestring::ByteString;
use indexmap::IndexMap;

use super::update::Update;
use crate::publication::{FieldMap, Fields, added_frame};

/// All documents of a collection by id, in the order in which they were added.
pub(super) type Documents = IndexMap<Arc<str>, Arc<Document>>;

/// An immutable document. A change creates a new one.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) object: Object,
    pub(super) shown: Shown,
}

/// The fields of a document that a query shows, shared by all its subscribers.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) fields: Arc<Fields>,
    /// The `added` message.
    pub(super) frame: ByteString,
}

impl Document {
    pub(super) fn new(collection: &str, id: &str, object: Object) -> Self {
        let shown = Shown::of(collection, id, object.iter());
        Self { object, shown }
    }

    pub(super) fn updated(&self, collection: &str, id: &str, update: Update) -> Self {
        let mut object = self.object.clone();
        for field in &update.unset {
            object.shift_remove(field);
        }
        object.extend(update.set.into_iter().filter(|(field, _)| field != "_id"));
        Self::new(collection, id, object)
    }
}

impl Shown {
    pub(super) fn of<'document>(
        collection: &str,
        id: &str,
        fields: impl Iterator<Item = (&'document String, &'document bolide_protocol::Ejson)>,
    ) -> Self {
        let fields: FieldMap =
            fields.filter_map(|(name, value)| Some((name.as_str().into(), ejson::to_raw(value).ok()?))).collect();
        let fields = Fields::from_map(fields);
        let frame = added_frame(collection, id, &fields);
        Self { fields: Arc::new(fields), frame }
    }
}
