//! The merge box: what a client has of one collection, put together from all of its subscriptions.
//!
//! Of every top-level field the value of the subscription that set it first is shown. Most documents are held by
//! subscriptions that agree on all fields: of these only the shared fields and the subscriptions are kept
//! ([`DocumentView::Uniform`]); the others are kept field by field.

use std::sync::Arc;

use bolide_protocol::RawJson;
use indexmap::IndexMap;
use indexmap::map::Entry;
use smallvec::SmallVec;

use super::fields::{Difference, FieldMap, Fields, Hasher, SharedChange, same_value};
use super::frames::Frames;

/// A subscription within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Handle(pub(super) u32);

pub(crate) type Handles = SmallVec<[Handle; 4]>;

#[derive(Debug, Default)]
pub(crate) struct MergeBox {
    documents: IndexMap<Arc<str>, DocumentView, Hasher>,
}

#[derive(Debug)]
enum DocumentView {
    /// All holders gave the same fields.
    Uniform { fields: Arc<Fields>, holders: Handles },
    /// Holders disagree.
    PerField(Box<PerField>),
}

#[derive(Debug, Default)]
struct PerField {
    holders: Handles,
    /// By precedence: the first value is shown.
    values: IndexMap<Box<str>, SmallVec<[(Handle, RawJson); 2]>>,
}

/// A subscription spoke of a document that it does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotHeld;

impl MergeBox {
    pub(crate) fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// A subscription brings a document.
    pub(crate) fn added(&mut self, by: Handle, id: &Arc<str>, fields: &Arc<Fields>, frames: &mut impl Frames) {
        match self.documents.entry(Arc::clone(id)) {
            Entry::Vacant(place) => {
                place.insert(DocumentView::Uniform { fields: Arc::clone(fields), holders: SmallVec::from_elem(by, 1) });
                frames.added(id, fields);
            }
            Entry::Occupied(mut place) => {
                let difference = place.get_mut().add(by, fields);
                frames.changed(id, &difference);
            }
        }
    }

    /// Subscriptions change fields of a document that they hold.
    pub(crate) fn changed(
        &mut self,
        by: &[Handle],
        id: &str,
        change: &SharedChange,
        frames: &mut impl Frames,
    ) -> Result<(), NotHeld> {
        let view = self.documents.get_mut(id).ok_or(NotHeld)?;
        if let DocumentView::Uniform { fields, holders } = view
            && holders.iter().all(|holder| by.contains(holder))
        {
            let outcome = change.outcome(fields, |difference| frames.encode_changed(id, difference));
            *fields = outcome.after;
            frames.shared(outcome.frame);
            return Ok(());
        }
        let mut difference = Difference::default();
        let per_field = view.per_field();
        for handle in by {
            if !per_field.holders.contains(handle) {
                return Err(NotHeld);
            }
            per_field.change(*handle, &change.set, &change.unset, &mut difference);
        }
        frames.changed(id, &difference);
        Ok(())
    }

    /// A subscription lets go of a document.
    pub(crate) fn removed(&mut self, by: Handle, id: &str, frames: &mut impl Frames) -> Result<(), NotHeld> {
        let view = self.documents.get_mut(id).ok_or(NotHeld)?;
        let difference = view.remove(by)?;
        if view.holders().is_empty() {
            self.documents.swap_remove(id);
            frames.removed(id);
        } else {
            frames.changed(id, &difference);
        }
        Ok(())
    }

    /// A subscription lets go of all that it holds.
    pub(crate) fn removed_all(&mut self, by: Handle, frames: &mut impl Frames) {
        let held = self.documents.iter().filter(|(_, view)| view.holders().contains(&by));
        let held: Vec<Arc<str>> = held.map(|(id, _)| Arc::clone(id)).collect();
        for id in held {
            // It is held: that was just asked.
            let _held = self.removed(by, &id, frames);
        }
    }

    /// What leads a client from one state of the collection to another.
    pub(crate) fn difference(before: &Self, after: &Self, frames: &mut impl Frames) {
        for (id, old) in &before.documents {
            match after.documents.get(id) {
                Some(new) => frames.changed(id, &Difference::between(&old.shown(), &new.shown())),
                None => frames.removed(id),
            }
        }
        for (id, new) in &after.documents {
            if !before.documents.contains_key(id) {
                frames.added(id, &new.shown_fields());
            }
        }
    }
}

impl DocumentView {
    fn holders(&self) -> &Handles {
        match self {
            Self::Uniform { holders, .. } => holders,
            Self::PerField(per_field) => &per_field.holders,
        }
    }

