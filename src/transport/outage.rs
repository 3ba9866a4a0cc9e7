//! [`Outage`]: a time in which no connection can be accepted, such as when the process has no more file descriptors.

use std::io;
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A time in which no connection can be accepted. It is logged when it begins and when it ends, not per error.
#[derive(Default)]
pub(super) struct Outage {
    errors: u32,
}

impl Outage {
    /// Notes an error. Returns the pause before the next attempt, which grows with each error.
    pub(super) fn note(&mut self, error: &io::Error) -> Duration {
        if self.errors == 0 {
            tracing::error!(
                %error,
                "cannot accept connections; if there are too many open files, raise the limit (ulimit -n) or lower \
                 --max-connections"
            );
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.errors.min(16)).min(LONGEST_PAUSE);
        self.errors = self.errors.saturating_add(1);
        pause
    }

    /// Notes that a connection was accepted.
    pub(super) fn end(&mut self) {
        if self.errors > 0 {
            tracing::info!(errors = self.errors, "connections are accepted again");
            self.errors = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    /// Counts the lines of a log.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<usize>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            *self.0.lock() += 1;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_outage_is_logged_at_its_beginning_and_end_and_pauses_grow() {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(log, || {
            let mut outage = Outage::default();
            outage.end();
            assert_eq!(*lines.0.lock(), 0);
            for _ in 0..2 {
                let pauses: Vec<_> = (0..1_000).map(|_| outage.note(&io::ErrorKind::Other.into())).collect();
                assert!(pauses.is_sorted() && pauses[0] == FIRST_PAUSE && pauses[999] == LONGEST_PAUSE);
                outage.end();
                outage.end();
            }
            assert_eq!(*lines.0.lock(), 4);
        });
    }
}
