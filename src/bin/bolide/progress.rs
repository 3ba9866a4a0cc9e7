//! [`Progress`] and [`Transfer`]: show on a terminal what a command waits for.

use std::io::{self, Read, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

/// The delay before the progress is shown: most calls are faster.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the shown time is updated.
const INTERVAL: Duration = Duration::from_secs(1);

/// Shows on standard error, if that is a terminal, what the command waits for and for how long. Dropping it removes it
/// from the terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    start: JoinHandle<()>,
}

impl Progress {
    pub(crate) fn of(what: String) -> Self {
        let style = ProgressStyle::with_template("{msg} … {elapsed}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::no_length().with_style(style).with_message(what);
        let waiting = bar.clone();
        let start = tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            waiting.enable_steady_tick(INTERVAL);
        });
        Self { bar, start }
    }

    /// Returns a curtain, which hides the progress while something else is shown on the terminal.
    pub(crate) fn curtain(&self) -> Curtain {
        Curtain(self.bar.clone())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.start.abort();
        self.bar.finish_and_clear();
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Curtain(ProgressBar);

impl Curtain {
    /// Removes the progress from the terminal.
    pub(crate) fn close(&self) {
        // A finished bar is not drawn, even if its delay ends now.
        self.0.finish_and_clear();
    }

    /// Shows the progress again, with a time that starts at zero.
    pub(crate) fn open(&self) {
        self.0.reset();
        self.0.enable_steady_tick(INTERVAL);
    }
}

/// Shows on standard error, if that is a terminal, how far an import or export is. Dropping it removes it from the
/// terminal.
#[derive(Clone, Debug)]
pub(crate) struct Transfer(ProgressBar);

impl Transfer {
    /// Creates a bar for a number of bytes, or without an end if it is not known.
    pub(crate) fn of_bytes(bytes: Option<u64>) -> Self {
        Self::new(bytes, "[{bar:30}] {bytes} of {total_bytes}, {msg}, {eta} left", "{bytes}, {msg}, {elapsed}")
    }

    /// Creates a bar that is not shown.
    pub(crate) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// Creates a bar for a number of documents.
    pub(crate) fn of_documents(documents: u64) -> Self {
        Self::new(Some(documents), "[{bar:30}] {pos} of {len} documents, {eta} left", "")
    }

    /// Shows a description only, for a number of rows that is not known.
    pub(crate) fn of_rows() -> Self {
        Self::new(None, "", "{msg}, {elapsed}")
    }

    /// Creates a bar for a number of conformance cases.
    pub(crate) fn of_cases(cases: usize) -> Self {
        let cases = u64::try_from(cases).unwrap_or(u64::MAX);
        Self::new(Some(cases), "[{bar:30}] {pos} of {len} cases{msg}, {elapsed}", "")
    }

    fn new(length: Option<u64>, with_end: &str, without: &str) -> Self {
        let (bar, template) = match length {
            Some(length) => (ProgressBar::new(length), with_end),
            None => (ProgressBar::no_length(), without),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(bar.with_style(style.progress_chars("=> ")))
    }

    /// Counts what is read from `input`.
    pub(crate) fn count<Input: Read>(&self, input: Input) -> impl Read + use<Input> {
        self.0.wrap_read(input)
    }

    /// Sets how far it is.
    pub(crate) fn at(&self, position: u64, of: u64) {
        self.0.set_length(of);
        self.0.set_position(position);
    }

    pub(crate) fn advance(&self, by: u64) {
        self.0.inc(by);
    }

    pub(crate) fn describe(&self, message: String) {
        self.0.set_message(message);
    }

    /// Prints a line to standard error, above the bar.
    pub(crate) fn print(&self, line: &str) -> io::Result<()> {
        self.0.suspend(|| writeln!(io::stderr(), "{line}"))
    }

    /// Removes the bar from the terminal.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
