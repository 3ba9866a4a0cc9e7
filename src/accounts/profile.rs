//! [`Profiles`]: users change their own profile, over DDP (`saveUserProfile`) and REST (`users.updateOwnBasicInfo`). A
//! change of the address or the password could take an account over, so it needs a second factor.

use std::sync::Arc;

use bolide_protocol::{DdpError, Ejson};
use serde_json::{Value, json};

use super::AccountsCore;
use super::audit::Audit;
use super::factor_rules::FactorRules;
use super::links::Links;
use super::login::wrong_credentials;
use super::mails::{MailBudget, Mails};
use super::methods::kept;
use super::names::{self, Usernames};
use super::notices::Notices;
use super::password::NewPassword;
use super::passwords::Passwords;
use super::protected::{self, Proof};
use super::tokens::own_token;
use super::users::Users;
use crate::call::{MethodError, MethodResult, Parameters, SignedIn, TwoFactorCode};
use crate::registry::Registry;
use crate::settings::{EMAIL_CHANGE, NAME_CHANGE, PASSWORD_CHANGE, Settings, USERNAME_CHANGE};
use crate::store::{AuditEvent, EmailAddress, LinkPurpose, PasswordProof, Store, StoreError, User, fold};

/// Changes the profiles of users.
pub(crate) struct Profiles {
    pub(super) settings: Settings,
    pub(super) store: Arc<dyn Store>,
    pub(super) rules: Arc<FactorRules>,
    pub(super) users: Arc<Users>,
    pub(super) passwords: Arc<Passwords>,
    pub(super) links: Arc<Links>,
    pub(super) mails: Arc<Mails>,
    pub(super) notices: Arc<Notices>,
    pub(super) audit: Arc<Audit>,
    pub(super) usernames: Arc<Usernames>,
}

/// The changes that a user requests. Fields that are `None` stay.
pub(crate) struct ProfileChange {
    username: Option<String>,
    name: Option<String>,
    address: Option<String>,
    password: Option<NewPassword>,
    /// Whether personal access tokens outlive the change of the password.
    keep_personal_tokens: bool,
    /// The present password, which stands in for a second factor if the user has none.
    shown: Option<TwoFactorCode>,
}

pub(super) fn register(core: &Arc<AccountsCore>, registry: &mut Registry) {
    let core = Arc::clone(core);
    registry.method_unless_there(
        "saveUserProfile",
        protected::policy("saveUserProfile"),
        async move |me: SignedIn, given: Parameters| {
            let settings: Value = given.get(0)?;
            core.profiles.change(&me, ProfileChange::read(&settings, "realname")?).await?;
            Ok(true)
        },
    );
}

impl ProfileChange {
    /// Reads the `data` of `users.updateOwnBasicInfo`.
    ///
    /// # Errors
    /// 400 for a value of another type, or one that is not possible.
    pub(crate) fn from_basic_info(data: &Value) -> MethodResult<Self> {
        let shown = text(data, "currentPassword")?.map(|digest| TwoFactorCode::new(digest, "password"));
        Ok(Self { shown, ..Self::read(data, "name")? })
    }

    fn read(given: &Value, name: &str) -> MethodResult<Self> {
        if !given.is_object() {
            return Err(DdpError::match_failed().into());
        }
        let password = given.get("newPassword").filter(|value| !value.is_null() && value.as_str() != Some(""));
        let password =
            password.map(|value| Ejson::from_typed(value).map_err(|_| DdpError::match_failed())).transpose()?;
        Ok(Self {
            username: text(given, "username")?,
            name: text(given, name)?.map(|text| names::shown_name(&text)).transpose()?,
            address: text(given, "email")?.map(|text| names::address(&text)).transpose()?,
            password: password.map(|value| NewPassword::from_ejson(&value)).transpose()?,
            keep_personal_tokens: flag(given, "keepPersonalTokens")?,
            shown: None,
        })
    }

    /// Removes the changes that change nothing.
    fn against(mut self, user: &User) -> Self {
        self.username = self.username.filter(|new| user.username.as_ref() != Some(new));
        self.address = self.address.filter(|new| user.emails.first().is_none_or(|own| fold(&own.address) != fold(new)));
        self
    }

    /// Rejects the change as a whole if the settings forbid a part of it.
    fn refuse_forbidden(&self, user: &User, settings: &Settings, method: &str) -> Result<(), DdpError> {
        let is_forbidden = (self.name.is_some() && !settings.get(&NAME_CHANGE))
            || (self.username.is_some() && user.username.is_some() && !settings.get(&USERNAME_CHANGE))
            || (self.address.is_some() && !settings.get(&EMAIL_CHANGE))
            || (self.password.is_some() && !settings.get(&PASSWORD_CHANGE));
        if is_forbidden { Err(not_allowed(method)) } else { Ok(()) }
    }

    const fn needs_two_factor(&self) -> bool {
        self.address.is_some() || self.password.is_some()
    }
}

