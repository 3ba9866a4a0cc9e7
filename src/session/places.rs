//! [`Places`]: what a session counts for, from its creation until its end.

use std::sync::Arc;

use crate::clock::{Clock, Timestamp};
use crate::limits::Limits;
use crate::shares::{Maximum, Share, Shares, Source};

/// The number of bytes that each session, and each body of a request, may hold without counting.
const FREE_BYTES: usize = 32 << 10;

/// The number of bytes that a session takes at a time.
const BYTES_AT_ONCE: usize = 64 << 10;

/// The sessions of all clients and what they hold, counted in total and by network.
pub(crate) struct SessionShares {
    all: Arc<Shares>,
    unopened: Arc<Shares>,
    bytes: Arc<Shares>,
}

/// What a session counts for. Empty for a client in the same process.
#[derive(Default)]
pub(crate) struct Places {
    _session: Option<Share>,
    /// Until the client has sent `connect`.
    unopened: Option<Share>,
    held: Option<Held>,
}

/// The bytes that a session holds.
struct Held {
    all: Arc<Shares>,
    source: Source,
    share: Option<Share>,
}

/// The error for bytes that no share is left for.
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
        }
    }

    /// Takes the places of a new session. Returns `None` if a maximum is reached.
    pub(super) fn take(&self, source: Source, now: Timestamp) -> Option<Places> {
        let unopened = self.unopened.take(source, now)?;
        let session = self.all.take(source, now)?;
        let held = Held { all: Arc::clone(&self.bytes), source, share: None };
        Some(Places { _session: Some(session), unopened: Some(unopened), held: Some(held) })
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

    /// Notes that the session has ended.
    pub(super) fn leave(&mut self) {
        *self = Self::default();
    }

    /// Returns whether [`hold`](Self::hold) has to be called when the session holds this many bytes.
    pub(super) fn counts(&self, bytes: usize) -> bool {
        self.held.as_ref().is_some_and(|held| bytes > FREE_BYTES || held.share.is_some())
    }

    /// Notes how many bytes the session holds.
    pub(super) fn hold(&mut self, bytes: usize, clock: &dyn Clock) -> Result<(), NoShare> {
        let Some(held) = &mut self.held else { return Ok(()) };
        if bytes <= FREE_BYTES {
            held.share = None;
            return Ok(());
        }
        let counted = held.share.as_ref().map_or(0, Share::count);
        if bytes <= counted {
            return Ok(());
        }
        let more = (bytes - counted).next_multiple_of(BYTES_AT_ONCE);
        let now = clock.now();
        let is_taken = if let Some(share) = &mut held.share {
            share.extend(more, now)
        } else {
            held.share = held.all.take_many(held.source, more, now);
            held.share.is_some()
        };
        if is_taken { Ok(()) } else { Err(NoShare) }
    }
}
