//! [`Changes`]: notifies live publications that the store has changed. Every write notifies, so that none is forgotten.

use tokio::sync::watch;

/// A part of the store that can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Users, their addresses and their factors.
    Users,
    /// Login tokens.
    Tokens,
    /// The audit log.
    Audit,
    /// Queued mails.
    Mails,
}

/// The watchers of a store. Several changes in a row may be notified once.
#[derive(Debug, Default)]
#[expect(unnameable_types, reason = "applications do not call it")]
pub struct Changes {
    users: watch::Sender<()>,
    tokens: watch::Sender<()>,
    audit: watch::Sender<()>,
    mails: watch::Sender<()>,
}

impl Changes {
    /// Returns a receiver of the changes from now on.
    pub(crate) fn subscribe(&self, topic: Topic) -> watch::Receiver<()> {
        self.sender(topic).subscribe()
    }

    /// Notifies the receivers of this topic that a write has ended.
    pub(crate) fn tell(&self, topic: Topic) {
        self.sender(topic).send_replace(());
    }

    const fn sender(&self, topic: Topic) -> &watch::Sender<()> {
        match topic {
            Topic::Users => &self.users,
            Topic::Tokens => &self.tokens,
            Topic::Audit => &self.audit,
            Topic::Mails => &self.mails,
        }
    }
}