impl Profiles {
    /// Changes the profile of the user who calls.
    ///
    /// # Errors
    /// What the gate says about another address or password; `error-field-unavailable` if another user
    /// has the name or address.
    pub(crate) async fn change(&self, me: &SignedIn, change: ProfileChange) -> MethodResult<()> {
        let user = self.users.existing(me.user()).await?;
        let username = change.username.as_deref().map(|name| self.usernames.choose(name)).transpose()?;
        let mut change = ProfileChange { username, ..change }.against(&user);
        change.refuse_forbidden(&user, &self.settings, me.context().method_name())?;
        let proof = if change.needs_two_factor() {
            // A password is not a code of an app or a mail, so it does not count as a wrong one.
            let shown = change.shown.take().filter(|_| !self.rules.has_factor(&user));
            Some(me.prove(shown).await?)
        } else {
            None
        };
        self.refuse_what_is_taken(&user, &change).await?;
        let hash = match &change.password {
            Some(password) => Some(self.passwords.hash(password, me.context().connection()).await?),
            None => None,
        };
        if let Some(username) = &change.username {
            self.store.set_username(&user.id, username).await.map_err(|error| taken(error, username))?;
            let details = json!({ "from": user.username, "to": username });
            self.audit.record(AuditEvent::UsernameChanged, Some(&user.id), me.context().connection(), details).await;
        }
        if let Some(name) = change.name {
            self.store.set_field(&user.id, "name", Some(name.into())).await?;
        }
        if let (Some(address), Some(proof)) = (&change.address, &proof) {
            self.change_address(me, &user, address, proof).await?;
        }
        if let (Some(hash), Some(proof)) = (hash, &proof) {
            let own = own_token(me.context());
            let kept = kept(own.as_ref(), change.keep_personal_tokens);
            // A password that was reset meanwhile is newer than what was proven.
            let present = user.password.as_ref().map_or(PasswordProof::Granted, PasswordProof::Present);
            if !self.passwords.renew(&user.id, (present, hash), kept, me.context().connection(), proof).await? {
                return Err(wrong_credentials().into());
            }
        }
        self.users.changed(&user.id).await;
        Ok(())
    }

    /// Puts the new address, which is not verified, in the place of the first one. Codes and links that were sent to the
    /// old one are removed, no client is trusted any more, and the old addresses are told.
    async fn change_address(&self, me: &SignedIn, user: &User, new: &str, _: &Proof) -> MethodResult<()> {
        let email = EmailAddress { address: new.to_owned(), is_verified: false };
        let old = user.emails.first().map(|email| email.address.as_str());
        if !self.store.replace_email(&user.id, old, email).await.map_err(|error| taken(error, new))? {
            let reason = "The address was changed meanwhile. Look at your profile again";
            return Err(MethodError::new("error-changed-meanwhile", reason));
        }
        self.store.delete_email_code(&user.id).await?;
        self.store.delete_links(&user.id, LinkPurpose::ResetPassword).await?;
        self.store.distrust_tokens(&user.id).await?;
        let details = json!({ "from": old, "to": new });
        self.audit.record(AuditEvent::EmailChanged, Some(&user.id), me.context().connection(), details).await;
        self.notices.tell_of_address(user, new, me.context().connection()).await;
        let is_known = user.emails.iter().any(|own| own.is_verified && fold(&own.address) == fold(new));
        if !is_known && self.mails.take_from_budget(&user.id, MailBudget::User).await? {
            self.links.send(user, LinkPurpose::VerifyEmail, new).await?;
        }
        Ok(())
    }

    /// Rejects the change as a whole if another user has the name or the address.
    async fn refuse_what_is_taken(&self, user: &User, change: &ProfileChange) -> MethodResult<()> {
        if let Some(name) = &change.username
            && self.store.is_username_taken(name, &user.id).await?
        {
            return Err(unavailable(name));
        }
        if let Some(address) = &change.address
            && self.store.is_address_taken(address, &user.id).await?
        {
            return Err(unavailable(address));
        }
        Ok(())
    }
}

/// Returns Rocket.Chat's error for a change that the settings forbid.
pub(super) fn not_allowed(method: &str) -> DdpError {
    DdpError::new("error-not-allowed", "Not allowed").with_details(json!({ "method": method }))
}

/// Returns a member that is a text and not empty.
fn text(given: &Value, name: &str) -> Result<Option<String>, DdpError> {
    match given.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(DdpError::match_failed()),
    }
}

/// Returns a member that is a boolean; `false` if it is missing.
fn flag(given: &Value, name: &str) -> Result<bool, DdpError> {
    match given.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(value) => value.as_bool().ok_or_else(DdpError::match_failed),
    }
}

fn taken(error: StoreError, name: &str) -> MethodError {
    match error {
        StoreError::Taken(_) => unavailable(name),
        other => other.into(),
    }
}

fn unavailable(name: &str) -> MethodError {
    MethodError::new("error-field-unavailable", format!("{name} is already in use"))
}
