//! [`Changes`]: tells whoever shows something live that it should be read again. Every write tells, so none can be forgotten.

use tokio::sync::watch;

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Users and what belongs to them.
    Users,
    /// Login tokens.
    Tokens,
    /// The audit log.
    Audit,
    /// Mails that wait.
    Mails,
}

/// The topics of a store. Of several changes in a row, a receiver may hear once.
#[derive(Debug, Default)]
#[expect(unnameable_types, reason = "applications do not call it")]
pub struct Changes {
    users: watch::Sender<()>,
    tokens: watch::Sender<()>,
    audit: watch::Sender<()>,
    mails: watch::Sender<()>,
}

impl Changes {
    /// Hears of changes from now on.
    pub(crate) fn subscribe(&self, topic: Topic) -> watch::Receiver<()> {
        self.sender(topic).subscribe()
    }

    /// A store tells that a write of this topic has ended.
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
