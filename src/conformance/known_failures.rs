//! [`KnownFailures`]: the cases that are expected to fail, so that a run tells only what has changed.

use std::collections::BTreeMap;
use std::path::Path;

use super::case::Chapter;
use super::report::{Failure, Verdict};
use super::selection::{UnknownName, check_id};

/// Cases that are expected to fail. One that passes is a failure too: it must be removed from the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownFailures {
    /// The ids of the cases, with the remarks about them.
    remarks: BTreeMap<String, String>,
}

/// The error if a list of known failures cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KnownFailuresError {
    /// The file cannot be read.
    #[error("cannot read the known failures in {file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A case is listed twice.
    #[error("line {line} of the known failures lists `{id}` again")]
    Repeated {
        /// The number of the line, from 1.
        line: usize,
        /// The id of the case.
        id: String,
    },
    /// A case does not exist.
    #[error("a known failure: {0}")]
    Unknown(#[from] UnknownName),
}

impl KnownFailures {
    /// Reads a file of known failures.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or lists a case twice.
    pub fn from_file(path: &Path) -> Result<Self, KnownFailuresError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| KnownFailuresError::Unreadable { file: path.display().to_string(), source })?;
        Self::parse(&text)
    }

    /// Reads known failures: the id of a case on each line, and optionally a remark after it. Empty lines are ignored,
    /// and everything after `#`.
    ///
    /// # Errors
    /// Returns an error if a case is listed twice.
    pub fn parse(text: &str) -> Result<Self, KnownFailuresError> {
        let mut remarks = BTreeMap::new();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.split('#').next().unwrap_or_default().trim();
            let (id, remark) = content.split_once(char::is_whitespace).unwrap_or((content, ""));
            if !id.is_empty() && remarks.insert(id.to_owned(), remark.trim().to_owned()).is_some() {
                return Err(KnownFailuresError::Repeated { line, id: id.to_owned() });
            }
        }
        Ok(Self { remarks })
    }

    /// Checks that all listed cases occur in `book`.
    ///
    /// # Errors
    /// Returns an error that suggests the nearest id if one does not occur.
    pub fn check(&self, book: &[Chapter]) -> Result<(), KnownFailuresError> {
        Ok(self.remarks.keys().try_for_each(|id| check_id(id, book))?)
    }

    /// Returns what the verdict about a case means if it may be expected to fail.
    pub(crate) fn judge(&self, id: &str, verdict: Verdict) -> Verdict {
        match (self.remarks.get(id), verdict) {
            (Some(_), Verdict::Failed(failure)) => Verdict::KnownFailure(failure),
            (Some(remark), Verdict::Passed | Verdict::NonStrict(_)) => Verdict::Failed(passes(remark)),
            (_, verdict) => verdict,
        }
    }
}

fn passes(remark: &str) -> Failure {
    let remark = if remark.is_empty() { String::new() } else { format!(" ({remark})") };
    Failure {
        step: "the end".into(),
        reason: format!("the case passes, but is listed as a known failure{remark}\nremove it from the list"),
        difference: "passes, but is listed as a known failure".into(),
        transcript: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::KnownFailures;

    #[test]
    fn a_list_has_ids_with_remarks_and_comments() {
        let list = KnownFailures::parse("# why\n\nmethods/1\nerrors/2  since 3.1 # a note\n").unwrap();
        assert_eq!(list.remarks.keys().collect::<Vec<_>>(), ["errors/2", "methods/1"]);
        assert_eq!(list.remarks["errors/2"], "since 3.1");
        let error = KnownFailures::parse("a/1\na/1").unwrap_err();
        assert_eq!(error.to_string(), "line 2 of the known failures lists `a/1` again");
    }
}
