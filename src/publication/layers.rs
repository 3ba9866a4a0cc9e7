//! [`Layers`]: a document that several subscriptions hold with different fields.
//!
//! The client sees the value of the subscription that set a field first. This is nearly always the order in which the
//! subscriptions began to hold the document, so only the exceptions are stored per field.

use std::sync::Arc;

use bolide_protocol::RawJson;

use super::fields::{Difference, Fields, SharedChange, same_value};
use super::handle::{Handle, Handles};

#[derive(Debug)]
pub(super) struct Layers {
    /// The fields of each holder, in the order in which they began to hold the document.
    holders: Vec<(Handle, Arc<Fields>)>,
    /// The fields with another order, each with its holders by precedence: an earlier holder has set a field that a
    /// later holder already had.
    late: Vec<(Box<str>, Handles)>,
}

impl Layers {
    /// Creates the layers of holders with equal fields.
    pub(super) fn uniform(fields: &Arc<Fields>, holders: &[Handle]) -> Self {
        let holders = holders.iter().map(|holder| (*holder, Arc::clone(fields))).collect();
        Self { holders, late: Vec::new() }
    }

    /// Returns the fields of the document if all holders have the same.
    pub(super) fn common_fields(&self) -> Option<&Arc<Fields>> {
        let (_, first) = self.holders.first()?;
        let all_agree = self.late.is_empty() && self.holders.iter().all(|(_, fields)| fields.is_same_text(first));
        all_agree.then_some(first)
    }

    pub(super) fn holders(&self) -> impl Iterator<Item = Handle> {
        self.holders.iter().map(|(holder, _)| *holder)
    }

    /// Returns the fields of a holder, or `None` if it does not hold the document.
    pub(super) fn fields_of(&self, holder: Handle) -> Option<&Arc<Fields>> {
        Some(&self.holders[self.place_of(holder)?].1)
    }

    /// Returns the fields that the client sees.
    pub(super) fn shown(&self) -> Fields {
        let mut shown = indexmap::IndexMap::new();
        for name in self.holders.iter().flat_map(|(_, fields)| fields.by_name().keys()) {
            if let Some(value) = self.shown_value(name) {
                shown.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        Fields::from_map(shown)
    }

    /// Adds a holder. Returns the difference for the client.
    pub(super) fn add(&mut self, by: Handle, fields: &Arc<Fields>) -> Difference {
        let names: Vec<&str> = fields.by_name().keys().map(|name| &**name).collect();
        self.noting_what_is_shown(&names, |layers| {
            layers.holders.push((by, Arc::clone(fields)));
            for (_, order) in layers.late.iter_mut().filter(|(name, _)| names.contains(&&**name)) {
                order.push(by);
            }
        })
    }

    /// Changes fields for some holders, in their order. Returns the difference for the client.
    pub(super) fn change(&mut self, by: &[Handle], change: &SharedChange) -> Difference {
        let names: Vec<&str> = change.names().collect();
        self.noting_what_is_shown(&names, |layers| {
            for place in 0..layers.holders.len() {
                let (holder, before) = &layers.holders[place];
                if by.contains(holder) {
                    let after = Arc::clone(&change.outcome(before).after);
                    layers.replace(place, &names, after);
                }
            }
        })
    }

    /// Removes a holder. Returns the difference for the client.
    pub(super) fn remove(&mut self, by: Handle) -> Difference {
        let Some(place) = self.place_of(by) else { return Difference::default() };
        let fields = Arc::clone(&self.holders[place].1);
        let names: Vec<&str> = fields.by_name().keys().map(|name| &**name).collect();
        self.noting_what_is_shown(&names, |layers| {
            for name in &names {
                layers.lose(by, name);
            }
            layers.holders.remove(place);
        })
    }

    fn replace(&mut self, place: usize, names: &[&str], after: Arc<Fields>) {
        let (holder, before) = &self.holders[place];
        let (holder, before) = (*holder, Arc::clone(before));
        for name in names {
            match (before.by_name().contains_key(*name), after.by_name().contains_key(*name)) {
                (false, true) => self.gain(place, name),
                (true, false) => self.lose(holder, name),
                _ => {}
            }
        }
        self.holders[place].1 = after;
    }

    /// Adds a field to a holder. It comes after all holders that have the field.
    fn gain(&mut self, place: usize, name: &str) {
        let by = self.holders[place].0;
        if let Some((_, order)) = self.late.iter_mut().find(|(late, _)| **late == *name) {
            order.push(by);
            return;
        }
        let has_it = |(_, fields): &&(Handle, Arc<Fields>)| fields.by_name().contains_key(name);
        if self.holders[place + 1..].iter().any(|holder| has_it(&holder)) {
            let others = self.holders.iter().filter(has_it).map(|(holder, _)| *holder);
            let order = others.chain([by]).collect();
            self.late.push((name.into(), order));
        }
    }

    /// Removes a field from a holder.
    fn lose(&mut self, by: Handle, name: &str) {
        let Some(late) = self.late.iter().position(|(late, _)| **late == *name) else { return };
        let mut order = std::mem::take(&mut self.late[late].1);
        order.retain(|holder| *holder != by);
        if order.iter().is_sorted_by_key(|holder| self.place_of(*holder)) {
            self.late.swap_remove(late);
        } else {
            self.late[late].1 = order;
        }
    }

    fn place_of(&self, holder: Handle) -> Option<usize> {
        self.holders.iter().position(|(other, _)| *other == holder)
    }

    /// Returns the value that the client sees, or `None` if no holder has the field.
    fn shown_value(&self, name: &str) -> Option<&RawJson> {
        match self.late.iter().find(|(late, _)| **late == *name) {
            Some((_, order)) => self.fields_of(*order.first()?)?.by_name().get(name),
            None => self.holders.iter().find_map(|(_, fields)| fields.by_name().get(name)),
        }
    }

    fn noting_what_is_shown(&mut self, names: &[&str], act: impl FnOnce(&mut Self)) -> Difference {
        let before: Vec<Option<RawJson>> = names.iter().map(|name| self.shown_value(name).cloned()).collect();
        act(self);
        let mut difference = Difference::default();
        for (name, before) in names.iter().zip(before) {
            match (before, self.shown_value(name)) {
                (Some(before), Some(now)) if same_value(&before, now) => {}
                (_, Some(now)) => drop(difference.set.insert(Box::from(*name), now.clone())),
                (Some(_), None) => difference.cleared.push((*name).to_owned()),
                (None, None) => {}
            }
        }
        difference
    }
}
