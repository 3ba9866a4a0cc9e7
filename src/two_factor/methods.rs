//! The methods that set up second factors, with Rocket.Chat's names and shapes.

use std::sync::Arc;

use bolide_protocol::{DdpError, RawJson, ejson};
use serde_json::{Value, json};

use super::call_with_code::call_with_code;
use super::{TwoFactorCore, call_with_code, meteor};
use crate::accounts::{AccountsCore, MailBudget, Proof, protected, selector_of};
use crate::call::{Context, MethodError, MethodResult, Parameters, SignedIn, TwoFactor};
use crate::registry::Registry;
use crate::store::{Totp, User};

/// What the methods use.
pub(super) struct Services {
    pub(super) accounts: Arc<AccountsCore>,
    pub(super) factors: Arc<TwoFactorCore>,
}

/// Registers the methods that the app has not registered itself.
pub(super) fn register(accounts: &Arc<AccountsCore>, factors: &Arc<TwoFactorCore>, registry: &mut Registry) {
    let services = Arc::new(Services { accounts: Arc::clone(accounts), factors: Arc::clone(factors) });
    protected::methods!(registry, &services;
        open_method_unless_there("2fa:enable", enable, Context);
        open_method_unless_there("2fa:validateTempToken", validate, Context);
        method_unless_there("2fa:disable", disable, Context);
        method_unless_there("2fa:regenerateCodes", regenerate, Context);
        open_method_unless_there("2fa:checkCodesRemaining", codes_remaining, Context);
        open_method_unless_there("generate2faActivationQrCode", meteor::generate_qr_code, Context);
        open_method_unless_there("enableUser2fa", meteor::enable, Context);
        method_unless_there("disableUser2fa", meteor::disable, SignedIn);
        open_method_unless_there("has2faEnabled", meteor::is_enabled, Context);
        open_method_unless_there("2fa:enable-email", enable_email, SignedIn);
        method_unless_there("2fa:disable-email", disable_email, SignedIn);
        open_method_unless_there("sendEmailCode", send_email_code, Context);
    );
    registry.method_unless_there(call_with_code::NAME, TwoFactor::none(), call_with_code);
}

async fn enable(services: &Services, context: Context, _: Parameters) -> MethodResult<Value> {
    let user = signed_in(services, &context, "2fa:enable").await?;
    let has_one = || MethodError::new("error-2fa-already-enabled", "2FA is already enabled");
    if matches!(user.totp, Totp::On(_)) {
        return Err(has_one());
    }
    let proof = prove(&context, "2fa:enable").await?;
    let app = services.factors.apps.begin(&user, None, &context, &proof).await?.ok_or_else(has_one)?;
    Ok(json!({ "secret": app.secret, "url": app.url }))
}

/// Takes the app into use with its first code. A wrong one is rejected before the gate asks, so that it uses up no other
/// code.
async fn validate(services: &Services, context: Context, parameters: Parameters) -> MethodResult<Value> {
    let user = signed_in(services, &context, "2fa:validateTempToken").await?;
    let shown: String = parameters.get(0)?;
    let apps = &services.factors.apps;
    let first = apps.first_code(&user, &shown, &context).map_err(|_| invalid_totp())?;
    let proof = prove(&context, "2fa:validateTempToken").await?;
    let codes = apps.confirm(&user, first, &context, true, &proof).await?;
    Ok(json!({ "codes": codes.ok_or_else(invalid_totp)? }))
}

async fn disable(services: &Services, context: Context, parameters: Parameters) -> MethodResult<bool> {
    let user = signed_in(services, &context, "2fa:disable").await?;
    let (shown, factors): (String, _) = (parameters.get(0)?, &services.factors);
    if !matches!(user.totp, Totp::On(_)) {
        return Ok(false);
    }
    match factors.codes.check_totp(&user, &shown, context.connection()).await? {
        Some(proof) => factors.apps.disable(&user.id, context.connection(), &proof).await,
        None => Ok(false),
    }
}

/// Replaces the backup codes. A wrong code leaves out the result, as in Rocket.Chat.
async fn regenerate(services: &Services, context: Context, parameters: Parameters) -> MethodResult<Option<RawJson>> {
    let user = signed_in(services, &context, "2fa:regenerateCodes").await?;
    let (shown, factors): (String, _) = (parameters.get(0)?, &services.factors);
    if !has_codes(&user) {
        return Err(invalid_totp());
    }
    let Some(proof) = factors.codes.check_totp(&user, &shown, context.connection()).await? else { return Ok(None) };
    let codes = factors.apps.regenerate_backup_codes(&user.id, context.connection(), &proof).await?;
    Ok(Some(ejson::to_raw(&json!({ "codes": codes.ok_or_else(invalid_totp)? }))?))
}

async fn codes_remaining(services: &Services, context: Context, _: Parameters) -> MethodResult<Value> {
    let user = signed_in(services, &context, "2fa:checkCodesRemaining").await?;
    if !has_codes(&user) {
        return Err(invalid_totp());
    }
    Ok(json!({ "remaining": services.factors.apps.backup_codes_left(&user.id).await? }))
}

/// Returns whether the user may have backup codes.
const fn has_codes(user: &User) -> bool {
    matches!(user.totp, Totp::On(_)) || user.passkeys > 0
}

async fn enable_email(services: &Services, me: SignedIn, _: Parameters) -> MethodResult<bool> {
    services.factors.email.enable(&me).await?;
    Ok(true)
}

async fn disable_email(services: &Services, me: SignedIn, _: Parameters) -> MethodResult<bool> {
    services.factors.email.disable(&me, &me.prove(None).await?).await?;
    Ok(true)
}

/// Answers the same whether there is such a user or not, and after the same time.
async fn send_email_code(services: &Services, context: Context, parameters: Parameters) -> MethodResult<()> {
    let email = &services.factors.email;
    if let Some(id) = context.user_id() {
        let user = services.accounts.users.existing(&id).await?;
        return email.send_new(&user, MailBudget::User, context.connection()).await;
    }
    let name: String = parameters.get(0)?;
    if selector_of(&name).is_too_long() {
        return Ok(());
    }
    let (email, connection) = (Arc::clone(email), context.connection().cloned());
    let sending = async move {
        if let Err(error) = email.send_new_to(&name, connection.as_ref()).await {
            tracing::error!(%error, "a code that was asked for cannot be sent");
        }
    };
    services.accounts.node.in_background_for_a_client(sending).await;
    Ok(())
}

async fn signed_in(services: &Services, context: &Context, method: &str) -> MethodResult<User> {
    let id = context.user_id().ok_or_else(|| MethodError::new("not-authorized", "Not authorized"))?;
    let user = services.accounts.store.user(&id).await?;
    Ok(user.ok_or_else(|| invalid_user(method))?)
}

fn invalid_user(method: &str) -> DdpError {
    DdpError::new("error-invalid-user", "Invalid user").with_details(json!({ "method": method }))
}

/// Asks for a factor that the user has, or for the password, before another factor is set up: otherwise a stolen session
/// could add an app that is asked for instead.
pub(super) async fn prove(context: &Context, method: &str) -> MethodResult<Proof> {
    match SignedIn::new(context.clone()) {
        Some(me) => me.prove(None).await,
        None => Err(invalid_user(method).into()),
    }
}

fn invalid_totp() -> MethodError {
    MethodError::new("invalid-totp", "Invalid TOTP")
}
