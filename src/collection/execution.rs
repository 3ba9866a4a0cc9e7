//! [`Execution`]: a query that is being run. It says what to read next, and keeps what matches; who reads, from memory or
//! from a store, is not its matter.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use super::access::{Access, KeyRange, Source};
use super::document::Document;
use super::index::Index;
use super::plan::Plan;

/// The number of documents of the first page. Further ones are larger.
const FIRST_PAGE: usize = 32;

/// The maximum number of documents of a page.
const MAX_PAGE: usize = 512;

/// How many documents more than needed are kept before they are sorted.
const UNSORTED: usize = 1_024;

/// What to read next.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    /// The documents with these ids.
    Ids(Vec<String>),
    /// All documents, in the order of their ids.
    All(Position),
    Index {
        index: usize,
        range: KeyRange,
        position: Position,
    },
}

/// Where to read, and how much.
#[derive(Clone, Debug)]
pub(super) struct Position {
    /// The key and the id after which to begin.
    pub(super) after: Option<(Vec<u8>, Arc<str>)>,
    pub(super) is_reversed: bool,
    pub(super) limit: usize,
}

/// A document that was read.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The key of the index.
    pub(super) key: Vec<u8>,
    pub(super) elements: u32,
    pub(super) document: Arc<Document>,
}

/// A document with its key in the order of the query.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) key: Box<[u8]>,
    pub(super) document: Arc<Document>,
}

/// A query that is being run.
pub(super) struct Execution<'plan> {
    plan: &'plan Plan,
    access: Access,
    /// The number of documents that are wanted, in order; all if it is `None`.
    wanted: Option<usize>,
    /// The document after which to begin, in the order of the query.
    begin: Option<Placed>,
    matching: Vec<Placed>,
    seen: HashSet<Arc<str>>,
    range: usize,
    after: Option<(Vec<u8>, Arc<str>)>,
    page: usize,
    state: State,
    /// Whether matching documents were left out, because no more are wanted.
    has_left_out: bool,
    read: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Done,
}

impl<'plan> Execution<'plan> {
    /// Starts a query over its whole result.
    pub(super) fn new(plan: &'plan Plan, access: Access, wanted: Option<usize>) -> Self {
        let state = if wanted == Some(0) { State::Done } else { State::Reading };
        Self {
            plan,
            access,
            wanted,
            begin: None,
            matching: Vec::new(),
            seen: HashSet::new(),
            range: 0,
            after: None,
            page: FIRST_PAGE,
            state,
            has_left_out: wanted == Some(0),
            read: 0,
        }
    }

    /// Begins after a document of the result, in the order of the query. `index` is the one that the access uses.
    pub(super) fn after(mut self, begin: &Placed, index: Option<&Index>) -> Self {
        if self.access.is_ordered {
            self.after = self.entry_of(begin, index);
        }
        self.begin = Some(begin.clone());
        self
    }

    /// Returns what to read next, or `None` if the result is complete.
    pub(super) fn next(&self) -> Option<Reading> {
        if self.state == State::Done {
            return None;
        }
        let position = Position { after: self.after.clone(), is_reversed: self.is_reversed(), limit: self.page_size() };
        match &self.access.source {
            Source::Ids(ids) => Some(Reading::Ids(ids.clone())),
            Source::All => Some(Reading::All(position)),
            Source::Index { index, ranges, .. } => {
                let range = ranges.get(self.range)?.clone();
                Some(Reading::Index { index: *index, range, position })
            }
        }
    }

    /// Takes what was read.
    pub(super) fn feed(&mut self, page: Vec<Found>) {
        self.read += page.len();
        let is_last = page.len() < self.page_size();
        self.after = page.last().map(|found| (found.key.clone(), Arc::clone(&found.document.id)));
        for found in page {
            if self.is_enough() {
                self.has_left_out = true;
                break;
            }
            self.consider(found);
        }
        self.page = MAX_PAGE;
        self.shrink();
        if matches!(self.access.source, Source::Ids(_)) {
            self.state = State::Done;
        } else if self.is_enough() {
            self.has_left_out |= !is_last || self.has_more_ranges();
            self.state = State::Done;
        } else if is_last {
            self.after = None;
            self.range += 1;
            if !self.has_ranges_left() {
                self.state = State::Done;
            }
        }
    }

