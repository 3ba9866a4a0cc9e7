//! Writes a record as `JUnit` XML, which CI systems show: a suite for each chapter.

use std::io::{self, Write};

use super::escape::markup;
use super::{Counts, Failure, Outcome, Record, Verdict};

impl Record {
    /// Writes the record as `JUnit` XML. Known failures and cases that were not run are skipped tests.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_junit(&self, mut out: impl Write) -> io::Result<()> {
        writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        let (name, date) = (markup(&self.subject.name), markup(&self.subject.date));
        let numbers = numbers(self.counts());
        writeln!(out, r#"<testsuites name="{name}" timestamp="{date}" {numbers}>"#)?;
        self.chapters().try_for_each(|outcomes| write_suite(&mut out, outcomes))?;
        writeln!(out, "</testsuites>")
    }
}

fn write_suite(out: &mut impl Write, outcomes: &[Outcome]) -> io::Result<()> {
    let name = outcomes.first().map_or_else(String::new, |outcome| markup(&outcome.chapter));
    writeln!(out, r#"  <testsuite name="{name}" {}>"#, numbers(Counts::of(outcomes)))?;
    outcomes.iter().try_for_each(|outcome| write_case(out, outcome))?;
    writeln!(out, "  </testsuite>")
}

fn numbers(counts: Counts) -> String {
    let skipped = counts.skipped + counts.unimplemented + counts.known_failures;
    let tests = skipped + counts.passed + counts.non_strict + counts.failed;
    format!(r#"tests="{tests}" failures="{}" errors="0" skipped="{skipped}""#, counts.failed)
}

fn write_case(out: &mut impl Write, outcome: &Outcome) -> io::Result<()> {
    let Outcome { chapter, id, case, verdict, .. } = outcome;
    write!(out, r#"    <testcase classname="{}" name="{}: {}""#, markup(chapter), markup(id), markup(case))?;
    match verdict {
        Verdict::Passed => return writeln!(out, "/>"),
        Verdict::NonStrict(departures) => {
            write!(out, "><system-out>{}</system-out>", markup(&departures.join("\n")))?;
        }
        Verdict::Failed(failure) => {
            let text = markup(&told(outcome, failure));
            write!(out, r#"><failure message="{}">{text}</failure>"#, markup(&failure.difference))?;
        }
        Verdict::KnownFailure(failure) => {
            write!(out, r#"><skipped message="known failure: {}"/>"#, markup(&failure.difference))?;
        }
        Verdict::Unimplemented(reason) | Verdict::Skipped(reason) => {
            write!(out, r#"><skipped message="{}"/>"#, markup(reason))?;
        }
    }
    writeln!(out, "</testcase>")
}

fn told(outcome: &Outcome, failure: &Failure) -> String {
    let Failure { step, reason, transcript, .. } = failure;
    let frames = transcript.join("\n");
    format!("source: {}\nstep {step}\n{reason}\nthe last frames\n{frames}", outcome.source)
}
