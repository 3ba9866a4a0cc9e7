//! [`Worker`]: sends the mails that are due.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use futures::future::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Notify;
use tokio::time::{interval, sleep, timeout};

use super::queue::MailFigures;
use super::retry::after_failure;
use super::{MailError, MailSeal, Mailer, NextAttempt, Outgoing, QueuedMail};
use crate::clock::{Clock, Timestamp};
use crate::store::StoreError;

/// The maximum number of concurrent deliveries, so that one slow mail server does not delay the other mails.
const AT_ONCE: usize = 4;

/// The timeout of a delivery.
const DELIVERY: Duration = Duration::from_mins(1);

/// The timeout for asking the store for mails. A link that swallows what is sent is not noticed otherwise, and mails that
/// others have stored meanwhile would wait.
const ASKING: Duration = Duration::from_secs(5);

/// How long a claimed mail belongs to this worker: longer than a delivery takes, and short enough to be retried soon after
/// a crash.
const CLAIM: Duration = Duration::from_mins(2);

/// How long mails that were given up are kept, so that operators can see and retry them.
const KEPT_MILLISECONDS: i64 = 7 * 24 * 60 * 60 * 1000;

/// The interval at which mails that were given up are deleted.
const TIDYING: Duration = Duration::from_hours(1);

pub(super) struct Worker<'queue> {
    pub(super) outgoing: &'queue dyn Outgoing,
    pub(super) seal: &'queue MailSeal,
    pub(super) clock: &'queue dyn Clock,
    pub(super) mailer: &'queue dyn Mailer,
    pub(super) figures: &'queue MailFigures,
}

impl Worker<'_> {
    pub(super) async fn run(&self, woken: &Notify, poll: Duration, stopped: impl Future<Output = ()>) {
        // These futures only deliver and do not use the store: they are not polled while the loop waits for the store, and
        // would keep its one connection meanwhile.
        let mut stopped = pin!(stopped);
        let mut sending = FuturesUnordered::new();
        let mut tidying = interval(TIDYING);
        while stopped.as_mut().now_or_never().is_none() {
            sending.extend(self.claim(AT_ONCE - sending.len()).await.into_iter().map(|queued| self.send(queued)));
            tokio::select! {
                () = stopped.as_mut() => break,
                Some((queued, outcome)) = sending.next(), if !sending.is_empty() => self.note(&queued, outcome).await,
                () = woken.notified() => {}
                () = sleep(poll) => {}
                _ = tidying.tick() => self.forget_old().await,
            }
        }
        while let Some((queued, outcome)) = sending.next().await {
            self.note(&queued, outcome).await;
        }
    }

    /// Claims mails to send now, at most `room`.
    async fn claim(&self, room: usize) -> Vec<QueuedMail> {
        if room == 0 {
            return Vec::new();
        }
        let now = self.clock.now();
        let claimed = self.outgoing.claim(now, now.plus(CLAIM), room.try_into().unwrap_or(u32::MAX));
        let silent = |_elapsed| Err(StoreError::Failed("it does not answer".into()));
        timeout(ASKING, claimed).await.unwrap_or_else(silent).unwrap_or_else(|error| {
            tracing::error!(%error, "the mails to send cannot be read from the store");
            Vec::new()
        })
    }

    async fn send(&self, queued: QueuedMail) -> (QueuedMail, Result<(), MailError>) {
        let outcome = self.deliver(&queued).await;
        (queued, outcome)
    }

    /// Stores the outcome of a delivery.
    async fn note(&self, queued: &QueuedMail, outcome: Result<(), MailError>) {
        let outcome = match outcome {
            Ok(()) => {
                self.figures.sent.one();
                self.outgoing.sent(queued.id).await
            }
            Err(error) => self.keep(queued, &error).await,
        };
        if let Err(error) = outcome {
            tracing::error!(mail = %queued.id, %error, "the outcome of a delivery cannot be stored; the mail may be sent again");
        }
    }

    async fn deliver(&self, queued: &QueuedMail) -> Result<(), MailError> {
        if queued.mail.expires_at.is_some_and(|expiry| expiry <= self.clock.now()) {
            return Err(MailError::Permanent("it had expired before it could be sent".to_owned()));
        }
        let Some(mail) = self.seal.open(&queued.mail) else {
            return Err(MailError::Permanent(
                "it cannot be opened with any key; add the key that it was sealed with to the key file or BOLIDE_KEYS"
                    .to_owned(),
            ));
        };
        // A mailer of the application may panic, which must not affect the other mails.
        let delivery = AssertUnwindSafe(async { self.mailer.deliver(&mail).await }).catch_unwind();
        match timeout(DELIVERY, delivery).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_panic)) => Err(MailError::Temporary("the mailer panicked".to_owned())),
            Err(_elapsed) => {
                Err(MailError::Temporary(format!("the delivery took longer than {} seconds", DELIVERY.as_secs())))
            }
        }
    }

    /// Stores a failed attempt, and whether the mail is retried or given up.
    async fn keep(&self, queued: &QueuedMail, error: &MailError) -> Result<(), StoreError> {
        let now = self.clock.now();
        let next = after_failure(queued, error, now);
        let (id, kind) = (queued.id, queued.mail.kind);
        match next {
            NextAttempt::At(time) => {
                self.figures.failed.one();
                tracing::warn!(mail = %id, %kind, %error, seconds = seconds(now, time), "a mail could not be sent and is retried later");
            }
            NextAttempt::Never => {
                self.figures.given_up.one();
                tracing::error!(mail = %id, %kind, %error, "a mail could not be sent and was given up");
            }
        }
        self.outgoing.failed(id, &error.to_string(), next, now).await
    }

    async fn forget_old(&self) {
        let oldest = Timestamp::from_milliseconds(self.clock.now().milliseconds().saturating_sub(KEPT_MILLISECONDS));
        if let Err(error) = self.outgoing.forget_given_up(oldest).await {
            tracing::error!(%error, "mails that were given up cannot be deleted");
        }
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.milliseconds().saturating_sub(from.milliseconds()) / 1000
}
