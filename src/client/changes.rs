//! [`Changes`]: what happens to the documents of the server, as a stream.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use bolide_protocol::DocumentId;
use futures::Stream;
use futures::stream::StreamExt;
use parking_lot::Mutex;

use super::document::{Document, Fields};
use super::shared::Handle;

/// Something that happened to a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added {
        /// Its collection.
        collection: String,
        /// The document.
        document: Document,
    },
    /// Fields of it are new, different or gone. Messages of Rocket.Chat's streams come as changes of documents that were
    /// never added.
    Changed {
        /// Its collection.
        collection: String,
        /// Its id.
        id: DocumentId,
        /// The fields that are new or different.
        fields: Fields,
        /// The fields that are gone.
        cleared: Vec<String>,
    },
    /// It is gone.
    Removed {
        /// Its collection.
        collection: String,
        /// Its id.
        id: DocumentId,
    },
    /// The stream was not read for so long that changes were left out. Forget what you had: what there is now follows,
    /// each document as [`Added`](Self::Added).
    Reset,
}

impl Change {
    /// The collection in which it happened; all of them for a [`Reset`](Self::Reset).
    #[must_use]
    pub fn collection(&self) -> Option<&str> {
        match self {
            Self::Added { collection, .. } | Self::Changed { collection, .. } | Self::Removed { collection, .. } => {
                Some(collection)
            }
            Self::Reset => None,
        }
    }
}

/// A stream of changes. It begins with what there is, each document as [`Change::Added`], and ends when the client is
/// closed. What it yields, applied in order, gives the documents that the client has.
#[derive(Debug)]
pub struct Changes {
    feed: Arc<Feed>,
    handle: Arc<Handle>,
}

impl Changes {
    pub(super) fn new(handle: Arc<Handle>, collection: Option<String>) -> Self {
        let feed = Arc::new(Feed { collection, waiting: Mutex::default() });
        handle.state().documents.watch(&feed);
        Self { feed, handle }
    }

    /// The next change; nothing when the client is closed. No change is lost if this future is dropped.
    pub async fn next(&mut self) -> Option<Change> {
        StreamExt::next(self).await
    }
}

impl Stream for Changes {
    type Item = Change;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Change>> {
        if self.feed.waiting.lock().has_overflowed {
            self.handle.state().documents.refill(&self.feed);
        }
        let mut waiting = self.feed.waiting.lock();
        if let Some(change) = waiting.changes.pop_front() {
            return Poll::Ready(Some(change));
        }
        if waiting.has_ended {
            return Poll::Ready(None);
        }
        waiting.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

/// The changes that wait for the reader of a stream.
#[derive(Debug)]
pub(super) struct Feed {
    /// Only this collection, or all.
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
    /// Puts in what there is, and whatever was waiting before is gone.
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

/// All streams that are read.
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

    /// Gives a change to every stream that wants it. A stream that has `limit` changes waiting overflows.
    pub(super) fn push(&mut self, change: &Change, limit: usize) {
        self.feeds.retain(|feed| feed.upgrade().inspect(|feed| feed.push(change, limit)).is_some());
    }

    pub(super) fn end(&mut self) {
        self.have_ended = true;
        self.feeds.iter().filter_map(Weak::upgrade).for_each(|feed| feed.end());
    }
}
