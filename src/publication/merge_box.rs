//! The merge box: the documents of one collection that a client has, merged from all its subscriptions.
//!
//! For each top-level field, the client has the value of the subscription that set it first. Most documents are held by
//! subscriptions with equal fields: they are stored once with the holders ([`DocumentView::Uniform`]). Otherwise the
//! fields of each holder are stored ([`Layers`]).

use std::sync::Arc;

use indexmap::IndexMap;
use indexmap::map::Entry;

use super::fields::{Difference, FieldMap, Fields, SharedChange};
use super::frames::Frames;
use super::handle::{Handle, Handles};
use super::holders::{HolderSets, Holders};
use super::layers::Layers;
use super::shared_seed::SharedSeed;

#[derive(Debug, Default)]
pub(crate) struct MergeBox {
    documents: IndexMap<Arc<str>, DocumentView, SharedSeed>,
    sets: HolderSets,
    /// The number of documents, each counted once for each of its holders.
    held: usize,
}

#[derive(Debug)]
enum DocumentView {
    /// All holders have equal fields.
    Uniform { fields: Arc<Fields>, holders: Holders },
    /// The holders have different fields.
    Layered(Box<Layers>),
}

/// The error for a subscription that does not hold the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotHeld;

impl MergeBox {
    pub(crate) fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// Returns the number of documents, each counted once for each subscription that holds it.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Adds a document of a subscription. If the subscription already holds it, only missing fields are added.
    pub(crate) fn added(&mut self, by: Handle, id: &Arc<str>, fields: &Arc<Fields>, frames: &mut impl Frames) {
        let place = match self.documents.entry(Arc::clone(id)) {
            Entry::Vacant(place) => {
                self.held += 1;
                let holders = self.sets.of(&[by]);
                place.insert(DocumentView::Uniform { fields: Arc::clone(fields), holders });
                return frames.added(id, fields);
            }
            Entry::Occupied(place) => place,
        };
        let view = place.into_mut();
        match view.fields_of(by) {
            None => {
                self.held += 1;
                frames.changed(id, &view.add(by, fields, &mut self.sets));
            }
            Some(old) if old.is_same_text(fields) => {}
            Some(old) => {
                let change = SharedChange::new(missing_in(old, fields), []);
                view.change(&[by], id, &change, &mut self.sets, frames);
            }
        }
    }

    /// Changes fields of a document for some subscriptions. Skips those that do not hold it.
    ///
    /// # Errors
    /// Returns [`NotHeld`] if none of them holds the document.
    pub(crate) fn changed(
        &mut self,
        by: &[Handle],
        id: &str,
        change: &SharedChange,
        frames: &mut impl Frames,
    ) -> Result<(), NotHeld> {
        let view = self.documents.get_mut(id).ok_or(NotHeld)?;
        if !by.iter().any(|handle| view.fields_of(*handle).is_some()) {
            return Err(NotHeld);
        }
        view.change(by, id, change, &mut self.sets, frames);
        Ok(())
    }

    /// Removes a document of a subscription.
    ///
    /// # Errors
    /// Returns [`NotHeld`] if the subscription does not hold the document.
    pub(crate) fn removed(&mut self, by: Handle, id: &str, frames: &mut impl Frames) -> Result<(), NotHeld> {
        let view = self.documents.get_mut(id).ok_or(NotHeld)?;
        if view.fields_of(by).is_none() {
            return Err(NotHeld);
        }
        self.held -= 1;
        if view.is_held_by_one() {
            self.documents.swap_remove(id);
            frames.removed(id);
        } else {
            frames.changed(id, &view.remove(by, &mut self.sets));
        }
        Ok(())
    }

    /// Removes all documents of a subscription.
    pub(crate) fn removed_all(&mut self, by: Handle, frames: &mut impl Frames) {
        self.documents.retain(|id, view| {
            if view.fields_of(by).is_none() {
                return true;
            }
            self.held -= 1;
            if view.is_held_by_one() {
                frames.removed(id);
                return false;
            }
            frames.changed(id, &view.remove(by, &mut self.sets));
            true
        });
        self.sets.tidy();
    }

