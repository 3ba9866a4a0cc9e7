//! [`News`]: what nodes that share a database tell each other. The database sends it when a transaction commits.

use std::sync::Arc;
use std::time::Instant;

use super::lease::Lease;
use super::write::Caches;
use crate::store::{Changes, HashedToken, Topic};

/// Removes from the caches what other nodes have written, and notifies the watchers of this node.
#[derive(Clone)]
pub(in crate::store) struct News {
    pub(super) caches: Arc<Caches>,
    pub(super) changes: Arc<Changes>,
}

impl News {
    pub(in crate::store) fn new(lease: Lease) -> Self {
        Self { caches: Arc::new(Caches::under(lease)), changes: Arc::default() }
    }

    /// Takes a message: a topic, and after a colon what has changed of it. Without that, all of it may have. Messages of newer
    /// versions are skipped.
    pub(in crate::store) fn take(&self, message: &str) {
        let (topic, name) = message.split_once(':').map_or((message, None), |(topic, name)| (topic, Some(name)));
        let topic = match (topic, name) {
            ("users", Some(id)) => {
                self.caches.users.forget(&id.into());
                Topic::Users
            }
            ("users", None) => {
                self.caches.users.forget_all();
                Topic::Users
            }
            ("tokens", Some(hashed)) => {
                self.caches.tokens.forget(&HashedToken::from_base64(hashed));
                Topic::Tokens
            }
            ("tokens", None) => {
                self.caches.tokens.forget_all();
                Topic::Tokens
            }
            ("audit", _) => Topic::Audit,
            ("mails", _) => Topic::Mails,
            _ => return,
        };
        self.changes.tell(topic);
    }

    /// Messages that were committed before `sent` have been taken.
    pub(in crate::store) fn are_complete(&self, sent: Instant) {
        if !self.caches.lease.holds() {
            self.caches.forget_all();
        }
        self.caches.lease.renew(sent);
    }

    /// Messages may be missed from now on, until they are [complete](Self::are_complete) again.
    pub(in crate::store) fn may_be_missed(&self) {
        self.caches.lease.end();
        self.caches.forget_all();
        for topic in [Topic::Users, Topic::Tokens, Topic::Audit, Topic::Mails] {
            self.changes.tell(topic);
        }
    }
}