    fn shown_fields(&self) -> Arc<Fields> {
        match self {
            Self::Uniform { fields, .. } => Arc::clone(fields),
            Self::PerField(per_field) => Arc::new(Fields::from_map(per_field.shown())),
        }
    }

    fn shown(&self) -> FieldMap {
        match self {
            Self::Uniform { fields, .. } => fields.by_name().clone(),
            Self::PerField(per_field) => per_field.shown(),
        }
    }

    fn add(&mut self, by: Handle, new: &Arc<Fields>) -> Difference {
        if let Self::Uniform { fields, holders } = self
            && (Arc::ptr_eq(fields, new) || fields.is_same_text(new))
        {
            if !holders.contains(&by) {
                holders.reserve_exact(1);
                holders.push(by);
            }
            return Difference::default();
        }
        self.per_field().add(by, new.by_name())
    }

    fn remove(&mut self, by: Handle) -> Result<Difference, NotHeld> {
        if !self.holders().contains(&by) {
            return Err(NotHeld);
        }
        match self {
            Self::Uniform { holders, .. } => {
                holders.retain(|holder| *holder != by);
                Ok(Difference::default())
            }
            Self::PerField(per_field) => {
                let difference = per_field.remove(by);
                if let [last] = per_field.holders[..] {
                    let fields = Arc::new(Fields::from_map(per_field.shown()));
                    *self = Self::Uniform { fields, holders: SmallVec::from_elem(last, 1) };
                }
                Ok(difference)
            }
        }
    }

    /// The document field by field, from now on.
    fn per_field(&mut self) -> &mut PerField {
        if let Self::Uniform { fields, holders } = self {
            let mut per_field = PerField::default();
            for holder in holders.iter() {
                per_field.add(*holder, fields.by_name());
            }
            *self = Self::PerField(Box::new(per_field));
        }
        match self {
            Self::PerField(per_field) => per_field,
            Self::Uniform { .. } => unreachable!("it was made per field above"),
        }
    }
}

impl PerField {
    fn shown(&self) -> FieldMap {
        let first = |values: &SmallVec<[(Handle, RawJson); 2]>| values.first().map(|(_, value)| value.clone());
        self.values.iter().filter_map(|(name, values)| Some((name.clone(), first(values)?))).collect()
    }

    fn add(&mut self, by: Handle, fields: &FieldMap) -> Difference {
        if !self.holders.contains(&by) {
            self.holders.push(by);
        }
        let mut difference = Difference::default();
        for (name, value) in fields {
            let values = self.values.entry(name.clone()).or_default();
            if values.is_empty() {
                difference.set.insert(name.clone(), value.clone());
            }
            values.push((by, value.clone()));
        }
        difference
    }

    fn change(&mut self, by: Handle, set: &FieldMap, unset: &[Box<str>], difference: &mut Difference) {
        for (name, value) in set {
            let values = self.values.entry(name.clone()).or_default();
            let place = values.iter().position(|(holder, _)| *holder == by);
            let is_news = match place {
                Some(place) => {
                    let old = std::mem::replace(&mut values[place].1, value.clone());
                    place == 0 && !same_value(&old, value)
                }
                None => {
                    values.push((by, value.clone()));
                    values.len() == 1
                }
            };
            if is_news {
                difference.cleared.retain(|cleared| **cleared != **name);
                difference.set.insert(name.clone(), value.clone());
            }
        }
        for name in unset {
            self.clear(by, name, difference);
        }
    }

    fn remove(&mut self, by: Handle) -> Difference {
        self.holders.retain(|holder| *holder != by);
        let mut difference = Difference::default();
        let names: Vec<Box<str>> = self.values.keys().cloned().collect();
        for name in names {
            self.clear(by, &name, &mut difference);
        }
        difference
    }

    /// Takes away what `by` says of a field.
    fn clear(&mut self, by: Handle, name: &str, difference: &mut Difference) {
        let Some(values) = self.values.get_mut(name) else { return };
        let Some((holder, shown)) = values.first().cloned() else { return };
        values.retain(|(holder, _)| *holder != by);
        match values.first() {
            None => {
                self.values.shift_remove(name);
                difference.set.shift_remove(name);
                difference.cleared.push(name.to_owned());
            }
            Some((_, revealed)) if holder == by && !same_value(&shown, revealed) => {
                difference.set.insert(name.into(), revealed.clone());
            }
            Some(_) => {}
        }
    }
}
