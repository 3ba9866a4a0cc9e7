//! [`Progress`]: on a terminal, what a command waits for.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Nothing is shown before that: most calls are quicker.
const PATIENCE: Duration = Duration::from_millis(500);

/// Shows on standard error, if it is a terminal, what is waited for and for how long. It goes away when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    hidden: Arc<AtomicBool>,
    painter: Option<tokio::task::JoinHandle<()>>,
}

impl Progress {
    pub(crate) fn of(what: String) -> Self {
        let hidden = Arc::new(AtomicBool::new(false));
        let painter = io::stderr().is_terminal().then(|| tokio::spawn(paint(what, Arc::clone(&hidden))));
        Self { hidden, painter }
    }

    /// What hides it, while something else is shown there.
    pub(crate) fn curtain(&self) -> Curtain {
        Curtain(Arc::clone(&self.hidden))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(painter) = &self.painter {
            painter.abort();
            clear();
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Curtain(Arc<AtomicBool>);

impl Curtain {
    pub(crate) fn close(&self) {
        self.0.store(true, Ordering::SeqCst);
        if io::stderr().is_terminal() {
            clear();
        }
    }

    pub(crate) fn open(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

async fn paint(what: String, hidden: Arc<AtomicBool>) {
    let since = Instant::now();
    tokio::time::sleep(PATIENCE).await;
    loop {
        if !hidden.load(Ordering::SeqCst) {
            let mut errors = io::stderr().lock();
            let _closed = write!(errors, "\r\x1b[2K{what} … {} s", since.elapsed().as_secs());
            let _closed = errors.flush();
        }
        tokio::time::sleep(PATIENCE).await;
    }
}

fn clear() {
    let mut errors = io::stderr().lock();
    let _closed = write!(errors, "\r\x1b[2K");
    let _closed = errors.flush();
}
