//! [`Report`]: the outcomes of a run, as a table by chapter, with the expected and the received message of each
//! failure.

use std::io::{self, Write};

/// The outcomes of a run.
#[derive(Debug, Clone)]
pub struct Report {
    outcomes: Vec<Outcome>,
}

/// The outcome of one case.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The chapter.
    pub chapter: String,
    /// The name of the case.
    pub case: String,
    /// Whether the case passed.
    pub verdict: Verdict,
}

/// Whether a case passed, failed or was skipped.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The server follows the rule.
    Passed,
    /// The server does not follow the rule, for this reason.
    Failed(Failure),
    /// The case was not run, for this reason.
    Skipped(String),
}

/// Why a case failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The number of the step, such as `3`, `3.1 (round 17)` inside a `repeat`, or `the end`.
    pub step: String,
    /// What was expected, what was received, and where they differ.
    pub reason: String,
    /// The last frames of the case, of all its connections.
    pub transcript: Vec<String>,
}

/// The numbers of cases that passed, failed and were skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of cases that passed.
    pub passed: usize,
    /// The number of cases that failed.
    pub failed: usize,
    /// The number of cases that were skipped.
    pub skipped: usize,
}

impl Report {
    pub(super) fn new(outcomes: Vec<Outcome>) -> Self {
        Self { outcomes }
    }

    /// Returns whether at least one case passed and none failed.
    #[must_use]
    pub fn is_success(&self) -> bool {
        let counts = self.counts();
        counts.failed == 0 && counts.passed > 0
    }

    /// Returns the outcomes, in the order of the files.
    #[must_use]
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Returns the cases that failed.
    pub fn failures(&self) -> impl Iterator<Item = (&Outcome, &Failure)> {
        self.outcomes.iter().filter_map(|outcome| match &outcome.verdict {
            Verdict::Failed(failure) => Some((outcome, failure)),
            _ => None,
        })
    }

    /// Returns the numbers of cases that passed, failed and were skipped.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::of(&self.outcomes)
    }

    /// Writes the failures, then the table.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for (outcome, failure) in self.failures() {
            write_failure(out, outcome, failure)?;
        }
        self.write_table(out)
    }

    fn write_table(&self, out: &mut impl Write) -> io::Result<()> {
        let chapters: Vec<&[Outcome]> = self.outcomes.chunk_by(|one, next| one.chapter == next.chapter).collect();
        let names = chapters.iter().filter_map(|outcomes| outcomes.first());
        let width = names.map(|outcome| outcome.chapter.len()).max().unwrap_or(0).max(7);
        writeln!(out, "{:width$}  passed  failed  skipped", "chapter")?;
        for outcomes in chapters {
            let Counts { passed, failed, skipped } = Counts::of(outcomes);
            let chapter = &outcomes[0].chapter;
            writeln!(out, "{chapter:width$}  {passed:>6}  {failed:>6}  {skipped:>7}")?;
        }
        let Counts { passed, failed, skipped } = self.counts();
        writeln!(out, "\n{passed} passed, {failed} failed, {skipped} skipped")
    }
}

impl Counts {
    fn of(outcomes: &[Outcome]) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            match outcome.verdict {
                Verdict::Passed => counts.passed += 1,
                Verdict::Failed(_) => counts.failed += 1,
                Verdict::Skipped(_) => counts.skipped += 1,
            }
        }
        counts
    }
}

fn write_failure(out: &mut impl Write, outcome: &Outcome, failure: &Failure) -> io::Result<()> {
    writeln!(out, "FAILED  {}: {}", outcome.chapter, outcome.case)?;
    writeln!(out, "  step {}", failure.step)?;
    for line in failure.reason.lines() {
        writeln!(out, "    {line}")?;
    }
    writeln!(out, "  the last frames")?;
    for line in &failure.transcript {
        writeln!(out, "    {line}")?;
    }
    writeln!(out)
}
