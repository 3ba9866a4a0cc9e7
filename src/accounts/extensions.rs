//! What an application adds to [`Accounts`]: its mails, its ways to log in, and its hooks.

use std::time::Duration;

use bolide_protocol::ejson::Object;

use super::login::OwnHandler;
use super::{Accounts, LoginAttempt, LoginRequest, Logout};
use crate::call::MethodResult;
use crate::mail::{MailHeader, MailKind, Sender, TemplateError};
use crate::store::User;
use crate::user::UserId;

impl Accounts {
    /// Replaces the template of one kind of mail. Without HTML, the mail is sent as text alone. [`Templates`](crate::mail::Templates) lists the
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
    /// # use bolide::store::SqlStore;
    /// use bolide::accounts::{Accounts, LoginRequest};
    /// use bolide::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = SqlStore::open("sqlite::memory:").await?;
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
    pub fn login_lifetime(mut self, hook: impl Fn(&LoginAttempt) -> Option<Duration> + Send + Sync + 'static) -> Self {
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
}
