//! [`AccountsHandle`]: what an application or an operator does with accounts, without being asked for anything.

use std::sync::Arc;

use serde_json::Value;

use super::AccountsCore;
use super::login::Recognized;
use super::methods::selector_of;
use crate::method::{MethodError, MethodResult};
use crate::settings::Settings;
use crate::store::{LinkPurpose, Store, User};

/// The accounts of a running app, from [`App::accounts`](crate::App::accounts). Cheap to clone.
#[derive(Clone)]
pub struct AccountsHandle(Arc<AccountsCore>);

impl AccountsHandle {
    pub(crate) const fn new(core: Arc<AccountsCore>) -> Self {
        Self(core)
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
