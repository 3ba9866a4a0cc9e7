//! [`MailQueue`]: stores mails and wakes the worker that sends them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::worker::Worker;
use super::{Mail, MailId, Mailer, Outgoing, OutgoingMail};
use crate::clock::Clock;
use crate::store::{StoreError, StoreFuture};

/// So many mails may wait, unless it is set.
const CAPACITY: u64 = 10_000;

/// How often the worker looks for due mails when nothing wakes it.
const POLL: Duration = Duration::from_secs(5);

/// Stores mails, and sends them in the background. Clones share the queue.
#[derive(Clone)]
pub struct MailQueue {
    outgoing: Arc<dyn Outgoing>,
    clock: Arc<dyn Clock>,
    woken: Arc<Notify>,
    capacity: u64,
    poll: Duration,
}

/// Why a mail was not stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnqueueError {
    /// So many mails wait that the mail server has been away for long.
    #[error("{0} mails wait to be sent, which is as many as may; is the mail server, `MAIL_URL`, in order?")]
    Full(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MailQueue {
    /// A queue of the mails in `outgoing`: also of those that were stored before a restart.
    pub fn new(outgoing: Arc<dyn Outgoing>, clock: Arc<dyn Clock>) -> Self {
        Self { outgoing, clock, woken: Arc::default(), capacity: CAPACITY, poll: POLL }
    }

    /// So many mails may wait, if not 10 000.
    #[must_use]
    pub fn with_capacity(self, capacity: u64) -> Self {
        Self { capacity, ..self }
    }

    /// How often the worker looks for due mails when nothing wakes it, if not every five seconds.
    #[must_use]
    pub fn polling_every(self, poll: Duration) -> Self {
        Self { poll, ..self }
    }

    /// Stores a mail and returns; the worker sends it. To several addresses it is sent one by one, so that an address that is
    /// refused keeps no other from its mail, and each has an id.
    ///
    /// # Errors
    /// Too many mails wait, or the store fails.
    pub async fn enqueue(&self, mail: &Mail) -> Result<Vec<MailId>, EnqueueError> {
        if self.outgoing.count_waiting().await? >= self.capacity {
            return Err(EnqueueError::Full(self.capacity));
        }
        let mut ids = Vec::with_capacity(mail.to.len());
        for address in &mail.to {
            let mail = Mail { to: vec![address.clone()], ..mail.clone() };
            ids.push(self.outgoing.add(&mail, self.clock.now()).await?);
        }
        self.woken.notify_one();
        Ok(ids)
    }

    /// At most `limit` mails that wait or were given up, the newest first.
    #[must_use]
    pub fn list(&self, limit: u32) -> StoreFuture<'_, Vec<OutgoingMail>> {
        self.outgoing.list(limit)
    }

    /// Sends a mail now that waits or was given up; `false` if there is no such mail.
    ///
    /// # Errors
    /// The store fails.
    pub async fn retry(&self, id: MailId) -> Result<bool, StoreError> {
        let is_there = self.outgoing.retry(id, self.clock.now()).await?;
        self.woken.notify_one();
        Ok(is_there)
    }

    /// Forgets a mail that waits or was given up; `false` if there is no such mail.
    ///
    /// # Errors
    /// The store fails.
    pub async fn discard(&self, id: MailId) -> Result<bool, StoreError> {
        self.outgoing.discard(id).await
    }

    /// Sends what is due, until `stopped`; then it finishes what it is sending. One such task is enough; several nodes with one
    /// store may each have theirs.
    pub async fn work(&self, mailer: Arc<dyn Mailer>, stopped: impl Future<Output = ()> + Send) {
        let worker = Worker { outgoing: &*self.outgoing, clock: &*self.clock, mailer: &*mailer };
        worker.run(&self.woken, self.poll, stopped).await;
    }
}

impl fmt::Debug for MailQueue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MailQueue").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
