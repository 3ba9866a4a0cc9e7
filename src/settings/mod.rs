//! Settings: named values with a type, a default and a description. They can be changed at run time or fixed by environment
//! variables. A change takes effect at once, on every connection.

mod built_in;
mod definition;
mod pattern;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use indexmap::IndexMap;
use serde_json::Value;
use tokio::sync::watch;

pub use built_in::*;

pub(crate) use pattern::compile;

pub use definition::{Range, Setting, SettingDefinition, SettingKind, SettingValue};

/// The prefix of environment variables that fix a setting; the id of the setting follows.
pub const ENVIRONMENT_PREFIX: &str = "BOLIDE_SETTING_";

/// The current values of an app's settings. Clones share them.
#[derive(Clone)]
pub struct Settings {
    definitions: Arc<IndexMap<String, SettingDefinition>>,
    values: Arc<ArcSwap<HashMap<String, Value>>>,
    /// The number of changes so far.
    revision: Arc<AtomicU64>,
    changed: Arc<watch::Sender<()>>,
    fixed: Arc<HashMap<String, Value>>,
}

/// Why a setting cannot be defined or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// There is no such setting.
    #[error("there is no setting `{0}`")]
    Unknown(String),
    /// The value is of another type, or out of range.
    #[error("the setting `{id}` must be {expected}")]
    Invalid {
        /// The id of the setting.
        id: String,
        /// The allowed values.
        expected: String,
    },
    /// An environment variable fixes the setting.
    #[error("the setting `{0}` is fixed by the environment variable `{ENVIRONMENT_PREFIX}{0}`")]
    Fixed(String),
    /// Two settings have the same id.
    #[error("there are two settings named `{0}`; each id can be defined once")]
    Duplicate(String),
}

