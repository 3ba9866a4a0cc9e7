//! [`Outgoing`]: the mails that wait to be sent. They are stored, so that a restart does not lose them.

use std::fmt;

use super::StoreFuture;
use super::mail::{MailKind, SealedMail};
use super::private::Private;
use super::user::Sealed;
use crate::clock::Timestamp;

/// Mails that wait to be sent, and mails that were given up. A mail that was sent is deleted.
///
/// A mail is due at the time of its next attempt, and [`claim`](Self::claim) hands it to one worker. Its text contains
/// codes and links, so it is stored sealed.
pub trait Outgoing: Private + Send + Sync {
    /// Stores a mail whose first attempt is due at `now`.
    fn add<'store>(&'store self, mail: &'store SealedMail, now: Timestamp) -> StoreFuture<'store, MailId>;

    /// Returns the number of mails that wait.
    fn count_waiting(&self) -> StoreFuture<'_, u64>;

    /// Returns at most `limit` mails that are due at `now`, the longest due first. The same write moves their next attempt to
    /// `until`, so that no other worker gets them. If this worker crashes, they are due again then.
    fn claim(&self, now: Timestamp, until: Timestamp, limit: u32) -> StoreFuture<'_, Vec<QueuedMail>>;

    /// Deletes a mail that was sent.
    fn sent(&self, id: MailId) -> StoreFuture<'_, ()>;

    /// Records a failed attempt with its error. Depending on `next`, the mail waits for another attempt or is given up.
    fn failed<'store>(
        &'store self,
        id: MailId,
        error: &'store str,
        next: NextAttempt,
        now: Timestamp,
    ) -> StoreFuture<'store, ()>;

    /// Returns at most `limit` mails that wait or were given up, without their texts, the newest first.
    fn list(&self, limit: u32) -> StoreFuture<'_, Vec<OutgoingMail>>;

    /// Makes a mail due at `now`, also one that was given up. Returns `false` if there is no such mail.
    fn retry(&self, id: MailId, now: Timestamp) -> StoreFuture<'_, bool>;

    /// Deletes a mail that waits or was given up. Returns `false` if there is no such mail.
    fn discard(&self, id: MailId) -> StoreFuture<'_, bool>;

    /// Deletes the mails that were given up before `time`, and returns their number.
    fn forget_given_up(&self, time: Timestamp) -> StoreFuture<'_, u64>;

    /// Returns all mails that wait or were given up, as [`claim`](Self::claim) does but without claiming them, for a
    /// rotation of keys.
    fn sealed_mails(&self) -> StoreFuture<'_, Vec<QueuedMail>>;

    /// Replaces a sealed text by the same text under another key. Returns `false` if there is no such mail.
    fn reseal_mail(&self, id: MailId, body: Sealed) -> StoreFuture<'_, bool>;
}

/// The id of a mail in [`Outgoing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailId(i64);

/// A mail that was claimed by a worker.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QueuedMail {
    /// The id of the mail.
    pub id: MailId,
    /// The mail.
    pub mail: SealedMail,
    /// The number of failed attempts.
    pub failures: u32,
    /// When it was stored.
    pub added_at: Timestamp,
}

/// What happens to a mail that could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextAttempt {
    /// It is sent again at this time.
    At(Timestamp),
    /// It is given up.
    Never,
}

/// What operators see of a mail that was not sent yet. It does not include the text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutgoingMail {
    /// The id of the mail.
    pub id: MailId,
    /// The addresses of the recipients.
    pub to: Vec<String>,
    /// What the mail is for.
    pub kind: MailKind,
    /// When it was stored.
    pub added_at: Timestamp,
    /// The number of failed attempts.
    pub failures: u32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// Whether it waits or was given up.
    pub state: MailState,
}

/// Whether a mail waits to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailState {
    /// It is sent at this time.
    Waiting(Timestamp),
    /// It was given up at this time.
    GivenUp(Timestamp),
}

impl MailId {
    /// Returns an id from its number.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// Returns the number that is stored and shown.
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
