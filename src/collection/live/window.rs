//! [`Window`]: the ordered documents of a live query with a limit or documents to skip.
//!
//! It keeps the first documents in order, some more than the query needs, so that a document that leaves is replaced
//! from here. All documents up to the horizon are known; those after it only if the window is complete.

use std::sync::Arc;

use indexmap::IndexMap;

use super::super::document::Document;
use super::super::execution::Placed;
use super::super::plan::Plan;
use super::Change;

/// The minimum number of documents that are kept in addition to the needed ones.
const SPARE: usize = 16;

pub(super) struct Window {
    ordered: Vec<Placed>,
    /// The place up to which all documents are known. `None` if none is.
    horizon: Option<Placed>,
    /// Whether all documents are known.
    is_complete: bool,
}

/// The documents that enter or leave the window: with the new document, or `None` for those that leave.
pub(super) type Moves = IndexMap<Arc<str>, Option<Arc<Document>>>;

impl Window {
    /// Creates a window of which no document is known yet.
    pub(super) const fn unknown() -> Self {
        Self { ordered: Vec::new(), horizon: None, is_complete: false }
    }

    /// Returns whether documents that the query shows may be missing.
    pub(super) fn is_short(&self, plan: &Plan) -> bool {
        !self.is_complete && plan.needed().is_none_or(|needed| self.ordered.len() < needed)
    }

    /// Returns the place up to which all documents are known.
    pub(super) fn horizon(&self) -> Option<&Placed> {
        self.horizon.as_ref()
    }

    /// Returns the number of documents that fit, or `None` for no limit.
    pub(super) fn capacity(plan: &Plan) -> Option<usize> {
        plan.needed().map(|needed| needed.saturating_add(SPARE.max(needed / 2)))
    }

    /// Returns how many documents can be added at the end.
    pub(super) fn room(&self, plan: &Plan) -> Option<usize> {
        Self::capacity(plan).map(|capacity| capacity.saturating_sub(self.ordered.len()))
    }

    pub(super) fn apply(&mut self, plan: &Plan, change: &Change) -> Moves {
        let mut moves = Moves::new();
        if let Some(at) = self.place_of(plan, change) {
            self.remove(plan, at, &mut moves);
        }
        if let Some(new) = change.new.as_ref().filter(|new| plan.matches(new)) {
            self.insert(plan, Placed::new(plan, new), &mut moves);
        }
        moves
    }

    /// Adds the documents that follow the horizon.
    pub(super) fn extend(&mut self, plan: &Plan, documents: Vec<Placed>, is_complete: bool) -> Moves {
        let mut moves = Moves::new();
        for placed in documents {
            if is_within(plan, self.ordered.len()) {
                moves.insert(Arc::clone(&placed.document.id), Some(Arc::clone(&placed.document)));
            }
            self.horizon = Some(placed.clone());
            self.ordered.push(placed);
        }
        self.is_complete = is_complete;
        moves
    }

    fn place_of(&self, plan: &Plan, change: &Change) -> Option<usize> {
        match &change.old {
            Some(old) => {
                let old = Placed::new(plan, old);
                let found = self.ordered.binary_search_by(|other| plan.compare(other.place(), old.place()));
                found.ok()
            }
            // The old document is not known for changes of other nodes.
            None => self.ordered.iter().position(|placed| placed.document.id == change.id),
        }
    }

    fn remove(&mut self, plan: &Plan, at: usize, moves: &mut Moves) {
        let gone = self.ordered.remove(at);
        if plan.limit.is_some_and(|limit| at >= plan.skip.saturating_add(limit)) {
            return;
        }
        let leaving = if at < plan.skip { self.ordered.get(plan.skip - 1) } else { Some(&gone) };
        leave(moves, leaving);
        let entering = plan.needed().and_then(|end| self.ordered.get(end.checked_sub(1)?));
        if entering.is_some() && plan.limit != Some(0) {
            enter(moves, entering);
        }
    }

    fn insert(&mut self, plan: &Plan, placed: Placed, moves: &mut Moves) {
        let is_beyond = |horizon: &Placed| plan.compare(placed.place(), horizon.place()).is_gt();
        if !self.is_complete && self.horizon.as_ref().is_none_or(is_beyond) {
            return;
        }
        let found = self.ordered.binary_search_by(|other| plan.compare(other.place(), placed.place()));
        let (Ok(at) | Err(at)) = found;
        let end = plan.needed();
        if plan.limit != Some(0) && end.is_none_or(|end| at < end) {
            leave(moves, end.and_then(|end| self.ordered.get(end.checked_sub(1)?)));
            let entering = if at < plan.skip { self.ordered.get(plan.skip - 1) } else { Some(&placed) };
            enter(moves, entering);
        }
        self.ordered.insert(at, placed);
        if let Some(capacity) = Self::capacity(plan)
            && self.ordered.len() > capacity
        {
            self.ordered.truncate(capacity);
            self.horizon = self.ordered.last().cloned();
            self.is_complete = false;
        }
    }
}

/// Returns whether the document at a place is shown.
fn is_within(plan: &Plan, place: usize) -> bool {
    place >= plan.skip && plan.needed().is_none_or(|end| place < end)
}

fn leave(moves: &mut Moves, placed: Option<&Placed>) {
    if let Some(placed) = placed {
        moves.insert(Arc::clone(&placed.document.id), None);
    }
}

fn enter(moves: &mut Moves, placed: Option<&Placed>) {
    if let Some(placed) = placed {
        moves.insert(Arc::clone(&placed.document.id), Some(Arc::clone(&placed.document)));
    }
}
