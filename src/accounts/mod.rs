//! Accounts: who users are, and how they prove it. One pipeline for every log-in, whichever door it comes through.
//!
//! - [`Accounts`]: what an app is given;
//! - `login`: the pipeline, from what the client shows to the token that it is given;
//! - `external`: log-ins by other services;
//! - `methods`: the account methods of Meteor;
//! - `profile`: the change of one's own profile;
//! - `password`: hashes;
//! - `blocks`: what many failures lead to;
//! - `publication`: the user's own document.

mod blocks;
mod external;
mod handle;
mod links;
mod locks;
mod login;
mod methods;
mod names;
pub mod password;
mod profile;
mod publication;
mod token;
mod token_list;
mod token_use;
mod user_document;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bolide_protocol::{DdpError, random};
use tokio_util::sync::CancellationToken;

use crate::app::{AppBuilder, AppState};
use crate::chance::{Chance, Generator};
use crate::clock::{Clock, Timestamp};
use crate::connection::Connection;
use crate::keys::KeyRing;
use crate::mail::{LogMailer, LoggedText, MailContent, MailQueue, Mailer, Site, Templates};
use crate::session::{Request, Session};
use crate::settings::{SettingDefinition, SettingError, Settings};
use crate::store::{AuditEntry, HashedToken, NewUser, Store, StoreError, User};
use crate::transport::Goodbye;
use crate::two_factor::EnrolmentRule;
use crate::user::UserId;

pub use external::{ExternalLogin, LoginChallenge, LoginGrant, Visitor};
pub use handle::AccountsHandle;
pub use token::LoginSecret;

pub(crate) use login::{Dialect, LoginCode, LoginResult, Recognized, Selector};
pub(crate) use methods::{own_token, selector_of};
pub(crate) use profile::ProfileChange;
pub(crate) use user_document::{emails, factors};

use locks::KeyedLocks;
use password::{HashingCost, PasswordHasher};
use publication::Watchers;
use token_use::TokenUses;

/// How often log-ins and codes that have ended are swept away.
const SWEEP: Duration = Duration::from_mins(10);

/// Users, log-in, the second factor and settings, to be given to [`AppBuilder::accounts`].
///
/// ```
/// use bolide::accounts::Accounts;
/// use bolide::chance::SystemChance;
/// use bolide::keys::KeyRing;
/// use bolide::prelude::*;
/// use bolide::store::SqliteStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = SqliteStore::open("sqlite::memory:").await?;
/// let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await?;
/// let app = App::builder().accounts(accounts).build()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "accounts are given to `AppBuilder::accounts`"]
pub struct Accounts {
    store: Arc<dyn Store>,
    keys: KeyRing,
    settings: Settings,
    site: Site,
    mailer: Arc<dyn Mailer>,
    cost: HashingCost,
}

/// Why there are no accounts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountsError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A setting that the environment fixes does not fit.
    #[error(transparent)]
    Setting(#[from] SettingError),
}

impl Accounts {
    /// Accounts in a store, with the keys that seal secrets in it. Settings that `BOLIDE_SETTING_…` variables name are
    /// fixed.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn open(store: impl Store, keys: KeyRing) -> Result<Self, AccountsError> {
        Self::open_with(store, keys, []).await
    }

    /// The same with settings of the application's own.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn open_with(
        store: impl Store,
        keys: KeyRing,
        own: impl IntoIterator<Item = SettingDefinition>,
    ) -> Result<Self, AccountsError> {
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let settings = Settings::new(own, environment, store.settings().await?)?;
        Ok(Self {
            store: Arc::new(store),
            keys,
            settings,
            site: Site { name: "Bolide".into(), root_url: "http://localhost:3000".into() },
            mailer: Arc::new(LogMailer::new(LoggedText::Withheld)),
            cost: HashingCost::default(),
        })
    }

    /// Names the site in mails and in authenticator apps, and says where its links lead.
    pub fn site(mut self, name: &str, root_url: &str) -> Self {
        self.site = Site { name: name.into(), root_url: root_url.trim_end_matches('/').into() };
        self
    }

    /// Says how mail is sent. Without it, mails are named in the log and lost.
    pub fn mailer(mut self, mailer: impl Mailer + 'static) -> Self {
        self.mailer = Arc::new(mailer);
        self
    }

    /// Sets what a password hash costs. Default: what OWASP recommends.
    pub fn hashing_cost(mut self, cost: HashingCost) -> Self {
        self.cost = cost;
        self
    }

    /// Adds a user, as an operator does: nothing is asked, and no mail is sent.
    ///
    /// # Errors
    /// [`StoreError::Taken`] for a name, address or id that is there already.
    pub async fn add_user(&self, user: NewUser) -> Result<(), StoreError> {
        self.store.insert_user(user).await
    }

    /// The hash of a password, for [`add_user`](Self::add_user).
    ///
    /// # Errors
    /// When it cannot be computed, for lack of memory.
    pub async fn hash_password(
        &self,
        plain: &str,
        chance: Arc<dyn Chance>,
    ) -> Result<crate::store::StoredHash, password::HashingError> {
        let hasher = PasswordHasher::new(chance).with_cost(self.cost.clone());
        let hash = hasher.hash(&password::Password::from_plain(plain)).await?;
        Ok(crate::store::StoredHash::new(hash.as_str()))
    }

    /// Seals the secret of an authenticator app, for [`add_user`](Self::add_user).
    #[must_use]
    pub fn seal_totp_secret(&self, user: &UserId, secret: &[u8], chance: &dyn Chance) -> crate::store::Sealed {
        self.keys.seal(secret, &crate::two_factor::totp_owner(user), chance)
    }
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Accounts").field("site", &self.site).finish_non_exhaustive()
    }
}

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
    templates: Templates,
    pub(crate) mails: MailQueue,
    mailer: Arc<dyn Mailer>,
    watchers: Watchers,
    token_uses: TokenUses,
    pub(crate) enrolment: EnrolmentRule,
    app: OnceLock<Weak<AppState>>,
}

