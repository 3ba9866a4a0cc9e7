//! [`Access`]: how the documents of a query are found: by their ids, by an index, or by a scan of all. The same plan is
//! made for documents in memory and in the store.

use std::collections::BTreeSet;

use bolide_protocol::Ejson;

use super::filter::{Comparison, Filter, ID};
use super::index::Index;
use super::key::{self, Direction};
use super::plan::Plan;

/// The maximum number of ranges of an index that one query reads. With more, fewer fields are used.
const MAX_RANGES: usize = 1_000;

/// How the documents of a query are found. They include all that match; each is still compared with the filter.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) source: Source,
    /// Whether the documents come in the order of the query.
    pub(super) is_ordered: bool,
}

#[derive(Debug)]
pub(super) enum Source {
    /// The documents with these ids.
    Ids(Vec<String>),
    /// All documents, in the order of their ids.
    All,
    Index {
        /// The place of the index in the declaration of the collection.
        index: usize,
        /// The ranges to read, in this order.
        ranges: Vec<KeyRange>,
        /// The number of fields that are compared for equality.
        equal_fields: usize,
        /// Whether a document can be found in several ranges.
        may_repeat: bool,
    },
}

/// The keys from `from`, until before `to`. An empty `to` stands for the end of all keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyRange {
    pub(super) from: Vec<u8>,
    pub(super) to: Vec<u8>,
}

/// How well an index fits, in the order of importance.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    equal_fields: usize,
    has_range: bool,
    is_ordered: bool,
    /// An index with fewer fields is smaller.
    shorter: std::cmp::Reverse<usize>,
}

impl Access {
    /// Plans a query with the indexes that can be used.
    pub(super) fn plan<'index>(plan: &Plan, indexes: impl Iterator<Item = (usize, &'index Index)>) -> Self {
        if let Some(ids) = plan.filter.ids() {
            let ids: BTreeSet<&String> = ids.iter().collect();
            return Self { source: Source::Ids(ids.into_iter().cloned().collect()), is_ordered: false };
        }
        let fitting = indexes.filter_map(|(place, index)| Some((fit(plan, index)?, place, index)));
        match fitting.max_by(|(one, ..), (two, ..)| one.cmp(two)) {
            Some((fit, place, index)) => Self::by_index(plan, place, index, &fit),
            None => Self { source: Source::All, is_ordered: plan.is_ordered_by_id() },
        }
    }

    /// Returns whether all documents may have to be read.
    pub(super) fn is_scan(&self, plan: &Plan) -> bool {
        match &self.source {
            Source::Ids(_) | Source::Index { .. } => false,
            Source::All => !(self.is_ordered && plan.limit.is_some() && plan.filter == Filter::everything()),
        }
    }

    fn by_index(plan: &Plan, place: usize, index: &Index, fit: &Fit) -> Self {
        let prefixes = prefixes(&plan.filter, index, fit.equal_fields);
        let is_one = prefixes.len() == 1;
        let next = index.fields().get(fit.equal_fields);
        let range =
            next.filter(|_| fit.has_range).and_then(|(field, direction)| range(&plan.filter, field, *direction));
        let ranges = prefixes.into_iter().map(|prefix| KeyRange::within(&prefix, range.as_ref())).collect();
        Self {
            source: Source::Index { index: place, ranges, equal_fields: fit.equal_fields, may_repeat: !is_one },
            is_ordered: fit.is_ordered && is_one,
        }
    }
}

impl KeyRange {
    fn within(prefix: &[u8], range: Option<&Self>) -> Self {
        match range {
            None => Self { from: prefix.to_vec(), to: key::after_prefix(prefix).unwrap_or_default() },
            Some(range) => Self { from: [prefix, &range.from].concat(), to: [prefix, &range.to].concat() },
        }
    }
}

/// Returns how well an index fits, or `None` if it does not help.
fn fit(plan: &Plan, index: &Index) -> Option<Fit> {
    let fields = index.fields();
    let mut equal_fields = 0;
    let mut ranges = 1_usize;
    for (field, _) in fields {
        let Some(values) = equality_of(&plan.filter, field) else { break };
        ranges = ranges.saturating_mul(values.len());
        if ranges > MAX_RANGES {
            break;
        }
        equal_fields += 1;
    }
    let next = fields.get(equal_fields);
    let has_range = next.is_some_and(|(field, direction)| range(&plan.filter, field, *direction).is_some());
    let is_ordered = is_ordered(plan, index, equal_fields);
    let helps = equal_fields > 0 || has_range || (is_ordered && plan.limit.is_some());
    helps.then_some(Fit { equal_fields, has_range, is_ordered, shorter: std::cmp::Reverse(fields.len()) })
}

