//! [`MemoryWrite`]: a write to collections in memory, which holds their locks until it is finished or undone.

use std::sync::Arc;

use parking_lot::MutexGuard;

use super::core::{CollectionCore, State};
use super::delivery::Delivery;
use super::document::Document;
use super::edit::{After, Outcome, Step};
use super::error::CollectionError;
use super::live::Change;
use super::relay::RelayedChange;

/// A write to collections in memory, which holds their locks.
pub(super) struct MemoryWrite<'cores> {
    /// The collections and their states, each once, in the order of the locks.
    states: Vec<(&'cores Arc<CollectionCore>, MutexGuard<'cores, State>)>,
    made: Vec<(usize, Change)>,
}

impl<'cores> MemoryWrite<'cores> {
    pub(super) fn begin(steps: &'cores [(Arc<CollectionCore>, Step)]) -> Self {
        let mut cores: Vec<&Arc<CollectionCore>> = steps.iter().map(|(core, _)| core).collect();
        cores.sort_unstable_by_key(|core| Arc::as_ptr(core).addr());
        cores.dedup_by(|one, other| Arc::ptr_eq(one, other));
        Self { states: cores.into_iter().map(|core| (core, core.state())).collect(), made: Vec::new() }
    }

    pub(super) fn make(&mut self, core: &Arc<CollectionCore>, step: &Step) -> Result<Outcome, CollectionError> {
        let place = self.states.iter().position(|(other, _)| Arc::ptr_eq(other, core)).unwrap_or_default();
        let state = &mut self.states[place].1;
        let old = state.memory.get(&step.id).cloned();
        let after = step.apply(core.name(), old.as_deref())?;
        let outcome = after.outcome(old.as_deref());
        let new = match after {
            After::Unmatched | After::Same => return Ok(outcome),
            After::Removed => None,
            After::Stored(object) => {
                let id = old.as_ref().map_or_else(|| step.id.as_str().into(), |old| Arc::clone(&old.id));
                let document = Arc::new(Document::new(id, object, state.memory.next_version()));
                core.check_size(&document)?;
                Some(document)
            }
        };
        match &new {
            Some(document) => drop(state.memory.put(core.name(), document)?),
            None => drop(state.memory.take(core.name(), &step.id)),
        }
        let version = new.as_ref().map_or_else(|| state.memory.next_version(), |new| new.version);
        self.made.push((place, Change { id: step.id.as_str().into(), old, new, version }));
        Ok(outcome)
    }

    /// Takes back what was made.
    pub(super) fn undo(mut self) {
        for (place, Change { id, old, .. }) in self.made.drain(..).rev() {
            let (core, state) = &mut self.states[place];
            let Some(old) = old else {
                state.memory.take(core.name(), &id);
                continue;
            };
            let undone = state.memory.put(core.name(), &old);
            if let Err(error) = undone {
                // It was there before, and what replaced it is gone.
                tracing::error!(%error, "a write cannot be taken back");
            }
        }
    }

    pub(super) fn finish(self) -> Delivery {
        let mut delivery = Delivery::default();
        for (place, change) in self.made {
            let (core, state) = &self.states[place];
            core.relay.note(|| RelayedChange::of(core.name(), &change));
            delivery.add(core, state, &change);
        }
        delivery
    }
}
