//! Accounts: who users are, and how they prove it. One pipeline for every login, over every door.
//!
//! - [`Accounts`]: what an app is built with; [`AccountsHandle`]: the same while the app runs;
//! - `extensions`: what the application adds to them: mails, login handlers and hooks;
//! - `core`: puts the services together;
//! - `login`: the pipeline, from what the client sends to its token; `hooks`: where the application takes part, with
//!   `login_attempt`: what it sees;
//!   `external`: logins by other services;
//! - `tokens`: login tokens and personal access tokens;
//! - `users`: looks users up and shows them their own document; `sign_up` and `profile` make and change them;
//! - `names`: which names and addresses are possible; `profile_bounds`: how large a profile may be;
//! - `passwords`: checks and sets passwords; `password`: hashes; `password_policy`: what new ones must be like;
//! - `links`: links in mails; `invitations`: those that the application sends;
//! - `factor_rules`: which second factors count; `second_factor`: the port through which a login asks for one;
//! - `protected`: the doors through which the protection of accounts changes, and the proof that they ask for;
//! - `counters`: the limiter; `underway`: the attempts that it has counted and that are not decided; `turns`: bounded lines,
//!   fair by network; `blocks`: what many failed logins lead to; `mails`: mails and their budget; `notices`: what users are told of their accounts;
//! - `methods`: the account methods of Meteor; `client_updates`: what clients may write to their own user;
//! - `permissions`: what the roles of a user allow; `setting_changes`: changes of settings; `audit`: the audit log;
//! - `canary`: whether the keys are those of the database;
//! - `node` and `events`: what sessions and other nodes are told; `recheck`: what no message has told; `sweep`: what has
//!   ended is removed;
//! - `import`: users of a Meteor or Rocket.Chat server.
//!
//! The room uses `settings` and what is below the features. It does not use `two_factor` or `admin`, which are built on it.

mod audit;
mod blocks;
mod canary;
mod client_info;
mod client_updates;
mod core;
mod counters;
mod events;
mod extensions;
mod external;
mod factor_rules;
mod handle;
mod hooks;
mod import;
mod invitations;
mod links;
mod login;
mod login_attempt;
mod mails;
mod methods;
mod names;
mod node;
mod notices;
pub mod password;
mod password_policy;
mod passwords;
pub(crate) mod permissions;
mod profile;
mod profile_bounds;
pub(crate) mod protected;
mod recheck;
mod request;
mod second_factor;
mod secrets;
mod setting_changes;
mod sign_up;
mod sweep;
mod tokens;
mod turns;
mod underway;
mod users;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::chance::{Chance, SystemChance};
use crate::keys::{KeyError, KeyRing};
use crate::mail::{LogMailer, LoggedText, Mailer, Site, Templates};
use crate::registry::Registry;
use crate::settings::{SettingDefinition, SettingError, Settings};
use crate::store::{NewUser, OpenError, SqlStore, Store, StoreError};
use crate::user::UserId;

pub use external::{ExternalLogin, LoginChallenge, LoginGrant, Visitor};
pub use handle::AccountsHandle;
pub use import::{Import, ImportError, ImportWarning, Imported};
pub use login::LoginRequest;
pub use login_attempt::{LoginAttempt, Logout};
pub use tokens::LoginSecret;

pub use crate::webauthn::{InvalidRelyingParty, RelyingParty};

pub(crate) use self::core::{AccountsCore, Foundation};
pub(crate) use audit::Audit;
pub(crate) use client_info::ClientInfo;
pub(crate) use counters::{Counted, CounterKey, Counters, counted_address};
pub(crate) use events::hear;
pub(crate) use factor_rules::FactorRules;
pub(crate) use hooks::Hooks;
pub(crate) use invitations::NewMember;
pub(crate) use login::{Dialect, LoginCode, Selector};
pub(crate) use mails::{MailBudget, Mails};
pub(crate) use methods::selector_of;
pub(crate) use names::shown_name;
pub(crate) use notices::Notices;
pub(crate) use passwords::Passwords;
pub(crate) use profile::ProfileChange;
pub(crate) use protected::{Ground, Proof};
pub(crate) use recheck::catch_up;
pub(crate) use request::request_connection;
pub(crate) use second_factor::{BegunChallenge, SecondFactor};
pub(crate) use secrets::{LONGEST_SECRET, backup_code_hash, backup_code_hashes, totp_owner};
pub(crate) use tokens::{LoginResult, Tokens, own_token};
pub(crate) use turns::waiting_as;
pub(crate) use users::{Users, emails, factors};

use login::OwnHandler;
use password::{HashingCost, PasswordHasher};
use permissions::Permissions;

