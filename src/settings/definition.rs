//! [`Setting`]: a setting with its type, for code that reads it. [`SettingDefinition`]: the same without the type, for lists
//! and forms.

use std::marker::PhantomData;

use serde_json::Value;

use super::SettingError;
use super::pattern::{PATTERN_BYTES, compile};

/// A setting of the type `T`.
///
/// ```
/// use bolide::settings::{Setting, SettingDefinition};
///
/// const GREETING: Setting<String> = Setting::text("Greeting", "Shop", "The greeting of customers.", "Hello").public();
/// let definition: SettingDefinition = GREETING.definition();
/// assert_eq!(definition.id(), "Greeting");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Setting<T> {
    id: &'static str,
    group: &'static str,
    description: &'static str,
    default: ConstantDefault,
    range: Range,
    is_public: bool,
    is_protecting: bool,
    value: PhantomData<fn() -> T>,
}

#[derive(Clone, Copy, Debug)]
enum ConstantDefault {
    Boolean(bool),
    Integer(i64),
    Text(&'static str),
    Pattern(&'static str),
}

impl ConstantDefault {
    fn to_json(self) -> Value {
        match self {
            Self::Boolean(value) => value.into(),
            Self::Integer(value) => value.into(),
            Self::Text(value) | Self::Pattern(value) => value.into(),
        }
    }
}

/// The allowed integers of a setting, including both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Not `non_exhaustive`: a range has two ends, and settings are constants.
pub struct Range {
    /// The smallest allowed value.
    pub from: i64,
    /// The largest allowed value.
    pub to: i64,
}

/// A setting of any type.
#[derive(Clone, Debug)]
pub struct SettingDefinition {
    id: String,
    group: String,
    description: String,
    default: Value,
    kind: SettingKind,
    is_public: bool,
    is_protecting: bool,
}

/// The type of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingKind {
    /// `true` or `false`.
    Boolean,
    /// An integer in a range.
    Integer(Range),
    /// Text of at most 10 000 bytes.
    Text,
    /// A regular expression of at most 1 000 bytes, as the crate [`regex`](https://docs.rs/regex/latest/regex/#syntax) knows
    /// them. It is matched in linear time.
    Pattern,
}

/// A type of settings.
pub trait SettingValue: Sized {
    /// Returns the value, or `None` if `json` is of another type.
    fn from_json(json: &Value) -> Option<Self>;
}

/// The maximum length of a text, in bytes.
const TEXT_BYTES: usize = 10_000;

impl Setting<bool> {
    /// Returns a setting that is `true` or `false`.
    #[must_use]
    pub const fn boolean(id: &'static str, group: &'static str, description: &'static str, default: bool) -> Self {
        Self::new(id, group, description, ConstantDefault::Boolean(default), Range { from: 0, to: 0 })
    }
}

impl Setting<i64> {
    /// Returns a setting that is an integer in a range.
    #[must_use]
    pub const fn integer(
        id: &'static str,
        group: &'static str,
        description: &'static str,
        default: i64,
        range: Range,
    ) -> Self {
        Self::new(id, group, description, ConstantDefault::Integer(default), range)
    }
}

impl Setting<String> {
    /// Returns a setting that is a text of at most 10 000 bytes.
    #[must_use]
    pub const fn text(id: &'static str, group: &'static str, description: &'static str, default: &'static str) -> Self {
        Self::new(id, group, description, ConstantDefault::Text(default), Range { from: 0, to: 0 })
    }
}

impl Setting<String> {
    /// Returns a setting that is a [regular expression](SettingKind::Pattern). A malformed or too large one is rejected.
    #[must_use]
    pub const fn pattern(
        id: &'static str,
        group: &'static str,
        description: &'static str,
        default: &'static str,
    ) -> Self {
        Self::new(id, group, description, ConstantDefault::Pattern(default), Range { from: 0, to: 0 })
    }
}

impl<T> Setting<T> {
    const fn new(
        id: &'static str,
        group: &'static str,
        description: &'static str,
        default: ConstantDefault,
        range: Range,
    ) -> Self {
        Self { id, group, description, default, range, is_public: false, is_protecting: false, value: PhantomData }
    }

    /// Makes the setting readable by all clients, also before login.
    #[must_use]
    pub const fn public(mut self) -> Self {
        self.is_public = true;
        self
    }

