//! The methods of Meteor's `accounts-2fa`, for the same authenticator app: for Meteor's clients, and for pages that show a
//! QR code.

use bolide_protocol::DdpError;
use qrcode::QrCode;
use qrcode::render::svg;
use qrcode::types::QrError;
use serde_json::{Value, json};

use super::methods::{Services, prove};
use super::totp::NotConfirmed;
use crate::call::{Context, MethodError, MethodResult, Parameters, SignedIn};
use crate::store::{Totp, User};

/// The maximum number of characters of the name of a site.
const LONGEST_SITE: usize = 64;

/// Begins to set up an app. Returns the secret, the URL that apps read, and a QR code of the URL.
pub(super) async fn generate_qr_code(
    services: &Services,
    context: Context,
    parameters: Parameters,
) -> MethodResult<Value> {
    let site: Option<String> = parameters.get(0)?;
    let user = signed_in(services, &context, "There must be a user logged in to generate the QR code.").await?;
    if matches!(user.totp, Totp::On(_)) {
        return Err(is_activated());
    }
    let proof = prove(&context, "generate2faActivationQrCode").await?;
    let site = site.filter(|name| !name.trim().is_empty());
    let site = site.unwrap_or_else(|| services.accounts.mails.site().name.clone());
    let site: String = site.chars().take(LONGEST_SITE).collect();
    let app = services.factors.apps.begin(&user, Some(&site), &context, &proof).await?.ok_or_else(is_activated)?;
    Ok(json!({ "svg": picture(&app.url)?, "secret": app.secret, "uri": app.url }))
}

/// Takes the app into use with its first code. Meteor's methods have no backup codes, so none are made.
pub(super) async fn enable(services: &Services, context: Context, parameters: Parameters) -> MethodResult<()> {
    let shown: String = parameters.get(0)?;
    let user = signed_in(services, &context, "No user logged in.").await?;
    let apps = &services.factors.apps;
    let digits: String = shown.chars().filter(|character| character.is_alphanumeric()).collect();
    let first = apps.first_code(&user, &digits, &context).map_err(|why| match why {
        NotConfirmed::NotBegun => not_begun(),
        NotConfirmed::WrongCode => MethodError::new("invalid-2fa-code", "Invalid 2FA code"),
    })?;
    let proof = prove(&context, "enableUser2fa").await?;
    apps.confirm(&user, first, &context, false, &proof).await?.map(drop).ok_or_else(not_begun)
}

fn is_activated() -> MethodError {
    let reason =
        "The 2FA is activated. You need to disable the 2FA first before trying to generate a new activation code.";
    MethodError::new("2fa-activated", reason)
}

fn not_begun() -> MethodError {
    let reason = "The user does not have a secret generated. You may have to call the function generateSvgCode first.";
    MethodError::new(500, reason)
}

/// Removes the app. Gated, unlike Meteor's: an open session alone must not be able to remove the factor.
pub(super) async fn disable(services: &Services, me: SignedIn, _: Parameters) -> MethodResult<()> {
    services.accounts.users.existing(me.user()).await?;
    let proof = me.prove(None).await?;
    services.factors.apps.disable(me.user(), me.context().connection(), &proof).await.map(drop)
}

pub(super) async fn is_enabled(services: &Services, context: Context, _: Parameters) -> MethodResult<bool> {
    let id = context.user_id().ok_or_else(|| DdpError::new("no-logged-user", "No user logged in."))?;
    Ok(matches!(services.accounts.users.existing(&id).await?.totp, Totp::On(_)))
}

async fn signed_in(services: &Services, context: &Context, refusal: &'static str) -> MethodResult<User> {
    let id = context.user_id().ok_or_else(|| MethodError::new(400, refusal))?;
    services.accounts.users.existing(&id).await
}

/// Draws a QR code as SVG. Dark on light whatever the page looks like, since readers of codes rely on it.
fn picture(text: &str) -> Result<String, QrError> {
    let code = QrCode::new(text)?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
}
