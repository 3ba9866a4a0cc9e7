//! [`Report`]: the outcomes of a run.
//!
//! `text` writes them for a terminal, [`Record`] keeps them in a file of JSON, `junit` writes them for CI, and [`page`]
//! compares several records on a page of HTML.

mod escape;
mod junit;
mod page;
mod record;
mod text;

use serde::{Deserialize, Serialize};

use super::case::{Case, Chapter};
use super::level::Level;

pub use page::page;
pub use record::{Record, RecordError, Subject};

/// The outcomes of a run.
#[derive(Debug, Clone)]
pub struct Report {
    outcomes: Vec<Outcome>,
}

/// The outcome of one case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// The chapter.
    pub chapter: String,
    /// The id of the case, such as `methods/12`.
    pub id: String,
    /// The name of the case.
    pub case: String,
    /// The level of the case.
    pub level: Level,
    /// The source of the rule.
    pub source: String,
    /// Whether the case passed.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Whether a case passed, failed or was not run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "because", rename_all = "camelCase")]
pub enum Verdict {
    /// The server follows the rule.
    Passed,
    /// The server follows the rule, but departs in these ways from what is recommended.
    NonStrict(Vec<String>),
    /// The case was not run, because the server does not have what it is about, for this reason.
    Unimplemented(String),
    /// The server does not follow the rule, for this reason.
    Failed(Failure),
    /// The server does not follow the rule, for this reason, which was expected.
    KnownFailure(Failure),
    /// The case was not run, for this reason.
    Skipped(String),
}

/// Why a case failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// The number of the step, such as `3`, `3.1 (round 17)` inside a `repeat`, or `the end`.
    pub step: String,
    /// What was expected, what was received, and where they differ.
    pub reason: String,
    /// The place at which the received message differs first, such as `result.error.message`, or what happened instead.
    /// Failures with the same difference often have the same cause.
    pub difference: String,
    /// The last frames of the case, of all its connections.
    pub transcript: Vec<String>,
}

/// The numbers of cases by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// The number of cases that passed, without those that passed in a non-strict way.
    pub passed: usize,
    /// The number of cases that passed in a way that is allowed, but not recommended.
    pub non_strict: usize,
    /// The number of cases that failed, without those that were expected to fail.
    pub failed: usize,
    /// The number of cases that failed as expected.
    pub known_failures: usize,
    /// The number of cases about something that the server does not have.
    pub unimplemented: usize,
    /// The number of cases that were not selected.
    pub skipped: usize,
}

impl Report {
    pub(super) fn new(outcomes: Vec<Outcome>) -> Self {
        Self { outcomes }
    }

    /// Returns whether at least one case was run and none failed, other than those that were expected to fail.
    #[must_use]
    pub fn is_success(&self) -> bool {
        let counts = self.counts();
        counts.failed == 0 && counts.run() > 0
    }

    /// Returns the outcomes, in the order of the files.
    #[must_use]
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Returns the cases that failed, other than those that were expected to fail.
    pub fn failures(&self) -> impl Iterator<Item = (&Outcome, &Failure)> {
        self.outcomes.iter().filter_map(|outcome| match &outcome.verdict {
            Verdict::Failed(failure) => Some((outcome, failure)),
            _ => None,
        })
    }

    /// Returns the numbers of cases by verdict.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::of(&self.outcomes)
    }

    /// Returns the outcomes of each chapter, in the order of the files.
    fn chapters(&self) -> impl Iterator<Item = &[Outcome]> {
        self.outcomes.chunk_by(|one, next| one.chapter == next.chapter)
    }
}

impl Outcome {
    pub(super) fn of(chapter: &Chapter, case: &Case, verdict: Verdict) -> Self {
        Self {
            chapter: chapter.name.clone(),
            id: case.id.clone(),
            case: case.name.clone(),
            level: case.level,
            source: case.source.clone(),
            verdict,
        }
    }
}

impl Counts {
    fn of<'outcome>(outcomes: impl IntoIterator<Item = &'outcome Outcome>) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            match outcome.verdict {
                Verdict::Passed => counts.passed += 1,
                Verdict::NonStrict(_) => counts.non_strict += 1,
                Verdict::Unimplemented(_) => counts.unimplemented += 1,
                Verdict::Failed(_) => counts.failed += 1,
                Verdict::KnownFailure(_) => counts.known_failures += 1,
                Verdict::Skipped(_) => counts.skipped += 1,
            }
        }
        counts
    }

    /// Returns the number of cases that were run.
    #[must_use]
    pub const fn run(&self) -> usize {
        self.passed + self.non_strict + self.failed + self.known_failures
    }
}
