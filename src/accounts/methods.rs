//! The account methods of Meteor. `login` and the methods with a link ask for proof in their own way; `changePassword` asks
//! for the old password, and the gate asks users who have a second factor for that as well.

use std::sync::Arc;

use bolide_protocol::{DdpError, Ejson};
use serde_json::{Value, json};

use super::AccountsCore;
use super::login::{Selector, wrong_credentials};
use super::mails::MailBudget;
use super::password::{NewPassword, Password};
use super::profile::not_allowed;
use super::protected::{self, Ground, Proof};
use super::tokens::{LoginResult, own_token};
use crate::call::{Connection, Context, Identity, MethodError, MethodResult, Parameters, SignedIn};
use crate::registry::Registry;
use crate::settings::{PASSWORD_CHANGE, PASSWORD_RESET, USERNAME_CHANGE};
use crate::store::{AuditEvent, HashedToken, Kept, LinkPurpose, PasswordProof, StoreError, Verification, fold};
use crate::user::UserId;

pub(super) fn register(core: &Arc<AccountsCore>, registry: &mut Registry) {
    protected::methods!(registry, core;
        open_method_unless_there("login", login, Context);
        open_method_unless_there("logout", logout, Context);
        method_unless_there("createUser", create_user, Context);
        method_unless_there("changePassword", change_password, Context);
        method_unless_there("forgotPassword", forgot_password, Context);
        open_method_unless_there("resetPassword", reset_password, Context);
        open_method_unless_there("verifyEmail", verify_email, Context);
        open_method_unless_there("sendVerificationEmail", send_verification_email, SignedIn);
        open_method_unless_there("getNewToken", get_new_token, Context);
        method_unless_there("removeOtherTokens", remove_other_tokens, Context);
        method_unless_there("logoutOtherClients", remove_other_tokens, Context);
        method_unless_there("setUsername", set_username, SignedIn);
    );
}

