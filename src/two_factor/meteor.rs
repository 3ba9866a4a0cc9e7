//! The methods of Meteor's `accounts-2fa`, over the same authenticator app: for Meteor's clients, and for pages that show a
//! QR code.

use bolide_protocol::DdpError;
use qrcode::QrCode;
use qrcode::render::svg;
use qrcode::types::QrError;
use serde_json::{Value, json};

use crate::accounts::{AccountsCore, own_token};
use crate::call::{Context, MethodError, MethodResult, Parameters, SignedIn};
use crate::store::{BackupCodes, Sealed, Totp, User};

/// Begins enrolment: a secret, the address that apps read, and a picture of that.
pub(super) async fn generate_qr_code(
    core: &AccountsCore,
    context: Context,
    parameters: Parameters,
) -> MethodResult<Value> {
    let site: Option<String> = parameters.get(0)?;
    let user = signed_in(core, &context, "There must be a user logged in to generate the QR code.").await?;
    if !matches!(user.totp, Totp::On(_)) {
        core.protect_enrolment(&user, &context).await?;
    }
    let site = site.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| core.site.name.clone());
    let (sealed, secret, uri) = core.new_totp_secret(&user, &site.chars().take(64).collect::<String>());
    if matches!(user.totp, Totp::On(_)) || !core.store.begin_totp(&user.id, sealed).await? {
        let reason = "The 2FA is activated. You need to disable the 2FA first before trying to generate a new \
                      activation code.";
        return Err(MethodError::new("2fa-activated", reason));
    }
    Ok(json!({ "svg": picture(&uri)?, "secret": secret, "uri": uri }))
}

/// The first code; there are no backup codes in Meteor's dialogue, so none are made.
pub(super) async fn enable(core: &AccountsCore, context: Context, parameters: Parameters) -> MethodResult<()> {
    let shown: String = parameters.get(0)?;
    let user = signed_in(core, &context, "No user logged in.").await?;
    let Totp::Pending(pending) = &user.totp else {
        let reason =
            "The user does not have a secret generated. You may have to call the function generateSvgCode first.";
        return Err(MethodError::new(500, reason));
    };
    let digits: String = shown.chars().filter(|character| character.is_alphanumeric()).collect();
    if core.confirm_totp(&user, pending, &digits, &context, false).await?.is_none() {
        return Err(MethodError::new("invalid-2fa-code", "Invalid 2FA code"));
    }
    Ok(())
}

/// Gated, unlike Meteor's: whoever sits down at an open session must not be able to take the factor away.
pub(super) async fn disable(core: &AccountsCore, me: SignedIn, _: Parameters) -> MethodResult<()> {
    let user = core.existing_user(me.user()).await?;
    core.disable_totp(&user, me.context().connection()).await.map(drop)
}

pub(super) async fn is_enabled(core: &AccountsCore, context: Context, _: Parameters) -> MethodResult<bool> {
    let id = context.user_id().ok_or_else(|| DdpError::new("no-logged-user", "No user logged in."))?;
    Ok(matches!(core.existing_user(&id).await?.totp, Totp::On(_)))
}

async fn signed_in(core: &AccountsCore, context: &Context, refusal: &'static str) -> MethodResult<User> {
    let id = context.user_id().ok_or_else(|| MethodError::new(400, refusal))?;
    core.existing_user(&id).await
}

/// A QR code as SVG, dark on light: readers of codes rely on it, whatever the page looks like.
fn picture(text: &str) -> Result<String, QrError> {
    let code = QrCode::new(text)?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
}

impl AccountsCore {
    /// Takes an app into use whose first code is right. Other log-ins end; those of integrations stay. Gives the backup
    /// codes; nothing if the code is wrong.
    pub(super) async fn confirm_totp(
        &self,
        user: &User,
        pending: &Sealed,
        code: &str,
        context: &Context,
        with_backup_codes: bool,
    ) -> MethodResult<Option<Vec<String>>> {
        let Some(step) = self.matching_step(user, pending, code) else { return Ok(None) };
        let (codes, stored) =
            if with_backup_codes { self.new_backup_codes(&user.id) } else { (Vec::new(), BackupCodes::default()) };
        if !self.store.confirm_totp(&user.id, pending, step, stored).await? {
            return Ok(None);
        }
        let ended = self.store.delete_session_tokens(&user.id, own_token(context).as_ref()).await?;
        self.store.distrust_tokens(&user.id).await?;
        self.end_connections_but(&ended, context.connection());
        self.user_changed(&user.id).await;
        self.audit("totp.enabled", Some(&user.id), context.connection(), json!({})).await;
        Ok(Some(codes))
    }
}
