//! [`Plan`]: the filter, order, window and fields of a query.

use super::document::{Document, Shown};
use super::filter::{Filter, ID};
use super::key::{self, Direction};
use super::paths::value_at;

/// The maximum length of a query's kind: clients can make filters of any length.
const KIND_CHARACTERS: usize = 200;

/// The filter, order, window and fields of a query. Live queries with equal plans share one result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Plan {
    pub(super) filter: Filter,
    pub(super) sort: Vec<(String, Direction)>,
    pub(super) skip: usize,
    pub(super) limit: Option<usize>,
    pub(super) projection: Projection,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Projection {
    Everything,
    Only(Vec<String>),
    Without(Vec<String>),
}

/// The place of a document in the order of a query, before a possible reversal: the keys of the fields by which the
/// query sorts, and the id.
pub(super) type Place<'place> = (&'place [u8], &'place str);

impl Plan {
    pub(super) const fn new(filter: Filter) -> Self {
        Self { filter, sort: Vec::new(), skip: 0, limit: None, projection: Projection::Everything }
    }

    /// Returns whether other documents affect which documents belong to the result.
    pub(super) const fn is_window(&self) -> bool {
        self.limit.is_some() || self.skip > 0
    }

    /// Returns the query without its values, such as `rid = … ordered by ts descending, at most 50`.
    pub(super) fn kind(&self) -> String {
        let shape = self.filter.shape();
        let filter = if shape.is_empty() { "all documents" } else { &shape };
        let order = self.sort.iter().map(|(field, direction)| match direction {
            Direction::Ascending => field.clone(),
            Direction::Descending => format!("{field} descending"),
        });
        let order: Vec<String> = order.collect();
        let order = if order.is_empty() { String::new() } else { format!(" ordered by {}", order.join(", ")) };
        let limit = self.limit.map_or_else(String::new, |limit| format!(", at most {limit}"));
        let kind = format!("{filter}{order}{limit}");
        match kind.char_indices().nth(KIND_CHARACTERS) {
            Some((end, _)) => format!("{}…", &kind[..end]),
            None => kind,
        }
    }

    /// Returns the number of documents, in order, that decide about the result, or `None` for all.
    pub(super) fn needed(&self) -> Option<usize> {
        Some(self.skip.saturating_add(self.limit?))
    }

    /// Returns whether a number of matching documents, or more of them, decide about the number of those within the window.
    pub(super) fn is_enough(&self, matching: usize) -> bool {
        self.needed().is_some_and(|needed| matching >= needed)
    }

    /// Returns how many of a number of matching documents are within the window.
    pub(super) fn within(&self, matching: usize) -> usize {
        matching.saturating_sub(self.skip).min(self.limit.unwrap_or(usize::MAX))
    }

    /// Returns the query for all matching documents, in any order.
    pub(super) fn unordered(&self) -> Self {
        Self::new(self.filter.clone())
    }

    pub(super) fn matches(&self, document: &Document) -> bool {
        self.filter.matches(&document.id, &document.object)
    }

    /// Returns whether the order is that of the ids.
    pub(super) fn is_ordered_by_id(&self) -> bool {
        self.sort.first().is_none_or(|(field, _)| field == ID)
    }

    /// Returns whether documents are ordered by descending [places](Place). Documents that are equal by the fields of the
    /// order are ordered by their ids, in the direction of the first field.
    pub(super) fn is_reversed(&self) -> bool {
        matches!(self.sort.first(), Some((_, Direction::Descending)))
    }

    /// Returns the key of a document's [`Place`].
    pub(super) fn order_key(&self, document: &Document) -> Box<[u8]> {
        let mut place = Vec::new();
        for (field, direction) in &self.sort {
            let direction = direction.reversed_if(self.is_reversed());
            match field.as_str() {
                ID => key::append_id(&mut place, &document.id, direction),
                field => key::append(&mut place, value_at(&document.object, field), direction),
            }
        }
        place.into()
    }

    /// Compares two documents by the order of the query.
    pub(super) fn compare(&self, one: Place<'_>, other: Place<'_>) -> std::cmp::Ordering {
        if self.is_reversed() { other.cmp(&one) } else { one.cmp(&other) }
    }

    /// Returns the fields of a document that the query shows.
    pub(super) fn show(&self, collection: &str, document: &Document) -> Shown {
        let shows = |name: &String| match &self.projection {
            Projection::Everything => true,
            Projection::Only(names) => names.contains(name),
            Projection::Without(names) => !names.contains(name),
        };
        if self.projection == Projection::Everything {
            return document.shown(collection).clone();
        }
        Shown::of(collection, &document.id, document.object.iter().filter(|(name, _)| shows(name)))
    }
}
