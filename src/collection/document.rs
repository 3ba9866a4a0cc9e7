//! [`Document`]: one document of a collection, with its encoded form.

use std::sync::{Arc, OnceLock};

use bolide_protocol::ejson::{self, Object};
use bolide_protocol::{DocumentId, Ejson, RawJson};
use bytestring::ByteString;

use super::filter::ID;
use crate::publication::{FieldMap, Fields, added_frame};

/// An immutable document. A change creates a new one.
#[derive(Debug)]
pub(crate) struct Document {
    /// The id, as on the wire.
    pub(crate) id: Arc<str>,
    /// The fields, without `_id`.
    pub(crate) object: Object,
    /// The number of the change that made this version, in the order of the collection.
    pub(crate) version: u64,
    /// The fields as text, if they were read as such.
    raw: Option<RawJson>,
    shown: OnceLock<Shown>,
}

/// The fields of a document that a query shows, shared by all its subscribers.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) fields: Arc<Fields>,
    /// The `added` message.
    pub(super) frame: ByteString,
}

impl Document {
    pub(crate) fn new(id: Arc<str>, object: Object, version: u64) -> Self {
        Self { id, object, version, raw: None, shown: OnceLock::new() }
    }

    /// Creates a document from its fields as EJSON text, without `_id`.
    ///
    /// # Errors
    /// Returns why the text cannot be read.
    pub(crate) fn of_text(id: Arc<str>, fields: &str, version: u64) -> Result<Self, String> {
        // Read field by field, so that a field's name is not taken as an EJSON type.
        let object: Object = serde_json::from_str(fields).map_err(|error| error.to_string())?;
        let raw = RawJson::parse(fields).map_err(|error| error.to_string())?;
        Ok(Self { id, object, version, raw: Some(raw), shown: OnceLock::new() })
    }

    /// Returns all fields, encoded once.
    pub(super) fn shown(&self, collection: &str) -> &Shown {
        self.shown.get_or_init(|| match self.raw.clone().map(Fields::from_raw) {
            Some(Ok(fields)) => Shown::new(collection, &self.id, fields),
            _ => Shown::of(collection, &self.id, self.object.iter()),
        })
    }

    /// Returns the fields as EJSON text, without `_id`.
    pub(super) fn raw(&self, collection: &str) -> RawJson {
        self.raw.clone().unwrap_or_else(|| self.shown(collection).fields.raw().clone())
    }

    /// Returns the size of the fields as EJSON text. They are encoded once.
    pub(super) fn text_bytes(&self, collection: &str) -> u64 {
        self.shown(collection).fields.raw().get().len() as u64
    }

    /// Returns the fields with the id as the member `_id`.
    pub(super) fn with_id(&self) -> Object {
        let mut object = Object::with_capacity(self.object.len() + 1);
        object.insert(ID.to_owned(), id_value(&self.id));
        object.extend(self.object.iter().map(|(name, value)| (name.clone(), value.clone())));
        object
    }
}

/// Returns an id as a value.
pub(super) fn id_value(id: &str) -> Ejson {
    match DocumentId::from_wire(id) {
        Ok(DocumentId::String(text)) => Ejson::String(text),
        Ok(DocumentId::ObjectId(id)) => Ejson::ObjectId(id),
        Ok(DocumentId::Number(number)) => Ejson::Number(number),
        Ok(DocumentId::Bool(value)) => Ejson::Bool(value),
        Ok(DocumentId::Null | DocumentId::Undefined) => Ejson::Null,
        Err(_) => Ejson::String(id.to_owned()),
    }
}

impl Shown {
    pub(super) fn of<'document>(
        collection: &str,
        id: &str,
        fields: impl Iterator<Item = (&'document String, &'document Ejson)>,
    ) -> Self {
        let fields: FieldMap =
            fields.filter_map(|(name, value)| Some((name.as_str().into(), ejson::to_raw(value).ok()?))).collect();
        Self::new(collection, id, Fields::from_map(fields))
    }

    fn new(collection: &str, id: &str, fields: Fields) -> Self {
        let frame = added_frame(collection, id, &fields);
        Self { fields: Arc::new(fields), frame }
    }
}
