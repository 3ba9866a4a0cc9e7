//! A chapter of cases, as its file says it. Mistakes in a file are errors that name the file, the case and the step.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::Value;

use super::step::Step;

/// A file of cases.
#[derive(Debug, Clone)]
pub struct Chapter {
    /// What the file calls itself.
    pub name: String,
    /// What its cases are about.
    pub about: String,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// One promise, and the conversation that shows whether a server keeps it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The promise, as a sentence.
    pub name: String,
    /// Why it matters, or where it was seen.
    pub about: Option<String>,
    /// Who keeps the promise.
    pub level: Level,
    /// Whether it takes longer than ten seconds.
    pub slow: bool,
    /// Whether nothing else may run at the same time.
    pub alone: bool,
    /// Whether the server's pings are part of the conversation.
    pub shows_pings: bool,
    /// How the server must have been started.
    pub needs: BTreeMap<String, Value>,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// Who keeps a promise. Each level contains the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every server whose clients are to work.
    #[default]
    Ddp,
    /// Meteor, where DDP leaves a choice.
    Meteor,
    /// Rocket.Chat, where it adds to Meteor: the second factor and REST.
    RocketChat,
    /// Bolide, where it has a rule of its own.
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
            other => Err(format!("`{other}` is no level: they are ddp, meteor, rocketchat and bolide")),
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

/// A file that holds no cases as `protocol/conformance/README.md` describes them.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no chapter.
    #[error("{file}: {reason}")]
    Chapter {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A case is wrong.
    #[error("{file}, case {case}: {reason}")]
    Case {
        /// The file.
        file: String,
        /// The name of the case, or which one it is in the file.
        case: String,
        /// What is wrong, and in which step.
        reason: String,
    },
}

impl Chapter {
    /// Reads the text of the file called `file`.
    ///
    /// # Errors
    /// Says in which case and step the text is not as described.
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
            Some(other) => return Err(format!("`pings` is \"shown\" or left out, not {other:?}")),
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
