//! The cases of a chapter, read from its file. Errors name the file, the case and the step.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::Value;

use super::step::Step;

/// A chapter, which is a file of cases.
#[derive(Debug, Clone)]
pub struct Chapter {
    /// The name of the chapter.
    pub name: String,
    /// What the cases of the chapter are about.
    pub about: String,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// One rule, and the steps that show whether a server follows it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The rule, as a sentence.
    pub name: String,
    /// Why the rule matters, or where the behaviour was seen.
    pub about: Option<String>,
    /// Which servers follow the rule.
    pub level: Level,
    /// Whether the case takes longer than ten seconds.
    pub slow: bool,
    /// Whether the case must run alone.
    pub alone: bool,
    /// Whether the steps of the case show the server's pings.
    pub shows_pings: bool,
    /// The options with which the server must have been started.
    pub needs: BTreeMap<String, Value>,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// The servers that follow a rule. Each level includes the previous ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// All DDP servers.
    #[default]
    Ddp,
    /// Meteor, where DDP allows several behaviours.
    Meteor,
    /// Rocket.Chat, where it extends Meteor: the second factor and REST.
    RocketChat,
    /// Bolide, where it has its own rules.
    Bolide,
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ddp" => Ok(Self::Ddp),
            "meteor" => Ok(Self::Meteor),
            "rocketchat" => Ok(Self::RocketChat),
            "bolide" => Ok(Self::Bolide),
            other => Err(format!("`{other}` is not a level; the levels are ddp, meteor, rocketchat and bolide")),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ddp => "ddp",
            Self::Meteor => "meteor",
            Self::RocketChat => "rocketchat",
            Self::Bolide => "bolide",
        })
    }
}

/// The error for a file that does not have the form that `protocol/conformance/README.md` describes.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file is malformed.
    #[error("{file}: {reason}")]
    Chapter {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A case is malformed.
    #[error("{file}, case {case}: {reason}")]
    Case {
        /// The file.
        file: String,
        /// The name of the case, or its number in the file.
        case: String,
        /// What is wrong, and in which step.
        reason: String,
    },
}

impl Chapter {
    /// Reads a chapter from the text of the file named `file`.
    ///
    /// # Errors
    /// Returns an error that names the case and the step if the text is malformed.
    pub fn parse(file: &str, text: &str) -> Result<Self, CaseError> {
        let written: WrittenChapter = serde_json::from_str(text)
            .map_err(|error| CaseError::Chapter { file: file.into(), reason: error.to_string() })?;
        let chapter = Self {
            name: written.chapter,
            about: written.about,
            cases: (1..)
                .zip(written.cases)
                .map(|(number, case)| Case::read(file, number, case))
                .collect::<Result<_, _>>()?,
        };
        chapter.refuse_repeated_names(file)?;
        Ok(chapter)
    }

    fn refuse_repeated_names(&self, file: &str) -> Result<(), CaseError> {
        let mut names = std::collections::BTreeSet::new();
        match self.cases.iter().find(|case| !names.insert(case.name.as_str())) {
            None => Ok(()),
            Some(case) => Err(CaseError::Case {
                file: file.into(),
                case: format!("“{}”", case.name),
                reason: "this name was used before".into(),
            }),
        }
    }
}

impl Case {
    fn read(file: &str, number: usize, value: Value) -> Result<Self, CaseError> {
        let case = match value.get("name").and_then(Value::as_str) {
            Some(name) => format!("“{name}”"),
            None => format!("number {number}"),
        };
        Self::read_value(value).map_err(|reason| CaseError::Case { file: file.into(), case, reason })
    }

    fn read_value(value: Value) -> Result<Self, String> {
        let written: WrittenCase = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let shows_pings = match written.pings.as_deref() {
            None => false,
            Some("shown") => true,
            Some(other) => return Err(format!("`pings` must be \"shown\" or omitted, not {other:?}")),
        };
        Ok(Self {
            name: written.name,
            about: written.about,
            level: written.level,
            slow: written.slow,
            alone: written.alone,
            shows_pings,
            needs: written.needs,
            steps: Step::read_all(written.steps)?,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenChapter {
    chapter: String,
    about: String,
    cases: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    name: String,
    about: Option<String>,
    #[serde(default)]
    level: Level,
    #[serde(default)]
    slow: bool,
    #[serde(default)]
    alone: bool,
    pings: Option<String>,
    #[serde(default)]
    needs: BTreeMap<String, Value>,
    steps: Vec<Value>,
}
