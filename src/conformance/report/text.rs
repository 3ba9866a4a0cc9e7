//! Writes a report for a terminal: departures, failures with the same difference together, and a table by chapter.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::escape::visible;
use super::{Counts, Failure, Outcome, Report, Verdict};

impl Report {
    /// Writes the departures and the failures, then the table, why cases were not run, and the totals. Long frames are cut, and
    /// control characters are shown as escapes.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for outcome in &self.outcomes {
            if let Verdict::NonStrict(departures) = &outcome.verdict {
                write_departures(out, outcome, departures)?;
            }
        }
        for group in self.grouped_failures() {
            write_group(out, &group)?;
        }
        self.write_table(out)?;
        self.write_reasons(out)?;
        self.write_totals(out)
    }

    /// Returns the failures by their difference: those of the most frequent difference first, and in the order of the
    /// files otherwise.
    fn grouped_failures(&self) -> Vec<Vec<(&Outcome, &Failure)>> {
        let mut groups: Vec<Vec<(&Outcome, &Failure)>> = Vec::new();
        let mut places = BTreeMap::new();
        for (outcome, failure) in self.failures() {
            let place = *places.entry(&failure.difference).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => group.push((outcome, failure)),
                None => groups.push(vec![(outcome, failure)]),
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        groups
    }

    fn write_table(&self, out: &mut impl Write) -> io::Result<()> {
        let names = self.chapters().filter_map(|outcomes| outcomes.first());
        let width = names.map(|outcome| outcome.chapter.len()).max().unwrap_or(0).max(7);
        writeln!(out, "{:width$}  passed  non-strict  failed  known  unimplemented  skipped", "chapter")?;
        for outcomes in self.chapters() {
            let Counts { passed, non_strict, failed, known_failures, unimplemented, skipped } = Counts::of(outcomes);
            let chapter = &outcomes[0].chapter;
            write!(out, "{chapter:width$}  {passed:>6}  {non_strict:>10}  ")?;
            writeln!(out, "{failed:>6}  {known_failures:>5}  {unimplemented:>13}  {skipped:>7}")?;
        }
        Ok(())
    }

    fn write_totals(&self, out: &mut impl Write) -> io::Result<()> {
        let Counts { passed, non_strict, failed, known_failures, unimplemented, skipped } = self.counts();
        write!(out, "\n{passed} passed, {non_strict} non-strict, {failed} failed, ")?;
        if known_failures > 0 {
            write!(out, "{known_failures} failed as expected, ")?;
        }
        writeln!(out, "{unimplemented} unimplemented, {skipped} skipped")
    }

    /// Writes why cases were not run, the most frequent reason first.
    fn write_reasons(&self, out: &mut impl Write) -> io::Result<()> {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for outcome in &self.outcomes {
            if let Verdict::Unimplemented(reason) | Verdict::Skipped(reason) = &outcome.verdict {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        let mut reasons: Vec<(&str, usize)> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        if !reasons.is_empty() {
            writeln!(out, "\nnot run:")?;
        }
        reasons.iter().try_for_each(|(reason, number)| writeln!(out, "  {number:>5}  {reason}"))
    }
}

fn write_departures(out: &mut impl Write, outcome: &Outcome, departures: &[String]) -> io::Result<()> {
    writeln!(out, "NON-STRICT  {}: {}", outcome.id, outcome.case)?;
    for departure in departures {
        writeln!(out, "    {}", visible(departure))?;
    }
    writeln!(out)
}

/// Writes failures with the same difference. The last frames are written for the first of them only.
fn write_group(out: &mut impl Write, group: &[(&Outcome, &Failure)]) -> io::Result<()> {
    let Some((_, first)) = group.first() else {
        return Ok(());
    };
    let cases = if group.len() == 1 { "case differs" } else { "cases differ" };
    writeln!(out, "{} {cases} at: {}\n", group.len(), visible(&first.difference))?;
    for (outcome, failure) in group {
        writeln!(out, "FAILED  {}: {}", outcome.id, outcome.case)?;
        writeln!(out, "  source: {}", outcome.source)?;
        writeln!(out, "  step {}", failure.step)?;
        for line in failure.reason.lines() {
            writeln!(out, "    {}", visible(line))?;
        }
    }
    if !first.transcript.is_empty() {
        writeln!(out, "  the last frames{}", if group.len() == 1 { "" } else { " of the first" })?;
    }
    for frame in &first.transcript {
        writeln!(out, "    {}", visible(frame))?;
    }
    writeln!(out)
}
