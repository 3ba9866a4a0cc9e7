//! Permissions: what the roles of a user allow. `admin` has every permission; every signed-in user has those of the role
//! `user`.
//!
//! Bolide itself checks these, under Rocket.Chat's names: `create-personal-access-tokens` (all users),
//! `view-privileged-setting`, `edit-privileged-setting`, `edit-other-user-totp`, `view-full-other-user-info`,
//! `view-user-administration` (admins). An application names its own with
//! [`Accounts::permission`](super::Accounts::permission).

use std::collections::HashMap;

use bolide_protocol::DdpError;
use serde_json::json;

use super::AccountsCore;
use crate::call::{Context, MethodError, MethodResult, SignedIn};
use crate::store::User;

/// The role that has every permission.
pub(crate) const ADMIN: &str = "admin";

/// The role of users who sign up. Every signed-in user is treated as if it had it.
pub(crate) const USER: &str = "user";

pub(crate) const CREATE_PERSONAL_ACCESS_TOKENS: &str = "create-personal-access-tokens";
pub(crate) const VIEW_PRIVILEGED_SETTING: &str = "view-privileged-setting";
pub(crate) const EDIT_PRIVILEGED_SETTING: &str = "edit-privileged-setting";

/// Which roles have which permission. A permission that is not in it, admins alone have.
#[derive(Debug)]
pub(crate) struct Permissions {
    roles: HashMap<String, Vec<String>>,
}

impl Permissions {
    /// Gives a permission to these roles instead of those that had it.
    pub(crate) fn set(&mut self, permission: &str, roles: &[&str]) {
        self.roles.insert(permission.to_owned(), roles.iter().map(|role| (*role).to_owned()).collect());
    }

    /// Returns whether a user has a permission. A user who is not active has none.
    pub(crate) fn has(&self, user: &User, permission: &str) -> bool {
        let is_in = |role: &String| role == USER || user.has_role(role);
        user.is_active
            && (user.has_role(ADMIN) || self.roles.get(permission).is_some_and(|roles| roles.iter().any(is_in)))
    }
}

impl Default for Permissions {
    fn default() -> Self {
        let mut permissions = Self { roles: HashMap::new() };
        permissions.set(CREATE_PERSONAL_ACCESS_TOKENS, &[USER]);
        permissions
    }
}

impl SignedIn {
    /// Returns whether the roles that the user has now give this permission.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn has_permission(&self, permission: &str) -> MethodResult<bool> {
        let Some(accounts) = self.context().core().slot::<AccountsCore>() else { return Ok(false) };
        let user = accounts.store.user(self.user()).await?;
        Ok(user.is_some_and(|user| accounts.permissions.has(&user, permission)))
    }

    /// Checks that the user has this permission. In an app without accounts, no user has one.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// async fn refund(me: SignedIn, order: String) -> MethodResult<String> {
    ///     me.require_permission("refund-orders").await?;
    ///     Ok(order)
    /// }
    /// ```
    ///
    /// # Errors
    /// `not-authorized` if the user does not have it, with the method's name in the details.
    pub async fn require_permission(&self, permission: &str) -> MethodResult<()> {
        if self.has_permission(permission).await? { Ok(()) } else { Err(not_authorized(self.context())) }
    }
}

/// Returns the error for a user without a permission.
fn not_authorized(context: &Context) -> MethodError {
    let refusal = DdpError::new("not-authorized", "Not Authorized");
    refusal.with_details(json!({ "method": context.method_name() })).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(roles: &[&str], is_active: bool) -> User {
        let mut user = User::new("a".into(), crate::clock::Timestamp::from_milliseconds(0));
        user.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        user.is_active = is_active;
        user
    }

    #[test]
    fn roles_give_what_the_table_says_and_admins_have_every_permission() {
        let mut permissions = Permissions::default();
        permissions.set("refund", &["cashier"]);
        let table = [
            (&[][..], CREATE_PERSONAL_ACCESS_TOKENS, true),
            (&["guest"], CREATE_PERSONAL_ACCESS_TOKENS, true),
            (&["guest"], "refund", false),
            (&["cashier"], "refund", true),
            (&["admin"], "refund", true),
            (&["user"], EDIT_PRIVILEGED_SETTING, false),
            (&["admin"], "an unknown permission", true),
            (&["user"], "an unknown permission", false),
        ];
        for (roles, permission, expected) in table {
            assert_eq!(permissions.has(&user(roles, true), permission), expected, "{roles:?} {permission}");
            assert!(!permissions.has(&user(roles, false), permission), "{roles:?} {permission}");
        }
    }

    #[test]
    fn an_application_can_take_a_built_in_permission_away() {
        let mut permissions = Permissions::default();
        permissions.set(CREATE_PERSONAL_ACCESS_TOKENS, &["bot"]);
        assert!(!permissions.has(&user(&["user"], true), CREATE_PERSONAL_ACCESS_TOKENS));
        assert!(permissions.has(&user(&["bot"], true), CREATE_PERSONAL_ACCESS_TOKENS));
    }
}
