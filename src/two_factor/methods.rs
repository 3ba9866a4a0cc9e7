//! The methods that set up second factors, with Rocket.Chat's names and shapes, and those for personal access tokens.

use std::sync::Arc;

use bolide_protocol::{DdpError, Ejson, RawJson, ejson};
use serde_json::{Value, json};

use super::call_with_code::call_with_code;
use super::email::MailAsker;
use super::meteor;
use crate::accounts::permissions::CREATE_PERSONAL_ACCESS_TOKENS;
use crate::accounts::{AccountsCore, LoginSecret, own_token};
use crate::call::{Connection, Context, MethodError, MethodResult, Parameters, SignedIn, TwoFactor};
use crate::mail::MailContent;
use crate::registry::Registry;
use crate::settings::TOKENS_MAY_BYPASS;
use crate::store::{HashedToken, LoginToken, StoreError, TokenKind, Totp, User};

pub(crate) fn register(core: &Arc<AccountsCore>, registry: &mut Registry) {
    macro_rules! method {
        ($register:ident, $name:expr, $policy:expr, $function:path, $caller:ty) => {{
            let core = Arc::clone(core);
            registry.$register($name, $policy, move |caller: $caller, parameters: Parameters| {
                let core = Arc::clone(&core);
                async move { $function(&core, caller, parameters).await }
            })
        }};
    }
    let (open, gated) = (TwoFactor::none(), TwoFactor::required());
    // A token that bypasses the factor must not be able to take it away.
    let strict = gated.disable_remember_me().require_second_factor();
    method!(open_method_unless_there, "2fa:enable", gated.on_demand(), enable, Context);
    method!(open_method_unless_there, "2fa:validateTempToken", open, validate, Context);
    method!(method_unless_there, "2fa:disable", open, disable, Context);
    method!(method_unless_there, "2fa:regenerateCodes", open, regenerate, Context);
    method!(open_method_unless_there, "2fa:checkCodesRemaining", open, codes_remaining, Context);
    method!(
        open_method_unless_there,
        "generate2faActivationQrCode",
        gated.on_demand(),
        meteor::generate_qr_code,
        Context
    );
    method!(open_method_unless_there, "enableUser2fa", open, meteor::enable, Context);
    method!(method_unless_there, "disableUser2fa", strict, meteor::disable, SignedIn);
    method!(open_method_unless_there, "has2faEnabled", open, meteor::is_enabled, Context);
    method!(method_unless_there, super::call_with_code::NAME, open, call_with_code, Context);
    method!(open_method_unless_there, "2fa:enable-email", open, enable_email, SignedIn);
    method!(method_unless_there, "2fa:disable-email", strict, disable_email, SignedIn);
    method!(open_method_unless_there, "sendEmailCode", open, send_email_code, Context);
    method!(method_unless_there, "personalAccessTokens:generateToken", gated, generate_token, SignedIn);
    method!(method_unless_there, "personalAccessTokens:regenerateToken", gated, regenerate_token, SignedIn);
    method!(method_unless_there, "personalAccessTokens:removeToken", gated, remove_token, SignedIn);
}

async fn enable(core: &AccountsCore, context: Context, _: Parameters) -> MethodResult<Value> {
    let user = signed_in(core, &context, "2fa:enable").await?;
    if matches!(user.totp, Totp::On(_)) {
        return Err(MethodError::new("error-2fa-already-enabled", "2FA is already enabled"));
    }
    core.protect_enrolment(&user, &context).await?;
    let (sealed, secret, url) = core.new_totp_secret(&user, &core.site.name);
    if !core.store.begin_totp(&user.id, sealed).await? {
        return Err(MethodError::new("error-2fa-already-enabled", "2FA is already enabled"));
    }
    Ok(json!({ "secret": secret, "url": url }))
}

