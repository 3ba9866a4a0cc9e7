//! The methods that read and change settings.

use std::sync::Arc;

use bolide_protocol::DdpError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{SettingDefinition, SettingError};
use crate::accounts::AccountsCore;
use crate::app::AppBuilder;
use crate::connection::Connection;
use crate::context::{Context, SignedIn};
use crate::method::{MethodResult, Parameters, details};
use crate::two_factor::TwoFactor;

pub(crate) fn register(core: &Arc<AccountsCore>, builder: AppBuilder) -> AppBuilder {
    let (public, private, one, many) = (Arc::clone(core), Arc::clone(core), Arc::clone(core), Arc::clone(core));
    let gated = TwoFactor::required();
    builder
        .method_unless_there("public-settings/get", TwoFactor::none(), async move |_: Context, _: Parameters| {
            Ok(public.list_settings(SettingDefinition::is_public))
        })
        .method_unless_there("private-settings/get", TwoFactor::none(), async move |me: SignedIn, _: Parameters| {
            private.require_admin(&me, "private-settings/get").await?;
            Ok(private.list_settings(|_| true))
        })
        .method_unless_there("saveSetting", gated, async move |me: SignedIn, parameters: Parameters| {
            one.require_admin(&me, "saveSetting").await?;
            one.change_setting(&parameters.get::<String>(0)?, parameters.get(1)?, me.connection()).await?;
            Ok(true)
        })
        .method_unless_there("saveSettings", gated, async move |me: SignedIn, changes: Vec<Change>| {
            many.require_admin(&me, "saveSettings").await?;
            for change in &changes {
                many.settings.check(&change.id, change.value.clone()).map_err(DdpError::from)?;
            }
            for change in changes {
                many.change_setting(&change.id, change.value, me.connection()).await?;
            }
            Ok(true)
        })
}

#[derive(Deserialize)]
struct Change {
    #[serde(rename = "_id")]
    id: String,
    value: Value,
}

impl AccountsCore {
    fn list_settings(&self, is_shown: impl Fn(&SettingDefinition) -> bool) -> Vec<Value> {
        let entry = |definition: &SettingDefinition| {
            json!({
                "_id": definition.id(),
                "value": self.settings.value(definition.id()),
                "packageValue": definition.default_value(),
                "group": definition.group(),
                "i18nDescription": definition.description(),
                "public": definition.is_public(),
                "readonly": self.settings.is_fixed(definition.id()),
            })
        };
        self.settings.definitions().filter(|definition| is_shown(definition)).map(entry).collect()
    }

    pub(crate) fn public_settings(&self) -> Vec<Value> {
        self.list_settings(SettingDefinition::is_public)
    }

    pub(crate) fn all_settings(&self) -> Vec<Value> {
        self.list_settings(|_| true)
    }

    /// Changes a setting, on disk first; it counts at once.
    pub(crate) async fn change_setting(
        &self,
        id: &str,
        value: Value,
        connection: Option<&Connection>,
    ) -> MethodResult<()> {
        let value = self.settings.check(id, value).map_err(DdpError::from)?;
        self.store.put_setting(id, &value.to_string(), self.now()).await?;
        self.settings.apply(id, &value);
        let user = connection.and_then(|connection| connection.identity().user);
        self.audit("setting.changed", user.as_ref(), connection, json!({ "id": id, "value": value })).await;
        Ok(())
    }

    async fn require_admin(&self, me: &SignedIn, method: &str) -> MethodResult<()> {
        if self.existing_user(me.user()).await?.has_role("admin") {
            return Ok(());
        }
        let refusal = DdpError::new("error-action-not-allowed", "Not allowed");
        Err(refusal.with_details(details(&json!({ "method": method }))).into())
    }
}

impl From<SettingError> for DdpError {
    fn from(error: SettingError) -> Self {
        let code = match error {
            SettingError::Unknown(_) => "error-invalid-setting",
            SettingError::Fixed(_) => "error-setting-readonly",
            SettingError::Invalid { .. } | SettingError::Duplicate(_) => "error-invalid-setting-value",
        };
        Self::new(code, error.to_string())
    }
}