    /// Sends the difference between two states of the collection.
    pub(crate) fn difference(before: &Self, after: &Self, frames: &mut impl Frames) {
        for (id, old) in &before.documents {
            match after.documents.get(id) {
                Some(new) => frames.changed(id, &DocumentView::difference(old, new)),
                None => frames.removed(id),
            }
        }
        for (id, new) in &after.documents {
            if !before.documents.contains_key(id) {
                frames.added(id, &new.shown());
            }
        }
    }
}

impl DocumentView {
    fn is_held_by_one(&self) -> bool {
        match self {
            Self::Uniform { holders, .. } => holders.len() == 1,
            Self::Layered(layers) => layers.holders().count() == 1,
        }
    }

    /// Returns the fields of a holder, or `None` if it does not hold the document.
    fn fields_of(&self, holder: Handle) -> Option<&Arc<Fields>> {
        match self {
            Self::Uniform { fields, holders } => holders.contains(&holder).then_some(fields),
            Self::Layered(layers) => layers.fields_of(holder),
        }
    }

    fn shown(&self) -> Arc<Fields> {
        match self {
            Self::Uniform { fields, .. } => Arc::clone(fields),
            Self::Layered(layers) => Arc::new(layers.shown()),
        }
    }

    /// Adds a holder. Returns the difference for the client.
    fn add(&mut self, by: Handle, new: &Arc<Fields>, sets: &mut HolderSets) -> Difference {
        if let Self::Uniform { fields, holders } = self
            && fields.says_the_same(new)
        {
            *holders = sets.with(holders, by);
            return Difference::default();
        }
        self.in_layers(sets, |layers| layers.add(by, new))
    }

    fn change(
        &mut self,
        by: &[Handle],
        id: &str,
        change: &SharedChange,
        sets: &mut HolderSets,
        frames: &mut impl Frames,
    ) {
        let Some(fields) = by.iter().find_map(|handle| self.fields_of(*handle)) else { return };
        let outcome = change.outcome(fields);
        let of_this_session = match self {
            Self::Uniform { fields, holders } if holders.iter().all(|holder| by.contains(holder)) => {
                *fields = Arc::clone(&outcome.after);
                None
            }
            _ => Some(self.in_layers(sets, |layers| layers.change(by, change))),
        };
        match of_this_session {
            Some(difference) if difference != outcome.difference => frames.changed(id, &difference),
            _ if outcome.difference.is_empty() => {}
            _ => frames.shared(outcome.frame(|difference| frames.encode_changed(id, difference))),
        }
    }

    /// Removes one of several holders. Returns the difference for the client.
    fn remove(&mut self, by: Handle, sets: &mut HolderSets) -> Difference {
        match self {
            Self::Uniform { holders, .. } => {
                *holders = sets.without(holders, by);
                Difference::default()
            }
            Self::Layered(_) => self.in_layers(sets, |layers| layers.remove(by)),
        }
    }

    /// Changes the layers. They become uniform if all holders have equal fields afterwards.
    fn in_layers(&mut self, sets: &mut HolderSets, act: impl FnOnce(&mut Layers) -> Difference) -> Difference {
        let difference;
        let settled = match self {
            Self::Uniform { fields, holders } => {
                let mut layers = Layers::uniform(fields, holders);
                difference = act(&mut layers);
                Some(Self::uniform(&layers, sets).unwrap_or_else(|| Self::Layered(Box::new(layers))))
            }
            Self::Layered(layers) => {
                difference = act(layers);
                Self::uniform(layers, sets)
            }
        };
        if let Some(settled) = settled {
            *self = settled;
        }
        difference
    }

    fn uniform(layers: &Layers, sets: &mut HolderSets) -> Option<Self> {
        let fields = Arc::clone(layers.common_fields()?);
        let holders: Handles = layers.holders().collect();
        Some(Self::Uniform { fields, holders: sets.of(&holders) })
    }

    fn difference(before: &Self, after: &Self) -> Difference {
        let (before, after) = (before.shown(), after.shown());
        if before.is_same_text(&after) {
            return Difference::default();
        }
        Difference::between(before.by_name(), after.by_name())
    }
}

/// Returns the new fields that the old ones do not have.
fn missing_in(old: &Fields, new: &Fields) -> FieldMap {
    let missing = new.by_name().iter().filter(|(name, _)| !old.by_name().contains_key(*name));
    missing.map(|(name, value)| (name.clone(), value.clone())).collect()
}
