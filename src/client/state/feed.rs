//! [`Feed`]: the changes that wait for the reader of a stream, and [`Feeds`], all streams.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::client::change::Change;

/// The changes that wait for the reader of a stream.
#[derive(Debug)]
pub(in crate::client) struct Feed {
    /// The collection whose changes are wanted, or `None` for all.
    collection: Option<String>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    changes: VecDeque<Change>,
    has_overflowed: bool,
    has_ended: bool,
    reader: Option<Waker>,
}

impl Feed {
    pub(in crate::client) fn new(collection: Option<String>) -> Self {
        Self { collection, waiting: Mutex::default() }
    }

    /// Returns whether changes were left out, so that the stream must be filled again.
    pub(in crate::client) fn has_overflowed(&self) -> bool {
        self.waiting.lock().has_overflowed
    }

    pub(in crate::client) fn poll_next(&self, context: &Context<'_>) -> Poll<Option<Change>> {
        let mut waiting = self.waiting.lock();
        if let Some(change) = waiting.changes.pop_front() {
            return Poll::Ready(Some(change));
        }
        if waiting.has_ended {
            return Poll::Ready(None);
        }
        waiting.reader = Some(context.waker().clone());
        Poll::Pending
    }

    /// Replaces the waiting changes by `begin` and the documents that exist.
    pub(super) fn fill(&self, begin: Option<Change>, documents: impl Iterator<Item = Change>) {
        let mut waiting = self.waiting.lock();
        waiting.has_overflowed = false;
        waiting.changes = begin.into_iter().chain(documents.filter(|change| self.wants(change))).collect();
    }

    fn push(&self, change: &Change, limit: usize) {
        if !self.wants(change) {
            return;
        }
        let mut waiting = self.waiting.lock();
        if waiting.has_overflowed {
            return;
        }
        if waiting.changes.len() >= limit {
            waiting.changes = VecDeque::new();
            waiting.has_overflowed = true;
        } else {
            waiting.changes.push_back(change.clone());
        }
        wake(&mut waiting);
    }

    fn end(&self) {
        let mut waiting = self.waiting.lock();
        waiting.has_ended = true;
        wake(&mut waiting);
    }

    fn wants(&self, change: &Change) -> bool {
        self.collection.as_deref().is_none_or(|wanted| change.collection().is_none_or(|own| own == wanted))
    }
}

fn wake(waiting: &mut Waiting) {
    if let Some(reader) = waiting.reader.take() {
        reader.wake();
    }
}

/// All streams.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    feeds: Vec<Weak<Feed>>,
    have_ended: bool,
}

impl Feeds {
    pub(super) fn add(&mut self, feed: &Arc<Feed>) {
        self.feeds.retain(|feed| feed.strong_count() > 0);
        self.feeds.push(Arc::downgrade(feed));
        if self.have_ended {
            feed.end();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.feeds.is_empty()
    }

    /// Passes a change to every stream that wants it. A stream with `limit` waiting changes overflows.
    pub(super) fn push(&mut self, change: &Change, limit: usize) {
        self.feeds.retain(|feed| feed.upgrade().inspect(|feed| feed.push(change, limit)).is_some());
    }

    pub(super) fn end(&mut self) {
        self.have_ended = true;
        self.feeds.iter().filter_map(Weak::upgrade).for_each(|feed| feed.end());
    }
}
