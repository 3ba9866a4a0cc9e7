//! [`MemoryMailer`]: keeps mails in memory, for tests.

use std::sync::Arc;

use futures::future::{FutureExt as _, ready};
use parking_lot::Mutex;

use super::{Delivery, Mail, Mailer};

/// Keeps all mails in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryMailer {
    sent: Arc<Mutex<Vec<Mail>>>,
}

impl MemoryMailer {
    /// Returns the mails delivered so far, the oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<Mail> {
        self.sent.lock().clone()
    }
}

impl Mailer for MemoryMailer {
    fn deliver<'mail>(&'mail self, mail: &'mail Mail) -> Delivery<'mail> {
        self.sent.lock().push(mail.clone());
        ready(Ok(())).boxed()
    }
}