/// The first code: from now on the app is asked for. Other log-ins end; those of integrations stay.
async fn validate(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<Value> {
    let user = signed_in(core, &context, "2fa:validateTempToken").await?;
    let shown: String = parameters.get(0)?;
    let Totp::Pending(pending) = &user.totp else { return Err(invalid_totp()) };
    let codes = core.confirm_totp(&user, pending, &shown, &context, true).await?.ok_or_else(invalid_totp)?;
    Ok(json!({ "codes": codes }))
}

async fn disable(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<bool> {
    let user = signed_in(core, &context, "2fa:disable").await?;
    let shown: String = parameters.get(0)?;
    if !matches!(user.totp, Totp::On(_)) || !core.verify_counted(&user, &shown, context.connection()).await? {
        return Ok(false);
    }
    core.disable_totp(&user, context.connection()).await
}

/// A wrong code gives no result at all, as in Rocket.Chat.
async fn regenerate(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<Option<RawJson>> {
    let user = signed_in(core, &context, "2fa:regenerateCodes").await?;
    let shown: String = parameters.get(0)?;
    if !matches!(user.totp, Totp::On(_)) {
        return Err(invalid_totp());
    }
    if !core.verify_counted(&user, &shown, context.connection()).await? {
        return Ok(None);
    }
    let (codes, stored) = core.new_backup_codes(&user.id);
    if !core.store.replace_backup_codes(&user.id, stored).await? {
        return Err(invalid_totp());
    }
    core.audit("totp.codes-regenerated", Some(&user.id), context.connection(), json!({})).await;
    Ok(Some(ejson::to_raw(&json!({ "codes": codes }))?))
}

async fn codes_remaining(core: &AccountsCore, context: Context, _: Parameters) -> MethodResult<Value> {
    let user = signed_in(core, &context, "2fa:checkCodesRemaining").await?;
    if !matches!(user.totp, Totp::On(_)) {
        return Err(invalid_totp());
    }
    Ok(json!({ "remaining": core.store.backup_codes_left(&user.id).await? }))
}

async fn enable_email(core: &AccountsCore, me: SignedIn, _: Parameters) -> MethodResult<bool> {
    let user = core.existing_user(me.user()).await?;
    if user.emails.is_empty() || user.emails.iter().any(|email| !email.is_verified) {
        return Err(MethodError::new("error-invalid-user", "You need to verify your emails before setting up 2FA"));
    }
    if core.store.set_email_codes(&user.id, true).await? {
        let ended = core.store.delete_session_tokens(&user.id, own_token(me.context()).as_ref()).await?;
        core.store.distrust_tokens(&user.id).await?;
        core.end_connections_but(&ended, me.context().connection());
        core.user_changed(&user.id).await;
        core.audit("email-codes.enabled", Some(&user.id), me.context().connection(), json!({})).await;
    }
    Ok(true)
}

async fn disable_email(core: &AccountsCore, me: SignedIn, _: Parameters) -> MethodResult<bool> {
    if core.store.set_email_codes(me.user(), false).await? {
        core.store.distrust_tokens(me.user()).await?;
        core.user_changed(me.user()).await;
        core.audit("email-codes.disabled", Some(me.user()), me.context().connection(), json!({})).await;
    }
    Ok(true)
}

/// Answers the same whether there is such a user or not, and after the same time.
async fn send_email_code(core: &Arc<AccountsCore>, context: Context, parameters: Parameters) -> MethodResult<()> {
    if let Some(id) = context.user_id() {
        let user = core.existing_user(&id).await?;
        return core.send_new_code(&user, MailAsker::User, context.connection()).await;
    }
    let name: String = parameters.get(0)?;
    let (sender, connection) = (Arc::clone(core), context.connection().cloned());
    core.in_background(async move {
        if let Err(error) = sender.send_code_to_somebody(&name, connection.as_ref()).await {
            tracing::error!(%error, "a code that was asked for cannot be sent");
        }
    });
    Ok(())
}

async fn generate_token(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<String> {
    me.require_permission(CREATE_PERSONAL_ACCESS_TOKENS).await?;
    let (name, wants_bypass) = token_options(&parameters)?;
    if wants_bypass && !core.settings.get(&TOKENS_MAY_BYPASS) {
        return Err(MethodError::new("error-not-allowed", "Tokens that bypass the second factor are not allowed"));
    }
    let secret = LoginSecret::generate(&*core.chance);
    let token = LoginToken {
        hashed: secret.hashed(),
        user: me.user().clone(),
        kind: TokenKind::Personal {
            name: name.clone(),
            last_part: secret.last_part(),
            bypasses_two_factor: wants_bypass,
        },
        created_at: core.now(),
        trust: None,
        last_used_at: None,
        last_address: None,
        last_user_agent: None,
    };
    core.insert_personal_token(own_token(me.context()), token).await?;
    core.audit(
        "token.created",
        Some(me.user()),
        me.context().connection(),
        json!({ "name": name, "bypassTwoFactor": wants_bypass }),
    )
    .await;
    Ok(secret.expose().to_owned())
}

async fn regenerate_token(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<String> {
    me.require_permission(CREATE_PERSONAL_ACCESS_TOKENS).await?;
    let (name, _) = token_options(&parameters)?;
    let secret = LoginSecret::generate(&*core.chance);
    let replaced =
        core.store.replace_personal_token(me.user(), &name, secret.hashed(), secret.last_part(), core.now()).await?;
    let old = replaced.ok_or_else(no_such_token)?;
    core.end_connections(&[old]);
    core.audit("token.regenerated", Some(me.user()), me.context().connection(), json!({ "name": name })).await;
    Ok(secret.expose().to_owned())
}

async fn remove_token(core: &AccountsCore, me: SignedIn, parameters: Parameters) -> MethodResult<()> {
    me.require_permission(CREATE_PERSONAL_ACCESS_TOKENS).await?;
    let (name, _) = token_options(&parameters)?;
    let removed = core.store.delete_personal_token(me.user(), &name).await?.ok_or_else(no_such_token)?;
    core.end_connections(&[removed]);
    core.audit("token.removed", Some(me.user()), me.context().connection(), json!({ "name": name })).await;
    Ok(())
}

/// `{tokenName, bypassTwoFactor}`; a bypass is asked for explicitly.
fn token_options(parameters: &Parameters) -> MethodResult<(String, bool)> {
    let options: Ejson = parameters.get(0)?;
    let name = options.get("tokenName").and_then(Ejson::as_str).map(str::trim);
    let name = name.filter(|name| !name.is_empty() && name.len() <= 200).ok_or_else(DdpError::match_failed)?;
    let bypass = match options.get("bypassTwoFactor") {
        None | Some(Ejson::Null) => false,
        Some(value) => value.as_bool().ok_or_else(DdpError::match_failed)?,
    };
    Ok((name.to_owned(), bypass))
}

async fn signed_in(core: &AccountsCore, context: &Context, method: &str) -> MethodResult<User> {
    let id = context.user_id().ok_or_else(|| MethodError::new("not-authorized", "Not authorized"))?;
    let user = core.store.user(&id).await?;
    let invalid = || DdpError::new("error-invalid-user", "Invalid user").with_details(json!({ "method": method }));
    Ok(user.ok_or_else(invalid)?)
}

impl AccountsCore {
    /// Whoever has a factor shows it before another one is set up: an app of somebody who has stolen a session would be
    /// asked for instead. Who has none is not asked, as in Rocket.Chat's methods.
    pub(super) async fn protect_enrolment(&self, user: &User, context: &Context) -> MethodResult<()> {
        match SignedIn::new(context.clone()) {
            Some(me) if self.has_second_factor(user) => me.demand_two_factor(None).await.map(drop),
            _ => Ok(()),
        }
    }

    /// A log-in that has ended meanwhile leaves no token behind.
    async fn insert_personal_token(&self, own: Option<HashedToken>, token: LoginToken) -> MethodResult<()> {
        let inserted = match &own {
            Some(own) => self.store.insert_token_beside(own, token).await,
            None => self.store.insert_token(token).await.map(|()| true),
        };
        match inserted {
            Ok(true) => Ok(()),
            Ok(false) => Err(MethodError::new(403, "You've been logged out by the server. Please log in again.")),
            Err(StoreError::Taken(_)) => {
                Err(MethodError::new("error-token-already-exists", "A token with this name already exists"))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn send_code_to_somebody(&self, name: &str, connection: Option<&Connection>) -> MethodResult<()> {
        match self.find_user(&crate::accounts::selector_of(name)).await? {
            Some(user) => self.send_new_code(&user, MailAsker::Anybody, connection).await,
            None => Ok(()),
        }
    }

    /// Takes all second factors of a user away, for one who has lost them. The log-ins end, those of integrations too, and
    /// the user is told by mail.
    pub(crate) async fn reset_second_factors(
        &self,
        user: &User,
        connection: Option<&Connection>,
        details: Value,
    ) -> MethodResult<()> {
        self.store.remove_totp(&user.id).await?;
        self.store.set_email_codes(&user.id, false).await?;
        self.store.forget_failures(&format!("factor:user:{}", user.id)).await?;
        let ended = self.store.delete_all_tokens(&user.id).await?;
        self.end_connections(&ended);
        self.user_changed(&user.id).await;
        self.audit("second-factors.reset", Some(&user.id), connection, details).await;
        let content = MailContent::TotpReset { name: user.username.clone().unwrap_or_default() };
        let to = user.verified_addresses().map(str::to_owned).collect();
        self.mail(&content, to, None).await;
        Ok(())
    }

    /// Takes the authenticator app away; says whether there was one.
    pub(super) async fn disable_totp(&self, user: &User, connection: Option<&Connection>) -> MethodResult<bool> {
        let was_there = self.store.remove_totp(&user.id).await?;
        self.store.distrust_tokens(&user.id).await?;
        self.user_changed(&user.id).await;
        self.audit("totp.disabled", Some(&user.id), connection, json!({})).await;
        Ok(was_there)
    }
}

fn invalid_totp() -> MethodError {
    MethodError::new("invalid-totp", "Invalid TOTP")
}

fn no_such_token() -> MethodError {
    MethodError::new("error-token-does-not-exists", "The token does not exist")
}
