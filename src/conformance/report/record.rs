//! [`Record`]: a report with what was tested, as a file of JSON.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Counts, Outcome, Report};
use crate::conformance::level::Level;

/// The version of the files. Files of other versions are not read.
const FORMAT: u32 = 1;

/// A report, and what was tested.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    format: u32,
    /// The version of Bolide whose runner and cases were used.
    pub(super) runner: String,
    /// What was tested.
    pub subject: Subject,
    #[serde(skip_deserializing)]
    counts: Counts,
    pub(super) outcomes: Vec<Outcome>,
}

/// What was tested, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// The name of the server, such as `Meteor 3.5`.
    pub name: String,
    /// The address at which it was tested.
    pub address: String,
    /// The transport, such as `websocket`.
    pub transport: String,
    /// The level of the run.
    pub level: Level,
    /// When the run ended, in ISO 8601 form.
    pub date: String,
}

/// The error if a file does not contain a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read.
    #[error("cannot read {file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file has another form.
    #[error("{file} is not a report of `bolide conformance --json`: {reason}")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

impl Record {
    /// Creates a record of a report.
    #[must_use]
    pub fn new(report: &Report, subject: Subject) -> Self {
        let (runner, outcomes) = (env!("CARGO_PKG_VERSION").to_owned(), report.outcomes.clone());
        Self { format: FORMAT, runner, subject, counts: report.counts(), outcomes }
    }

    /// Reads a file that [`write_json`](Self::write_json) has written.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, has another form, or was written by a version with another one.
    pub fn from_file(path: &Path) -> Result<Self, RecordError> {
        let file = || path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| RecordError::Unreadable { file: file(), source })?;
        Self::parse(&text).map_err(|reason| RecordError::Malformed { file: file(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut record: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if record.format != FORMAT {
            return Err(format!("its format is {}, and this version reads format {FORMAT}", record.format));
        }
        record.counts = Counts::of(&record.outcomes);
        Ok(record)
    }

    /// Writes the record as JSON.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_json(&self, mut out: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut out, self)?;
        writeln!(out)
    }

    /// Returns the numbers of cases by verdict.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns the outcomes of each chapter, in the order of the files.
    pub(super) fn chapters(&self) -> impl Iterator<Item = &[Outcome]> {
        self.outcomes.chunk_by(|one, next| one.chapter == next.chapter)
    }
}
