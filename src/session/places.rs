//! [`Places`]: what a session counts for, from its creation until its end.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::limits::Limits;
use crate::shares::{Maximum, Share, Shares, Source};

/// The sessions of all clients, counted in total and by network.
pub(crate) struct SessionShares {
    all: Arc<Shares>,
    unopened: Arc<Shares>,
}

/// What a session counts for.
#[derive(Default)]
pub(crate) struct Places {
    /// `None` for a client in the same process.
    session: Option<Share>,
    /// Until the client has sent `connect`.
    unopened: Option<Share>,
}

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
        }
    }

    /// Takes the places of a new session. Returns `None` if a maximum is reached.
    pub(super) fn take(&self, source: Source, now: Timestamp) -> Option<Places> {
        let unopened = self.unopened.take(source, now)?;
        Some(Places { session: Some(self.all.take(source, now)?), unopened: Some(unopened) })
    }
}

impl Places {
    /// Notes that the client has sent `connect`.
    pub(super) fn open(&mut self) {
        self.unopened = None;
    }

    /// Notes that the session has ended.
    pub(super) fn leave(&mut self) {
        self.unopened = None;
        self.session = None;
    }
}
