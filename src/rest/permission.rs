//! Who may use the endpoints of admins.

use crate::accounts::AccountsCore;
use crate::method::MethodResult;
use crate::user::UserId;

/// Whether a user may do what a permission names. Admins may do everything, and others nothing that needs one.
pub(super) async fn may(accounts: &AccountsCore, user: &UserId, _permission: &str) -> MethodResult<bool> {
    Ok(accounts.existing_user(user).await?.has_role("admin"))
}
