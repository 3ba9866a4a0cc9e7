//! [`SettingChanges`]: changes settings, in the store, in this process and on the other nodes.

use std::sync::Arc;

use bolide_protocol::DdpError;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::audit::Audit;
use super::node::Node;
use super::protected::Proof;
use super::recheck::asked;
use super::users::Users;
use crate::bus::BusEvent;
use crate::call::{Connection, MethodError, MethodResult, SignedIn};
use crate::clock::Clock;
use crate::settings::{
    EMAIL_CODES_ENABLED, MANDATORY_ROLES, SettingDefinition, SettingError, Settings, TOTP_ENABLED, TWO_FACTOR_ENABLED,
};
use crate::store::{AuditEvent, Store, StoreError};

/// Changes settings.
pub(crate) struct SettingChanges {
    settings: Settings,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    node: Arc<Node>,
    users: Arc<Users>,
    audit: Arc<Audit>,
    /// The settings as they were read last, if no other one was written since. Held while settings are written or read again,
    /// so that the last one written is the one that counts.
    writing: Mutex<Option<Vec<(String, String)>>>,
}

impl SettingChanges {
    pub(super) fn new(
        settings: &Settings,
        (store, clock): (&Arc<dyn Store>, &Arc<dyn Clock>),
        node: &Arc<Node>,
        users: &Arc<Users>,
        audit: &Arc<Audit>,
    ) -> Self {
        Self {
            settings: settings.clone(),
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            node: Arc::clone(node),
            users: Arc::clone(users),
            audit: Arc::clone(audit),
            writing: Mutex::default(),
        }
    }

    /// Asks for a fresh proof if one of these settings protects accounts.
    ///
    /// # Errors
    /// The refusal of the gate.
    pub(crate) async fn prove(
        &self,
        me: &SignedIn,
        mut ids: impl Iterator<Item = &str> + Send,
    ) -> MethodResult<Option<Proof>> {
        if ids.any(|id| self.is_protecting(id)) { me.prove(None).await.map(Some) } else { Ok(None) }
    }

    fn is_protecting(&self, id: &str) -> bool {
        self.settings.definition(id).is_some_and(SettingDefinition::is_protecting)
    }

    /// Changes a setting. The new value is in effect when this returns. A setting that protects accounts is changed only
    /// with a proof.
    ///
    /// # Errors
    /// `error-invalid-setting` if there is no such setting, `error-setting-readonly` if it is fixed,
    /// `error-invalid-setting-value` if the value is not possible.
    pub(crate) async fn change(
        &self,
        id: &str,
        value: Value,
        proof: Option<&Proof>,
        connection: Option<&Connection>,
    ) -> MethodResult<()> {
        let value = self.settings.check(id, value).map_err(DdpError::from)?;
        if self.is_protecting(id) && proof.is_none() {
            return Err(MethodError::internal(format!("the setting {id} is changed without proof")));
        }
        {
            let mut read_last = self.writing.lock().await;
            *read_last = None;
            self.store.put_setting(id, &value.to_string(), self.clock.now()).await?;
            self.settings.apply(id, &value);
        }
        self.node.tell_others(&BusEvent::SettingChanged { id: id.to_owned() });
        if affects_enrolment(id) {
            self.users.all_may_have_changed().await?;
        }
        let user = connection.and_then(|connection| connection.identity().user);
        let details = json!({ "id": id, "value": value });
        self.audit.record(AuditEvent::SettingChanged, user.as_ref(), connection, details).await;
        Ok(())
    }

    /// Reads all settings again, which another node may have changed.
    pub(super) async fn read_again(&self) -> Result<(), StoreError> {
        let mut read_last = self.writing.lock().await;
        let stored = asked(self.store.settings()).await?;
        if read_last.as_ref() == Some(&stored) {
            return Ok(());
        }
        self.settings.replace_stored(stored.clone());
        *read_last = Some(stored);
        drop(read_last);
        self.users.all_may_have_changed().await
    }
}

/// Returns whether a setting affects who must set up a second factor.
fn affects_enrolment(id: &str) -> bool {
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
