//! Which version of DDP a connection speaks: the first thing that client and server settle.

use std::fmt;

/// A version of DDP, newest first in [`Version::SUPPORTED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// The version that every client of today speaks.
    One,
    /// The last draft before version 1; the same on the wire.
    Pre2,
    /// The first draft: it knows no heartbeats.
    Pre1,
}

/// What a server answers to the versions that a client offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negotiation {
    /// The client asked for the version that the server would take.
    Agreed(Version),
    /// The server answers `failed` with this version and closes; the client may dial again with it.
    Propose(Version),
}

impl Version {
    /// The versions that this crate speaks, the preferred one first.
    pub const SUPPORTED: [Self; 3] = [Self::One, Self::Pre2, Self::Pre1];

    /// The version with this name on the wire.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::SUPPORTED.into_iter().find(|version| version.as_str() == name)
    }

    /// The name on the wire: `1`, `pre2` or `pre1`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Pre2 => "pre2",
            Self::Pre1 => "pre1",
        }
    }

    /// Whether `ping` and `pong` exist in this version.
    #[must_use]
    pub const fn has_heartbeats(self) -> bool {
        !matches!(self, Self::Pre1)
    }

    /// Settles the version: the first of the client's `support` that the server knows, which must be the `version`
    /// that the client asks for. What Meteor's `livedata_server` does.
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
