//! `--list`: the selected cases.

use std::io::{self, Write as _};

use bolide::conformance::{Capability, Chapter, Options};

/// Prints a line for each selected case: id, level, name, needed capabilities, and why it would be skipped.
pub(super) fn print(book: &[Chapter], options: &Options) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let width = options.selected(book).map(|(_, case)| case.id.len()).max().unwrap_or(0);
    for (_, case) in options.selected(book) {
        write!(out, "{:width$}  {:10}  {}", case.id, case.level.name(), case.name)?;
        let needed: Vec<&str> = case.capabilities.iter().map(|capability: &Capability| capability.name()).collect();
        if !needed.is_empty() {
            write!(out, " [{}]", needed.join(", "))?;
        }
        match options.reason_to_skip(case) {
            Some(reason) => writeln!(out, " (skipped: {reason})")?,
            None => writeln!(out)?,
        }
    }
    out.flush()
}
