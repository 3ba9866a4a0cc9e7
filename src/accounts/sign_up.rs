//! [`SignUp`]: makes new users, of what `createUser` was given or for an operator.

use std::sync::Arc;

use bolide_protocol::ejson::Object;
use bolide_protocol::{DdpError, Ejson, random};
use serde_json::json;

use super::audit::Audit;
use super::hooks::Hooks;
use super::links::Links;
use super::login::wrong_credentials;
use super::mails::{MailBudget, Mails};
use super::names::{self, Usernames};
use super::password::NewPassword;
use super::passwords::Passwords;
use super::permissions::USER;
use super::profile_bounds::ProfileBounds;
use crate::call::{Connection, MethodError, MethodResult};
use crate::chance::{Chance, Generator};
use crate::clock::Clock;
use crate::settings::{
    EMAIL_CODES_AUTO_OPT_IN, EMAIL_CODES_ENABLED, SIGN_UP, Settings, TWO_FACTOR_ENABLED, VERIFICATION_MAIL,
};
use crate::store::{AuditEvent, EmailAddress, LinkPurpose, Lookalikes, NewUser, Store, StoreError, Unique, User};
use crate::user::UserId;

/// Makes new users.
pub(crate) struct SignUp {
    store: Arc<dyn Store>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    hooks: Arc<Hooks>,
    passwords: Arc<Passwords>,
    links: Arc<Links>,
    mails: Arc<Mails>,
    audit: Arc<Audit>,
    usernames: Arc<Usernames>,
    bounds: ProfileBounds,
}

impl SignUp {
    pub(super) fn new(
        store: &Arc<dyn Store>,
        settings: &Settings,
        (clock, chance): (&Arc<dyn Clock>, &Arc<dyn Chance>),
        (hooks, audit): (&Arc<Hooks>, &Arc<Audit>),
        passwords: &Arc<Passwords>,
        (links, mails): (&Arc<Links>, &Arc<Mails>),
        (usernames, bounds): (&Arc<Usernames>, ProfileBounds),
    ) -> Self {
        Self {
            store: Arc::clone(store),
            settings: settings.clone(),
            clock: Arc::clone(clock),
            chance: Arc::clone(chance),
            hooks: Arc::clone(hooks),
            passwords: Arc::clone(passwords),
            links: Arc::clone(links),
            mails: Arc::clone(mails),
            audit: Arc::clone(audit),
            usernames: Arc::clone(usernames),
            bounds,
        }
    }

    /// Makes a user of the options of `createUser`, and stores it.
    ///
    /// # Errors
    /// 403 while the settings forbid it, or if the name or address is taken; 400 for malformed options; those of the
    /// hooks.
    pub(crate) async fn sign_up(&self, options: &Object, connection: Option<&Connection>) -> MethodResult<User> {
        if !self.settings.get(&SIGN_UP) {
            return Err(MethodError::new(403, "Signups forbidden"));
        }
        let user = self.hooks.new_user(options, self.read(options, connection).await?).await?;
        // A hook may have copied options of the client.
        self.bounds.check_user(&user)?;
        self.insert(&user).await.map_err(|error| match error {
            StoreError::Taken(Unique::Username | Unique::Address) => wrong_credentials().into(),
            other => MethodError::from(other),
        })?;
        self.audit.record(AuditEvent::UserCreated, Some(&user.id), connection, json!({})).await;
        self.ask_to_verify(&user).await?;
        Ok(user)
    }

    /// Sends a new user a link that verifies the address, if the settings say so.
    async fn ask_to_verify(&self, user: &User) -> MethodResult<()> {
        let Some(email) = user.emails.iter().find(|email| !email.is_verified) else { return Ok(()) };
        // The mail counts for the user, who can request more.
        if self.settings.get(&VERIFICATION_MAIL) && self.mails.take_from_budget(&user.id, MailBudget::User).await? {
            self.links.send(user, LinkPurpose::VerifyEmail, &email.address).await?;
        }
        Ok(())
    }

    /// Makes a user for an operator, or for an admin on a connection, and stores it.
    pub(super) async fn add(
        &self,
        username: &str,
        emails: &[EmailAddress],
        roles: &[String],
        password: Option<&str>,
        admin: Option<&Connection>,
    ) -> MethodResult<User> {
        let checked = |email: &EmailAddress| {
            Ok(EmailAddress { address: names::address(&email.address)?, is_verified: email.is_verified })
        };
        let password = match password {
            Some(plain) => Some(self.passwords.hash(&NewPassword::from_plain(plain)?, None).await?),
            None => None,
        };
        let user = User {
            username: Some(self.usernames.check(username)?),
            emails: emails.iter().map(checked).collect::<Result<_, DdpError>>()?,
            roles: roles.to_vec(),
            password,
            ..self.blank()
        };
        let user = self.hooks.new_user(&Object::default(), user).await?;
        self.insert(&user).await.map_err(|error| match error {
            StoreError::Taken(what) => MethodError::new(403, format!("{what} is taken")),
            other => other.into(),
        })?;
        let by = if admin.is_some() { "admin" } else { "operator" };
        self.audit.record(AuditEvent::UserCreated, Some(&user.id), admin, json!({ "by": by })).await;
        Ok(user)
    }

    async fn insert(&self, user: &User) -> Result<(), StoreError> {
        let new = NewUser { lookalikes: Lookalikes::Refused, ..user.clone().into() };
        self.store.insert_user(new).await
    }

    fn blank(&self) -> User {
        User::new(UserId::from(random::id(&mut Generator(&*self.chance))), self.clock.now())
    }

    async fn read(&self, options: &Object, connection: Option<&Connection>) -> MethodResult<User> {
        let text = |key: &str| match options.get(key) {
            None | Some(Ejson::Null) => Ok(None),
            Some(value) => {
                let text = value.as_str().ok_or_else(DdpError::match_failed)?;
                Ok::<_, DdpError>(Some(text).filter(|text| !text.is_empty()))
            }
        };
        let username = text("username")?.map(|name| self.usernames.choose(name)).transpose()?;
        let address = text("email")?.map(names::address).transpose()?;
        if username.is_none() && address.is_none() {
            return Err(MethodError::new(400, "Need to set a username or email"));
        }
        let profile = match options.get("profile") {
            None | Some(Ejson::Null) => None,
            Some(profile) => {
                let profile = profile.as_object().ok_or_else(DdpError::match_failed)?;
                self.bounds.check(profile)?;
                Some(profile.clone())
            }
        };
        let password = match options.get("password") {
            None | Some(Ejson::Null) => None,
            Some(password) if password.as_str() == Some("") => None,
            Some(password) => Some(self.passwords.hash(&NewPassword::from_ejson(password)?, connection).await?),
        };
        let opts_in = [&TWO_FACTOR_ENABLED, &EMAIL_CODES_ENABLED, &EMAIL_CODES_AUTO_OPT_IN];
        Ok(User {
            username,
            emails: address.into_iter().map(|address| EmailAddress { address, is_verified: false }).collect(),
            profile,
            roles: vec![USER.into()],
            password,
            has_email_codes: opts_in.into_iter().all(|setting| self.settings.get(setting)),
            ..self.blank()
        })
    }
}
