//! [`Report`]: what a check has found.

use std::io::{self, Write as _};

/// The findings of a check, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

#[derive(Debug, serde::Serialize)]
struct Finding {
    check: &'static str,
    level: Level,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warning,
    Problem,
}

impl Report {
    pub(super) fn ok(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(check, Level::Ok, text.into());
    }

    /// Adds what an operator may want to change. The server works.
    pub(super) fn warning(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(check, Level::Warning, text.into());
    }

    /// Adds what keeps the server, or a part of it, from working.
    pub(super) fn problem(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(check, Level::Problem, text.into());
    }

    fn add(&mut self, check: &'static str, level: Level, text: String) {
        self.0.push(Finding { check, level, text });
    }

    pub(super) fn problems(&self) -> usize {
        self.0.iter().filter(|finding| finding.level == Level::Problem).count()
    }

    /// Prints a line for each finding, or a JSON array.
    pub(super) fn print(&self, as_json: bool) -> io::Result<()> {
        let mut output = io::stdout().lock();
        if as_json {
            return writeln!(output, "{}", serde_json::to_string_pretty(&self.0)?);
        }
        self.0.iter().try_for_each(|Finding { check, level, text }| {
            // An error of a server may have several lines.
            let text = text.replace(char::is_control, " ");
            writeln!(output, "{:<8} {check:<12} {text}", level.name())
        })
    }
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "PROBLEM",
        }
    }
}
