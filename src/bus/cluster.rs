//! [`ClusterName`]: tells clusters apart that share a bus.

use std::fmt;
use std::str::FromStr;

/// The maximum number of characters of a name.
const MAX_LENGTH: usize = 64;

/// The name of a cluster: the nodes that share a store. Several clusters can share a NATS server.
///
/// It has 1 to 64 characters: letters and digits of ASCII, `-` and `_`. Default: `bolide`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterName(Box<str>);

/// The error for a malformed name of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a cluster has 1 to 64 characters: letters and digits of ASCII, `-` and `_`")]
pub struct InvalidClusterName;

impl ClusterName {
    /// Returns the name.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ClusterName {
    fn default() -> Self {
        Self("bolide".into())
    }
}

impl FromStr for ClusterName {
    type Err = InvalidClusterName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A name is a part of a subject of NATS, in which `.`, `*`, `>` and spaces have a meaning.
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_name = (1..=MAX_LENGTH).contains(&text.len()) && text.chars().all(is_allowed);
        if is_name { Ok(Self(text.into())) } else { Err(InvalidClusterName) }
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_reach_into_other_subjects() {
        for name in ["bolide", "a", "Chat_2-eu", &"x".repeat(64)] {
            assert_eq!(name.parse::<ClusterName>().map(|name| name.to_string()), Ok(name.to_owned()));
        }
        for name in ["", "a.b", "*", ">", "a b", "ä", "a\n", &"x".repeat(65)] {
            assert_eq!(name.parse::<ClusterName>(), Err(InvalidClusterName), "{name}");
        }
    }
}