/// Registers the methods and publications that the app has not registered itself.
pub(crate) fn register(core: &Arc<AccountsCore>, registry: &mut Registry) {
    methods::register(core, registry);
    profile::register(core, registry);
    client_updates::register(core, registry);
    tokens::register_list(&core.tokens, registry);
    tokens::register_personal(&core.personal_tokens, registry);
    users::register(&core.users, registry);
}

/// Users, login, the second factor and settings, for [`AppBuilder::accounts`](crate::AppBuilder::accounts).
///
/// ```
/// use bolide::accounts::Accounts;
/// use bolide::chance::SystemChance;
/// use bolide::keys::KeyRing;
/// use bolide::prelude::*;
/// use bolide::store::SqlStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = SqlStore::open("sqlite::memory:").await?;
/// let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await?;
/// let app = App::builder().accounts(accounts).build()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "accounts have no effect until they are passed to `AppBuilder::accounts`"]
pub struct Accounts {
    store: Arc<dyn Store>,
    keys: KeyRing,
    settings: Settings,
    site: Site,
    /// `None` if another app sends the mails.
    mailer: Option<Arc<dyn Mailer>>,
    templates: Templates,
    cost: HashingCost,
    permissions: Permissions,
    handlers: Vec<OwnHandler>,
    hooks: Hooks,
    published_fields: Vec<String>,
    recheck_interval: Duration,
    /// `None` if it follows from the site.
    relying_party: Option<RelyingParty>,
}

/// Why accounts cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountsError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The key file cannot be read or written.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The secrets in the database were sealed with keys that this server does not have.
    #[error(
        "the keys are not those of the database; use the key file (bolide.key) or the BOLIDE_KEYS of the server that has \
         written it, or of the other nodes, or start with an empty database"
    )]
    OtherKeys,
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The value of a setting in the environment is not possible.
    #[error(transparent)]
    Setting(#[from] SettingError),
}