    /// Marks the setting as one that protects accounts: whoever changes it shows a factor in the same call, as for a change
    /// of a factor. Trusted clients and bypass tokens are asked too.
    #[must_use]
    pub const fn protecting(mut self) -> Self {
        self.is_protecting = true;
        self
    }

    /// Returns the id.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        self.id
    }

    /// Returns the setting for lists and forms.
    #[must_use]
    pub fn definition(&self) -> SettingDefinition {
        let kind = match self.default {
            ConstantDefault::Boolean(_) => SettingKind::Boolean,
            ConstantDefault::Integer(_) => SettingKind::Integer(self.range),
            ConstantDefault::Text(_) => SettingKind::Text,
            ConstantDefault::Pattern(_) => SettingKind::Pattern,
        };
        SettingDefinition {
            id: self.id.into(),
            group: self.group.into(),
            description: self.description.into(),
            default: self.default.to_json(),
            kind,
            is_public: self.is_public,
            is_protecting: self.is_protecting,
        }
    }
}

impl<T: SettingValue> Setting<T> {
    pub(super) fn default_value(&self) -> T {
        T::from_json(&self.default.to_json())
            .unwrap_or_else(|| unreachable!("the constructors take a default of this type"))
    }
}

impl SettingDefinition {
    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the group in which forms show the setting.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Returns the description for admins.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Returns the default value.
    #[must_use]
    pub const fn default_value(&self) -> &Value {
        &self.default
    }

    /// Returns the type of the setting.
    #[must_use]
    pub const fn kind(&self) -> SettingKind {
        self.kind
    }

    /// Returns whether all clients can read the setting.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        self.is_public
    }

    /// Returns whether a change of the setting needs a fresh second factor.
    #[must_use]
    pub const fn is_protecting(&self) -> bool {
        self.is_protecting
    }

    pub(super) fn check(&self, value: Value) -> Result<Value, SettingError> {
        let fits = match self.kind {
            SettingKind::Boolean => value.is_boolean(),
            SettingKind::Integer(range) => {
                whole(&value).is_some_and(|number| range.from <= number && number <= range.to)
            }
            SettingKind::Text => value.as_str().is_some_and(|text| text.len() <= TEXT_BYTES),
            SettingKind::Pattern => match value.as_str().map(compile) {
                Some(Err(reason)) => return Err(self.refuse_pattern(&reason)),
                compiled => compiled.is_some(),
            },
        };
        if !fits {
            return Err(SettingError::Invalid { id: self.id.clone(), expected: self.kind.to_string() });
        }
        Ok(match self.kind {
            SettingKind::Integer(_) => whole(&value).map_or(value, Value::from),
            SettingKind::Boolean | SettingKind::Text | SettingKind::Pattern => value,
        })
    }

    fn refuse_pattern(&self, reason: &str) -> SettingError {
        SettingError::Invalid { id: self.id.clone(), expected: format!("{}; {reason}", self.kind) }
    }

    /// Parses a value from text, as in an environment variable.
    pub(super) fn parse(&self, text: &str) -> Result<Value, SettingError> {
        let value = match self.kind {
            SettingKind::Boolean => text.parse::<bool>().map(Value::from).ok(),
            SettingKind::Integer(_) => text.parse::<i64>().map(Value::from).ok(),
            SettingKind::Text | SettingKind::Pattern => Some(text.into()),
        };
        self.check(value.unwrap_or(Value::Null))
    }
}

/// Returns a number as an integer. In JavaScript, 5.0 and 5 are the same number.
#[expect(clippy::cast_possible_truncation, reason = "a whole number of this size is exact")]
fn whole(value: &Value) -> Option<i64> {
    let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}

impl std::fmt::Display for SettingKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean => formatter.write_str("true or false"),
            Self::Integer(Range { from, to }) => write!(formatter, "a whole number from {from} to {to}"),
            Self::Text => write!(formatter, "a text of at most {TEXT_BYTES} bytes"),
            Self::Pattern => write!(
                formatter,
                "a regular expression of at most {PATTERN_BYTES} bytes, without look-around and back-references"
            ),
        }
    }
}

impl SettingValue for bool {
    fn from_json(json: &Value) -> Option<Self> {
        json.as_bool()
    }
}

impl SettingValue for i64 {
    fn from_json(json: &Value) -> Option<Self> {
        json.as_i64()
    }
}

impl SettingValue for String {
    fn from_json(json: &Value) -> Option<Self> {
        json.as_str().map(str::to_owned)
    }
}
