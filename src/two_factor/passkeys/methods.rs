//! The methods for passkeys.

use std::sync::Arc;

use bolide_protocol::DdpError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::accounts::protected;
use crate::call::{Context, MethodResult, Parameters, SignedIn, TwoFactor};
use crate::registry::Registry;
use crate::store::Passkey;
use crate::two_factor::TwoFactorCore;

/// Registers the methods that the app has not registered itself.
pub(in crate::two_factor) fn register(factors: &Arc<TwoFactorCore>, registry: &mut Registry) {
    protected::methods!(registry, factors;
        open_method_unless_there("passkeys:beginRegistration", begin, SignedIn);
        open_method_unless_there("passkeys:finishRegistration", finish, SignedIn);
        method_unless_there("passkeys:list", list, SignedIn);
        method_unless_there("passkeys:rename", rename, SignedIn);
        method_unless_there("passkeys:remove", remove, SignedIn);
        method_unless_there("passkeys:regenerateCodes", regenerate_codes, SignedIn);
    );
    let factors = Arc::clone(factors);
    registry.method_unless_there("passkeys:beginLogin", TwoFactor::none(), async move |_: Context, _: Parameters| {
        factors.passkeys.request_login()
    });
}

#[derive(Deserialize)]
struct Finished {
    /// The answer of the authenticator, as JSON text.
    credential: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Renamed {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// A passkey as its owner sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: String,
    name: String,
    transports: Vec<String>,
    /// Whether the passkey is copied to other devices of the owner.
    backed_up: bool,
    created_at: bolide_protocol::ejson::Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<bolide_protocol::ejson::Date>,
}

async fn begin(factors: &TwoFactorCore, me: SignedIn, _: Parameters) -> MethodResult<Value> {
    factors.owner.begin(&me, &me.prove(None).await?).await
}

async fn finish(factors: &TwoFactorCore, me: SignedIn, parameters: Parameters) -> MethodResult<Value> {
    let finished: Finished = parameters.get(0)?;
    let (passkey, codes) = factors.owner.finish(&me, &finished.credential, finished.name.as_deref()).await?;
    let mut result = json!({ "id": passkey.id, "name": passkey.name });
    if let Some(codes) = codes {
        result["codes"] = codes.into();
    }
    Ok(result)
}

async fn list(factors: &TwoFactorCore, me: SignedIn, _: Parameters) -> MethodResult<Vec<Shown>> {
    Ok(factors.owner.list(&me).await?.into_iter().map(Shown::from).collect())
}

async fn rename(factors: &TwoFactorCore, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let Renamed { id, name } = parameters.get(0)?;
    factors.owner.rename(&me, &id, &name, &me.prove(None).await?).await?;
    Ok(true)
}

async fn remove(factors: &TwoFactorCore, me: SignedIn, parameters: Parameters) -> MethodResult<bool> {
    let Named { id } = parameters.get(0)?;
    factors.owner.remove(&me, &id, &me.prove(None).await?).await?;
    Ok(true)
}

/// Replaces the backup codes. Unlike `2fa:regenerateCodes`, it does not take a code as its parameter, so a passkey will do.
async fn regenerate_codes(factors: &TwoFactorCore, me: SignedIn, _: Parameters) -> MethodResult<Value> {
    let proof = me.prove(None).await?;
    let codes = factors.apps.regenerate_backup_codes(me.user(), me.context().connection(), &proof).await?;
    let codes = codes.ok_or_else(|| DdpError::new("invalid-totp", "Invalid TOTP"))?;
    Ok(json!({ "codes": codes }))
}

impl From<Passkey> for Shown {
    fn from(passkey: Passkey) -> Self {
        Self {
            id: passkey.id,
            name: passkey.name,
            transports: passkey.transports,
            backed_up: passkey.is_backed_up,
            created_at: passkey.created_at.to_date(),
            last_used_at: passkey.last_used_at.map(crate::clock::Timestamp::to_date),
        }
    }
}
