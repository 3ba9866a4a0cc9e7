//! [`Progress`]: shows on a terminal what a command waits for.

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
