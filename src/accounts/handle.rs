//! [`AccountsHandle`]: what an application or an operator does with accounts, without a gate.

use std::sync::Arc;

use serde_json::{Value, json};

use super::login_attempt::LoginAttempt;
use super::methods::selector_of;
use super::password::NewPassword;
use super::protected::{Ground, Proof};
use super::secrets::totp_owner;
use super::{AccountsCore, canary};
use crate::call::{MethodError, MethodResult};
use crate::settings::Settings;
use crate::store::{AuditEvent, EmailAddress, Kept, LinkPurpose, PasswordProof, Store, User};
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

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Returns the store. What is written to it directly takes effect when it is read next; see
    /// [`user_changed`](Self::user_changed).
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// Returns the user with exactly this username or address, or else the only one whose name or address differs in case
    /// alone.
    ///
    /// # Errors
    /// `error-invalid-user` if there is no such user.
    pub async fn find(&self, name: &str) -> MethodResult<User> {
        let found = self.0.users.find(&selector_of(name)).await?;
        found.ok_or_else(|| MethodError::new("error-invalid-user", "Invalid user"))
    }

    /// Adds a user as an operator does: no mail is sent, and the addresses count as verified. The hooks for new users
    /// run, without options.
    ///
    /// # Errors
    /// 403 if the name or an address is taken, 400 if the name is not possible, and those of the hooks.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> MethodResult<()> {
    /// let app = App::builder().accounts(Accounts::sqlite(":memory:").await?).build()?;
    /// let accounts = app.accounts().expect("accounts were added");
    /// // A database that is kept has the user at the second start.
    /// if accounts.find("ada").await.is_err() {
    ///     accounts.add_user("ada", &["ada@example.com"], &["admin"], Some("correct horse")).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn add_user(
        &self,
        username: &str,
        addresses: &[&str],
        roles: &[&str],
        password: Option<&str>,
    ) -> MethodResult<User> {
        let emails: Vec<EmailAddress> = addresses.iter().map(|address| EmailAddress::verified(*address)).collect();
        let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
        self.0.sign_up.add(username, &emails, &roles, password, None).await
    }

    /// Activates or deactivates a user. A user who is deactivated cannot log in, and all access ends: tokens, those of
    /// integrations too, links and challenges.
    ///
    /// # Errors
    /// `error-invalid-user` if the user does not exist; `error-admin-required` if it is the last active admin.
    pub async fn set_active(&self, name: &str, is_active: bool) -> MethodResult<()> {
        let (core, user) = (&self.0, self.find(name).await?);
        core.users.set_active(&user.id, is_active, &Proof::by(Ground::Operator)).await?;
        let event = if is_active { AuditEvent::UserActivated } else { AuditEvent::UserDeactivated };
        core.audit.record(event, Some(&user.id), None, by_operator()).await;
        Ok(())
    }

    /// Removes a user and all that belongs to it, and ends its connections.
    ///
    /// # Errors
    /// `error-invalid-user` if the user does not exist; `error-admin-required` if it is the last active admin.
    pub async fn remove_user(&self, name: &str) -> MethodResult<()> {
        let (core, user) = (&self.0, self.find(name).await?);
        core.users.remove(&user.id).await?;
        core.audit.record(AuditEvent::UserRemoved, Some(&user.id), None, by_operator()).await;
        Ok(())
    }

    /// Takes the username away from a user, so that another user can have it. The user is then known by its addresses and
    /// its id alone, and may choose another name, even if the settings do not allow users to change their names. Returns
    /// `false` if the user had no name.
    ///
    /// # Errors
    /// `error-invalid-user` if the user does not exist.
    pub async fn remove_username(&self, name: &str) -> MethodResult<bool> {
        let (core, user) = (&self.0, self.find(name).await?);
        if !core.store.remove_username(&user.id).await? {
            return Ok(false);
        }
        let details = json!({ "by": "operator", "from": user.username, "to": null });
        core.audit.record(AuditEvent::UsernameChanged, Some(&user.id), None, details).await;
        core.users.changed(&user.id).await;
        Ok(true)
    }

    /// Tells the user's clients, on every node, that the user has changed: for an application that has written to the
    /// [store](Self::store) itself.
    pub async fn user_changed(&self, user: &UserId) {
        self.0.users.changed(user).await;
    }

    /// Sets the password of a user, ends all access, that of integrations too, and lifts blocks.
    ///
    /// # Errors
    /// `error-invalid-user` if there is no such user, `error-password-policy-not-met` if the policy does not allow the
    /// password.
    pub async fn set_password(&self, name: &str, plain: &str) -> MethodResult<()> {
        let user = self.find(name).await?;
        let hash = self.0.passwords.hash(&NewPassword::from_plain(plain)?, None).await?;
        let proof = Proof::by(Ground::Operator);
        self.0.passwords.renew(&user.id, (PasswordProof::Granted, hash), Kept::Nothing, None, &proof).await?;
        self.0.login.lift_blocks(&user).await
    }

    /// Ends all access of a user: tokens, those of integrations too, links, challenges and an authenticator app that was
    /// not confirmed. Returns the number of tokens. The user can log in again.
    ///
    /// # Errors
    /// `error-invalid-user` if there is no such user.
    pub async fn log_out(&self, name: &str) -> MethodResult<usize> {
        let (core, user) = (&self.0, self.find(name).await?);
        let count = core.tokens.end_all(&user.id).await?;
        let details = json!({ "by": "operator", "count": count });
        core.audit.record(AuditEvent::SessionsRevoked, Some(&user.id), None, details).await;
        Ok(count)
    }

    /// Lifts the blocks of a user after wrong passwords and wrong codes.
    ///
    /// # Errors
    /// `error-invalid-user` if there is no such user.
    pub async fn unblock(&self, name: &str) -> MethodResult<()> {
        let (core, user) = (&self.0, self.find(name).await?);
        core.login.lift_blocks(&user).await?;
        core.audit.record(AuditEvent::BlocksLifted, Some(&user.id), None, by_operator()).await;
        Ok(())
    }

    /// Removes all second factors of a user who has lost them. All its logins end, those of integrations too.
    ///
    /// # Errors
    /// `error-invalid-user` if there is no such user.
    pub async fn reset_second_factors(&self, name: &str) -> MethodResult<()> {
        let user = self.find(name).await?;
        self.0.second_factor.reset(&user, None, by_operator(), &Proof::by(Ground::Operator)).await
    }

    /// Issues a login token to a user, without a login: hooks are not told, except for those that set how long it lasts.
    ///
    /// # Errors
    /// `error-invalid-user` if there is no such user, `error-user-is-not-activated` if it may not log in.
    pub async fn issue_token(&self, name: &str) -> MethodResult<String> {
        let user = self.find(name).await?;
        if !user.is_active {
            return Err(MethodError::new("error-user-is-not-activated", "User is not activated"));
        }
        Ok(self.0.tokens.issue(&user, &LoginAttempt::of_user("resume", &user, None)).await?.token)
    }

    /// Makes a link with which a user chooses a password, once.
    ///
    /// # Errors
    /// `error-invalid-user` if there is no such user.
    pub async fn password_link(&self, name: &str) -> MethodResult<String> {
        let user = self.find(name).await?;
        self.0.links.make(&user, LinkPurpose::EnrollAccount, None).await
    }

    /// Seals the secrets of authenticator apps and the mails that wait with the current key if they are sealed with an
    /// older one. Returns how many were sealed again.
    ///
    /// # Errors
    /// If a secret can be opened with none of the keys, or the store fails.
    pub async fn reseal_secrets(&self) -> MethodResult<u64> {
        let core = &self.0;
        let mut count = 0;
        for (user, sealed) in core.store.totp_secrets().await? {
            if core.keys.is_current(&sealed) {
                continue;
            }
            let owner = totp_owner(&user);
            let unreadable = || MethodError::internal(format!("none of the keys opens the secret of the user {user}"));
            let secret = core.keys.open(&sealed, &owner).ok_or_else(unreadable)?;
            let resealed = core.keys.seal(secret.expose(), &owner, &*core.chance);
            count += u64::from(core.store.reseal_totp(&user, &sealed, resealed).await?);
        }
        count += core.mails.queue.reseal().await?;
        // Last: until then, a server that has only the older keys can still open something.
        canary::reseal(&*core.store, &core.keys, &*core.chance).await?;
        core.audit.record(AuditEvent::KeysRotated, None, None, json!({ "secrets": count })).await;
        Ok(count)
    }

    /// Changes a setting. The new value is in effect when this returns.
    ///
    /// # Errors
    /// If there is no such setting, it is fixed, or the value is not possible.
    pub async fn set(&self, setting: &str, value: Value) -> MethodResult<()> {
        let proof = Proof::by(Ground::Operator);
        self.0.setting_changes.change(setting, value, Some(&proof), None).await
    }
}

/// The details of an audit entry about what an operator has done.
fn by_operator() -> Value {
    json!({ "by": "operator" })
}

impl std::fmt::Debug for AccountsHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AccountsHandle").field("site", self.0.mails.site()).finish_non_exhaustive()
    }
}