async fn login(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<LoginResult> {
    let options: Ejson = parameters.get(0)?;
    core.login.log_in(&context, options.as_object().ok_or_else(DdpError::match_failed)?).await
}

async fn logout(core: &AccountsCore, context: Context, _: Parameters) -> MethodResult<()> {
    let credential = context.connection().and_then(|connection| connection.identity().credential);
    let identity = Identity { user: context.user_id(), credential };
    core.login.log_out(&identity, context.connection()).await?;
    context.sign_in(Identity::default()).await
}

async fn create_user(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<LoginResult> {
    let options: Ejson = parameters.get(0)?;
    let options = options.as_object().ok_or_else(DdpError::match_failed)?;
    let user = core.sign_up.sign_up(options, context.connection()).await?;
    core.login.log_in_after(&context, user, "createUser", Some(options)).await
}

/// Ends the other logins and, unless they are to be kept, the personal access tokens.
async fn change_password(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<Value> {
    let id = context.user_id().ok_or_else(|| MethodError::new(401, "Must be logged in"))?;
    if !core.settings.get(&PASSWORD_CHANGE) {
        return Err(not_allowed("changePassword").into());
    }
    let old = Password::from_ejson(&parameters.get(0)?)?;
    let new = NewPassword::from_ejson(&parameters.get(1)?)?;
    let keeps_personal = keeps_personal_tokens(&parameters.get(2)?)?;
    let user = core.store.user(&id).await?.ok_or_else(wrong_credentials)?;
    let proven = core.login.prove_password(&user, &old, context.connection()).await?;
    let proof = match SignedIn::new(context.clone()) {
        Some(me) if core.rules.has_factor(&user) => me.prove(None).await?,
        _ => Proof::by(Ground::Shown),
    };
    let hash = core.passwords.hash(&new, context.connection()).await?;
    let own = own_token(&context);
    // A password that was reset meanwhile is newer than the one that was proven.
    let kept = kept(own.as_ref(), keeps_personal);
    let new = (PasswordProof::Present(&proven), hash);
    if !core.passwords.renew(&id, new, kept, context.connection(), &proof).await? {
        return Err(wrong_credentials().into());
    }
    Ok(json!({ "passwordChanged": true }))
}

/// Reads the third parameter of `changePassword`, `{keepPersonalTokens}`. Clients may append `""` or a second factor.
fn keeps_personal_tokens(parameter: &Ejson) -> Result<bool, DdpError> {
    match parameter {
        Ejson::Null => Ok(false),
        Ejson::String(text) if text.is_empty() => Ok(false),
        Ejson::Object(options) => match options.get("keepPersonalTokens") {
            None | Some(Ejson::Null) => Ok(false),
            Some(keep) => keep.as_bool().ok_or_else(DdpError::match_failed),
        },
        _ => Err(DdpError::match_failed()),
    }
}

/// Answers the same whether there is such a user or not, and after the same time: the user is looked up in the background.
async fn forgot_password(core: &Arc<AccountsCore>, context: Context, parameters: Parameters) -> MethodResult<()> {
    if !core.settings.get(&PASSWORD_RESET) {
        return Err(not_allowed("forgotPassword").into());
    }
    let options: Ejson = parameters.get(0)?;
    let options = options.as_object().filter(|options| options.len() == 1).ok_or_else(DdpError::match_failed)?;
    let address = options.get("email").and_then(Ejson::as_str).filter(|text| text.len() <= 1000);
    let address = address.ok_or_else(DdpError::match_failed)?;
    let (sender, address, connection) = (Arc::clone(core), address.to_owned(), context.connection().cloned());
    let sending = async move {
        if let Err(error) = send_reset_link(&sender, &address, connection.as_ref()).await {
            tracing::error!(%error, "a link to reset a password cannot be sent");
        }
    };
    core.node.in_background_for_a_client(sending).await;
    Ok(())
}

/// Sends a link to the user who has this address, in the user's own spelling of it.
async fn send_reset_link(core: &AccountsCore, address: &str, connection: Option<&Connection>) -> MethodResult<()> {
    let user = core.store.user_by_address(address).await?.filter(|user| user.is_active);
    let Some(user) = user else { return Ok(()) };
    // A user has no two addresses that differ in case only.
    let own = user.emails.iter().find(|email| fold(&email.address) == fold(address));
    let Some(own) = own.map(|email| email.address.as_str()) else { return Ok(()) };
    if !core.mails.take_from_budget(&user.id, MailBudget::LinkForAnyone).await? {
        return Ok(());
    }
    core.links.send(&user, LinkPurpose::ResetPassword, own).await?;
    core.audit.record(AuditEvent::PasswordResetRequested, Some(&user.id), connection, json!({})).await;
    Ok(())
}

/// Sets a password by a link, and ends all access to the account, which may have been that of a thief.
async fn reset_password(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<LoginResult> {
    let token: String = parameters.get(0)?;
    let password = NewPassword::from_ejson(&parameters.get(1)?)?;
    let purposes = [LinkPurpose::ResetPassword, LinkPurpose::EnrollAccount];
    let expired = || MethodError::new(403, "Token expired");
    let link = core.links.find(&token, &purposes).await?.ok_or_else(expired)?;
    let user = core.store.user(&link.user).await?.filter(|user| user.is_active).ok_or_else(expired)?;
    let has_address = |address: &String| user.emails.iter().any(|email| email.address == *address);
    if link.address.as_ref().is_some_and(|address| !has_address(address)) {
        return Err(MethodError::new(403, "Token has invalid email address"));
    }
    // The link is used up only when nothing can go wrong any more.
    let hash = core.passwords.hash(&password, context.connection()).await?;
    let (new, proof) = ((PasswordProof::Link(&link.hash), hash), Proof::by(Ground::Link));
    if !core.passwords.renew(&user.id, new, Kept::Nothing, context.connection(), &proof).await? {
        return Err(expired());
    }
    if context.user_id().as_ref() == Some(&user.id) {
        // This connection was spared for the answer; its token has ended.
        context.sign_in(Identity::default()).await?;
    }
    core.login.lift_blocks(&user).await?;
    log_in_by_link(core, &context, &user.id, "resetPassword", "The password was changed").await
}

/// Verifies an address. What was made before the first verification may not be of the owner of the address, so it ends;
/// logins stay, or the owner would be logged out by confirming the address.
async fn verify_email(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<LoginResult> {
    let token: String = parameters.get(0)?;
    let expired = || MethodError::new(403, "Verify email link expired");
    let link = core.links.find(&token, &[LinkPurpose::VerifyEmail]).await?.ok_or_else(expired)?;
    let user = core.store.user(&link.user).await?.ok_or_else(expired)?;
    match core.store.verify_by_link(&link).await? {
        Verification::LinkUsed => return Err(expired()),
        Verification::UnknownAddress => {
            return Err(MethodError::new(403, "Verify email link is for unknown address"));
        }
        Verification::Again => {}
        Verification::First(ended) => core.node.end_connections(&ended, None),
    }
    core.users.changed(&user.id).await;
    core.audit.record(AuditEvent::EmailVerified, Some(&user.id), context.connection(), json!({})).await;
    log_in_by_link(core, &context, &user.id, "verifyEmail", "The address was verified").await
}

/// Logs in a user who came by a link, unless the user has a second factor.
async fn log_in_by_link(
    core: &AccountsCore,
    context: &Context,
    id: &UserId,
    method: &'static str,
    done: &str,
) -> MethodResult<LoginResult> {
    let user = core.users.active(id).await?.ok_or_else(wrong_credentials)?;
    if core.rules.has_factor(&user) {
        let reason = format!("{done}, but user not logged in because 2FA is enabled");
        return Err(MethodError::new("2fa-enabled", reason));
    }
    core.login.log_in_after(context, user, method, None).await
}

async fn send_verification_email(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let wanted: Option<String> = parameters.get(0)?;
    let user = core.users.existing(me.user()).await?;
    let address = match wanted.filter(|text| !text.is_empty()) {
        Some(wanted) => user.emails.iter().find(|email| email.address == wanted),
        None => user.emails.iter().find(|email| !email.is_verified),
    };
    let Some(address) = address.map(|email| email.address.clone()) else { return Ok(false) };
    if !core.mails.take_from_budget(&user.id, MailBudget::User).await? {
        return Ok(false);
    }
    core.links.send(&user, LinkPurpose::VerifyEmail, &address).await?;
    Ok(true)
}

async fn get_new_token(core: &AccountsCore, context: Context, _: Parameters) -> MethodResult<LoginResult> {
    core.tokens.renew(&context).await
}

async fn remove_other_tokens(core: &AccountsCore, context: Context, _: Parameters) -> MethodResult<()> {
    core.tokens.log_out_others(&context).await
}

async fn set_username(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<String> {
    let before = core.users.existing(me.user()).await?.username;
    if before.is_some() && !core.settings.get(&USERNAME_CHANGE) {
        return Err(not_allowed("setUsername").into());
    }
    let name = core.usernames.choose(&parameters.get::<String>(0)?)?;
    core.store.set_username(me.user(), &name).await.map_err(|error| match error {
        StoreError::Taken(_) => MethodError::new("error-field-unavailable", format!("{name} is already in use")),
        other => other.into(),
    })?;
    let details = json!({ "from": before, "to": name });
    core.audit.record(AuditEvent::UsernameChanged, Some(me.user()), me.context().connection(), details).await;
    core.users.changed(me.user()).await;
    Ok(name)
}

/// Returns what a user keeps who changes the password.
pub(super) const fn kept(own: Option<&HashedToken>, keep_personal_tokens: bool) -> Kept<'_> {
    if keep_personal_tokens { Kept::OwnAndPersonal(own) } else { Kept::Own(own) }
}

/// Returns the selector for what a person has typed to name a user.
pub(crate) fn selector_of(text: &str) -> Selector {
    if text.contains('@') { Selector::Address(text.to_owned()) } else { Selector::Username(text.to_owned()) }
}
