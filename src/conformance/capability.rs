//! [`Capability`]: a part of a server, or of the application on it, that not every server has.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// What a server can do beyond answering calls and subscriptions. The cases that need a capability which the server
/// does not have are not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Capability {
    /// Publications that do what a case asks them to do.
    Script,
    /// Methods that tell a connection's own data.
    ConnectionInfo,
    /// Live collections.
    Collections,
    /// Documents of several subscriptions are merged field by field.
    MergeBox,
    /// Publication strategies other than merging.
    Strategies,
    /// Random streams with the client's seed.
    RandomSeeds,
    /// Publications that follow the user of a connection.
    UserChange,
    /// Messages to all subscribers of a feed.
    Streams,
    /// Methods and publications that are added and removed at run time.
    RunTime,
    /// Sessions that outlast their connection.
    Resumption,
    /// Meteor's accounts with passwords.
    Accounts,
    /// Meteor's package `accounts-2fa`.
    Accounts2fa,
    /// Rocket.Chat's second factors and personal access tokens.
    SecondFactor,
    /// Passkeys, as second factors and as logins.
    Passkeys,
    /// Rocket.Chat's settings.
    Settings,
    /// A clock that cases can move forward.
    Clock,
    /// Rocket.Chat's REST API.
    Rest,
    /// Bolide's methods and publications for users and admins.
    Administration,
    /// `SockJS`.
    SockJs,
}

impl Capability {
    /// All capabilities.
    pub const ALL: [Self; 19] = [
        Self::Script,
        Self::ConnectionInfo,
        Self::Collections,
        Self::MergeBox,
        Self::Strategies,
        Self::RandomSeeds,
        Self::UserChange,
        Self::Streams,
        Self::RunTime,
        Self::Resumption,
        Self::Accounts,
        Self::Accounts2fa,
        Self::SecondFactor,
        Self::Passkeys,
        Self::Settings,
        Self::Clock,
        Self::Rest,
        Self::Administration,
        Self::SockJs,
    ];

    /// Returns the name of the capability, as in files and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::ConnectionInfo => "connectionInfo",
            Self::Collections => "collections",
            Self::MergeBox => "mergeBox",
            Self::Strategies => "strategies",
            Self::RandomSeeds => "randomSeeds",
            Self::UserChange => "userChange",
            Self::Streams => "streams",
            Self::RunTime => "runTime",
            Self::Resumption => "resumption",
            Self::Accounts => "accounts",
            Self::Accounts2fa => "accounts2fa",
            Self::SecondFactor => "secondFactor",
            Self::Passkeys => "passkeys",
            Self::Settings => "settings",
            Self::Clock => "clock",
            Self::Rest => "rest",
            Self::Administration => "administration",
            Self::SockJs => "sockjs",
        }
    }
}

impl FromStr for Capability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|capability| capability.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("`{text}` is not a capability; the capabilities are {names}")
        })
    }
}

impl TryFrom<String> for Capability {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