impl Accounts {
    /// Opens accounts in an SQLite file, which is created if it is missing. The keys that seal secrets in it are in a file
    /// beside it, with the extension `key`: `bolide.db` has `bolide.key`. `:memory:` keeps both in memory until the process
    /// ends. Settings that `BOLIDE_SETTING_…` variables name are fixed.
    ///
    /// ```
    /// use bolide::accounts::Accounts;
    /// use bolide::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = std::env::temp_dir().join(format!("bolide-doc-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # std::env::set_current_dir(&directory)?;
    /// let app = App::builder().accounts(Accounts::sqlite("bolide.db").await?).build()?;
    /// # app.shutdown().await;
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`AccountsError`], a sentence that names the file.
    pub async fn sqlite(path: impl AsRef<Path>) -> Result<Self, AccountsError> {
        let path = path.as_ref();
        if path == Path::new(":memory:") {
            return Self::open(SqlStore::open("sqlite::memory:").await?, KeyRing::generate(&SystemChance)).await;
        }
        let store = SqlStore::open(&format!("sqlite:{}", path.display())).await?;
        Self::open(store, KeyRing::open_file(&path.with_extension("key"), &SystemChance)?).await
    }

    /// Opens accounts in a PostgreSQL database, `postgres://USER:PASSWORD@HOST:PORT/NAME`. Several nodes may share it. They need
    /// the same keys, and a [bus](crate::AppBuilder::bus) between them. Settings that `BOLIDE_SETTING_…` variables name are
    /// fixed. For options, pass a [`SqlStore`] to [`open`](Self::open).
    ///
    /// ```no_run
    /// use bolide::accounts::Accounts;
    /// use bolide::keys::KeyRing;
    /// use bolide::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let keys = KeyRing::parse(&std::env::var("BOLIDE_KEYS")?)?;
    /// let accounts = Accounts::postgres("postgres://chat@db.example.com/chat?sslmode=verify-full", keys).await?;
    /// let app = App::builder().accounts(accounts).build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`AccountsError`], a sentence that names the server.
    pub async fn postgres(address: &str, keys: KeyRing) -> Result<Self, AccountsError> {
        if !address.starts_with("postgres") {
            return Err(OpenError::Address("this one is not of PostgreSQL".to_owned()).into());
        }
        Self::open(SqlStore::open(address).await?, keys).await
    }

    /// Opens the accounts in a store, with the keys that seal secrets in it. Settings that `BOLIDE_SETTING_…` variables
    /// name are fixed.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn open(store: impl Store, keys: KeyRing) -> Result<Self, AccountsError> {
        Self::open_with(store, keys, []).await
    }

    /// Opens accounts with settings of the application's own; see [`open`](Self::open).
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn open_with(
        store: impl Store,
        keys: KeyRing,
        own: impl IntoIterator<Item = SettingDefinition>,
    ) -> Result<Self, AccountsError> {
        Self::open_shared(Arc::new(store), keys, own).await
    }

    /// Checks whether keys are those that a store was used with, and changes nothing: for a tool that only reads.
    ///
    /// # Errors
    /// [`AccountsError::OtherKeys`] if they are not, or an error of the store.
    pub async fn check_keys(store: &dyn Store, keys: &KeyRing) -> Result<(), AccountsError> {
        canary::check(store, keys).await
    }

    /// Opens accounts in a store that several apps of this process share, as the nodes of a cluster share a database.
    /// They need the same keys, and a [bus](crate::AppBuilder::bus) between them.
    ///
    /// # Errors
    /// [`AccountsError`], which is [`OtherKeys`](AccountsError::OtherKeys) if the keys are not those that the database was
    /// first opened with, or their successors.
    pub async fn open_shared(
        store: Arc<dyn Store>,
        keys: KeyRing,
        own: impl IntoIterator<Item = SettingDefinition>,
    ) -> Result<Self, AccountsError> {
        canary::recognize(&*store, &keys, &SystemChance).await?;
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let settings = Settings::new(own, environment, store.settings().await?)?;
        let site = Site { name: "Bolide".into(), root_url: "http://localhost:3000".into() };
        Ok(Self {
            store,
            keys,
            settings,
            templates: Templates::new(site.clone()),
            site,
            mailer: Some(Arc::new(LogMailer::new(LoggedText::Withheld))),
            cost: HashingCost::default(),
            permissions: Permissions::default(),
            handlers: Vec::new(),
            hooks: Hooks::default(),
            published_fields: Vec::new(),
            recheck_interval: recheck::INTERVAL,
            relying_party: None,
        })
    }

    /// Sets the name of the site in mails and authenticator apps, and the URL below which links lead. Passkeys belong to its
    /// domain, unless [`relying_party`](Self::relying_party) says otherwise.
    pub fn site(mut self, name: &str, root_url: &str) -> Self {
        self.site = Site { name: name.into(), root_url: root_url.trim_end_matches('/').into() };
        self
    }

    /// Sets the domain to which passkeys belong, and the origins on which they may be used. Default: those of the site's URL.
    /// Passkeys that were registered for another domain cannot be used any more.
    pub fn relying_party(mut self, relying_party: RelyingParty) -> Self {
        self.relying_party = Some(relying_party);
        self
    }

    /// Sets how mail is sent. Default: mails are named in the log and not sent.
    pub fn mailer(mut self, mailer: impl Mailer + 'static) -> Self {
        self.mailer = Some(Arc::new(mailer));
        self
    }

    /// Leaves mails in the store until another app that has it sends them: for a program beside the server, such as
    /// `bolide user`.
    pub fn without_mail_delivery(mut self) -> Self {
        self.mailer = None;
        self
    }

    /// Publishes further fields of a user to that user, in addition to `name`, `language` and `settings`. Other fields
    /// stay on the server.
    pub fn publish_user_fields<Name: Into<String>>(mut self, names: impl IntoIterator<Item = Name>) -> Self {
        self.published_fields.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets which roles give a permission, in place of the default ones. Admins have every permission. Handlers check
    /// it with [`SignedIn::require_permission`](crate::SignedIn::require_permission).
    ///
    /// ```
    /// use bolide::accounts::Accounts;
    ///
    /// fn with_cashiers(accounts: Accounts) -> Accounts {
    ///     accounts.permission("refund-orders", &["cashier"]).permission("create-personal-access-tokens", &["bot"])
    /// }
    /// ```
    pub fn permission(mut self, permission: &str, roles: &[&str]) -> Self {
        self.permissions.set(permission, roles);
        self
    }

    /// Sets the cost of a password hash. Default: what OWASP recommends.
    pub fn hashing_cost(mut self, cost: HashingCost) -> Self {
        self.cost = cost;
        self
    }

    /// Sets the time between two rechecks: this node asks the store which tokens and users of its sessions have ended, and
    /// which settings have changed, in case that a message of another node was lost. Default: 20 seconds.
    pub const fn recheck_every(mut self, interval: Duration) -> Self {
        self.recheck_interval = interval;
        self
    }

    /// Adds a user as an operator does. No mail is sent.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if another user has the name, an address or the id.
    pub async fn add_user(&self, user: NewUser) -> Result<(), StoreError> {
        self.store.insert_user(user).await
    }

    /// Hashes a password, for [`add_user`](Self::add_user). The password policy does not apply.
    ///
    /// # Errors
    /// If there is not enough memory.
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
        self.keys.seal(secret, &totp_owner(user), chance)
    }
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Accounts").field("site", &self.site).finish_non_exhaustive()
    }
}
