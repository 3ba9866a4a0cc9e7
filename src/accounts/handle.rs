//! [`AccountsHandle`]: what an application or an operator does with accounts, without being asked for anything.

use std::sync::Arc;

use bolide_protocol::DdpError;
use bolide_protocol::ejson::Object;
use serde_json::Value;

use super::login::Recognized;
use super::methods::selector_of;
use super::password::Password;
use super::{AccountsCore, names};
use crate::method::{MethodError, MethodResult};
use crate::settings::Settings;
use crate::store::{EmailAddress, LinkPurpose, NewUser, Store, StoreError, StoredHash, Totp, User};
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

    /// Adds a user, as an operator does: nothing is asked, no mail is sent, and the addresses are taken as verified.
    ///
    /// # Errors
    /// 403 when the name or an address is taken, 400 when there cannot be such a name.
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
            Some(plain) => Some(StoredHash::new(core.hasher.hash(&Password::from_plain(plain)).await?.as_str())),
            None => None,
        };
        let user = User {
            id: UserId::from(core.random_id()),
            username: Some(names::username(username)?),
            emails: addresses.iter().map(verified).collect::<Result<_, DdpError>>()?,
            profile: None,
            roles: roles.to_vec(),
            fields: Object::default(),
            created_at: core.now(),
            is_active: true,
            password,
            must_change_password: false,
            totp: Totp::Off,
            has_email_codes: false,
        };
        let new = NewUser { user: user.clone(), backup_codes: Vec::new(), tokens: Vec::new() };
        core.store.insert_user(new).await.map_err(|error| match error {
            StoreError::Taken(what) => MethodError::new(403, format!("{what} is taken")),
            other => other.into(),
        })?;
        core.audit("user.created", Some(&user.id), None, serde_json::json!({ "by": "operator" })).await;
        Ok(user)
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
    /// `error-invalid-user` when there is no such user.
    pub async fn issue_token(&self, name: &str) -> MethodResult<String> {
        let user = self.find(name).await?;
        Ok(self.0.new_login(&Recognized { user, kind: "resume" }, None).await?.token)
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
            let anew = core.keys.seal(&secret, &owner, &*core.chance);
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
