//! The methods that read and change settings.

use std::sync::{Arc, Weak};

use bolide_protocol::DdpError;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::accounts::AccountsCore;
use crate::accounts::permissions::{EDIT_PRIVILEGED_SETTING, VIEW_PRIVILEGED_SETTING};
use crate::call::{Connection, Context, MethodError, MethodResult, Parameters, SignedIn, TwoFactor};
use crate::publication::{Document, Subscription, When, follow};
use crate::registry::Registry;
use crate::settings::{
    EMAIL_CODES_ENABLED, MANDATORY_ROLES, SettingDefinition, SettingError, TOTP_ENABLED, TWO_FACTOR_ENABLED,
};
use crate::user::UserId;

pub(super) fn register(core: &Arc<AccountsCore>, registry: &mut Registry) {
    let (public, private, one, many) = (Arc::clone(core), Arc::clone(core), Arc::clone(core), Arc::clone(core));
    let (gated, shown) = (TwoFactor::required(), Arc::downgrade(core));
    registry
        .open_publication("settings:public", async move |subscription: Subscription| {
            show_public(shown, subscription).await
        })
        .open_method_unless_there("public-settings/get", TwoFactor::none(), async move |_: Context, _: Parameters| {
            Ok(public.list_settings(SettingDefinition::is_public))
        })
        .method_unless_there("private-settings/get", TwoFactor::none(), async move |me: SignedIn, _: Parameters| {
            require(&me, VIEW_PRIVILEGED_SETTING).await?;
            Ok(private.list_settings(|_| true))
        })
        .method_unless_there("saveSetting", gated, async move |me: SignedIn, parameters: Parameters| {
            require(&me, EDIT_PRIVILEGED_SETTING).await?;
            one.change_setting(&parameters.get::<String>(0)?, parameters.get(1)?, me.context().connection()).await?;
            Ok(true)
        })
        .method_unless_there("saveSettings", gated, async move |me: SignedIn, changes: Vec<Change>| {
            require(&me, EDIT_PRIVILEGED_SETTING).await?;
            for change in &changes {
                many.settings.check(&change.id, change.value.clone()).map_err(DdpError::from)?;
            }
            for change in changes {
                many.change_setting(&change.id, change.value, me.context().connection()).await?;
            }
            Ok(true)
        });
}

/// The public settings, as documents that change as the settings do.
async fn show_public(core: Weak<AccountsCore>, subscription: Subscription) -> MethodResult<()> {
    let when = When::Changed(vec![core.upgrade().ok_or_else(DdpError::internal)?.settings.subscribe()]);
    let read = move || -> BoxFuture<'static, MethodResult<Vec<Document>>> {
        let documents = core.upgrade().ok_or_else(DdpError::internal).and_then(|core| core.public_setting_documents());
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

    fn public_setting_documents(&self) -> Result<Vec<Document>, DdpError> {
        let public = self.settings.definitions().filter(|definition| definition.is_public());
        let document = |definition: &SettingDefinition| {
            let value = self.settings.value(definition.id()).unwrap_or_default();
            Document::new("publicSettings", definition.id(), &PublicSetting { value })
        };
        public.map(document).collect()
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
        {
            // What is written last counts last.
            let _one_at_a_time = self.lock_settings().await;
            self.store.put_setting(id, &value.to_string(), self.now()).await?;
            self.settings.apply(id, &value);
        }
        self.setting_changed(id);
        if bears_on_enrolment(id) {
            self.enrolment_changed().await?;
        }
        let user = connection.and_then(|connection| connection.identity().user);
        self.audit("setting.changed", user.as_ref(), connection, json!({ "id": id, "value": value })).await;
        Ok(())
    }

    pub(crate) async fn is_admin(&self, user: &UserId) -> MethodResult<bool> {
        Ok(self.store.user(user).await?.is_some_and(|user| user.is_active && user.has_role("admin")))
    }

    pub(crate) async fn require_admin(&self, user: &UserId, method: &str) -> MethodResult<()> {
        if self.is_admin(user).await? {
            return Ok(());
        }
        Err(not_allowed(method))
    }
}

async fn require(me: &SignedIn, permission: &str) -> MethodResult<()> {
    if me.has_permission(permission).await? { Ok(()) } else { Err(not_allowed(me.context().method_name())) }
}

/// In Rocket.Chat's words for settings.
fn not_allowed(method: &str) -> MethodError {
    let refusal = DdpError::new("error-action-not-allowed", "Not allowed");
    refusal.with_details(json!({ "method": method })).into()
}

/// Whether a setting has a say in who must set up a second factor.
fn bears_on_enrolment(id: &str) -> bool {
    let factors = [TWO_FACTOR_ENABLED, TOTP_ENABLED, EMAIL_CODES_ENABLED];
    id == MANDATORY_ROLES.id() || factors.iter().any(|setting| setting.id() == id)
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
