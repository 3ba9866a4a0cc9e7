//! [`Outgoing`]: where mails wait until they are sent. The store keeps them, so that a restart loses none.

use std::fmt;

use super::StoreFuture;
use super::mail::{Mail, MailKind};
use super::private::Private;
use crate::clock::Timestamp;

/// Mails that wait, and those that could not be sent. A mail that was sent is gone.
///
/// A mail waits from the time of its next attempt on; [`claim`](Self::claim) hands it to one worker. Its text holds codes and
/// links: a store lets nobody see it but the worker.
pub trait Outgoing: Private + Send + Sync {
    /// Stores a mail whose first attempt is due at `now`.
    fn add<'store>(&'store self, mail: &'store Mail, now: Timestamp) -> StoreFuture<'store, MailId>;

    /// How many mails wait.
    fn count_waiting(&self) -> StoreFuture<'_, u64>;

    /// At most `limit` waiting mails whose next attempt is due at `now`, those that are due longest first. In the same write their
    /// next attempt is moved to `until`, so that no other worker gets them; should this one die, they are due again then.
    fn claim(&self, now: Timestamp, until: Timestamp, limit: u32) -> StoreFuture<'_, Vec<QueuedMail>>;

    /// The mail was sent: forgets it.
    fn sent(&self, id: MailId) -> StoreFuture<'_, ()>;

    /// The mail could not be sent: counts the attempt, keeps the error, and the mail waits or is given up.
    fn failed<'store>(
        &'store self,
        id: MailId,
        error: &'store str,
        next: NextAttempt,
        now: Timestamp,
    ) -> StoreFuture<'store, ()>;

    /// At most `limit` mails that wait or were given up, without their texts, the newest first.
    fn list(&self, limit: u32) -> StoreFuture<'_, Vec<OutgoingMail>>;

    /// Lets a mail wait for an attempt at `now`, also one that was given up; `false` if there is no such mail.
    fn retry(&self, id: MailId, now: Timestamp) -> StoreFuture<'_, bool>;

    /// Forgets a mail that waits or was given up; `false` if there is no such mail.
    fn discard(&self, id: MailId) -> StoreFuture<'_, bool>;

    /// Forgets the mails that were given up before `time`, and tells how many.
    fn forget_given_up(&self, time: Timestamp) -> StoreFuture<'_, u64>;
}

/// A mail in [`Outgoing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailId(i64);

/// A mail that is to be sent now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QueuedMail {
    /// Its name in [`Outgoing`].
    pub id: MailId,
    /// The mail.
    pub mail: Mail,
    /// How many attempts have failed.
    pub failures: u32,
    /// When it was stored.
    pub added_at: Timestamp,
}

/// What becomes of a mail that could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextAttempt {
    /// It waits until then.
    At(Timestamp),
    /// It is given up.
    Never,
}

/// What operators see of a mail that was not sent yet: nothing of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutgoingMail {
    /// Its name in [`Outgoing`].
    pub id: MailId,
    /// The addresses that it goes to.
    pub to: Vec<String>,
    /// What it is for.
    pub kind: MailKind,
    /// When it was stored.
    pub added_at: Timestamp,
    /// How many attempts have failed.
    pub failures: u32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// What becomes of it.
    pub state: MailState,
}

/// Whether a mail still waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailState {
    /// It is sent then.
    Waiting(Timestamp),
    /// It was given up then.
    GivenUp(Timestamp),
}

impl MailId {
    /// An id by its number.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The number, as it is stored and shown.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }
}

impl fmt::Display for MailId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
