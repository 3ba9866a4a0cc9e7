//! What admins change: users, roles, mails. All of it is gated, and written to the audit log with who did it.

use std::sync::Arc;

use bolide_protocol::DdpError;
use serde::Deserialize;
use serde_json::json;

use super::lists;
use super::publications::AuditQuery;
use crate::accounts::AccountsCore;
use crate::call::{MethodError, MethodResult, MethodSummary, Parameters, SignedIn, TwoFactor};
use crate::mail::MailId;
use crate::registry::Registry;
use crate::settings::MANDATORY_ROLES;
use crate::store::{User, UserFilter};
use crate::user::UserId;

/// Who is an admin is changed by one call after another: two that demote each other must not both pass.
const ADMINS_LOCK: &str = "admins";

pub(super) fn register(core: &Arc<AccountsCore>, registry: &mut Registry) {
    macro_rules! method {
        ($registry:expr, $name:literal, $policy:expr, $function:path) => {{
            let core = Arc::clone(core);
            $registry.method($name, $policy, move |me: SignedIn, parameters: Parameters| {
                let core = Arc::clone(&core);
                async move {
                    core.require_admin(me.user(), $name).await?;
                    $function(&core, me, parameters).await
                }
            })
        }};
    }
    let (open, gated) = (TwoFactor::none(), TwoFactor::required());
    method!(registry, "admin:auditPage", open, audit_page);
    method!(registry, "admin:methods", open, list_methods);
    method!(registry, "admin:setRoles", gated, set_roles);
    method!(registry, "admin:setActive", gated, set_active);
    method!(registry, "admin:logOut", gated, log_out);
    method!(
        registry,
        "admin:resetSecondFactors",
        gated.disable_remember_me().require_second_factor(),
        reset_second_factors
    );
    method!(registry, "admin:setRole", gated, set_role);
    method!(registry, "admin:retryMail", gated, retry_mail);
    method!(registry, "admin:discardMail", gated, discard_mail);
}

async fn audit_page(core: &AccountsCore, _: SignedIn, parameters: Parameters) -> MethodResult<Vec<lists::ShownEntry>> {
    let query: Option<AuditQuery> = parameters.get(0)?;
    lists::audit_entries(core, query.unwrap_or_default().filter()).await
}

async fn list_methods(core: &AccountsCore, _: SignedIn, _: Parameters) -> MethodResult<Vec<lists::ShownMethod>> {
    let summaries: Vec<MethodSummary> = core.app().iter().flat_map(|app| app.methods.summaries()).collect();
    Ok(summaries.iter().map(lists::shown_method).collect())
}

async fn set_roles(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let user = core.named_user(&parameters).await?;
    let mut roles: Vec<String> = parameters.get(1)?;
    if roles.len() > 100 || roles.iter().any(|role| role.is_empty() || role.len() > 100 || role.contains(',')) {
        return Err(DdpError::match_failed().into());
    }
    roles.sort();
    roles.dedup();
    let _one_at_a_time = core.locks.lock(ADMINS_LOCK).await;
    if !roles.iter().any(|role| role == "admin") {
        core.require_another_admin(&user).await?;
    }
    core.store.set_roles(&user.id, roles.clone()).await?;
    core.user_changed(&user.id).await;
    core.audit("user.roles-changed", Some(&user.id), me.context().connection(), json!({ "roles": roles })).await;
    core.end_restricted_sessions(Some(&user.id)).await?;
    Ok(true)
}

async fn set_active(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let user = core.named_user(&parameters).await?;
    let is_active: bool = parameters.get(1)?;
    let _one_at_a_time = core.locks.lock(ADMINS_LOCK).await;
    if !is_active {
        core.require_another_admin(&user).await?;
    }
    core.store.set_active(&user.id, is_active).await?;
    if !is_active {
        let ended = core.store.delete_session_tokens(&user.id, None).await?;
        core.end_connections(&ended);
        core.end_connections_of(&user.id);
    }
    core.user_changed(&user.id).await;
    core.audit("user.active-changed", Some(&user.id), me.context().connection(), json!({ "active": is_active })).await;
    Ok(true)
}

/// Ends the log-ins of a user; those of integrations stay.
async fn log_out(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let user = core.named_user(&parameters).await?;
    let ended = core.store.delete_session_tokens(&user.id, None).await?;
    core.end_connections(&ended);
    core.audit("sessions.revoked", Some(&user.id), me.context().connection(), json!({ "count": ended.len() })).await;
    Ok(true)
}

/// For a user who has lost them: all log-ins end, those of integrations too, and the user is told by mail.
async fn reset_second_factors(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let user = core.named_user(&parameters).await?;
    core.reset_second_factors(&user, me.context().connection(), json!({})).await?;
    Ok(true)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleChange {
    mandatory2fa: bool,
}

/// Whether a role demands a second factor. Who has the role and no factor is shut out at once, but for setting one up.
async fn set_role(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let (name, change): (String, RoleChange) = (parameters.get(0)?, parameters.get(1)?);
    if name.trim().is_empty() || name.len() > 100 || name.contains(',') {
        return Err(DdpError::match_failed().into());
    }
    let mut roles = core.mandatory_roles();
    roles.retain(|role| role != name.trim());
    if change.mandatory2fa {
        roles.push(name.trim().to_owned());
    }
    core.change_setting(MANDATORY_ROLES.id(), roles.join(",").into(), me.context().connection()).await?;
    Ok(true)
}

async fn retry_mail(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let mail = mail_id(&parameters)?;
    let is_there = core.mails.retry(mail).await?;
    core.audit("mail.retried", None, me.context().connection(), json!({ "mail": mail.number() })).await;
    Ok(is_there)
}

async fn discard_mail(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let mail = mail_id(&parameters)?;
    let is_there = core.mails.discard(mail).await?;
    core.audit("mail.discarded", None, me.context().connection(), json!({ "mail": mail.number() })).await;
    Ok(is_there)
}

/// A mail's id, as the documents have it.
fn mail_id(parameters: &Parameters) -> Result<MailId, DdpError> {
    let text: String = parameters.get(0)?;
    text.parse().map(MailId::from_number).map_err(|_| DdpError::match_failed())
}

impl AccountsCore {
    /// The user whose id is the first parameter.
    async fn named_user(&self, parameters: &Parameters) -> MethodResult<User> {
        let id: String = parameters.get(0)?;
        self.existing_user(&UserId::from(id)).await
    }

    /// Refuses to take the last admin away.
    async fn require_another_admin(&self, user: &User) -> MethodResult<()> {
        if !user.has_role("admin") {
            return Ok(());
        }
        let filter = UserFilter { role: Some("admin".into()), limit: 1000, ..UserFilter::default() };
        let admins = self.store.users(filter).await?.users;
        if admins.iter().any(|other| other.is_active && other.id != user.id) {
            return Ok(());
        }
        Err(MethodError::new("error-admin-required", "There must be an admin. Make another user one first"))
    }
}