impl Settings {
    /// Returns the built-in settings and those of the application (`own`), with the values that the environment fixes and
    /// the store contains. A stored value that is not valid any more is logged and ignored.
    ///
    /// # Errors
    /// Returns a [`SettingError`] if two settings have the same id, or the environment has an unknown setting or an invalid
    /// value.
    pub fn new(
        own: impl IntoIterator<Item = SettingDefinition>,
        environment: impl IntoIterator<Item = (String, String)>,
        stored: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingError> {
        let mut definitions = IndexMap::new();
        for definition in all().into_iter().chain(own) {
            let id = definition.id().to_owned();
            if definitions.insert(id.clone(), definition).is_some() {
                return Err(SettingError::Duplicate(id));
            }
        }
        let fixed = fixed_by(environment, &definitions)?;
        let settings = Self {
            definitions: Arc::new(definitions),
            values: Arc::default(),
            revision: Arc::default(),
            changed: Arc::default(),
            fixed: Arc::new(fixed),
        };
        settings.replace_stored(stored);
        Ok(settings)
    }

    /// Replaces the stored values. Values that the environment fixes stay.
    pub(crate) fn replace_stored(&self, stored: impl IntoIterator<Item = (String, String)>) {
        let mut values = HashMap::clone(&self.fixed);
        for (id, json) in stored {
            let value = serde_json::from_str(&json).ok().and_then(|value| self.definitions.get(&id)?.check(value).ok());
            if let Some(value) = value {
                values.entry(id).or_insert(value);
            } else {
                tracing::warn!(%id, "a stored setting is unknown or invalid; its default is used");
            }
        }
        self.values.store(Arc::new(values));
        self.tell();
    }

    /// Returns the value of a setting.
    pub fn get<T: SettingValue>(&self, setting: &Setting<T>) -> T {
        self.values.load().get(setting.id()).and_then(T::from_json).unwrap_or_else(|| setting.default_value())
    }

    /// Returns a number that is different after every change, so that values computed from settings can be cached.
    pub(crate) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Returns a receiver of the changes from now on. Several changes in a row may be notified once.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Returns the value of the setting with this id, or `None` if there is no such setting.
    #[must_use]
    pub fn value(&self, id: &str) -> Option<Value> {
        let definition = self.definitions.get(id)?;
        Some(self.values.load().get(id).cloned().unwrap_or_else(|| definition.default_value().clone()))
    }

    /// Returns all definitions in the order in which they were made.
    pub fn definitions(&self) -> impl Iterator<Item = &SettingDefinition> {
        self.definitions.values()
    }

    /// Returns the definition of the setting with this id, or `None` if there is no such setting.
    #[must_use]
    pub fn definition(&self, id: &str) -> Option<&SettingDefinition> {
        self.definitions.get(id)
    }

    /// Returns whether an environment variable fixes the setting.
    #[must_use]
    pub fn is_fixed(&self, id: &str) -> bool {
        self.fixed.contains_key(id)
    }

    /// Checks a new value of a setting, and returns it in its canonical form.
    ///
    /// # Errors
    /// Returns a [`SettingError`] if there is no such setting, it is fixed, or the value is invalid.
    pub fn check(&self, id: &str, value: Value) -> Result<Value, SettingError> {
        let definition = self.definitions.get(id).ok_or_else(|| SettingError::Unknown(id.to_owned()))?;
        if self.is_fixed(id) {
            return Err(SettingError::Fixed(id.to_owned()));
        }
        definition.check(value)
    }

    /// Sets a value that was [checked](Self::check).
    pub(crate) fn apply(&self, id: &str, value: &Value) {
        self.values.rcu(|values| {
            let mut values = HashMap::clone(values);
            values.insert(id.to_owned(), value.clone());
            values
        });
        self.tell();
    }

    fn tell(&self) {
        self.revision.fetch_add(1, Ordering::AcqRel);
        self.changed.send_replace(());
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        formatter.debug_struct("Settings").field("count", &self.definitions.len()).finish_non_exhaustive()
    }
}

fn fixed_by(
    environment: impl IntoIterator<Item = (String, String)>,
    definitions: &IndexMap<String, SettingDefinition>,
) -> Result<HashMap<String, Value>, SettingError> {
    let mut fixed = HashMap::new();
    for (name, text) in environment {
        let Some(id) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
        let definition = definitions.get(id).ok_or_else(|| SettingError::Unknown(id.to_owned()))?;
        fixed.insert(id.to_owned(), definition.parse(&text)?);
    }
    Ok(fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(environment: &[(&str, &str)], stored: &[(&str, &str)]) -> Result<Settings, SettingError> {
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        Settings::new([], owned(environment), owned(stored))
    }

    #[test]
    fn a_setting_has_its_default_until_a_value_is_stored() {
        assert_eq!(settings(&[], &[]).unwrap().get(&TOTP_MAX_DELTA), 1);
        assert_eq!(settings(&[], &[(TOTP_MAX_DELTA.id(), "2")]).unwrap().get(&TOTP_MAX_DELTA), 2);
    }

    #[test]
    fn a_setting_fixed_by_the_environment_cannot_be_changed() {
        let fixed = settings(&[("BOLIDE_SETTING_Accounts_TwoFactorAuthentication_MaxDelta", "3")], &[]).unwrap();
        assert_eq!(fixed.get(&TOTP_MAX_DELTA), 3);
        assert!(matches!(fixed.check(TOTP_MAX_DELTA.id(), 1.into()), Err(SettingError::Fixed(_))));
    }

    #[test]
    fn the_error_names_a_wrong_setting_in_the_environment() {
        let refused = settings(&[("BOLIDE_SETTING_Accounts_TwoFactorAuthentication_MaxDelta", "many")], &[]);
        assert!(refused.unwrap_err().to_string().contains("Accounts_TwoFactorAuthentication_MaxDelta"));
        let unknown = settings(&[("BOLIDE_SETTING_NoSuchThing", "1")], &[]);
        assert_eq!(unknown.unwrap_err(), SettingError::Unknown("NoSuchThing".into()));
    }

    #[test]
    fn a_stored_value_of_another_type_is_ignored() {
        assert_eq!(settings(&[], &[(TOTP_MAX_DELTA.id(), "\"x\"")]).unwrap().get(&TOTP_MAX_DELTA), 1);
    }

    #[test]
    fn values_of_another_type_or_out_of_range_are_rejected() {
        let settings = settings(&[], &[]).unwrap();
        for wrong in [Value::Null, "1".into(), 1.5.into(), (-1).into(), 1000.into(), serde_json::json!({"$gt": 0})] {
            assert!(settings.check(TOTP_MAX_DELTA.id(), wrong).is_err());
        }
        assert!(settings.check(TWO_FACTOR_ENABLED.id(), "true".into()).is_err());
        assert!(settings.check(TWO_FACTOR_ENABLED.id(), false.into()).is_ok());
    }
}
