//! What admins change: users, roles and mails. Each change is gated, and recorded in the audit log with its admin.

use std::sync::Arc;

use bolide_protocol::DdpError;
use serde::Deserialize;
use serde_json::json;

use super::lists;
use super::publications::AuditQuery;
use super::settings::not_allowed;
use crate::accounts::{AccountsCore, NewMember, protected};
use crate::call::{MethodError, MethodResult, MethodSummary, Parameters, SignedIn, TwoFactor};
use crate::mail::MailId;
use crate::registry::Registry;
use crate::settings::MANDATORY_ROLES;
use crate::store::{AuditEvent, User};
use crate::two_factor::TwoFactorCore;
use crate::user::UserId;

/// What the methods use.
struct Services {
    accounts: Arc<AccountsCore>,
    factors: Arc<TwoFactorCore>,
}

pub(super) fn register(accounts: &Arc<AccountsCore>, factors: &Arc<TwoFactorCore>, registry: &mut Registry) {
    let services = Arc::new(Services { accounts: Arc::clone(accounts), factors: Arc::clone(factors) });
    macro_rules! method {
        ($name:literal, $policy:expr, $function:path) => {{
            let services = Arc::clone(&services);
            registry.method($name, $policy, move |me: SignedIn, parameters: Parameters| {
                let services = Arc::clone(&services);
                async move {
                    if !services.accounts.users.is_admin(me.user()).await? {
                        return Err(not_allowed($name));
                    }
                    $function(&services, me, parameters).await
                }
            })
        }};
        ($name:literal, $function:path) => {
            method!($name, protected::policy($name), $function)
        };
    }
    let (open, gated) = (TwoFactor::none(), TwoFactor::required());
    method!("admin:auditPage", open, audit_page);
    method!("admin:methods", open, list_methods);
    method!("admin:setRoles", set_roles);
    method!("admin:setActive", set_active);
    method!("admin:addUser", add_user);
    method!("admin:endSession", gated, end_session);
    method!("admin:logOut", gated, log_out);
    method!("admin:unblock", gated, unblock);
    method!("admin:resetSecondFactors", reset_second_factors);
    method!("admin:setRole", set_role);
    method!("admin:retryMail", gated, retry_mail);
    method!("admin:discardMail", gated, discard_mail);
}

async fn audit_page(services: &Services, _: SignedIn, given: Parameters) -> MethodResult<Vec<lists::ShownEntry>> {
    let query: Option<AuditQuery> = given.get(0)?;
    lists::audit_entries(&services.accounts, query.unwrap_or_default().filter()).await
}

async fn list_methods(services: &Services, _: SignedIn, _: Parameters) -> MethodResult<Vec<lists::ShownMethod>> {
    let app = services.accounts.node.app();
    let summaries: Vec<MethodSummary> = app.iter().flat_map(|app| app.methods.read().summaries()).collect();
    Ok(summaries.iter().map(lists::shown_method).collect())
}

async fn set_roles(services: &Services, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let (accounts, user) = (&services.accounts, services.named_user(&parameters).await?);
    let roles = checked_roles(parameters.get(1)?)?;
    if !accounts.users.set_roles(&user, roles.clone(), &me.prove(None).await?).await? {
        return Err(changed_meanwhile());
    }
    let details = json!({ "roles": roles });
    accounts.audit.record(AuditEvent::UserRolesChanged, Some(&user.id), me.context().connection(), details).await;
    accounts.users.end_restricted_sessions(Some(&user.id)).await?;
    Ok(true)
}

/// Activates or deactivates a user. Deactivation ends all access, that of integrations too.
async fn set_active(services: &Services, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let (accounts, user) = (&services.accounts, services.named_user(&parameters).await?);
    let is_active: bool = parameters.get(1)?;
    accounts.users.set_active(&user.id, is_active, &me.prove(None).await?).await?;
    let details = json!({ "active": is_active });
    accounts.audit.record(AuditEvent::UserActiveChanged, Some(&user.id), me.context().connection(), details).await;
    Ok(true)
}

/// Adds a user. Returns the id.
async fn add_user(services: &Services, me: SignedIn, parameters: Parameters) -> MethodResult<UserId> {
    let mut new: NewMember = parameters.get(0)?;
    new.roles = checked_roles(new.roles)?;
    let proof = me.prove(None).await?;
    Ok(services.accounts.add_member(new, &me, &proof).await?.id)
}

