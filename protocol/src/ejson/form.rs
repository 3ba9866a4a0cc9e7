//! The forms of EJSON: objects that represent another type, and how they are written.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Object;

/// The type that an object represents, determined by its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Date,
    Regexp,
    InfinityOrNan,
    Binary,
    Escape,
    Custom,
}

impl Form {
    /// Returns the form of the object, or `None` if its keys are not those of a form.
    pub(super) fn of(object: &Object) -> Option<Self> {
        if object.is_empty() || object.len() > 2 {
            return None;
        }
        object.keys().fold(Keys::default(), |keys, key| keys.with(key)).form()
    }
}

/// The set of keys that determine the form of an object.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Keys(u16);

impl Keys {
    const DATE: u16 = 1;
    const REGEXP: u16 = 1 << 1;
    const FLAGS: u16 = 1 << 2;
    const INFINITY_OR_NAN: u16 = 1 << 3;
    const BINARY: u16 = 1 << 4;
    const ESCAPE: u16 = 1 << 5;
    const TYPE: u16 = 1 << 6;
    const VALUE: u16 = 1 << 7;
    const OTHER: u16 = 1 << 8;

    pub(super) fn with(self, key: &str) -> Self {
        Self(self.0 | Self::bit(key))
    }

    pub(super) fn form(self) -> Option<Form> {
        const REGEXP_AND_FLAGS: u16 = Keys::REGEXP | Keys::FLAGS;
        const TYPE_AND_VALUE: u16 = Keys::TYPE | Keys::VALUE;
        match self.0 {
            Self::DATE => Some(Form::Date),
            REGEXP_AND_FLAGS => Some(Form::Regexp),
            Self::INFINITY_OR_NAN => Some(Form::InfinityOrNan),
            Self::BINARY => Some(Form::Binary),
            Self::ESCAPE => Some(Form::Escape),
            TYPE_AND_VALUE => Some(Form::Custom),
            _ => None,
        }
    }

    fn bit(key: &str) -> u16 {
        if !key.starts_with('$') {
            return Self::OTHER;
        }
        match key {
            "$date" => Self::DATE,
            "$regexp" => Self::REGEXP,
            "$flags" => Self::FLAGS,
            "$InfNaN" => Self::INFINITY_OR_NAN,
            "$binary" => Self::BINARY,
            "$escape" => Self::ESCAPE,
            "$type" => Self::TYPE,
            "$value" => Self::VALUE,
            _ => Self::OTHER,
        }
    }
}

/// Writes `{"key":value}` as a form.
pub(super) fn serialize<S, T>(serializer: S, key: &str, value: &T) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    T: Serialize + ?Sized,
{
    serializer.collect_map([(key, value)])
}

/// Writes an object with two entries as a form.
pub(super) fn serialize_two<S, T, U>(
    serializer: S,
    (first_key, first): (&str, &T),
    (second_key, second): (&str, &U),
) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    T: Serialize + ?Sized,
    U: Serialize + ?Sized,
{
    let mut map = serializer.serialize_map(Some(2))?;
    map.serialize_entry(first_key, first)?;
    map.serialize_entry(second_key, second)?;
    map.end()
}
