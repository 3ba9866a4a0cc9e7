//! [`MailQueue`]: stores mails, and wakes the worker that sends them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::worker::Worker;
use super::{Mail, MailId, MailSeal, Mailer, Outgoing, OutgoingMail};
use crate::clock::Clock;
use crate::figures::Count;
use crate::store::{StoreError, StoreFuture};

/// The default maximum number of waiting mails.
const CAPACITY: u64 = 10_000;

/// The default interval at which the worker looks for due mails.
const POLL: Duration = Duration::from_secs(5);

/// Stores mails and sends them in the background. Clones share the queue.
#[derive(Clone)]
pub struct MailQueue {
    outgoing: Arc<dyn Outgoing>,
    seal: MailSeal,
    clock: Arc<dyn Clock>,
    woken: Arc<Notify>,
    capacity: u64,
    poll: Duration,
    figures: Arc<MailFigures>,
}

/// What has become of mails on this node.
#[derive(Default)]
pub(crate) struct MailFigures {
    pub(crate) sent: Count,
    /// Attempts that failed and are made again.
    pub(crate) failed: Count,
    pub(crate) given_up: Count,
    /// Mails that were not queued, because the queue was full.
    pub(crate) refused: Count,
}

/// Why a mail was not added to the queue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnqueueError {
    /// The queue is full, probably because the mail server has been unreachable for a long time.
    #[error("{0} mails wait to be sent, which is the maximum; check the mail server, `MAIL_URL`")]
    Full(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MailQueue {
    /// Returns a queue of the mails in `outgoing`, including those that were stored before a restart with the same keys.
    pub fn new(outgoing: Arc<dyn Outgoing>, seal: MailSeal, clock: Arc<dyn Clock>) -> Self {
        Self { outgoing, seal, clock, woken: Arc::default(), capacity: CAPACITY, poll: POLL, figures: Arc::default() }
    }

    /// Sets the maximum number of waiting mails. Default: 10 000.
    #[must_use]
    pub fn with_capacity(self, capacity: u64) -> Self {
        Self { capacity, ..self }
    }

    /// Sets the interval at which the worker looks for due mails. A new mail wakes it at once. Default: 5 seconds.
    #[must_use]
    pub fn polling_every(self, poll: Duration) -> Self {
        Self { poll, ..self }
    }

    /// Seals and stores a mail, which the worker sends in the background. Each recipient gets a mail of their own with its own id, so
    /// that a rejected address does not affect the others.
    ///
    /// # Errors
    /// Returns an error if the queue is full or the store fails.
    pub async fn enqueue(&self, mail: &Mail) -> Result<Vec<MailId>, EnqueueError> {
        if self.outgoing.count_waiting().await? >= self.capacity {
            self.figures.refused.one();
            return Err(EnqueueError::Full(self.capacity));
        }
        let mut ids = Vec::with_capacity(mail.to.len());
        for address in &mail.to {
            let mail = Mail { to: vec![address.clone()], ..mail.clone() };
            ids.push(self.outgoing.add(&self.seal.seal(&mail), self.clock.now()).await?);
        }
        self.woken.notify_one();
        Ok(ids)
    }

    pub(crate) fn figures(&self) -> &MailFigures {
        &self.figures
    }

    /// Returns the number of mails that wait.
    pub(crate) fn count_waiting(&self) -> StoreFuture<'_, u64> {
        self.outgoing.count_waiting()
    }

    /// Returns at most `limit` mails that wait or were given up, the newest first.
    #[must_use]
    pub fn list(&self, limit: u32) -> StoreFuture<'_, Vec<OutgoingMail>> {
        self.outgoing.list(limit)
    }

    /// Sends a mail now that waits or was given up. Returns `false` if there is no such mail.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn retry(&self, id: MailId) -> Result<bool, StoreError> {
        let is_there = self.outgoing.retry(id, self.clock.now()).await?;
        self.woken.notify_one();
        Ok(is_there)
    }

    /// Deletes a mail that waits or was given up. Returns `false` if there is no such mail.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn discard(&self, id: MailId) -> Result<bool, StoreError> {
        self.outgoing.discard(id).await
    }

    /// Seals the mails that wait with the current key if they are sealed with an older one, and returns how many were
    /// sealed again. Mails that cannot be opened with any key stay as they are.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn reseal(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        for queued in self.outgoing.sealed_mails().await? {
            if self.seal.is_current(&queued.mail) {
                continue;
            }
            let Some(mail) = self.seal.open(&queued.mail) else {
                tracing::warn!(mail = %queued.id, "a mail that waits cannot be opened with any key");
                continue;
            };
            count += u64::from(self.outgoing.reseal_mail(queued.id, self.seal.seal(&mail).body).await?);
        }
        Ok(count)
    }

    /// Sends the mails that are due until `stopped` completes, then finishes the deliveries in progress.
    ///
    /// Run it on one task. Several nodes with the same store can each run it: every mail is sent by one of them.
    pub async fn work(&self, mailer: Arc<dyn Mailer>, stopped: impl Future<Output = ()> + Send) {
        let worker = Worker {
            outgoing: &*self.outgoing,
            seal: &self.seal,
            clock: &*self.clock,
            mailer: &*mailer,
            figures: &self.figures,
        };
        worker.run(&self.woken, self.poll, stopped).await;
    }
}

impl fmt::Debug for MailQueue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MailQueue").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
