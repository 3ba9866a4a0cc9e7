//! The cases of a chapter, read from its file. Errors name the file, the case and the step.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::capability::Capability;
use super::level::Level;
use super::release::Release;
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
    /// The chapter and a number that the case keeps forever, such as `methods/12`.
    pub id: String,
    /// The rule, as a sentence.
    pub name: String,
    /// Why the rule matters, or where the behaviour was seen.
    pub about: Option<String>,
    /// Where the rule is written down, or which client depends on it, such as `DDP.md: Heartbeats`.
    pub source: String,
    /// Which servers follow the rule.
    pub level: Level,
    /// The first release that follows the rule, if earlier ones of the level do not.
    pub since: Option<Release>,
    /// What the server or the application must be capable of.
    pub capabilities: BTreeSet<Capability>,
    /// Whether the case takes longer than ten seconds.
    pub slow: bool,
    /// Whether the case must run alone.
    pub alone: bool,
    /// Whether the steps of the case show the server's pings.
    pub shows_pings: bool,
    /// The collections whose documents are not part of the conversation.
    pub ignores: BTreeSet<String>,
    /// The options with which the server must have been started.
    pub needs: BTreeMap<String, Value>,
    /// The steps, in order.
    pub steps: Vec<Step>,
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
        let WrittenChapter { chapter, about, source, capabilities, retired, cases } = written;
        let defaults = Defaults { source, capabilities };
        let cases: Vec<Case> = (1..)
            .zip(cases)
            .map(|(number, case)| Case::read(file, number, case, &defaults))
            .collect::<Result<_, _>>()?;
        let chapter = Self { name: chapter, about, cases };
        chapter.refuse_repeated_names(file)?;
        chapter.check_ids(file, &retired)?;
        Ok(chapter)
    }

    fn refuse_repeated_names(&self, file: &str) -> Result<(), CaseError> {
        let mut names = BTreeSet::new();
        match self.cases.iter().find(|case| !names.insert(case.name.as_str())) {
            None => Ok(()),
            Some(case) => Err(case.mistake(file, "this name was used before")),
        }
    }

    /// Checks that no number is used twice, or left out without being retired: a number belongs to one case forever.
    fn check_ids(&self, file: &str, retired: &[usize]) -> Result<(), CaseError> {
        let mut free: BTreeSet<usize> = (1..=self.cases.len() + retired.len()).collect();
        for number in retired {
            if !free.remove(number) {
                let reason = format!("the retired number {number} is greater than all others or repeated");
                return Err(CaseError::Chapter { file: file.into(), reason });
            }
        }
        for case in &self.cases {
            let number = case.id.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('/')?.parse().ok());
            if !number.is_some_and(|number| free.remove(&number)) {
                let next = free.first().map_or_else(String::new, |next| format!("; `{}/{next}` is free", self.name));
                return Err(case.mistake(file, &format!("`{}` cannot be its id{next}", case.id)));
            }
        }
        Ok(())
    }
}

/// What a chapter says for all of its cases that do not say it themselves.
struct Defaults {
    source: Option<String>,
    capabilities: BTreeSet<Capability>,
}

impl Case {
    fn mistake(&self, file: &str, reason: &str) -> CaseError {
        CaseError::Case { file: file.into(), case: format!("“{}”", self.name), reason: reason.into() }
    }

    fn read(file: &str, number: usize, value: Value, defaults: &Defaults) -> Result<Self, CaseError> {
        let case = match value.get("name").and_then(Value::as_str) {
            Some(name) => format!("“{name}”"),
            None => format!("number {number}"),
        };
        Self::read_value(value, defaults).map_err(|reason| CaseError::Case { file: file.into(), case, reason })
    }

    fn read_value(value: Value, defaults: &Defaults) -> Result<Self, String> {
        let written: WrittenCase = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let shows_pings = match written.pings.as_deref() {
            None => false,
            Some("shown") => true,
            Some(other) => return Err(format!("`pings` must be \"shown\" or omitted, not {other:?}")),
        };
        let source = written.source.or_else(|| defaults.source.clone());
        Ok(Self {
            id: written.id,
            name: written.name,
            about: written.about,
            source: source.ok_or("neither the case nor its chapter has a `source`")?,
            level: written.level,
            since: written.since.as_deref().map(str::parse).transpose()?,
            capabilities: written.capabilities.unwrap_or_else(|| defaults.capabilities.clone()),
            slow: written.slow,
            alone: written.alone,
            shows_pings,
            ignores: written.ignores,
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
    source: Option<String>,
    #[serde(default)]
    capabilities: BTreeSet<Capability>,
    #[serde(default)]
    retired: Vec<usize>,
    cases: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    id: String,
    name: String,
    about: Option<String>,
    source: Option<String>,
    #[serde(default)]
    level: Level,
    since: Option<String>,
    capabilities: Option<BTreeSet<Capability>>,
    #[serde(default)]
    slow: bool,
    #[serde(default)]
    alone: bool,
    pings: Option<String>,
    #[serde(default)]
    ignores: BTreeSet<String>,
    #[serde(default)]
    needs: BTreeMap<String, Value>,
    steps: Vec<Value>,
}
