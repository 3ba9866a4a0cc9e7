//! Accounts: who users are, and how they prove it. One pipeline for every login, over every door.
//!
//! - [`Accounts`]: what an app is built with; [`AccountsHandle`]: the same while the app runs;
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
//! - `counters`: the limiter; `turns`: bounded lines, fair by network; `blocks`: what many failed logins lead to; `mails`:
//!   mails and their budget; `notices`: what users are told of their accounts;
//! - `methods`: the account methods of Meteor; `client_updates`: what clients may write to their own user;
//! - `permissions`: what the roles of a user allow; `setting_changes`: changes of settings; `audit`: the audit log;
//! - `node` and `events`: what sessions and other nodes are told; `sweep`: what has ended is removed;
//! - `import`: users of a Meteor or Rocket.Chat server.
//!
//! The room uses `settings` and what is below the features. It does not use `two_factor` or `admin`, which are built on it.

mod audit;
mod blocks;
mod client_info;
mod client_updates;
mod core;
mod counters;
mod events;
mod external;
mod factor_rules;
mod handle;
mod hooks;
mod import;
mod invitations;
mod links;
mod locks;
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
mod request;
mod second_factor;
mod secrets;
mod setting_changes;
mod sign_up;
mod sweep;
mod tokens;
mod turns;
mod users;

use std::path::Path;
use std::sync::Arc;

use bolide_protocol::ejson::Object;

use crate::call::MethodResult;
use crate::chance::{Chance, SystemChance};
use crate::keys::{KeyError, KeyRing};
use crate::mail::{LogMailer, LoggedText, MailHeader, MailKind, Mailer, Sender, Site, TemplateError, Templates};
use crate::registry::Registry;
use crate::settings::{SettingDefinition, SettingError, Settings};
use crate::store::{NewUser, OpenError, SqliteStore, Store, StoreError, User};
use crate::user::UserId;

pub use external::{ExternalLogin, LoginChallenge, LoginGrant, Visitor};
pub use handle::AccountsHandle;
pub use import::{Import, ImportError, ImportWarning, Imported};
pub use login::LoginRequest;
pub use login_attempt::{LoginAttempt, Logout};
pub use tokens::LoginSecret;

