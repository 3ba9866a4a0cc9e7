//! [`AccountsHandle`]: what an application or an operator does with accounts, without being asked for anything.

use std::sync::Arc;

use bolide_protocol::DdpError;
use bolide_protocol::ejson::Object;
use serde_json::Value;

use super::login::Recognized;
use super::methods::selector_of;
use super::password::Password;
use super::{AccountsCore, names};
use crate::call::{MethodError, MethodResult};
use crate::settings::Settings;
use crate::store::{EmailAddress, LinkPurpose, NewUser, Store, StoreError, User};
use crate::user::UserId;

/// The accounts of a running app, from [`App::accounts`](crate::App::accounts). Cheap to clone.
#[derive(Clone)]
pub struct AccountsHandle(Arc<AccountsCore>);

impl AccountsHandle {
    pub(crate) const fn new(core: Arc<AccountsCore>) -> Self {
        Self(core)
    }

    pub(super) fn core(&self) -> &AccountsCore {
        &self.0
    }

    /// The settings, as they are now.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The store. What is written past the app takes effect when it is read next.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The user with this username or address.
    ///
    /// # Errors
    /// `error-invalid-user` when there is none.
    pub async fn find(&self, name: &str) -> MethodResult<User> {
        let found = self.0.find_user(&selector_of(name)).await?;
        found.ok_or_else(|| MethodError::new("error-invalid-user", "Invalid user"))
    }

    /// Adds a user, as an operator does: nothing is asked, no mail is sent, and the addresses are taken as verified. The
    /// hooks for new users run, without options.
    ///
    /// # Errors
    /// 403 when the name or an address is taken, 400 when there cannot be such a name, and those of the hooks.
    pub async fn add_user(
        &self,
        username: &str,
        addresses: &[String],
        roles: &[String],
        password: Option<&str>,
    ) -> MethodResult<User> {
        let core = &self.0;
        let verified = |address: &String| Ok(EmailAddress { address: names::address(address)?, is_verified: true });
        let password = match password {
            Some(plain) => Some(core.hash_password(&Password::from_plain(plain)).await?),
            None => None,
        };
        let user = User {
            username: Some(names::username(username)?),
            emails: addresses.iter().map(verified).collect::<Result<_, DdpError>>()?,
            roles: roles.to_vec(),
            password,
            ..User::new(UserId::from(core.random_id()), core.now())
        };
        let user = core.hooks.new_user(&Object::default(), user).await?;
        let new = NewUser { user: user.clone(), backup_codes: Vec::new(), tokens: Vec::new() };
        core.store.insert_user(new).await.map_err(|error| match error {
            StoreError::Taken(what) => MethodError::new(403, format!("{what} is taken")),
            other => other.into(),
        })?;
        core.audit("user.created", Some(&user.id), None, serde_json::json!({ "by": "operator" })).await;
        Ok(user)
    }

    /// Lets a user log in, or not any more; then all of its log-ins end, those of integrations too.
    ///
    /// # Errors
    /// `error-invalid-user` when there is no such user.
    pub async fn set_active(&self, name: &str, is_active: bool) -> MethodResult<()> {
        let (core, user) = (&self.0, self.find(name).await?);
        core.store.set_active(&user.id, is_active).await?;
        if !is_active {
            core.store.delete_all_tokens(&user.id).await?;
            core.end_connections_of(&user.id);
        }
        core.user_changed(&user.id).await;
        let event = if is_active { "user.activated" } else { "user.deactivated" };
        core.audit(event, Some(&user.id), None, serde_json::json!({ "by": "operator" })).await;
        Ok(())
    }

    /// Removes a user with all that belongs to it. Its log-ins end.
    ///
    /// # Errors
    /// `error-invalid-user` when there is no such user.
    pub async fn remove_user(&self, name: &str) -> MethodResult<()> {
        let (core, user) = (&self.0, self.find(name).await?);
        core.store.delete_user(&user.id).await?;
        core.end_connections_of(&user.id);
        core.user_changed(&user.id).await;
        core.audit("user.removed", Some(&user.id), None, serde_json::json!({ "by": "operator" })).await;
        Ok(())
    }

    /// Tells the user's clients, on every node, that something of the user has changed: for an application that has
    /// written to the [store](Self::store) itself.
    pub async fn user_changed(&self, user: &UserId) {
        self.0.user_changed(user).await;
    }

    /// Gives a user a new password. Its log-ins end.
    ///
    /// # Errors
    /// `error-invalid-user` when there is no such user.
    pub async fn set_password(&self, name: &str, plain: &str) -> MethodResult<()> {
        let user = self.find(name).await?;
        self.0.set_password(&user, &Password::from_plain(plain), None, None).await
    }

    /// Takes all second factors of a user away, for one who has lost them. Its log-ins end, those of integrations too.
    ///
    /// # Errors
    /// `error-invalid-user` when there is no such user.
    pub async fn reset_second_factors(&self, name: &str) -> MethodResult<()> {
        let (core, user) = (&self.0, self.find(name).await?);
        core.reset_second_factors(&user, None, serde_json::json!({ "by": "operator" })).await
    }

    /// A login token for a user, without a log-in.
    ///
    /// # Errors
    /// `error-invalid-user` when there is no such user, `error-user-is-not-activated` when it may not log in.
    pub async fn issue_token(&self, name: &str) -> MethodResult<String> {
        let user = self.find(name).await?;
        if !user.is_active {
            return Err(MethodError::new("error-user-is-not-activated", "User is not activated"));
        }
        Ok(self.0.new_login(&Recognized { user, kind: "resume".into() }, None).await?.token)
    }

    /// A link with which a user chooses a password, once.
    ///
    /// # Errors
    /// `error-invalid-user` when there is no such user.
    pub async fn password_link(&self, name: &str) -> MethodResult<String> {
        let user = self.find(name).await?;
        self.0.make_link(&user, LinkPurpose::EnrollAccount, None).await
    }

    /// Seals the secrets of authenticator apps anew, with the current key, where they are sealed with an older one; gives
    /// how many.
    ///
    /// # Errors
    /// When a secret can be opened with none of the keys, or the store fails.
    pub async fn reseal_secrets(&self) -> MethodResult<u64> {
        let core = &self.0;
        let mut count = 0;
        for (user, sealed) in core.store.totp_secrets().await? {
            if core.keys.is_current(&sealed) {
                continue;
            }
            let owner = crate::two_factor::totp_owner(&user);
            let unreadable = || MethodError::internal(format!("none of the keys opens the secret of the user {user}"));
            let secret = core.keys.open(&sealed, &owner).ok_or_else(unreadable)?;
            let anew = core.keys.seal(secret.expose(), &owner, &*core.chance);
            count += u64::from(core.store.reseal_totp(&user, &sealed, anew).await?);
        }
        core.audit("keys.rotated", None, None, serde_json::json!({ "secrets": count })).await;
        Ok(count)
    }

    /// Gives a setting a value. It counts at once.
    ///
    /// # Errors
    /// When there is no such setting, it is fixed, or the value does not fit.
    pub async fn set(&self, setting: &str, value: Value) -> MethodResult<()> {
        self.0.change_setting(setting, value, None).await
    }
}

impl std::fmt::Debug for AccountsHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AccountsHandle").field("site", &self.0.site).finish_non_exhaustive()
    }
}
