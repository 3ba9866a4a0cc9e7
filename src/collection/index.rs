//! [`Index`]: the fields by which a collection finds its documents, and the entries of a document in it.

use std::collections::BTreeMap;

use bolide_protocol::ejson::Object;

use super::filter::ID;
use super::key::{self, Direction};
use super::paths;

/// The maximum number of entries that one document has in one index: the elements of its arrays.
pub(super) const MAX_ENTRIES: usize = 1_000;

/// The parts of the name of an index.
const AFTER_VERSION: &str = ": ";
const BETWEEN: &str = ", ";
const DESCENDING: &str = " descending";
const UNIQUE: &str = " unique";

/// The fields by which a collection finds and orders its documents.
///
/// A query uses an index if it compares the first fields for equality; the next field may have a range, or the next
/// fields the order of the query. Each element of an array is found as well.
///
/// ```
/// use bolide::prelude::*;
/// use bolide::collection::Index;
///
/// let messages: Collection = Collection::new("messages")
///     .index(["rid", "ts"])
///     .index(Index::on("client_id").unique())
///     .index(Index::on("pinned").and_descending("ts"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Index {
    fields: Vec<(String, Direction)>,
    is_unique: bool,
}

/// The entries of a document: their keys, and for each key the fields (as bits, the first one lowest) whose value is an
/// element of an array. A range or an order uses only entries without the bit of its fields.
pub(super) type Entries = BTreeMap<Vec<u8>, u32>;

/// The error for a document with more than [`MAX_ENTRIES`].
#[derive(Debug)]
pub(super) struct TooManyEntries;

impl Index {
    /// Creates an index on a field.
    #[must_use]
    pub fn on(field: &str) -> Self {
        Self { fields: vec![(field.to_owned(), Direction::Ascending)], is_unique: false }
    }

    /// Adds a field, by which documents that are equal so far are ordered.
    #[must_use]
    pub fn and(mut self, field: &str) -> Self {
        self.fields.push((field.to_owned(), Direction::Ascending));
        self
    }

    /// Adds a field like [`and`](Self::and), greatest value first. An index can be read in both directions, so this
    /// matters only if a query orders one field ascending and another one descending.
    #[must_use]
    pub fn and_descending(mut self, field: &str) -> Self {
        self.fields.push((field.to_owned(), Direction::Descending));
        self
    }

    /// Refuses a second document with the same values. Documents can agree in that all of the fields are missing or `null`.
    /// Each element of an array counts as a value, so another document can have none of them.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.is_unique = true;
        self
    }

    pub(super) fn is_unique(&self) -> bool {
        self.is_unique
    }

    pub(super) fn fields(&self) -> &[(String, Direction)] {
        &self.fields
    }

    /// Returns the name, such as `rid, ts descending`. It identifies the index in messages.
    pub(super) fn name(&self) -> String {
        let name = |(field, direction): &(String, Direction)| match direction {
            Direction::Ascending => field.clone(),
            Direction::Descending => format!("{field}{DESCENDING}"),
        };
        let fields: Vec<String> = self.fields.iter().map(name).collect();
        let unique = if self.is_unique { UNIQUE } else { "" };
        format!("{}{unique}", fields.join(BETWEEN))
    }

    /// Returns the name by which a store knows the index: with the version of its keys, such as `1: rid, ts`.
    pub(super) fn stored_name(&self) -> String {
        format!("{}{AFTER_VERSION}{}", key::VERSION, self.name())
    }

    /// Reads an index from the name in a store, whatever the version of its keys. Early names do not have a version.
    pub(super) fn parse_stored(name: &str) -> Option<Self> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match name.split_once(AFTER_VERSION) {
            Some((version, name)) if is_number(version) => Self::parse(name),
            _ => Self::parse(name),
        }
    }

    /// Reads an index from its [name](Self::name). Returns `None` for a name that no index can have.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (fields, is_unique) = match name.strip_suffix(UNIQUE) {
            Some(fields) => (fields, true),
            None => (name, false),
        };
        let field = |text: &str| match text.strip_suffix(DESCENDING) {
            Some(field) => (field.to_owned(), Direction::Descending),
            None => (text.to_owned(), Direction::Ascending),
        };
        let index = Self { fields: fields.split(BETWEEN).map(field).collect(), is_unique };
        (index.name() == name).then_some(index)
    }

    /// Returns the entries of a document.
    pub(super) fn entries(&self, id: &str, document: &Object) -> Result<Entries, TooManyEntries> {
        let mut entries = Entries::from([(Vec::new(), 0)]);
        for (place, (field, direction)) in self.fields.iter().enumerate() {
            let values = keys_of(id, document, field, *direction).ok_or(TooManyEntries)?;
            if values.len().saturating_mul(entries.len()) > MAX_ENTRIES {
                return Err(TooManyEntries);
            }
            entries = combine(&entries, &values, 1 << place.min(31));
        }
        Ok(entries)
    }

    /// Returns the keys that no other document may have: those that are not of `null` in all fields.
    pub(super) fn unique_keys<'entries>(
        &self,
        entries: &'entries Entries,
    ) -> impl Iterator<Item = &'entries Vec<u8>> + use<'entries> {
        let mut nothing = Vec::new();
        self.fields.iter().for_each(|(_, direction)| key::append(&mut nothing, None, *direction));
        let is_unique = self.is_unique;
        entries.keys().filter(move |key| is_unique && **key != nothing)
    }
}

