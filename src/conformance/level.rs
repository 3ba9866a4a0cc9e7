//! [`Level`]: which servers follow a rule.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The servers that follow a rule. Each level includes the previous ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Servers of DDP as its specification describes it.
    Core,
    /// Servers for existing DDP clients, which rely on more than the specification says.
    #[default]
    Ddp,
    /// Meteor, where DDP allows several behaviours.
    Meteor,
    /// Rocket.Chat, where it extends Meteor: the second factor and REST.
    RocketChat,
    /// Bolide, where it has its own rules.
    Bolide,
}

impl Level {
    const ALL: [Self; 5] = [Self::Core, Self::Ddp, Self::Meteor, Self::RocketChat, Self::Bolide];

    /// Returns the name of the level, as in files and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Ddp => "ddp",
            Self::Meteor => "meteor",
            Self::RocketChat => "rocketchat",
            Self::Bolide => "bolide",
        }
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("`{text}` is not a level; the levels are core, ddp, meteor, rocketchat and bolide");
        Self::ALL.into_iter().find(|level| level.name() == text).ok_or_else(unknown)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
