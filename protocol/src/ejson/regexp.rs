//! [`Regexp`]: a JavaScript regular expression. This crate transports it and does not run it.

use serde::ser::{Serialize, Serializer};

use super::{DecodeError, form, pattern};

/// A JavaScript regular expression: `{"$regexp":"a+","$flags":"i"}`.
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

/// The maximum number of flag characters that are read.
const LONGEST_FLAGS: usize = 50;

impl Regexp {
    /// Creates the expression that Meteor creates with `new RegExp(pattern, flags)`, after dropping flags other than
    /// `gimuy`.
    ///
    /// Only the structure of the pattern is checked: groups, classes, quantifiers. Every valid regular expression is
    /// accepted; some invalid ones are too.
    ///
    /// # Errors
    /// Returns an error that says what is wrong with the pattern.
    pub fn new(pattern: &str, flags: &str) -> Result<Self, DecodeError> {
        pattern::check(pattern).map_err(|reason| DecodeError::Regexp { pattern: pattern.to_owned(), reason })?;
        Ok(Self { source: pattern::to_source(pattern), flags: known_flags(flags) })
    }

    /// Returns the pattern as JavaScript prints it: with escaped slashes and line ends, and `(?:)` for the empty pattern.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the flags in alphabetical order.
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