pub(crate) use self::core::{AccountsCore, Foundation};
pub(crate) use audit::Audit;
pub(crate) use client_info::ClientInfo;
pub(crate) use counters::{CounterKey, Counters, counted_address};
pub(crate) use events::hear;
pub(crate) use factor_rules::FactorRules;
pub(crate) use hooks::Hooks;
pub(crate) use locks::KeyLock;
pub(crate) use login::{Dialect, LoginCode, Selector};
pub(crate) use mails::{MailBudget, Mails};
pub(crate) use methods::selector_of;
pub(crate) use names::shown_name;
pub(crate) use notices::Notices;
pub(crate) use passwords::Passwords;
pub(crate) use profile::ProfileChange;
pub(crate) use protected::{Ground, Proof};
pub(crate) use request::request_connection;
pub(crate) use second_factor::{BegunChallenge, SecondFactor};
pub(crate) use secrets::{LONGEST_SECRET, backup_code_hash, backup_code_hashes, totp_owner};
pub(crate) use tokens::{LoginResult, Tokens, own_token};
pub(crate) use turns::{Waiting, waiting_as};
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
            return Self::open(SqliteStore::open("sqlite::memory:").await?, KeyRing::generate(&SystemChance)).await;
        }
        let store = SqliteStore::open(&format!("sqlite:{}", path.display())).await?;
        Self::open(store, KeyRing::open_file(&path.with_extension("key"), &SystemChance)?).await
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

    /// Opens accounts in a store that several apps of this process share, as the nodes of a cluster share a database.
    /// They need the same keys, and a [bus](crate::AppBuilder::bus) between them.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn open_shared(
        store: Arc<dyn Store>,
        keys: KeyRing,
        own: impl IntoIterator<Item = SettingDefinition>,
    ) -> Result<Self, AccountsError> {
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
        })
    }

    /// Sets the name of the site in mails and authenticator apps, and the URL below which links lead.
    pub fn site(mut self, name: &str, root_url: &str) -> Self {
        self.site = Site { name: name.into(), root_url: root_url.trim_end_matches('/').into() };
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

    /// Replaces the template of one kind of mail. Without HTML, the mail is sent as text alone. [`Templates`] lists the
    /// variables.
    ///
    /// ```
    /// use bolide::accounts::Accounts;
    /// use bolide::mail::MailKind;
    ///
    /// fn in_german(accounts: Accounts) -> Result<Accounts, bolide::mail::TemplateError> {
    ///     let text = "Hallo {{ name }}, hier wählst du ein neues Passwort: {{ link }}";
    ///     accounts.mail_template(MailKind::ResetPassword, "Neues Passwort für {{ site }}", text, None)
    /// }
    /// ```
    ///
    /// # Errors
    /// If the template is malformed, or names an unknown variable.
    pub fn mail_template(
        mut self,
        kind: MailKind,
        subject: &str,
        text: &str,
        html: Option<&str>,
    ) -> Result<Self, TemplateError> {
        self.templates.replace(kind, subject, text, html)?;
        Ok(self)
    }

    /// Sets the sender of one kind of mail, in place of the sender of the mailer.
    ///
    /// ```
    /// use bolide::accounts::Accounts;
    /// use bolide::mail::{MailHeader, MailHeaderError, MailKind};
    ///
    /// fn from_support(accounts: Accounts) -> Result<Accounts, Box<dyn std::error::Error>> {
    ///     let kind = MailKind::EnrollAccount;
    ///     let accounts = accounts.mail_sender(kind, "Support <support@example.com>".parse()?);
    ///     Ok(accounts.mail_header(kind, MailHeader::new("X-Priority", "1")?))
    /// }
    /// ```
    pub fn mail_sender(mut self, kind: MailKind, sender: Sender) -> Self {
        self.templates.set_sender(kind, sender);
        self
    }

    /// Adds a header to one kind of mail, in place of an earlier one of the same name; see [`mail_sender`](Self::mail_sender).
    pub fn mail_header(mut self, kind: MailKind, header: MailHeader) -> Self {
        self.templates.set_header(kind, header);
        self
    }

    /// Adds a way to log in: `handler` receives options of `login` without a resume token or a password. It returns
    /// `None` for options of other handlers, the id of the user that it recognizes, or an error that fails the login.
    /// Handlers are called in the order in which they were added.
    ///
    /// The user must still be active and not blocked, pass the hooks, and show a second factor if there is one. Failures
    /// count as failed logins of the address, and of the name in `user`, `username` or `email` if there is one.
    ///
    /// ```
    /// # use bolide::chance::SystemChance;
    /// # use bolide::keys::KeyRing;
    /// # use bolide::store::SqliteStore;
    /// use bolide::accounts::{Accounts, LoginRequest};
    /// use bolide::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = SqliteStore::open("sqlite::memory:").await?;
    /// # let keys = KeyRing::generate(&SystemChance);
    /// // A client logs in with `login({ badge: "…" })`.
    /// let accounts = Accounts::open(store, keys).await?.login_handler("badge", async |request: LoginRequest| {
    ///     let Some(badge) = request.text("badge") else { return Ok(None) };
    ///     if badge != "0815" {
    ///         return Err(MethodError::new(403, "This badge opens nothing"));
    ///     }
    ///     Ok(Some(request.accounts().find("ada").await?.id))
    /// });
    /// # let app = App::builder().accounts(accounts).build()?;
    /// # app.accounts().unwrap().add_user("ada", &[], &[], None).await.unwrap();
    /// # let login: Ejson = app.call(&Caller::anonymous(), "login", &[[("badge", "0815")].into_iter().collect::<std::collections::HashMap<_, _>>()]).await?;
    /// # assert_eq!(login.get("type").and_then(Ejson::as_str), Some("badge"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn login_handler<Running>(
        mut self,
        kind: &str,
        handler: impl Fn(LoginRequest) -> Running + Send + Sync + 'static,
    ) -> Self
    where
        Running: Future<Output = MethodResult<Option<UserId>>> + Send + 'static,
    {
        self.handlers.push(OwnHandler { kind: kind.into(), run: Box::new(move |request| Box::pin(handler(request))) });
        self
    }

    /// Adds a hook that may reject a login, as Meteor's `validateLoginAttempt`: with an error that the client receives,
    /// or with `false` (403, `Login forbidden`). It runs for every login, over every door, before a second factor is
    /// asked for; also for logins that fail already, which it cannot let succeed. A rejection counts as a failed login.
    ///
    /// ```
    /// use bolide::accounts::{Accounts, LoginAttempt};
    /// use bolide::prelude::*;
    ///
    /// fn only_with_verified_address(accounts: Accounts) -> Accounts {
    ///     accounts.validate_login(async |attempt: LoginAttempt| {
    ///         let Some(user) = attempt.user().filter(|_| attempt.is_allowed()) else { return Ok(true) };
    ///         if user.verified_addresses().next().is_none() {
    ///             return Err(MethodError::new("error-unverified", "Follow the link in our mail first"));
    ///         }
    ///         Ok(true)
    ///     })
    /// }
    /// ```
    pub fn validate_login<Running>(mut self, hook: impl Fn(LoginAttempt) -> Running + Send + Sync + 'static) -> Self
    where
        Running: Future<Output = MethodResult<bool>> + Send + 'static,
    {
        self.hooks.add_validate_login(hook);
        self
    }

    /// Adds a hook that is told of every login, as Meteor's `onLogin`: over every door, also when a token is resumed. It
    /// runs before the client is answered, so a slow one delays the login.
    ///
    /// ```
    /// use bolide::accounts::{Accounts, LoginAttempt};
    ///
    /// fn with_log(accounts: Accounts) -> Accounts {
    ///     accounts.on_login(async |attempt: LoginAttempt| {
    ///         let name = attempt.user().and_then(|user| user.username.as_deref()).unwrap_or("somebody");
    ///         println!("{name} logged in with {} by {}", attempt.kind(), attempt.method());
    ///     })
    /// }
    /// ```
    pub fn on_login<Running>(mut self, hook: impl Fn(LoginAttempt) -> Running + Send + Sync + 'static) -> Self
    where
        Running: Future<Output = ()> + Send + 'static,
    {
        self.hooks.add_login(hook);
        self
    }

    /// Adds a hook that is told of every login that fails, as Meteor's `onLoginFailure`, with the error that the client
    /// receives. A login that is asked for a second factor fails as well, with `totp-required`. Any client can send any
    /// number of wrong logins, so the hook should do little.
    pub fn on_login_failure<Running>(mut self, hook: impl Fn(LoginAttempt) -> Running + Send + Sync + 'static) -> Self
    where
        Running: Future<Output = ()> + Send + 'static,
    {
        self.hooks.add_login_failure(hook);
        self
    }

    /// Adds a hook that is told of every logout by the method `logout` or the endpoint of REST, as Meteor's `onLogout`. A
    /// login that ends in another way, for example because it expires or is revoked, is not a logout.
    pub fn on_logout<Running>(mut self, hook: impl Fn(Logout) -> Running + Send + Sync + 'static) -> Self
    where
        Running: Future<Output = ()> + Send + 'static,
    {
        self.hooks.add_logout(hook);
        self
    }

    /// Sets how long logins last, by their user, their kind or their [arguments](LoginAttempt::arguments). For `None`, the
    /// next hook is asked, and in the end the settings decide: `Accounts_LoginExpiration`, and for some roles
    /// `Accounts_LoginExpiration_Short`. `tokenExpires` and the end of the login follow; a login that exists keeps its end. The
    /// maximum is 36 500 days.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bolide::accounts::{Accounts, LoginAttempt};
    ///
    /// fn short_for_badges(accounts: Accounts) -> Accounts {
    ///     accounts.login_lifetime(|attempt: &LoginAttempt| {
    ///         (attempt.kind() == "badge").then_some(Duration::from_hours(8))
    ///     })
    /// }
    /// ```
    pub fn login_lifetime(
        mut self,
        hook: impl Fn(&LoginAttempt) -> Option<std::time::Duration> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.add_lifetime(hook);
        self
    }

    /// Adds a hook that completes a new user from the options of `createUser`: it may add fields, roles or a profile.
    /// The options are as the client has sent them, and are not checked.
    ///
    /// ```
    /// use bolide::accounts::Accounts;
    /// use bolide::prelude::*;
    /// use bolide::protocol::ejson::Object;
    /// use bolide::store::User;
    ///
    /// fn with_company(accounts: Accounts) -> Accounts {
    ///     accounts.publish_user_fields(["company"]).on_create_user(async |options: Object, mut user: User| {
    ///         let company = options.get("company").and_then(Ejson::as_str).filter(|name| name.len() < 100);
    ///         let company = company.ok_or_else(|| MethodError::new("error-company", "Say for whom you work"))?;
    ///         user.fields.insert("company".into(), company.into());
    ///         Ok(user)
    ///     })
    /// }
    /// ```
    pub fn on_create_user<Running>(mut self, hook: impl Fn(Object, User) -> Running + Send + Sync + 'static) -> Self
    where
        Running: Future<Output = MethodResult<User>> + Send + 'static,
    {
        self.hooks.add_create_user(hook);
        self
    }

    /// Adds a hook that may reject a new user: with an error that the client receives, or with `false` (403, `User
    /// validation failed`).
    ///
    /// ```
    /// use bolide::accounts::Accounts;
    /// use bolide::store::User;
    ///
    /// fn only_our_own(accounts: Accounts) -> Accounts {
    ///     accounts.validate_new_user(async |user: User| {
    ///         Ok(user.emails.iter().all(|email| email.address.ends_with("@example.com")))
    ///     })
    /// }
    /// ```
    pub fn validate_new_user<Running>(mut self, hook: impl Fn(User) -> Running + Send + Sync + 'static) -> Self
    where
        Running: Future<Output = MethodResult<bool>> + Send + 'static,
    {
        self.hooks.add_new_user(hook);
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
