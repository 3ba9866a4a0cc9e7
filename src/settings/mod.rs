//! Settings: named values with a type, a default and a description. They are stored, changed at run time, and can be fixed
//! by environment variables. A change takes effect at once on every connection.

mod built_in;
mod definition;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use indexmap::IndexMap;
use serde_json::Value;
use tokio::sync::watch;

pub use built_in::*;

pub use definition::{Range, Setting, SettingDefinition, SettingKind, SettingValue};

/// An environment variable of this beginning, followed by a setting's id, fixes the setting.
pub const ENVIRONMENT_PREFIX: &str = "BOLIDE_SETTING_";

/// The settings of an app, as they are now. Clones share the values.
#[derive(Clone)]
pub struct Settings {
    definitions: Arc<IndexMap<String, SettingDefinition>>,
    values: Arc<ArcSwap<HashMap<String, Value>>>,
    /// How often a value has changed.
    revision: Arc<AtomicU64>,
    changed: Arc<watch::Sender<()>>,
    fixed: Arc<HashMap<String, Value>>,
}

/// Why a setting is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// There is no such setting.
    #[error("there is no setting `{0}`")]
    Unknown(String),
    /// The value is of another type, or out of range.
    #[error("the setting `{id}` must be {expected}")]
    Invalid {
        /// The setting.
        id: String,
        /// What it must be.
        expected: String,
    },
    /// An environment variable says what it is.
    #[error("the setting `{0}` is fixed by the environment variable `{ENVIRONMENT_PREFIX}{0}`")]
    Fixed(String),
    /// Two definitions of one id.
    #[error("there are two settings named `{0}`; each id can be defined once")]
    Duplicate(String),
}

impl Settings {
    /// The built-in settings and those of the application, with what the environment fixes and the store remembers.
    ///
    /// # Errors
    /// [`SettingError`] for a duplicate id, and for a value in the environment that does not fit. A stored value that
    /// does not fit any more is reported in the log and left out.
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

    /// Takes what the store remembers now, in place of what it did. What the environment fixes stays.
    pub(crate) fn replace_stored(&self, stored: impl IntoIterator<Item = (String, String)>) {
        let mut values = HashMap::clone(&self.fixed);
        for (id, json) in stored {
            let value = serde_json::from_str(&json).ok().and_then(|value| self.definitions.get(&id)?.check(value).ok());
            if let Some(value) = value {
                values.entry(id).or_insert(value);
            } else {
                tracing::warn!(%id, "a stored setting is unknown or does not fit; its default counts");
            }
        }
        self.values.store(Arc::new(values));
        self.tell();
    }

    /// The value of a setting.
    pub fn get<T: SettingValue>(&self, setting: &Setting<T>) -> T {
        self.values.load().get(setting.id()).and_then(T::from_json).unwrap_or_else(|| setting.default_value())
    }

    /// Another number after every change: what was worked out from the settings counts as long as it is the same.
    pub(crate) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Hears of changes from now on; of several in a row perhaps once.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The value of a setting by its id; nothing if there is no such setting.
    #[must_use]
    pub fn value(&self, id: &str) -> Option<Value> {
        let definition = self.definitions.get(id)?;
        Some(self.values.load().get(id).cloned().unwrap_or_else(|| definition.default_value().clone()))
    }

    /// All definitions, in their order.
    pub fn definitions(&self) -> impl Iterator<Item = &SettingDefinition> {
        self.definitions.values()
    }

    /// The definition of a setting.
    #[must_use]
    pub fn definition(&self, id: &str) -> Option<&SettingDefinition> {
        self.definitions.get(id)
    }

    /// Whether an environment variable says what a setting is.
    #[must_use]
    pub fn is_fixed(&self, id: &str) -> bool {
        self.fixed.contains_key(id)
    }

    /// The value that a setting would be given.
    ///
    /// # Errors
    /// [`SettingError`] when there is no such setting, it is fixed, or the value does not fit.
    pub fn check(&self, id: &str, value: Value) -> Result<Value, SettingError> {
        let definition = self.definitions.get(id).ok_or_else(|| SettingError::Unknown(id.to_owned()))?;
        if self.is_fixed(id) {
            return Err(SettingError::Fixed(id.to_owned()));
        }
        definition.check(value)
    }

    /// Gives a setting a value that was [checked](Self::check).
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
        // A value may be a secret.
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
    fn the_default_counts_until_something_else_is_stored() {
        assert_eq!(settings(&[], &[]).unwrap().get(&TOTP_MAX_DELTA), 1);
        assert_eq!(settings(&[], &[(TOTP_MAX_DELTA.id(), "2")]).unwrap().get(&TOTP_MAX_DELTA), 2);
    }

    #[test]
    fn what_the_environment_says_cannot_be_changed() {
        let fixed = settings(&[("BOLIDE_SETTING_Accounts_TwoFactorAuthentication_MaxDelta", "3")], &[]).unwrap();
        assert_eq!(fixed.get(&TOTP_MAX_DELTA), 3);
        assert!(matches!(fixed.check(TOTP_MAX_DELTA.id(), 1.into()), Err(SettingError::Fixed(_))));
    }

    #[test]
    fn a_wrong_value_in_the_environment_is_refused_by_name() {
        let refused = settings(&[("BOLIDE_SETTING_Accounts_TwoFactorAuthentication_MaxDelta", "many")], &[]);
        assert!(refused.unwrap_err().to_string().contains("Accounts_TwoFactorAuthentication_MaxDelta"));
        let unknown = settings(&[("BOLIDE_SETTING_NoSuchThing", "1")], &[]);
        assert_eq!(unknown.unwrap_err(), SettingError::Unknown("NoSuchThing".into()));
    }

    #[test]
    fn a_stored_value_that_does_not_fit_is_left_out() {
        assert_eq!(settings(&[], &[(TOTP_MAX_DELTA.id(), "\"x\"")]).unwrap().get(&TOTP_MAX_DELTA), 1);
    }

    #[test]
    fn values_of_another_type_or_out_of_range_are_refused() {
        let settings = settings(&[], &[]).unwrap();
        for wrong in [Value::Null, "1".into(), 1.5.into(), (-1).into(), 1000.into(), serde_json::json!({"$gt": 0})] {
            assert!(settings.check(TOTP_MAX_DELTA.id(), wrong).is_err());
        }
        assert!(settings.check(TWO_FACTOR_ENABLED.id(), "true".into()).is_err());
        assert!(settings.check(TWO_FACTOR_ENABLED.id(), false.into()).is_ok());
    }
}