impl From<&str> for Index {
    fn from(field: &str) -> Self {
        Self::on(field)
    }
}

impl<const COUNT: usize> From<[&str; COUNT]> for Index {
    fn from(fields: [&str; COUNT]) -> Self {
        let fields = fields.into_iter().map(|field| (field.to_owned(), Direction::Ascending)).collect();
        Self { fields, is_unique: false }
    }
}

/// Returns the keys of a field's value (`false`) and of the elements of its arrays (`true`), or `None` if there are more
/// than [`MAX_ENTRIES`].
pub(super) fn keys_of(id: &str, document: &Object, field: &str, direction: Direction) -> Option<Vec<(Vec<u8>, bool)>> {
    let mut own = Vec::new();
    if field == ID {
        key::append_id(&mut own, id, direction);
        return Some(vec![(own, false)]);
    }
    key::append(&mut own, paths::value_at(document, field), direction);
    let mut keys = vec![(own, false)];
    let has_too_many = paths::any_element(document, field, &mut |element| {
        let mut key = Vec::new();
        key::append(&mut key, Some(element), direction);
        keys.push((key, true));
        keys.len() > MAX_ENTRIES
    });
    if has_too_many { None } else { Some(keys) }
}

fn combine(beginnings: &Entries, values: &[(Vec<u8>, bool)], bit: u32) -> Entries {
    let mut combined = Entries::new();
    for (beginning, bits) in beginnings {
        for (value, is_element) in values {
            let key = [beginning.as_slice(), value].concat();
            let bits = if *is_element { bits | bit } else { *bits };
            // A key that is no element's as well keeps this property.
            combined.entry(key).and_modify(|known| *known &= bits).or_insert(bits);
        }
    }
    combined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_index_tells_its_definition() {
        for index in [
            Index::on("rid"),
            Index::from(["rid", "user.name"]),
            Index::on("rid").and_descending("ts").and("a,b").unique(),
            Index::on("unique").and("descending"),
        ] {
            assert_eq!(Index::parse(&index.name()), Some(index));
        }
        assert_eq!(Index::on("rid").and_descending("ts").unique().name(), "rid, ts descending unique");
    }

    #[test]
    fn the_name_in_a_store_tells_the_version_of_the_keys() {
        let index = Index::on("rid").and_descending("ts").unique();
        assert_eq!(index.stored_name(), format!("{}: rid, ts descending unique", key::VERSION));
        for name in [index.stored_name(), format!("207: {}", index.name()), index.name()] {
            assert_eq!(Index::parse_stored(&name), Some(index.clone()), "{name}");
        }
    }

    #[test]
    fn a_field_that_would_change_the_meaning_of_the_name_is_noticed() {
        for index in [Index::on("a, b"), Index::on("a descending"), Index::on("a unique")] {
            assert_ne!(Index::parse(&index.name()), Some(index));
        }
    }
}