impl AccountsCore {
    pub(crate) fn new(accounts: Accounts, clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Arc<Self> {
        let outgoing: Arc<dyn Store> = Arc::clone(&accounts.store);
        Arc::new(Self {
            hasher: PasswordHasher::new(Arc::clone(&chance)).with_cost(accounts.cost),
            templates: Templates::new(accounts.site.clone()),
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

    /// Registers the methods and publications that the app has not registered itself.
    pub(crate) fn register(self: &Arc<Self>, builder: AppBuilder) -> AppBuilder {
        let builder = methods::register(self, builder);
        let builder = profile::register(self, builder);
        let builder = crate::two_factor::register(self, builder);
        let builder = crate::settings::register(self, builder);
        let builder = crate::admin::register(self, builder);
        let builder = crate::rest::register(self, builder);
        let builder = token_list::register(self, builder);
        publication::register(self, builder)
    }

    /// Starts what runs beside the calls, until the app stops.
    pub(crate) fn attach(self: &Arc<Self>, app: &Arc<AppState>) {
        if self.app.set(Arc::downgrade(app)).is_err() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::warn!("the app was built outside of a tokio runtime: no mail is sent, and nothing is swept");
            return;
        };
        let (core, stopped) = (Arc::clone(self), app.stopping.clone());
        runtime.spawn(async move { core.mails.work(Arc::clone(&core.mailer), stopped).await });
        let (core, stopped) = (Arc::downgrade(self), app.stopping.clone());
        runtime.spawn(sweep_regularly(core, stopped));
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

    /// The user changed: whoever watches it is told.
    pub(crate) async fn user_changed(&self, user: &UserId) {
        self.watchers.user_changed(self, user).await;
    }

    /// The app, as long as it runs.
    pub(crate) fn app(&self) -> Option<Arc<AppState>> {
        self.app.get().and_then(Weak::upgrade)
    }

    /// Ends all connections of a user, whatever they have logged in with.
    pub(crate) fn end_connections_of(&self, user: &UserId) {
        let Some(app) = self.app() else { return };
        let is_meant = |session: &Session| session.user().as_ref() == Some(user);
        app.sessions.request_where(is_meant, || Request::Close(Goodbye::normal()));
    }

    /// Ends the connections of users who must set up a second factor first, or of one of them: what they have subscribed
    /// to ends with it.
    pub(crate) async fn end_restricted_sessions(&self, only: Option<&UserId>) -> Result<(), StoreError> {
        if !self.roles_demand_factor() {
            return Ok(());
        }
        let Some(app) = self.app() else { return Ok(()) };
        let users: HashSet<UserId> = app.sessions.all().iter().filter_map(|session| session.user()).collect();
        for id in users.iter().filter(|id| only.is_none_or(|only| only == *id)) {
            if self.store.user(id).await?.is_some_and(|user| self.must_enrol(&user)) {
                self.end_connections_of(id);
            }
        }
        Ok(())
    }

    /// Ends the connections that have logged in with these tokens.
    pub(crate) fn end_connections(&self, tokens: &[HashedToken]) {
        self.end_connections_but(tokens, None);
    }

    /// The same, but lets one connection be.
    pub(crate) fn end_connections_but(&self, tokens: &[HashedToken], spared: Option<&Connection>) {
        let Some(app) = self.app() else { return };
        if tokens.is_empty() {
            return;
        }
        let spared = spared.map(Connection::id);
        app.sessions.request_where(
            |session| {
                let credential = session.identity().credential;
                let is_ended =
                    credential.is_some_and(|shown| tokens.iter().any(|token| token.as_str() == &*shown.hashed));
                is_ended && Some(session.id()) != spared
            },
            || Request::Close(Goodbye::normal()),
        );
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
            address: peer.as_ref().and_then(|peer| peer.address.clone()),
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
