//! [`MemoryOutgoing`]: keeps waiting mails in memory, for tests. A restart loses them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{FutureExt as _, ready};
use parking_lot::Mutex;

use super::{MailId, MailState, NextAttempt, Outgoing, OutgoingMail, QueuedMail, SealedMail};
use crate::clock::Timestamp;
use crate::store::private::Private;
use crate::store::{Sealed, StoreFuture};

/// Keeps waiting mails in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryOutgoing {
    mails: Arc<Mutex<Mails>>,
}

#[derive(Debug, Default)]
struct Mails {
    last: i64,
    entries: BTreeMap<MailId, Entry>,
}

#[derive(Debug)]
struct Entry {
    mail: SealedMail,
    added_at: Timestamp,
    failures: u32,
    last_error: Option<String>,
    state: MailState,
}

impl Private for MemoryOutgoing {}

impl Outgoing for MemoryOutgoing {
    fn add<'store>(&'store self, mail: &'store SealedMail, now: Timestamp) -> StoreFuture<'store, MailId> {
        answer(self.mails.lock().add(mail.clone(), now))
    }

    fn count_waiting(&self) -> StoreFuture<'_, u64> {
        let count = self.mails.lock().entries.values().filter(|entry| entry.next_attempt().is_some()).count();
        answer(count.try_into().unwrap_or(u64::MAX))
    }

    fn claim(&self, now: Timestamp, until: Timestamp, limit: u32) -> StoreFuture<'_, Vec<QueuedMail>> {
        answer(self.mails.lock().claim(now, until, limit))
    }

    fn sent(&self, id: MailId) -> StoreFuture<'_, ()> {
        self.mails.lock().entries.remove(&id);
        answer(())
    }

    fn failed<'store>(
        &'store self,
        id: MailId,
        error: &'store str,
        next: NextAttempt,
        now: Timestamp,
    ) -> StoreFuture<'store, ()> {
        if let Some(entry) = self.mails.lock().entries.get_mut(&id) {
            entry.fail(error, next, now);
        }
        answer(())
    }

    fn list(&self, limit: u32) -> StoreFuture<'_, Vec<OutgoingMail>> {
        let mails = self.mails.lock();
        let newest = mails.entries.iter().rev().take(limit as usize);
        answer(newest.map(|(id, entry)| entry.shown(*id)).collect())
    }

    fn retry(&self, id: MailId, now: Timestamp) -> StoreFuture<'_, bool> {
        let mut mails = self.mails.lock();
        let entry = mails.entries.get_mut(&id);
        answer(entry.map(|entry| entry.state = MailState::Waiting(now)).is_some())
    }

    fn discard(&self, id: MailId) -> StoreFuture<'_, bool> {
        answer(self.mails.lock().entries.remove(&id).is_some())
    }

    fn forget_given_up(&self, time: Timestamp) -> StoreFuture<'_, u64> {
        let forgotten = self.mails.lock().entries.extract_if(.., |_, entry| entry.was_given_up_before(time)).count();
        answer(forgotten.try_into().unwrap_or(u64::MAX))
    }

    fn sealed_mails(&self) -> StoreFuture<'_, Vec<QueuedMail>> {
        answer(self.mails.lock().entries.iter().map(|(id, entry)| entry.queued(*id)).collect())
    }

    fn reseal_mail(&self, id: MailId, body: Sealed) -> StoreFuture<'_, bool> {
        let mut mails = self.mails.lock();
        let entry = mails.entries.get_mut(&id);
        answer(entry.map(|entry| entry.mail.body = body).is_some())
    }
}

impl Mails {
    fn add(&mut self, mail: SealedMail, now: Timestamp) -> MailId {
        self.last += 1;
        let id = MailId::from_number(self.last);
        let state = MailState::Waiting(now);
        self.entries.insert(id, Entry { mail, added_at: now, failures: 0, last_error: None, state });
        id
    }

    fn claim(&mut self, now: Timestamp, until: Timestamp, limit: u32) -> Vec<QueuedMail> {
        let mut due: Vec<_> = self.entries.iter_mut().filter(|(_, entry)| entry.is_due(now)).collect();
        due.sort_by_key(|(id, entry)| (entry.next_attempt(), **id));
        let claimed = due.into_iter().take(limit as usize);
        claimed.map(|(id, entry)| entry.claim(*id, until)).collect()
    }
}

impl Entry {
    fn next_attempt(&self) -> Option<Timestamp> {
        match self.state {
            MailState::Waiting(time) => Some(time),
            MailState::GivenUp(_) => None,
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.next_attempt().is_some_and(|time| time <= now)
    }

    fn was_given_up_before(&self, time: Timestamp) -> bool {
        matches!(self.state, MailState::GivenUp(given_up) if given_up < time)
    }

    fn claim(&mut self, id: MailId, until: Timestamp) -> QueuedMail {
        self.state = MailState::Waiting(until);
        self.queued(id)
    }

    fn queued(&self, id: MailId) -> QueuedMail {
        QueuedMail { id, mail: self.mail.clone(), failures: self.failures, added_at: self.added_at }
    }

    fn fail(&mut self, error: &str, next: NextAttempt, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.last_error = Some(error.to_owned());
        self.state = match next {
            NextAttempt::At(time) => MailState::Waiting(time),
            NextAttempt::Never => MailState::GivenUp(now),
        };
    }

    fn shown(&self, id: MailId) -> OutgoingMail {
        OutgoingMail {
            id,
            to: self.mail.to.clone(),
            kind: self.mail.kind,
            added_at: self.added_at,
            failures: self.failures,
            last_error: self.last_error.clone(),
            state: self.state,
        }
    }
}

fn answer<'store, T: Send + 'store>(value: T) -> StoreFuture<'store, T> {
    ready(Ok(value)).boxed()
}