    /// Returns the matching documents so far. They are in the order of the query only if the access is.
    pub(super) fn take(&mut self) -> Vec<Placed> {
        std::mem::take(&mut self.matching)
    }

    /// Returns the result in order, and whether no document follows it.
    pub(super) fn finish(mut self) -> (Vec<Placed>, bool) {
        if !self.access.is_ordered {
            self.sort();
            self.cut();
        }
        (self.matching, !self.has_left_out)
    }

    /// Returns the number of documents that were read.
    pub(super) const fn read_count(&self) -> usize {
        self.read
    }

    fn consider(&mut self, found: Found) {
        if let Source::Index { equal_fields, may_repeat, .. } = &self.access.source {
            let of_elements = found.elements >> (*equal_fields).min(31);
            if of_elements != 0 || (*may_repeat && !self.seen.insert(Arc::clone(&found.document.id))) {
                return;
            }
        }
        if !self.plan.matches(&found.document) {
            return;
        }
        let placed = Placed { key: self.plan.order_key(&found.document), document: found.document };
        let is_before = |begin: &Placed| self.compare(&placed, begin) != Ordering::Greater;
        if self.begin.as_ref().is_some_and(is_before) {
            return;
        }
        self.matching.push(placed);
    }

    /// Returns whether enough documents were found, in order.
    fn is_enough(&self) -> bool {
        self.access.is_ordered && self.wanted.is_some_and(|wanted| self.matching.len() >= wanted)
    }

    /// Drops documents that cannot belong to the result.
    fn shrink(&mut self) {
        let Some(wanted) = self.wanted else { return };
        if !self.access.is_ordered && self.matching.len() > wanted.saturating_mul(2).saturating_add(UNSORTED) {
            self.sort();
            self.cut();
        }
    }

    fn sort(&mut self) {
        let mut matching = std::mem::take(&mut self.matching);
        matching.sort_unstable_by(|one, other| self.compare(one, other));
        self.matching = matching;
    }

    fn cut(&mut self) {
        let Some(wanted) = self.wanted else { return };
        self.has_left_out |= self.matching.len() > wanted;
        self.matching.truncate(wanted);
    }

    fn compare(&self, one: &Placed, other: &Placed) -> Ordering {
        self.plan.compare(one.place(), other.place())
    }

    fn is_reversed(&self) -> bool {
        self.access.is_ordered && self.plan.is_reversed()
    }

    fn page_size(&self) -> usize {
        match self.wanted {
            Some(wanted) if self.access.is_ordered => (wanted - self.matching.len()).clamp(8, MAX_PAGE),
            _ => self.page,
        }
    }

    fn has_ranges_left(&self) -> bool {
        matches!(&self.access.source, Source::Index { ranges, .. } if self.range < ranges.len())
    }

    fn has_more_ranges(&self) -> bool {
        matches!(&self.access.source, Source::Index { ranges, .. } if self.range + 1 < ranges.len())
    }

    /// Returns the entry of a document in the index that is read.
    fn entry_of(&self, begin: &Placed, index: Option<&Index>) -> Option<(Vec<u8>, Arc<str>)> {
        let id = Arc::clone(&begin.document.id);
        let Source::Index { ranges, equal_fields, .. } = &self.access.source else { return Some((Vec::new(), id)) };
        let entries = index?.entries(&id, &begin.document.object).ok()?;
        let range = ranges.first()?;
        let is_read = |key: &[u8], elements: u32| {
            key >= range.from.as_slice()
                && (range.to.is_empty() || key < range.to.as_slice())
                && elements >> (*equal_fields).min(31) == 0
        };
        let (key, _) = entries.into_iter().find(|(key, elements)| is_read(key, *elements))?;
        Some((key, id))
    }
}

impl Found {
    /// A document that was read without an index.
    pub(super) fn of(document: &Arc<Document>) -> Self {
        Self { key: Vec::new(), elements: 0, document: Arc::clone(document) }
    }
}

impl Placed {
    pub(super) fn new(plan: &Plan, document: &Arc<Document>) -> Self {
        Self { key: plan.order_key(document), document: Arc::clone(document) }
    }

    pub(super) fn place(&self) -> super::plan::Place<'_> {
        (&self.key, &self.document.id)
    }
}
