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
    /// The id of the case, such as `methods/12`.
    pub id: String,
    /// The name of the case.
    pub case: String,
    /// The source of the rule.
    pub source: String,
    /// Whether the case passed.
    pub verdict: Verdict,
}

/// Whether a case passed, failed or was not run.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The server follows the rule.
    Passed,
    /// The server follows the rule, but departs in these ways from what is recommended.
    NonStrict(Vec<String>),
    /// The case was not run, because the server does not have what it is about, for this reason.
    Unimplemented(String),
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

/// The numbers of cases by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of cases that passed, without those that passed in a non-strict way.
    pub passed: usize,
    /// The number of cases that passed in a way that is allowed, but not recommended.
    pub non_strict: usize,
    /// The number of cases that failed.
    pub failed: usize,
    /// The number of cases about something that the server does not have.
    pub unimplemented: usize,
    /// The number of cases that were not selected.
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
        counts.failed == 0 && counts.passed + counts.non_strict > 0
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

    /// Returns the numbers of cases by verdict.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::of(&self.outcomes)
    }

    /// Writes the departures and the failures, then the table.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for outcome in &self.outcomes {
            match &outcome.verdict {
                Verdict::NonStrict(departures) => write_departures(out, outcome, departures)?,
                Verdict::Failed(failure) => write_failure(out, outcome, failure)?,
                Verdict::Passed | Verdict::Unimplemented(_) | Verdict::Skipped(_) => {}
            }
        }
        self.write_table(out)
    }

    fn write_table(&self, out: &mut impl Write) -> io::Result<()> {
        let chapters: Vec<&[Outcome]> = self.outcomes.chunk_by(|one, next| one.chapter == next.chapter).collect();
        let names = chapters.iter().filter_map(|outcomes| outcomes.first());
        let width = names.map(|outcome| outcome.chapter.len()).max().unwrap_or(0).max(7);
        writeln!(out, "{:width$}  passed  non-strict  failed  unimplemented  skipped", "chapter")?;
        for outcomes in chapters {
            let Counts { passed, non_strict, failed, unimplemented, skipped } = Counts::of(outcomes);
            let chapter = &outcomes[0].chapter;
            write!(out, "{chapter:width$}  {passed:>6}  {non_strict:>10}  ")?;
            writeln!(out, "{failed:>6}  {unimplemented:>13}  {skipped:>7}")?;
        }
        let Counts { passed, non_strict, failed, unimplemented, skipped } = self.counts();
        write!(out, "\n{passed} passed, {non_strict} non-strict, ")?;
        writeln!(out, "{failed} failed, {unimplemented} unimplemented, {skipped} skipped")
    }
}

impl Counts {
    fn of(outcomes: &[Outcome]) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            match outcome.verdict {
                Verdict::Passed => counts.passed += 1,
                Verdict::NonStrict(_) => counts.non_strict += 1,
                Verdict::Unimplemented(_) => counts.unimplemented += 1,
                Verdict::Failed(_) => counts.failed += 1,
                Verdict::Skipped(_) => counts.skipped += 1,
            }
        }
        counts
    }
}

fn write_departures(out: &mut impl Write, outcome: &Outcome, departures: &[String]) -> io::Result<()> {
    writeln!(out, "NON-STRICT  {}: {}", outcome.id, outcome.case)?;
    for departure in departures {
        writeln!(out, "    {departure}")?;
    }
    writeln!(out)
}

fn write_failure(out: &mut impl Write, outcome: &Outcome, failure: &Failure) -> io::Result<()> {
    writeln!(out, "FAILED  {}: {}", outcome.id, outcome.case)?;
    writeln!(out, "  source: {}", outcome.source)?;
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
