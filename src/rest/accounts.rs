//! What users do with their own account over REST. Each endpoint has its policy and calls the method of DDP.

use std::sync::Arc;

use bolide_protocol::DdpError;
use serde_json::{Value, json};

use crate::accounts::AccountsCore;
use crate::app::AppBuilder;
use crate::context::{Context, SignedIn};
use crate::method::MethodResult;
use crate::store::TokenKind;
use crate::two_factor::TwoFactor;

pub(crate) fn register(core: &Arc<AccountsCore>, builder: AppBuilder) -> AppBuilder {
    let (open, gated) = (TwoFactor::none(), TwoFactor::required());
    let (own, tokens, public) = (Arc::clone(core), Arc::clone(core), Arc::clone(core));
    builder
        .get("me", open, async move |me: SignedIn, _: Value| own.own_document(me.user()).await)
        .get("settings.public", open, async move |_: Context, _: Value| {
            Ok(json!({ "settings": public.public_settings() }))
        })
        .post("users.2fa.sendEmailCode", open, async |context: Context, body: Value| {
            let name = text(&body, "emailOrUsername")?;
            context.call::<Value>("sendEmailCode", &(name,)).await.map(nothing)
        })
        .post("users.2fa.enableEmail", open, async |me: SignedIn, _: Value| {
            me.call::<Value>("2fa:enable-email", &()).await.map(nothing)
        })
        .post("users.2fa.disableEmail", gated.disable_remember_me(), async |me: SignedIn, _: Value| {
            me.call::<Value>("2fa:disable-email", &()).await.map(nothing)
        })
        .post("users.enableTotp", gated, async |me: SignedIn, _: Value| me.call::<Value>("2fa:enable", &()).await)
        .post("users.validateTotp", gated, async |me: SignedIn, body: Value| {
            me.call::<Value>("2fa:validateTempToken", &(text(&body, "code")?,)).await
        })
        .post("users.disableTotp", open, async |me: SignedIn, body: Value| {
            let disabled: bool = me.call("2fa:disable", &(text(&body, "code")?,)).await?;
            Ok(json!({ "disabled": disabled }))
        })
        .post("users.regenerateTotpCodes", open, async |me: SignedIn, body: Value| {
            me.call::<Value>("2fa:regenerateCodes", &(text(&body, "code")?,)).await
        })
        .get("users.totpCodesRemaining", open, async |me: SignedIn, _: Value| {
            me.call::<Value>("2fa:checkCodesRemaining", &()).await
        })
        .post("users.generatePersonalAccessToken", gated, async |me: SignedIn, body: Value| {
            let token: String = me.call("personalAccessTokens:generateToken", &(body,)).await?;
            Ok(json!({ "token": token }))
        })
        .post("users.regeneratePersonalAccessToken", gated, async |me: SignedIn, body: Value| {
            let token: String = me.call("personalAccessTokens:regenerateToken", &(body,)).await?;
            Ok(json!({ "token": token }))
        })
        .post("users.removePersonalAccessToken", gated, async |me: SignedIn, body: Value| {
            me.call::<Value>("personalAccessTokens:removeToken", &(body,)).await.map(nothing)
        })
        .get("users.getPersonalAccessTokens", open, async move |me: SignedIn, _: Value| {
            let all = tokens.store.tokens_of(me.user()).await?;
            let personal = all.into_iter().filter_map(|token| match token.kind {
                TokenKind::Session { .. } => None,
                TokenKind::Personal { name, last_part, bypasses_two_factor } => Some(json!({
                    "name": name,
                    "createdAt": token.created_at.to_date().to_iso_string(),
                    "lastTokenPart": last_part,
                    "bypassTwoFactor": bypasses_two_factor,
                })),
            });
            Ok(json!({ "tokens": personal.collect::<Vec<_>>() }))
        })
}

fn text(body: &Value, member: &str) -> MethodResult<String> {
    let text = body.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
    let missing = || DdpError::new("error-parameter-required", format!("The required \"{member}\" param is missing."));
    Ok(text.ok_or_else(missing)?.to_owned())
}

/// Nothing but that it succeeded.
fn nothing(_: Value) -> Value {
    json!({})
}