/// Ends the login of a session, which the list of sessions names, and the connections that use it.
async fn end_session(services: &Services, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let (user, login): (UserId, String) = (UserId::from(parameters.get::<String>(0)?), parameters.get(1)?);
    services.accounts.tokens.end_login(&user, &login, &me).await?;
    Ok(true)
}

/// Ends all access of a user: tokens, those of integrations too, links, challenges and pending secrets.
async fn log_out(services: &Services, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let (accounts, user) = (&services.accounts, services.named_user(&parameters).await?);
    let details = json!({ "count": accounts.tokens.end_all(&user.id).await? });
    accounts.audit.record(AuditEvent::SessionsRevoked, Some(&user.id), me.context().connection(), details).await;
    Ok(true)
}

/// Lifts the blocks of a user after wrong passwords and codes.
async fn unblock(services: &Services, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let (accounts, user) = (&services.accounts, services.named_user(&parameters).await?);
    accounts.login.lift_blocks(&user).await?;
    accounts.audit.record(AuditEvent::BlocksLifted, Some(&user.id), me.context().connection(), json!({})).await;
    Ok(true)
}

/// Removes the second factors of a user who has lost them. All logins of the user end, those of integrations too.
async fn reset_second_factors(services: &Services, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let user = services.named_user(&parameters).await?;
    let proof = me.prove(None).await?;
    services.factors.reset.all_factors(&user, me.context().connection(), json!({}), &proof).await?;
    Ok(true)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleChange {
    mandatory2fa: bool,
}

/// Sets whether a role demands a second factor. Users who have the role and no factor can only set one up from then on.
async fn set_role(services: &Services, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let (name, change): (String, RoleChange) = (parameters.get(0)?, parameters.get(1)?);
    if name.trim().is_empty() || name.len() > 100 || name.contains(',') {
        return Err(DdpError::match_failed().into());
    }
    let mut roles = services.accounts.rules.mandatory_roles();
    roles.retain(|role| role != name.trim());
    if change.mandatory2fa {
        roles.push(name.trim().to_owned());
    }
    let changes = &services.accounts.setting_changes;
    let proof = me.prove(None).await?;
    changes.change(MANDATORY_ROLES.id(), roles.join(",").into(), Some(&proof), me.context().connection()).await?;
    Ok(true)
}

async fn retry_mail(services: &Services, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let (accounts, mail) = (&services.accounts, mail_id(&parameters)?);
    let is_there = accounts.mails.queue.retry(mail).await?;
    let details = json!({ "mail": mail.number() });
    accounts.audit.record(AuditEvent::MailRetried, None, me.context().connection(), details).await;
    Ok(is_there)
}

async fn discard_mail(services: &Services, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let (accounts, mail) = (&services.accounts, mail_id(&parameters)?);
    let is_there = accounts.mails.queue.discard(mail).await?;
    let details = json!({ "mail": mail.number() });
    accounts.audit.record(AuditEvent::MailDiscarded, None, me.context().connection(), details).await;
    Ok(is_there)
}

/// Returns the id of a mail, as the documents have it.
fn mail_id(parameters: &Parameters) -> Result<MailId, DdpError> {
    let text: String = parameters.get(0)?;
    text.parse().map(MailId::from_number).map_err(|_| DdpError::match_failed())
}

impl Services {
    /// Returns the user whose id is the first parameter.
    async fn named_user(&self, parameters: &Parameters) -> MethodResult<User> {
        let id: String = parameters.get(0)?;
        self.accounts.users.existing(&UserId::from(id)).await
    }
}

/// Returns the roles in their order, each once.
fn checked_roles(mut roles: Vec<String>) -> Result<Vec<String>, DdpError> {
    if roles.len() > 100 || roles.iter().any(|role| role.is_empty() || role.len() > 100 || role.contains(',')) {
        return Err(DdpError::match_failed());
    }
    roles.sort();
    roles.dedup();
    Ok(roles)
}

fn changed_meanwhile() -> MethodError {
    MethodError::new("error-changed-meanwhile", "The roles were changed meanwhile. Look at them again")
}
