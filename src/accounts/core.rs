//! [`AccountsCore`]: the accounts of an app that runs, as everything below holds them.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bolide_protocol::{DdpError, random};
use tokio_util::sync::CancellationToken;

use super::events::Events;
use super::hooks::Hooks;
use super::locks::KeyedLocks;
use super::login::OwnHandler;
use super::notifications::Notifications;
use super::password::PasswordHasher;
use super::permissions::Permissions;
use super::publication::Watchers;
use super::token_use::TokenUses;
use super::{Accounts, AccountsHandle};
use crate::call::{AppCore, Connection};
use crate::chance::{Chance, Generator};
use crate::clock::{Clock, Timestamp};
use crate::keys::KeyRing;
use crate::mail::{MailContent, MailQueue, Mailer, Site, Templates};
use crate::session::Host;
use crate::settings::Settings;
use crate::store::{AuditEntry, Store, StoreError, User};
use crate::two_factor::EnrolmentRule;
use crate::user::UserId;

/// How often log-ins and codes that have ended are swept away.
const SWEEP: Duration = Duration::from_mins(10);

/// The accounts of an app that runs.
pub(crate) struct AccountsCore {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: KeyRing,
    pub(crate) settings: Settings,
    pub(crate) site: Site,
    pub(crate) hasher: PasswordHasher,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) locks: KeyedLocks,
    pub(crate) permissions: Permissions,
    pub(super) handlers: Vec<OwnHandler>,
    pub(super) hooks: Hooks,
    pub(super) watchers: Watchers,
    pub(super) token_uses: TokenUses,
    pub(super) events: Events,
    pub(super) notifications: Notifications,
    pub(super) published_fields: Vec<String>,
    templates: Templates,
    pub(crate) mails: MailQueue,
    mailer: Arc<dyn Mailer>,
    pub(crate) enrolment: EnrolmentRule,
    app: OnceLock<Weak<AppCore>>,
}

impl AccountsCore {
    pub(crate) fn new(accounts: Accounts, clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Arc<Self> {
        let outgoing: Arc<dyn Store> = Arc::clone(&accounts.store);
        Arc::new(Self {
            hasher: PasswordHasher::new(Arc::clone(&chance)).with_cost(accounts.cost),
            templates: accounts.templates.for_site(accounts.site.clone()),
            permissions: accounts.permissions,
            handlers: accounts.handlers,
            hooks: accounts.hooks,
            published_fields: accounts.published_fields,
            events: Events::default(),
            notifications: Notifications::default(),
            mails: MailQueue::new(outgoing, Arc::clone(&clock)),
            mailer: accounts.mailer,
            store: accounts.store,
            keys: accounts.keys,
            settings: accounts.settings,
            site: accounts.site,
            clock,
            chance,
            locks: KeyedLocks::default(),
            watchers: Watchers::default(),
            token_uses: TokenUses::default(),
            enrolment: EnrolmentRule::default(),
            app: OnceLock::new(),
        })
    }

    /// Starts what runs beside the calls, until the app stops.
    pub(crate) fn attach(self: &Arc<Self>, app: &Arc<AppCore>) {
        let Some(host) = app.slot::<Host>().filter(|_| self.app.set(Arc::downgrade(app)).is_ok()) else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::warn!("the app was built outside of a tokio runtime: no mail is sent, and nothing is swept");
            return;
        };
        let (core, stopped) = (Arc::clone(self), host.stopping.clone());
        runtime.spawn(async move { core.mails.work(Arc::clone(&core.mailer), stopped.cancelled_owned()).await });
        let (core, stopped) = (Arc::downgrade(self), host.stopping.clone());
        runtime.spawn(sweep_regularly(core, stopped));
        self.events.run_on(runtime);
    }

    /// Returns the app that these accounts belong to. `None` once it is gone.
    pub(crate) fn app(&self) -> Option<Arc<AppCore>> {
        self.app.get()?.upgrade()
    }

    /// Returns the sessions of the app. `None` once it is gone.
    pub(crate) fn host(&self) -> Option<Arc<Host>> {
        self.app()?.slot().cloned()
    }

    /// Returns these accounts as an application uses them. `None` once the app is gone.
    pub(super) fn handle(&self) -> Option<AccountsHandle> {
        self.app()?.slot::<Self>().cloned().map(AccountsHandle::new)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn random_id(&self) -> String {
        random::id(&mut Generator(&*self.chance))
    }

    /// Queues a mail. That it cannot be queued is logged, and fails nothing.
    pub(crate) async fn mail(&self, content: &MailContent, to: Vec<String>, expires_at: Option<Timestamp>) -> bool {
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
        match self.mails.enqueue(&mail).await {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(%error, kind = %content.kind(), "a mail cannot be queued");
                false
            }
        }
    }

    /// Writes down what happened. That it cannot be written down is logged, and fails nothing.
    pub(crate) async fn audit(
        &self,
        event: &str,
        user: Option<&UserId>,
        connection: Option<&Connection>,
        details: serde_json::Value,
    ) {
        let peer = connection.map(Connection::peer);
        let entry = AuditEntry {
            id: 0,
            at: self.now(),
            event: event.to_owned(),
            user: user.cloned(),
            actor: connection.and_then(|connection| connection.identity().user),
            address: peer.as_ref().and_then(|peer| peer.address).map(|address| address.to_string()),
            user_agent: peer.as_ref().and_then(|peer| peer.header("user-agent").map(shortened)),
            details: details.to_string(),
        };
        tracing::info!(target: "bolide::audit", event, user = user.map(UserId::as_str), address = entry.address, "{}", entry.details);
        if let Err(error) = self.store.record(vec![entry]).await {
            tracing::error!(%error, "the audit log cannot be written");
        }
    }

    /// What a user sees of itself, as JSON.
    pub(crate) async fn own_document(&self, id: &UserId) -> Result<serde_json::Value, crate::MethodError> {
        let user = self.existing_user(id).await?;
        let mut document = serde_json::to_value(self.own_fields(&user))?;
        document["_id"] = id.as_str().into();
        Ok(document)
    }

    /// The user with this id, who must be there.
    pub(crate) async fn existing_user(&self, id: &UserId) -> Result<User, crate::MethodError> {
        let user = self.store.user(id).await?;
        Ok(user.ok_or_else(|| DdpError::new("error-invalid-user", "Invalid user"))?)
    }

    async fn sweep(&self) -> Result<(), StoreError> {
        let now = self.now();
        let ended = self.store.delete_expired_tokens(now).await?;
        self.end_connections(&ended);
        self.store.delete_expired_codes(now).await?;
        let days = u64::try_from(self.settings.get(&crate::settings::AUDIT_DAYS)).unwrap_or(365);
        let before = |age: Duration| {
            Timestamp::from_milliseconds(now.milliseconds() - age.as_millis().try_into().unwrap_or(i64::MAX))
        };
        self.store
            .delete_audit(before(Duration::from_hours(24).saturating_mul(days.try_into().unwrap_or(u32::MAX))))
            .await?;
        self.store.delete_old_failures(before(Duration::from_hours(48)), now).await
    }
}

async fn sweep_regularly(core: Weak<AccountsCore>, stopped: CancellationToken) {
    while stopped.run_until_cancelled(tokio::time::sleep(SWEEP)).await.is_some() {
        let Some(core) = core.upgrade() else { return };
        if let Err(error) = core.sweep().await {
            tracing::error!(%error, "what has ended cannot be swept away");
        }
    }
}

/// What a client says of itself, cut to what is worth keeping.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}
