//! [`Places`]: what a session counts for, from its creation until its end.

use std::sync::Arc;

use crate::clock::{Clock, Timestamp};
use crate::limits::Limits;
use crate::shares::{Maximum, Share, Shares, Source};

/// The number of bytes that each session, and each body of a request, may hold without counting.
const FREE_BYTES: usize = 32 << 10;

const BYTES: Step = Step { free: FREE_BYTES, at_once: 64 << 10 };

const DOCUMENTS: Step = Step { free: 500, at_once: 1_000 };

/// A client that is away reads nothing: all of it counts.
const AWAY: Step = Step { free: 0, at_once: 1 };

/// The sessions of all clients and what they hold, counted in total and by network.
pub(crate) struct SessionShares {
    all: Arc<Shares>,
    unopened: Arc<Shares>,
    bytes: Arc<Shares>,
    documents: Arc<Shares>,
    away: Arc<Shares>,
}

/// What a session counts for. Empty for a client in the same process.
#[derive(Default)]
pub(crate) struct Places {
    _session: Option<Share>,
    /// Until the client has sent `connect`.
    unopened: Option<Share>,
    bytes: Option<Held>,
    documents: Option<Held>,
    away: Option<Held>,
}

/// How many of something a session holds.
pub(super) struct Held {
    all: Arc<Shares>,
    source: Source,
    share: Option<Share>,
    step: Step,
}

/// How something is counted.
#[derive(Clone, Copy)]
struct Step {
    /// What each session may hold without counting.
    free: usize,
    /// What a session takes at a time.
    at_once: usize,
}

/// The error for something that no share is left for.
pub(crate) struct NoShare;

impl SessionShares {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            all: Shares::new(
                Maximum { name: "connections", count: limits.connections },
                Maximum { name: "connections_per_network", count: limits.connections_per_network },
            ),
            unopened: Shares::new(
                Maximum { name: "unopened_sessions", count: limits.unopened_sessions },
                Maximum { name: "unopened_sessions_per_network", count: limits.unopened_sessions_per_network },
            ),
            bytes: Shares::new(
                Maximum { name: "held_bytes", count: limits.held_bytes },
                Maximum { name: "held_bytes_per_network", count: limits.held_bytes_per_network },
            ),
            documents: Shares::new(
                Maximum { name: "held_documents", count: limits.held_documents },
                Maximum { name: "held_documents_per_network", count: limits.held_documents_per_network },
            ),
            away: Shares::new(
                Maximum { name: "away_bytes", count: limits.away_bytes },
                Maximum { name: "away_bytes_per_network", count: limits.away_bytes_per_network },
            ),
        }
    }

    /// Returns what sessions hold: their number, those that are not open, bytes, documents, and bytes for clients that are
    /// away.
    pub(super) fn all(&self) -> [&Arc<Shares>; 5] {
        [&self.all, &self.unopened, &self.bytes, &self.documents, &self.away]
    }

    /// Takes the places of a new session. Returns `None` if a maximum is reached.
    pub(super) fn take(&self, source: Source, now: Timestamp) -> Option<Places> {
        let unopened = self.unopened.take(source, now)?;
        let session = self.all.take(source, now)?;
        let bytes = Some(Held::new(&self.bytes, source, BYTES));
        let documents = Some(Held::new(&self.documents, source, DOCUMENTS));
        let away = Some(Held::new(&self.away, source, AWAY));
        Some(Places { _session: Some(session), unopened: Some(unopened), bytes, documents, away })
    }

    /// Takes the bytes of a body. Returns `None` for the share of a short one.
    pub(super) fn take_body(&self, source: Source, bytes: usize, now: Timestamp) -> Result<Option<Share>, NoShare> {
        if bytes <= FREE_BYTES {
            return Ok(None);
        }
        self.bytes.take_many(source, bytes, now).map(Some).ok_or(NoShare)
    }
}

impl Places {
    /// Notes that the client has sent `connect`.
    pub(super) fn open(&mut self) {
        self.unopened = None;
    }

    /// Notes that the client has resumed the session.
    pub(super) fn come_back(&mut self) {
        if let Some(away) = &mut self.away {
            away.release();
        }
    }

    /// Notes that the session has ended.
    pub(super) fn leave(&mut self) {
        *self = Self::default();
    }

    /// Returns the bytes that the session holds. `None` for a client in the same process.
    pub(super) const fn bytes(&mut self) -> Option<&mut Held> {
        self.bytes.as_mut()
    }

    /// Returns the documents that the session holds. `None` for a client in the same process.
    pub(super) const fn documents(&mut self) -> Option<&mut Held> {
        self.documents.as_mut()
    }

    /// Returns the bytes that the session holds while its client is away. `None` for a client in the same process.
    pub(super) const fn away(&mut self) -> Option<&mut Held> {
        self.away.as_mut()
    }
}

impl Held {
    fn new(all: &Arc<Shares>, source: Source, step: Step) -> Self {
        Self { all: Arc::clone(all), source, share: None, step }
    }

    /// Notes that the session holds none.
    fn release(&mut self) {
        self.share = None;
    }

    /// Notes how much the session holds.
    pub(super) fn hold(&mut self, held: usize, clock: &dyn Clock) -> Result<(), NoShare> {
        if held <= self.step.free {
            self.share = None;
            return Ok(());
        }
        let counted = self.share.as_ref().map_or(0, Share::count);
        if held <= counted {
            return Ok(());
        }
        let more = (held - counted).next_multiple_of(self.step.at_once);
        let now = clock.now();
        let is_taken = if let Some(share) = &mut self.share {
            share.extend(more, now)
        } else {
            self.share = self.all.take_many(self.source, more, now);
            self.share.is_some()
        };
        if is_taken { Ok(()) } else { Err(NoShare) }
    }

    /// Returns whether [`hold`](Self::hold) has to be called when the session holds this much.
    pub(super) const fn counts(&self, held: usize) -> bool {
        held > self.step.free || self.share.is_some()
    }
}