/// Returns the values to which a filter compares a field of an index. `_id` is found without an index.
fn equality_of<'filter>(filter: &'filter Filter, field: &str) -> Option<Vec<&'filter Ejson>> {
    if field == ID { None } else { filter.equality(field) }
}

/// Returns whether the entries after `equal_fields` come in the order of the query.
fn is_ordered(plan: &Plan, index: &Index, equal_fields: usize) -> bool {
    let is_fixed = |field: &str| plan.filter.equality(field).is_some_and(|values| values.len() == 1);
    let fields = index.fields();
    if plan.sort.is_empty() {
        // By id, as the entries of one key are.
        return equal_fields == fields.len();
    }
    let is_reversed = plan.is_reversed();
    // A field with one value does not affect the order, but an array that contains the value would.
    let mut wanted = plan.sort.iter();
    for (place, (field, direction)) in fields.iter().enumerate() {
        if place < equal_fields {
            if !is_fixed(field) || plan.sort.iter().any(|(sorted, _)| sorted == field) {
                return false;
            }
            continue;
        }
        match wanted.next() {
            Some((sorted, wanted)) if sorted == field && wanted.reversed_if(is_reversed) == *direction => {}
            // The entries are ordered further than by the query, which orders equal documents by id.
            None | Some(_) => return false,
        }
    }
    match (wanted.next(), wanted.next()) {
        (None, _) => true,
        // Entries with equal keys are ordered by id.
        (Some((field, direction)), None) => field == ID && direction.reversed_if(is_reversed) == Direction::Ascending,
        _ => false,
    }
}

/// Returns the beginnings of the keys whose first fields have the values that the filter names.
fn prefixes(filter: &Filter, index: &Index, equal_fields: usize) -> BTreeSet<Vec<u8>> {
    let mut prefixes = BTreeSet::from([Vec::new()]);
    for (field, direction) in &index.fields()[..equal_fields] {
        let values = filter.equality(field).unwrap_or_default();
        let longer = prefixes.iter().flat_map(|prefix| {
            values.iter().map(|value| {
                let mut longer = prefix.clone();
                key::append(&mut longer, Some(value), *direction);
                longer
            })
        });
        prefixes = longer.collect();
    }
    prefixes
}

/// The bound of a range: the beginning of a key, and whether keys that begin with it belong to the range.
struct Bound {
    beginning: Vec<u8>,
    is_included: bool,
}

/// Returns the keys that the comparisons of a field allow, relative to the fields before it, or `None` if it is not
/// compared.
fn range(filter: &Filter, field: &str, direction: Direction) -> Option<KeyRange> {
    let comparisons = filter.comparisons(field);
    let (_, first) = comparisons.first()?;
    let kind = || Bound { beginning: vec![key::kind_byte(first, Direction::Ascending)], is_included: true };
    let (mut lower, mut upper) = (kind(), kind());
    for (comparison, value) in comparisons {
        let mut key = Vec::new();
        key::append(&mut key, Some(value), Direction::Ascending);
        let precise = key::precise(&key);
        // A shortened key may be that of a greater or of a smaller value.
        let is_exact = precise.len() == key.len();
        let excludes = matches!(comparison, Comparison::Above | Comparison::Below) && is_exact;
        let bound = Bound { beginning: precise.to_vec(), is_included: !excludes };
        match comparison {
            Comparison::Above | Comparison::AtLeast if bound.beginning >= lower.beginning => lower = bound,
            Comparison::Below | Comparison::AtMost
                if upper.beginning.len() == 1 || bound.beginning <= upper.beginning =>
            {
                upper = bound;
            }
            _ => {}
        }
    }
    Some(match direction {
        Direction::Ascending => KeyRange { from: lower.start(), to: upper.end() },
        Direction::Descending => KeyRange { from: upper.inverted().start(), to: lower.inverted().end() },
    })
}

impl Bound {
    /// Returns the first key of a range that this bound begins.
    fn start(self) -> Vec<u8> {
        if self.is_included { self.beginning } else { key::after_prefix(&self.beginning).unwrap_or(self.beginning) }
    }

    /// Returns the first key after a range that this bound ends.
    fn end(self) -> Vec<u8> {
        if self.is_included { key::after_prefix(&self.beginning).unwrap_or_default() } else { self.beginning }
    }

    fn inverted(mut self) -> Self {
        self.beginning.iter_mut().for_each(|byte| *byte = !*byte);
        self
    }
}
