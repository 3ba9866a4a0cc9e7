//! [`Regexp`]: a regular expression of JavaScript. This crate carries it, and does not run it.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use super::{DecodeError, Ejson, form, pattern};

/// A regular expression of JavaScript: `{"$regexp":"a+","$flags":"i"}`.
///
/// ```
/// use bolide_protocol::ejson::Regexp;
///
/// let regexp = Regexp::new("a/b", "yig?")?;
/// assert_eq!(regexp.source(), r"a\/b");
/// assert_eq!(regexp.flags(), "giy");
/// # Ok::<(), bolide_protocol::ejson::DecodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Regexp {
    source: String,
    flags: String,
}

/// Only so many characters of the flags are looked at.
const LONGEST_FLAGS: usize = 50;

impl Regexp {
    /// What `new RegExp(pattern, flags)` is after Meteor dropped the flags other than `gimuy`.
    ///
    /// The pattern is checked for its structure only: groups, classes, quantifiers. Not everything that passes here
    /// is a regular expression, but everything that is one passes.
    ///
    /// # Errors
    /// Says what is wrong with the pattern.
    pub fn new(pattern: &str, flags: &str) -> Result<Self, DecodeError> {
        pattern::check(pattern).map_err(|reason| DecodeError::Regexp { pattern: pattern.to_owned(), reason })?;
        Ok(Self { source: pattern::to_source(pattern), flags: known_flags(flags) })
    }

    /// The pattern as JavaScript shows it: with slashes and line ends escaped, and `(?:)` for the empty one.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The flags in alphabetical order.
    #[must_use]
    pub fn flags(&self) -> &str {
        &self.flags
    }
}

fn known_flags(flags: &str) -> String {
    let is_set = |flag: &char| flags.chars().take(LONGEST_FLAGS).any(|one| one == *flag);
    "gimuy".chars().filter(is_set).collect()
}

impl Serialize for Regexp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let source = ("$regexp", &self.source);
        form::serialize_two(serializer, source, ("$flags", &self.flags))
    }
}

impl<'de> Deserialize<'de> for Regexp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        form::deserialize(deserializer, "a regular expression", |value| match value {
            Ejson::Regexp(regexp) => Some(regexp),
            _ => None,
        })
    }
}
