//! [`Subscriptions`]: the active subscriptions, and those that were ended but not confirmed by the server.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bolide_protocol::message::Subscribe;
use bolide_protocol::{ClientMessage, DdpError, RawJson};
use tokio::sync::watch;

/// The status of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionStatus {
    /// The server has not answered yet.
    Pending,
    /// The client has the initial documents and receives changes.
    Ready,
    /// The subscription has ended: the server rejected or stopped it, with this error if it failed, or the client ended
    /// it.
    Stopped(Option<DdpError>),
}

#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    active: BTreeMap<u64, Active>,
    /// Ended, and not confirmed. The `unsub` is sent again if the session is resumed.
    leaving: BTreeSet<u64>,
}

#[derive(Debug)]
struct Active {
    name: String,
    params: RawJson,
    /// Whether it was ready in any session.
    was_ready: bool,
    /// Whether it was sent in this session.
    is_sent: bool,
    /// Whether it is ready in this session.
    is_ready: bool,
    status: watch::Sender<SubscriptionStatus>,
}

impl Subscriptions {
    pub(super) fn len(&self) -> usize {
        self.active.len() + self.leaving.len()
    }

    pub(super) fn add(&mut self, id: u64, name: &str, params: RawJson) -> watch::Receiver<SubscriptionStatus> {
        let (status, receiver) = watch::channel(SubscriptionStatus::Pending);
        let active =
            Active { name: name.to_owned(), params, was_ready: false, is_sent: false, is_ready: false, status };
        self.active.insert(id, active);
        receiver
    }

    /// Returns the `sub` frame, or `None` if the subscription was ended. From now on it counts as sent.
    pub(super) fn sub(&mut self, id: u64) -> Option<String> {
        let Active { name, params, is_sent, .. } = self.active.get_mut(&id)?;
        *is_sent = true;
        let subscribe = Subscribe { id: id.to_string(), name: name.clone(), params: Some(params.clone()) };
        Some(ClientMessage::Sub(subscribe).to_frame())
    }

    /// Ends a subscription and returns whether the server must be told.
    pub(super) fn leave(&mut self, id: u64) -> bool {
        let Some(active) = self.active.remove(&id) else { return false };
        active.status.send_replace(SubscriptionStatus::Stopped(None));
        if active.is_sent {
            self.leaving.insert(id);
        }
        active.is_sent
    }

    pub(super) fn ready(&mut self, id: u64) {
        let Some(active) = self.active.get_mut(&id) else { return };
        active.was_ready = true;
        active.is_ready = true;
        // After a reconnection the server says so again; receivers are not notified of that.
        active.status.send_if_modified(|status| {
            let is_new = *status != SubscriptionStatus::Ready;
            *status = SubscriptionStatus::Ready;
            is_new
        });
    }

    pub(super) fn ended(&mut self, id: u64, error: Option<DdpError>) {
        self.leaving.remove(&id);
        if let Some(active) = self.active.remove(&id) {
            active.status.send_replace(SubscriptionStatus::Stopped(error));
        }
    }

    /// Returns the subscriptions to send when a connection opens, since the server may not have them.
    pub(super) fn unconfirmed(&self) -> Vec<u64> {
        self.active.iter().filter(|(_, active)| !active.is_ready).map(|(id, _)| *id).collect()
    }

    pub(super) fn leaving(&self) -> Vec<u64> {
        self.leaving.iter().copied().collect()
    }

    /// Handles that a new session has no subscriptions. Returns those that were ready before.
    pub(super) fn lose_session(&mut self) -> HashSet<u64> {
        self.leaving.clear();
        for active in self.active.values_mut() {
            active.is_sent = false;
            active.is_ready = false;
        }
        self.active.iter().filter(|(_, active)| active.was_ready).map(|(id, _)| *id).collect()
    }

    pub(super) fn take_all(&mut self) {
        for (_, active) in std::mem::take(&mut self.active) {
            active.status.send_replace(SubscriptionStatus::Stopped(None));
        }
        self.leaving.clear();
    }
}
