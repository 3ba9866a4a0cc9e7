//! [`Holders`]: the subscriptions that hold a document. Most documents of a client have the same holders, so each set
//! is stored once.

use std::collections::HashSet;
use std::sync::Arc;

use super::handle::{Handle, Handles};
use super::shared_seed::SharedSeed;

/// Subscriptions, in the order in which they began to hold the document.
pub(super) type Holders = Arc<[Handle]>;

/// The minimum number of sets at which unused ones are removed.
const FIRST_TIDY: usize = 16;

/// All sets of the documents of one collection.
#[derive(Debug)]
pub(super) struct HolderSets {
    known: HashSet<Holders, SharedSeed>,
    /// The set requested last, which is likely to be requested next.
    last: Option<Holders>,
    tidy_at: usize,
}

impl Default for HolderSets {
    fn default() -> Self {
        Self { known: HashSet::default(), last: None, tidy_at: FIRST_TIDY }
    }
}

impl HolderSets {
    pub(super) fn of(&mut self, holders: &[Handle]) -> Holders {
        if let Some(last) = self.last.as_ref().filter(|last| ***last == *holders) {
            return Arc::clone(last);
        }
        let set = self.find_or_add(holders);
        self.last = Some(Arc::clone(&set));
        set
    }

    fn find_or_add(&mut self, holders: &[Handle]) -> Holders {
        if let Some(known) = self.known.get(holders) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.tidy_at {
            self.tidy();
        }
        let new = Holders::from(holders);
        self.known.insert(Arc::clone(&new));
        new
    }

    pub(super) fn with(&mut self, holders: &Holders, another: Handle) -> Holders {
        let all: Handles = holders.iter().copied().chain([another]).collect();
        self.of(&all)
    }

    pub(super) fn without(&mut self, holders: &Holders, gone: Handle) -> Holders {
        let others: Handles = holders.iter().copied().filter(|holder| *holder != gone).collect();
        self.of(&others)
    }

    /// Removes the sets that no document uses.
    pub(super) fn tidy(&mut self) {
        self.last = None;
        self.known.retain(|set| Arc::strong_count(set) > 1);
        self.known.shrink_to_fit();
        self.tidy_at = FIRST_TIDY.max(2 * self.known.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_stored_once_and_removed_when_unused() {
        let mut sets = HolderSets::default();
        let one = sets.of(&[Handle(1)]);
        let both = sets.with(&one, Handle(2));
        assert!(Arc::ptr_eq(&both, &sets.of(&[Handle(1), Handle(2)])));
        assert!(Arc::ptr_eq(&one, &sets.without(&both, Handle(2))));
        drop(both);
        sets.tidy();
        assert_eq!(sets.known.len(), 1);
    }

    #[test]
    fn unused_sets_do_not_accumulate() {
        let mut sets = HolderSets::default();
        for number in 0..10_000 {
            let _gone = sets.of(&[Handle(number)]);
        }
        assert!(sets.known.len() <= FIRST_TIDY);
    }
}
