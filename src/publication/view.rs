//! [`View`]: the documents of one collection that a client has, as far as the strategy remembers them.

use std::sync::Arc;

use bytestring::ByteString;
use indexmap::{IndexMap, IndexSet};

use super::fields::{Difference, Fields, SharedChange};
use super::frames::{Frames as _, OutboxFrames, added_frame, changed_frame, removed_frame};
use super::handle::{Handle, Handles};
use super::merge_box::{MergeBox, NotHeld};
use super::strategy::Strategy;
use crate::outbox::Outbox;

pub(super) enum View {
    Merge(MergeBox),
    Multi(IndexMap<Arc<str>, Handles>),
    Each(IndexSet<(Arc<str>, Handle)>),
    Nothing,
}

/// The collection of a message, and the outbox that sends it.
#[derive(Clone, Copy)]
pub(crate) struct Target<'target> {
    pub(crate) outbox: &'target Arc<Outbox>,
    pub(crate) collection: &'target str,
}

impl Default for View {
    fn default() -> Self {
        Self::Merge(MergeBox::default())
    }
}

impl View {
    pub(super) fn new(strategy: Strategy) -> Self {
        match strategy {
            Strategy::Merge => Self::Merge(MergeBox::default()),
            Strategy::NoMergeMulti => Self::Multi(IndexMap::new()),
            Strategy::NoMerge => Self::Each(IndexSet::new()),
            Strategy::NoMergeNoHistory => Self::Nothing,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Merge(merge_box) => merge_box.is_empty(),
            Self::Multi(documents) => documents.is_empty(),
            Self::Each(documents) => documents.is_empty(),
            Self::Nothing => true,
        }
    }

    /// Returns the number of documents that are remembered, each counted once for each subscription that holds it.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Merge(merge_box) => merge_box.held(),
            // Few documents have several holders.
            Self::Multi(documents) => documents.len(),
            Self::Each(documents) => documents.len(),
            Self::Nothing => 0,
        }
    }

    pub(super) fn added(
        &mut self,
        target: Target<'_>,
        by: Handle,
        id: &Arc<str>,
        fields: &Arc<Fields>,
        frame: Option<&ByteString>,
        muted: bool,
    ) {
        let Target { outbox, collection } = target;
        let as_it_is = || frame.cloned().unwrap_or_else(|| added_frame(collection, id, fields));
        match self {
            Self::Merge(merge_box) => {
                merge_box.added(by, id, fields, &mut OutboxFrames { outbox, collection, added: frame, muted });
            }
            Self::Multi(documents) => {
                let holders = documents.entry(Arc::clone(id)).or_default();
                let is_new = holders.is_empty();
                if !holders.contains(&by) {
                    holders.push(by);
                }
                match (muted, is_new) {
                    (true, _) => {}
                    (false, true) => outbox.send(as_it_is()),
                    (false, false) => send_changed(target, id, &SharedChange::new(fields.by_name().clone(), [])),
                }
            }
            Self::Each(documents) => {
                documents.insert((Arc::clone(id), by));
                outbox.send(as_it_is());
            }
            Self::Nothing => outbox.send(as_it_is()),
        }
    }

    pub(super) fn changed(
        &mut self,
        target: Target<'_>,
        by: &[Handle],
        id: &str,
        change: &SharedChange,
        muted: bool,
    ) -> Result<(), NotHeld> {
        let Target { outbox, collection } = target;
        match self {
            Self::Merge(merge_box) => {
                let mut frames = OutboxFrames { outbox, collection, added: None, muted };
                return merge_box.changed(by, id, change, &mut frames);
            }
            Self::Multi(documents) if !documents.contains_key(id) => return Err(NotHeld),
            Self::Multi(_) if muted => {}
            Self::Multi(_) | Self::Each(_) | Self::Nothing => {
                for _ in by {
                    send_changed(target, id, change);
                }
            }
        }
        Ok(())
    }

    pub(super) fn removed(&mut self, target: Target<'_>, by: Handle, id: &str, muted: bool) -> Result<(), NotHeld> {
        let Target { outbox, collection } = target;
        match self {
            Self::Merge(merge_box) => {
                return merge_box.removed(by, id, &mut OutboxFrames { outbox, collection, added: None, muted });
            }
            Self::Multi(documents) => {
                let holders = documents.get_mut(id).ok_or(NotHeld)?;
                holders.retain(|holder| *holder != by);
                if holders.is_empty() {
                    documents.shift_remove(id);
                    if !muted {
                        outbox.send(removed_frame(collection, id));
                    }
                }
            }
            Self::Each(documents) => {
                documents.swap_remove(&(Arc::from(id), by));
                outbox.send(removed_frame(collection, id));
            }
            Self::Nothing => outbox.send(removed_frame(collection, id)),
        }
        Ok(())
    }

    /// Removes the documents of a subscription that ends.
    pub(super) fn release(&mut self, by: Handle, outbox: &Arc<Outbox>, collection: &Arc<str>, muted: bool) {
        match self {
            Self::Merge(merge_box) => {
                merge_box.removed_all(by, &mut OutboxFrames { outbox, collection, added: None, muted });
            }
            Self::Multi(documents) => documents.retain(|id, holders| {
                let held = holders.contains(&by);
                holders.retain(|holder| *holder != by);
                if held && holders.is_empty() && !muted {
                    outbox.send(removed_frame(collection, id));
                }
                !holders.is_empty()
            }),
            Self::Each(documents) => documents.retain(|(id, holder)| {
                if *holder == by {
                    outbox.send(removed_frame(collection, id));
                }
                *holder != by
            }),
            Self::Nothing => {}
        }
    }

    /// Sends the difference between two states.
    pub(super) fn difference(before: &Self, after: &Self, outbox: &Arc<Outbox>, collection: &Arc<str>) {
        let mut frames = OutboxFrames { outbox, collection, added: None, muted: false };
        match (before, after) {
            (Self::Merge(before), Self::Merge(after)) => MergeBox::difference(before, after, &mut frames),
            (Self::Multi(before), after) => {
                let none = IndexMap::new();
                let after = if let Self::Multi(after) = after { after } else { &none };
                difference_of_ids(before, after, &mut frames);
            }
            (_, Self::Multi(after)) => difference_of_ids(&IndexMap::new(), after, &mut frames),
            // These messages were sent at once.
            (Self::Each(_) | Self::Nothing, _) | (_, Self::Each(_) | Self::Nothing) => {}
        }
    }
}

/// Sends the difference between two sets of documents whose fields are unknown.
fn difference_of_ids(
    before: &IndexMap<Arc<str>, Handles>,
    after: &IndexMap<Arc<str>, Handles>,
    frames: &mut OutboxFrames<'_>,
) {
    let no_fields = Arc::new(Fields::from_map(IndexMap::new()));
    for id in before.keys().filter(|id| !after.contains_key(*id)) {
        frames.removed(id);
    }
    for id in after.keys().filter(|id| !before.contains_key(*id)) {
        frames.added(id, &no_fields);
    }
}

fn send_changed(target: Target<'_>, id: &str, change: &SharedChange) {
    let cleared = change.unset.iter().map(ToString::to_string).collect();
    let difference = Difference { set: change.set.clone(), cleared };
    if !difference.is_empty() {
        target.outbox.send(changed_frame(target.collection, id, &difference));
    }
}
