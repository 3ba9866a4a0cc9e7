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
pub(crate) struct Places(Option<Taken>);

/// What a session has taken. It is given back when this is dropped.
struct Taken {
    shares: Arc<SessionShares>,
    source: Source,
    /// Until the client has sent `connect`.
    is_unopened: bool,
    bytes: usize,
    documents: usize,
    /// While the client is away.
    away: usize,
}

/// How many of something a session holds.
pub(super) struct Held<'places> {
    all: &'places Shares,
    source: Source,
    counted: &'places mut usize,
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
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
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
        })
    }

    /// Returns what sessions hold: their number, those that are not open, bytes, documents, and bytes for clients that are
    /// away.
    pub(super) fn all(&self) -> [&Arc<Shares>; 5] {
        [&self.all, &self.unopened, &self.bytes, &self.documents, &self.away]
    }

    /// Takes the places of a new session. Returns `None` if a maximum is reached.
    pub(super) fn take(self: &Arc<Self>, source: Source, now: Timestamp) -> Option<Places> {
        if !self.unopened.count(source, 1, now) {
            return None;
        }
        if !self.all.count(source, 1, now) {
            self.unopened.give_back(source, 1);
            return None;
        }
        let shares = Arc::clone(self);
        Some(Places(Some(Taken { shares, source, is_unopened: true, bytes: 0, documents: 0, away: 0 })))
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
        if let Some(taken) = &mut self.0 {
            taken.open();
        }
    }

    /// Notes that the client has resumed the session.
    pub(super) fn come_back(&mut self) {
        if let Some(away) = self.away() {
            away.release();
        }
    }

    /// Notes that the session has ended.
    pub(super) fn leave(&mut self) {
        *self = Self::default();
    }

    /// Returns the bytes that the session holds. `None` for a client in the same process.
    pub(super) fn bytes(&mut self) -> Option<Held<'_>> {
        let Taken { shares, source, bytes, .. } = self.0.as_mut()?;
        Some(Held { all: &shares.bytes, source: *source, counted: bytes, step: BYTES })
    }

    /// Returns the documents that the session holds. `None` for a client in the same process.
    pub(super) fn documents(&mut self) -> Option<Held<'_>> {
        let Taken { shares, source, documents, .. } = self.0.as_mut()?;
        Some(Held { all: &shares.documents, source: *source, counted: documents, step: DOCUMENTS })
    }

    /// Returns the bytes that the session holds while its client is away. `None` for a client in the same process.
    pub(super) fn away(&mut self) -> Option<Held<'_>> {
        let Taken { shares, source, away, .. } = self.0.as_mut()?;
        Some(Held { all: &shares.away, source: *source, counted: away, step: AWAY })
    }
}

impl Taken {
    fn open(&mut self) {
        if std::mem::take(&mut self.is_unopened) {
            self.shares.unopened.give_back(self.source, 1);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.open();
        self.shares.all.give_back(self.source, 1);
        self.shares.bytes.give_back(self.source, self.bytes);
        self.shares.documents.give_back(self.source, self.documents);
        self.shares.away.give_back(self.source, self.away);
    }
}

impl Held<'_> {
    /// Notes that the session holds none.
    fn release(self) {
        self.all.give_back(self.source, std::mem::take(self.counted));
    }

    /// Notes how much the session holds, if this is so little that it does not count.
    pub(super) fn release_few(self, held: usize) {
        if held <= self.step.free {
            self.release();
        }
    }

    /// Notes how much the session holds.
    pub(super) fn hold(self, held: usize, clock: &dyn Clock) -> Result<(), NoShare> {
        if held <= self.step.free {
            self.release();
            return Ok(());
        }
        let Some(missing) = held.checked_sub(*self.counted).filter(|missing| *missing > 0) else { return Ok(()) };
        let more = missing.next_multiple_of(self.step.at_once);
        if !self.all.count(self.source, more, clock.now()) {
            return Err(NoShare);
        }
        *self.counted += more;
        Ok(())
    }

    /// Returns whether [`hold`](Self::hold) has to be called when the session holds this much.
    pub(super) const fn counts(&self, held: usize) -> bool {
        held > self.step.free || *self.counted > 0
    }
}
