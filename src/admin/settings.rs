//! The methods that read and change settings.

use std::sync::{Arc, Weak};

use bolide_protocol::ejson::{self, CustomTypes};
use bolide_protocol::{DdpError, Ejson};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::accounts::AccountsCore;
use crate::accounts::permissions::{EDIT_PRIVILEGED_SETTING, VIEW_PRIVILEGED_SETTING};
use crate::call::{Context, MethodError, MethodResult, Parameters, SignedIn, TwoFactor};
use crate::publication::{Document, Subscription, When, follow};
use crate::registry::Registry;
use crate::settings::{SettingDefinition, Settings};

pub(super) fn register(core: &Arc<AccountsCore>, registry: &mut Registry) {
    let (public, private, one, many) = (Arc::clone(core), Arc::clone(core), Arc::clone(core), Arc::clone(core));
    let (gated, shown) = (TwoFactor::required(), Arc::downgrade(core));
    registry
        .open_publication("settings:public", async move |subscription: Subscription| {
            show_public(shown, subscription).await
        })
        .open_method_unless_there("public-settings/get", TwoFactor::none(), async move |_: Context, _: Parameters| {
            Ok(list_settings(&public.settings, SettingDefinition::is_public))
        })
        .method_unless_there("private-settings/get", TwoFactor::none(), async move |me: SignedIn, _: Parameters| {
            require(&me, VIEW_PRIVILEGED_SETTING).await?;
            Ok(list_settings(&private.settings, |_| true))
        })
        .method_unless_there("saveSetting", gated, async move |me: SignedIn, parameters: Parameters| {
            require(&me, EDIT_PRIVILEGED_SETTING).await?;
            let id = parameters.get::<String>(0)?;
            let value = plain(&parameters.get(1)?, me.context())?;
            let proof = one.setting_changes.prove(&me, std::iter::once(&*id)).await?;
            one.setting_changes.change(&id, value, proof.as_ref(), me.context().connection()).await?;
            Ok(true)
        })
        .method_unless_there("saveSettings", gated, async move |me: SignedIn, changes: Vec<Change>| {
            require(&me, EDIT_PRIVILEGED_SETTING).await?;
            let mut values = Vec::with_capacity(changes.len());
            for Change { id, value } in changes {
                let value = plain(&value, me.context())?;
                many.settings.check(&id, value.clone()).map_err(DdpError::from)?;
                values.push((id, value));
            }
            let proof = many.setting_changes.prove(&me, values.iter().map(|(id, _)| &**id)).await?;
            for (id, value) in values {
                many.setting_changes.change(&id, value, proof.as_ref(), me.context().connection()).await?;
            }
            Ok(true)
        });
}

/// Publishes the public settings. Their documents change as the settings do.
async fn show_public(core: Weak<AccountsCore>, subscription: Subscription) -> MethodResult<()> {
    let when = When::Changed(vec![core.upgrade().ok_or_else(DdpError::internal)?.settings.subscribe()]);
    let read = move || -> BoxFuture<'static, MethodResult<Vec<Document>>> {
        let documents = core.upgrade().ok_or_else(DdpError::internal).and_then(|core| public_documents(&core.settings));
        Box::pin(std::future::ready(documents.map_err(MethodError::from)))
    };
    follow(subscription, when, Arc::new(read)).await
}

#[derive(Serialize)]
struct PublicSetting {
    value: Value,
}

#[derive(Deserialize)]
struct Change {
    #[serde(rename = "_id")]
    id: String,
    value: Ejson,
}

/// Returns a new value of a setting as JSON, which has no `NaN` and no infinities.
fn plain(value: &Ejson, context: &Context) -> Result<Value, DdpError> {
    if let Ejson::Number(number) = value
        && !number.as_f64().is_finite()
    {
        let refusal = DdpError::new("error-invalid-setting-value", format!("Invalid setting value {number}"));
        return Err(refusal.with_details(json!({ "method": context.method_name() })));
    }
    ejson::to_raw(value)
        .ok()
        .and_then(|raw| ejson::from_raw(&raw, &CustomTypes::default()).ok())
        .ok_or_else(DdpError::match_failed)
}

/// Returns the settings that a filter selects, as Rocket.Chat's clients expect them.
pub(crate) fn list_settings(settings: &Settings, is_shown: impl Fn(&SettingDefinition) -> bool) -> Vec<Value> {
    let entry = |definition: &SettingDefinition| {
        json!({
            "_id": definition.id(),
            "value": settings.value(definition.id()),
            "packageValue": definition.default_value(),
            "group": definition.group(),
            "i18nDescription": definition.description(),
            "public": definition.is_public(),
            "readonly": settings.is_fixed(definition.id()),
        })
    };
    settings.definitions().filter(|definition| is_shown(definition)).map(entry).collect()
}

fn public_documents(settings: &Settings) -> Result<Vec<Document>, DdpError> {
    let public = settings.definitions().filter(|definition| definition.is_public());
    let document = |definition: &SettingDefinition| {
        let value = settings.value(definition.id()).unwrap_or_default();
        Document::new("publicSettings", definition.id(), &PublicSetting { value })
    };
    public.map(document).collect()
}

async fn require(me: &SignedIn, permission: &str) -> MethodResult<()> {
    if me.has_permission(permission).await? { Ok(()) } else { Err(not_allowed(me.context().method_name())) }
}

/// Returns Rocket.Chat's error for settings.
pub(super) fn not_allowed(method: &str) -> MethodError {
    let refusal = DdpError::new("error-action-not-allowed", "Not allowed");
    refusal.with_details(json!({ "method": method })).into()
}
