//! [`Fields`]: the fields of a document as EJSON text, shared by all sessions that show it. The text is parsed only
//! when single fields are needed.

use std::sync::{Arc, OnceLock};

use bolide_protocol::ejson::{self, EncodeError};
use bolide_protocol::{Ejson, RawJson};
use bytestring::ByteString;
use indexmap::{IndexMap, IndexSet};
use serde::Serialize;

/// Fields by name, in the order of the document.
pub(crate) type FieldMap = IndexMap<Box<str>, RawJson>;

/// The fields of one document, without `_id`.
#[derive(Debug)]
pub(crate) struct Fields {
    raw: RawJson,
    by_name: OnceLock<Box<FieldMap>>,
}

impl Fields {
    /// Encodes a struct or map as fields, without `_id`.
    pub(crate) fn encode(fields: &(impl Serialize + ?Sized)) -> Result<Self, EncodeError> {
        Self::from_raw(ejson::to_raw(fields)?)
    }

    /// Creates fields from the text of an object, without `_id`.
    pub(crate) fn from_raw(raw: RawJson) -> Result<Self, EncodeError> {
        if !raw.get().starts_with('{') {
            return Err(serde::ser::Error::custom("the fields of a document must be a struct or a map"));
        }
        if mentions_id(&raw) {
            let mut fields = read(&raw);
            if fields.shift_remove("_id").is_some() {
                return Ok(Self::from_map(fields));
            }
        }
        Ok(Self { raw, by_name: OnceLock::new() })
    }

    pub(crate) fn from_map(fields: FieldMap) -> Self {
        Self {
            raw: ejson::to_raw(&Pairs(&fields)).unwrap_or_else(|_| RawJson::null()),
            by_name: Box::new(fields).into(),
        }
    }

    /// Returns the fields as the text of an object.
    pub(crate) fn raw(&self) -> &RawJson {
        &self.raw
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.raw.get() == "{}"
    }

    /// Returns the fields by name.
    pub(crate) fn by_name(&self) -> &FieldMap {
        self.by_name.get_or_init(|| Box::new(read(&self.raw)))
    }

    /// Returns whether both have the same text. Different texts can have equal values.
    pub(crate) fn is_same_text(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.raw == other.raw
    }

    /// Returns whether both have equal values, possibly in different texts.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        if self.is_same_text(other) {
            return true;
        }
        let (mine, theirs) = (self.by_name(), other.by_name());
        let has_same = |name: &str, value: &RawJson| theirs.get(name).is_some_and(|other| same_value(value, other));
        mine.len() == theirs.len() && mine.iter().all(|(name, value)| has_same(name, value))
    }

    /// Returns these fields after a change.
    fn with(&self, set: &FieldMap, unset: &IndexSet<Box<str>>) -> Self {
        let mut fields = self.by_name().clone();
        for name in unset {
            fields.shift_remove(name);
        }
        fields.extend(set.iter().map(|(name, value)| (name.clone(), value.clone())));
        Self::from_map(fields)
    }
}

/// Returns whether the text may have a member `_id`. `false` is certain.
fn mentions_id(fields: &RawJson) -> bool {
    fields.get().contains("_id\"")
}

/// The difference between two versions of a document, as a `changed` message states it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) set: FieldMap,
    pub(crate) cleared: Vec<String>,
}

impl Difference {
    pub(crate) fn between(before: &FieldMap, after: &FieldMap) -> Self {
        let is_news = |name: &str, value: &RawJson| before.get(name).is_none_or(|old| !same_value(old, value));
        let set = after.iter().filter(|(name, value)| is_news(name, value));
        let cleared = before.keys().filter(|name| !after.contains_key(*name));
        Self {
            set: set.map(|(name, value)| (name.clone(), value.clone())).collect(),
            cleared: cleared.map(ToString::to_string).collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.cleared.is_empty()
    }
}

/// A change of a document that is sent to many sessions. Its outcome and its message are computed once for all sessions
/// that have the same version of the document.
#[derive(Debug)]
pub(crate) struct SharedChange {
    pub(crate) set: FieldMap,
    /// The fields to remove. Does not contain fields of `set`.
    pub(crate) unset: IndexSet<Box<str>>,
    /// The version before and after the change, if the document is stored.
    target: Option<(Arc<Fields>, Arc<Fields>)>,
    outcome: OnceLock<Arc<ChangeOutcome>>,
}

/// The outcome of a change for one version of a document.
#[derive(Debug)]
pub(crate) struct ChangeOutcome {
    before: Arc<Fields>,
    pub(crate) after: Arc<Fields>,
    pub(crate) difference: Difference,
    frame: OnceLock<ByteString>,
}

impl SharedChange {
    /// Creates a change. A field in both `set` and `unset` is set.
    pub(crate) fn new(set: FieldMap, unset: impl IntoIterator<Item = Box<str>>) -> Self {
        let unset: IndexSet<_> = unset.into_iter().filter(|name| !set.contains_key(name)).collect();
        Self { set, unset, target: None, outcome: OnceLock::new() }
    }

    /// Creates the change from one version of a document to another. Sessions with the former will share the latter.
    pub(crate) fn to(before: &Arc<Fields>, after: &Arc<Fields>) -> Self {
        let Difference { set, cleared } = Difference::between(before.by_name(), after.by_name());
        let change = Self::new(set, cleared.into_iter().map(Into::into));
        Self { target: Some((Arc::clone(before), Arc::clone(after))), ..change }
    }

    /// Returns the names of all fields that are set or removed.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.set.keys().chain(&self.unset).map(|name| &**name)
    }

    /// Returns the outcome for a document with the fields `before`.
    pub(crate) fn outcome(&self, before: &Arc<Fields>) -> Arc<ChangeOutcome> {
        if let Some(known) = self.outcome.get()
            && known.before.is_same_text(before)
        {
            return Arc::clone(known);
        }
        let after = match &self.target {
            Some((known, after)) if known.is_same_text(before) => Arc::clone(after),
            _ => Arc::new(before.with(&self.set, &self.unset)),
        };
        let outcome = Arc::new(ChangeOutcome {
            before: Arc::clone(before),
            difference: Difference::between(before.by_name(), after.by_name()),
            after,
            frame: OnceLock::new(),
        });
        self.outcome.get_or_init(|| Arc::clone(&outcome));
        outcome
    }
}

impl ChangeOutcome {
    /// Returns the message. `encode` is called only once.
    pub(crate) fn frame(&self, encode: impl FnOnce(&Difference) -> ByteString) -> ByteString {
        self.frame.get_or_init(|| encode(&self.difference)).clone()
    }
}

/// Returns whether two values are equal in EJSON: the order of keys does not matter, and `NaN` equals `NaN`.
pub(crate) fn same_value(a: &RawJson, b: &RawJson) -> bool {
    if a == b {
        return true;
    }
    let read = |raw: &RawJson| serde_json::from_str::<Ejson>(raw.get()).ok();
    match (read(a), read(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// Parses the members of an object.
fn read(raw: &RawJson) -> FieldMap {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// Serialises field by field, so that a field's name is not taken as an EJSON type.
struct Pairs<'fields>(&'fields FieldMap);

impl Serialize for Pairs<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0)
    }
}
