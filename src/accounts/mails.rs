//! [`Mails`]: what accounts send by mail, and how often.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::counters::{CounterKey, Counters};
use crate::chance::Chance;
use crate::clock::{Clock, Timestamp};
use crate::keys::KeyRing;
use crate::mail::{MailContent, MailQueue, MailSeal, Mailer, Site, Templates};
use crate::store::{FailureRule, Store, StoreError};
use crate::user::UserId;

/// The maximum number of mails to one user from each budget: ten an hour.
const RULE: FailureRule = FailureRule {
    limit: 10,
    first_block: Duration::from_hours(1),
    longest_block: Duration::from_hours(1),
    forgotten_after: Duration::from_hours(1),
};

/// From which budget a mail to a user is taken. They are apart, so that strangers cannot use up the user's own, and the codes
/// that they request do not use up the links to reset a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailBudget {
    /// The user has requested the mail, and has proven at least a password.
    User,
    /// A code that any client may request that knows the user's name.
    CodeForAnyone,
    /// A link to reset the password, which any client may request that knows the user's address.
    LinkForAnyone,
    /// The mail tells of a change that the user has proven a factor for.
    Changes,
    /// The mail tells of a login. Apart from changes, so that many logins cannot hide one.
    Logins,
}

/// Writes mails and queues them.
pub(crate) struct Mails {
    templates: Templates,
    /// `None` if another app sends the mails.
    mailer: Option<Arc<dyn Mailer>>,
    site: Site,
    pub(crate) queue: MailQueue,
    counters: Arc<Counters>,
    clock: Arc<dyn Clock>,
    /// Stops the task that sends mails when the accounts are dropped.
    sending: OnceLock<DropGuard>,
}

impl Mails {
    pub(super) fn new(
        (templates, mailer, site): (Templates, Option<Arc<dyn Mailer>>, Site),
        store: &Arc<dyn Store>,
        (keys, chance): (&Arc<KeyRing>, &Arc<dyn Chance>),
        counters: &Arc<Counters>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let outgoing: Arc<dyn Store> = Arc::clone(store);
        let seal = MailSeal::new(Arc::clone(keys), Arc::clone(chance));
        Self {
            templates: templates.for_site(site.clone()),
            mailer,
            site,
            queue: MailQueue::new(outgoing, seal, Arc::clone(clock)),
            counters: Arc::clone(counters),
            clock: Arc::clone(clock),
            sending: OnceLock::new(),
        }
    }

    /// The site that mails and links name.
    pub(crate) const fn site(&self) -> &Site {
        &self.site
    }

    /// Queues a mail, and returns whether it was queued. A mail that cannot be queued is logged.
    pub(crate) async fn send(&self, content: &MailContent, to: Vec<String>, expires_at: Option<Timestamp>) -> bool {
        if to.is_empty() {
            return false;
        }
        let mail = match self.templates.render(content, to, expires_at) {
            Ok(mail) => mail,
            Err(error) => {
                tracing::error!(%error, "a mail cannot be written");
                return false;
            }
        };
        match self.queue.enqueue(&mail).await {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(%error, kind = %content.kind(), "a mail cannot be queued");
                false
            }
        }
    }

    /// The same for a mail that is of no use after `lifetime`.
    pub(crate) async fn send_for(&self, content: &MailContent, to: Vec<String>, lifetime: Duration) -> bool {
        self.send(content, to, Some(self.clock.now().plus(lifetime))).await
    }

    /// Counts a mail to this user, and returns whether it may be sent.
    pub(crate) async fn take_from_budget(&self, user: &UserId, budget: MailBudget) -> Result<bool, StoreError> {
        let key = match budget {
            MailBudget::User => CounterKey::mails_by_user(user),
            MailBudget::CodeForAnyone => CounterKey::codes_by_anyone(user),
            MailBudget::LinkForAnyone => CounterKey::links_by_anyone(user),
            MailBudget::Changes => CounterKey::mails_about_changes(user),
            MailBudget::Logins => CounterKey::mails_about_logins(user),
        };
        self.counters.take(&key, RULE).await
    }

    /// Starts the task that sends mails, until the app stops or the accounts are dropped. The task holds the queue and
    /// not the accounts.
    pub(super) fn start(&self, runtime: &Runtime, stopping: &CancellationToken) {
        let Some(mailer) = self.mailer.clone() else { return };
        let stopped = stopping.child_token();
        if self.sending.set(stopped.clone().drop_guard()).is_err() {
            return;
        }
        let queue = self.queue.clone();
        runtime.spawn(async move { queue.work(mailer, stopped.cancelled_owned()).await });
    }
}
