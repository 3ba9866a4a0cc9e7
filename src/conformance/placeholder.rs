//! [`Placeholder`]: a string in `<…>` that stands for a value.

use serde_json::Value;

/// The meaning of a string in `<…>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placeholder {
    /// `<any>`, `<id:session>`: a value of a kind, which may be remembered under a name.
    Kind(Kind, Option<String>),
    /// `<session>`: the remembered value.
    Remembered(String),
    /// `<not:session>`: any value except the remembered one.
    Other(String),
    /// `<fresh:group>`: a unique string.
    Fresh(String),
    /// `<round>`: the number of the round, as a string.
    Round,
    /// A string that is written in another form: `<repeat:ab:3>`, `<literal:<any>>`.
    Text(String),
}

/// A kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Any,
    String,
    Number,
    Boolean,
    Object,
    Array,
    Id,
    Secret,
    /// Not there: the value of a key that an object must not have.
    Absent,
}

impl Placeholder {
    /// Reads a string. Returns `None` if it stands for itself.
    pub(crate) fn read(text: &str) -> Result<Option<Self>, String> {
        let Some(inner) = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else {
            return Ok(None);
        };
        Self::read_inner(inner).map(Some).ok_or_else(|| format!("`{text}` is not a placeholder"))
    }

    fn read_inner(inner: &str) -> Option<Self> {
        if inner == "round" {
            return Some(Self::Round);
        }
        if let Some(kind) = Kind::read(inner) {
            return Some(Self::Kind(kind, None));
        }
        let Some((word, argument)) = inner.split_once(':') else {
            return name(inner).map(Self::Remembered);
        };
        match word {
            "literal" => Some(Self::Text(argument.to_owned())),
            "repeat" => {
                let (text, count) = argument.rsplit_once(':')?;
                Some(Self::Text(text.repeat(count.parse().ok()?)))
            }
            "not" => name(argument).map(Self::Other),
            "fresh" => name(argument).map(Self::Fresh),
            kind => Some(Self::Kind(Kind::read(kind)?, Some(name(argument)?))),
        }
    }
}

impl Kind {
    fn read(word: &str) -> Option<Self> {
        match word {
            "any" => Some(Self::Any),
            "string" => Some(Self::String),
            "number" => Some(Self::Number),
            "boolean" => Some(Self::Boolean),
            "object" => Some(Self::Object),
            "array" => Some(Self::Array),
            "id" => Some(Self::Id),
            "secret" => Some(Self::Secret),
            "absent" => Some(Self::Absent),
            _ => None,
        }
    }

    /// Returns whether `value` is of this kind.
    pub(crate) fn admits(self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => false,
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::Id => value.as_str().is_some_and(is_id),
            Self::Secret => value.as_str().is_some_and(is_secret),
        }
    }
}

/// Returns whether `text` has the form of Meteor's `Random.id()`.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && text.chars().all(is_of_id)
}

/// Returns whether `text` has the form of Meteor's `Random.secret()`.
fn is_secret(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The number of characters of an id.
pub(crate) const ID_LENGTH: usize = 17;

// Letters and digits that are not easily confused: without 0 O 1 I l U V.
fn is_of_id(character: char) -> bool {
    character.is_ascii_alphanumeric() && !"01IOUVl".contains(character)
}

fn name(text: &str) -> Option<String> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    (!text.is_empty() && text.chars().all(fits)).then(|| text.to_owned())
}
