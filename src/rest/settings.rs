//! The endpoints for settings: public settings for all callers, all settings for admins.

use std::sync::Arc;

use bolide_protocol::DdpError;
use serde_json::{Value, json};

use super::Endpoints;
use super::own_account::endpoint;
use super::route::{Field, Route, Verb};
use crate::accounts::AccountsCore;
use crate::accounts::permissions::{EDIT_PRIVILEGED_SETTING, VIEW_PRIVILEGED_SETTING};
use crate::admin::list_settings;
use crate::call::{Context, MethodError, MethodResult, SignedIn, TwoFactor};
use crate::settings::SettingDefinition;

pub(super) fn register(core: &Arc<AccountsCore>, endpoints: &mut Endpoints) {
    let (open, gated) = (TwoFactor::none(), TwoFactor::required());
    let public = Route::new("settings.public").open_to_enrolment().summary("The public settings");
    let public = public
        .takes([
            Field::text("_id").optional().about("Ids, separated by commas; default all"),
            Field::number("count").optional().about("Page size; default and 0: all"),
            Field::number("offset").optional().about("Number of settings to skip"),
        ])
        .gives([Field::list("settings"), Field::number("count"), Field::number("offset"), Field::number("total")]);
    let all = Route::new("settings").summary("All settings").permission(VIEW_PRIVILEGED_SETTING);
    let all = all.gives([Field::list("settings"), Field::number("count"), Field::number("total")]);
    let one = Route::new("settings/{_id}").summary("One setting").permission(VIEW_PRIVILEGED_SETTING);
    let one = one.gives([Field::text("_id"), Field::any("value")]);
    let change = Route::new("settings/{_id}")
        .summary("Changes a setting")
        .permission(EDIT_PRIVILEGED_SETTING)
        .takes([Field::any("value")]);
    let several = Route::new("settings").summary("Changes settings, all or none").permission(EDIT_PRIVILEGED_SETTING);
    let several = several.takes([Field::list("settings").about("Objects of _id and value")]);
    endpoint!(core, endpoints, Get public, open, Context, public_settings);
    endpoint!(core, endpoints, Get all, open, SignedIn, all_settings);
    endpoint!(core, endpoints, Get one, open, SignedIn, one_setting);
    endpoint!(core, endpoints, Post change, gated, SignedIn, change_one);
    endpoint!(core, endpoints, Post several, gated.disable_remember_me(), SignedIn, change_several);
}

async fn public_settings(core: &Arc<AccountsCore>, _: Context, fields: Value) -> MethodResult<Value> {
    let ids = fields["_id"].as_str().map(|ids| ids.split(',').map(str::trim).collect::<Vec<_>>());
    let is_wanted = |definition: &SettingDefinition| ids.as_ref().is_none_or(|ids| ids.contains(&definition.id()));
    let all = list_settings(&core.settings, |definition| definition.is_public() && is_wanted(definition));
    let number = |name: &str| fields[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
    let (offset, count) = (number("offset").min(all.len()), number("count"));
    let page = &all[offset..];
    let page = if count == 0 { page } else { &page[..count.min(page.len())] };
    Ok(json!({ "settings": page, "count": page.len(), "offset": offset, "total": all.len() }))
}

async fn all_settings(core: &Arc<AccountsCore>, _: SignedIn, _: Value) -> MethodResult<Value> {
    Ok(listed(&list_settings(&core.settings, |_| true)))
}

async fn one_setting(core: &Arc<AccountsCore>, _: SignedIn, fields: Value) -> MethodResult<Value> {
    let id = fields["_id"].as_str().unwrap_or_default();
    let unknown = || MethodError::new("error-invalid-setting", "Invalid setting");
    Ok(json!({ "_id": id, "value": core.settings.value(id).ok_or_else(unknown)? }))
}

async fn change_one(core: &Arc<AccountsCore>, me: SignedIn, fields: Value) -> MethodResult<Value> {
    let id = fields["_id"].as_str().unwrap_or_default();
    let proof = core.setting_changes.prove(&me, std::iter::once(id)).await?;
    core.setting_changes.change(id, fields["value"].clone(), proof.as_ref(), me.context().connection()).await?;
    Ok(json!({}))
}

async fn change_several(core: &Arc<AccountsCore>, me: SignedIn, fields: Value) -> MethodResult<Value> {
    let changes = fields["settings"].as_array().ok_or_else(DdpError::match_failed)?;
    let read = |change: &Value| {
        let id = change["_id"].as_str().ok_or_else(DdpError::match_failed)?;
        let value = change.get("value").ok_or_else(DdpError::match_failed)?.clone();
        core.settings.check(id, value.clone()).map_err(DdpError::from)?;
        Ok((id.to_owned(), value))
    };
    let changes = changes.iter().map(read).collect::<Result<Vec<_>, DdpError>>()?;
    let proof = core.setting_changes.prove(&me, changes.iter().map(|(id, _)| &**id)).await?;
    for (id, value) in changes {
        core.setting_changes.change(&id, value, proof.as_ref(), me.context().connection()).await?;
    }
    Ok(json!({}))
}

fn listed(settings: &[Value]) -> Value {
    json!({ "settings": settings, "count": settings.len(), "offset": 0, "total": settings.len() })
}
