//! The versions of DDP. Client and server agree on one before anything else.

use std::fmt;

/// A version of DDP. [`Version::SUPPORTED`] lists them, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// Version 1, which all current clients speak.
    One,
    /// The last draft before version 1; identical on the wire.
    Pre2,
    /// The first draft, which has no heartbeats.
    Pre1,
}

/// The server's answer to the versions that a client offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negotiation {
    /// Client and server use this version.
    Agreed(Version),
    /// The server answers `failed` with this version and closes. The client may reconnect with it.
    Propose(Version),
}

impl Version {
    /// The supported versions, preferred version first.
    pub const SUPPORTED: [Self; 3] = [Self::One, Self::Pre2, Self::Pre1];

    /// Returns the version with this name on the wire, or `None` if it is unknown.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::SUPPORTED.into_iter().find(|version| version.as_str() == name)
    }

    /// Returns the name on the wire: `1`, `pre2` or `pre1`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Pre2 => "pre2",
            Self::Pre1 => "pre1",
        }
    }

    /// Returns whether this version has `ping` and `pong`.
    #[must_use]
    pub const fn has_heartbeats(self) -> bool {
        !matches!(self, Self::Pre1)
    }

    /// Negotiates the version, as Meteor's `livedata_server` does: takes the first version in the client's `support`
    /// that the server knows. The result is [`Negotiation::Agreed`] if that is the requested `version`.
    ///
    /// ```
    /// use bolide_protocol::version::{Negotiation, Version};
    ///
    /// let support = ["1", "pre2", "pre1"];
    /// assert_eq!(Version::negotiate("1", &support), Negotiation::Agreed(Version::One));
    /// assert_eq!(Version::negotiate("pre1", &support), Negotiation::Propose(Version::One));
    /// assert_eq!(Version::negotiate("9", &["9"]), Negotiation::Propose(Version::One));
    /// ```
    #[must_use]
    pub fn negotiate(version: &str, support: &[impl AsRef<str>]) -> Negotiation {
        let offered = support.iter().any(|name| name.as_ref() == version);
        let best = support.iter().find_map(|name| Self::parse(name.as_ref()));
        match best {
            Some(best) if offered && best.as_str() == version => Negotiation::Agreed(best),
            Some(best) if offered => Negotiation::Propose(best),
            _ => Negotiation::Propose(Self::One),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
