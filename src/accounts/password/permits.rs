//! [`HashingPermits`]: bounds how many hashes are computed at once, and how many calls wait for that.
//!
//! A hash keeps a core busy for tens of milliseconds. Without a bound, many logins at once would leave no core for other
//! work. New passwords, logins and codes wait in separate lines, which take turns: sign-ups do not keep users from logging
//! in. In each line, networks take turns.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use tokio::task;

use super::HashingError;
use crate::accounts::turns::{LineBounds, RefusedTurns, Turns, Waiting};
use crate::limits::Limits;

/// What a password is hashed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::accounts) enum HashingLine {
    /// To be set: sign-ups, and changes of a password.
    NewPassword,
    /// To log in.
    Login,
    /// To be shown as a second factor.
    Code,
}

/// Where a call waits until its password is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::accounts) struct HashingPlace {
    line: HashingLine,
    network: Waiting,
}

/// The permits to compute a hash. A caller that is dropped gives up its turn.
#[derive(Debug)]
pub(super) struct HashingPermits {
    count: NonZeroUsize,
    turns: Arc<Turns<LINES>>,
}

/// The lines of calls that wait until a password is hashed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HashingLines {
    /// The number of calls in each line, with its name.
    pub(crate) waiting: [(&'static str, usize); LINES],
    pub(crate) refused: RefusedTurns,
}

const LINES: usize = 3;

impl HashingLine {
    /// Returns the place in this line of a call from a network.
    pub(in crate::accounts) const fn of(self, network: Waiting) -> HashingPlace {
        HashingPlace { line: self, network }
    }
}

impl HashingPermits {
    pub(super) fn new(count: NonZeroUsize) -> Self {
        let Limits { waiting_passwords: total, waiting_passwords_per_network: of_network, .. } = Limits::default();
        Self { count, turns: Arc::new(Turns::new(count.get(), LineBounds { total, of_network })) }
    }

    /// Returns as many permits with other bounds of their lines.
    pub(super) fn with_bounds(self, bounds: LineBounds) -> Self {
        Self { turns: Arc::new(Turns::new(self.count.get(), bounds)), ..self }
    }

    /// Returns the default number of permits: the number of cores less one, and at least one.
    pub(super) fn default_count() -> NonZeroUsize {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        NonZeroUsize::new(cores - 1).unwrap_or(NonZeroUsize::MIN)
    }

    /// Returns the lines of calls that wait.
    pub(super) fn lines(&self) -> HashingLines {
        let [new_password, login, code] = self.turns.waiting_by_line();
        let waiting = [("new_password", new_password), ("login", login), ("code", code)];
        HashingLines { waiting, refused: self.turns.refused() }
    }

    /// Runs `work` on a thread of its own once there is a permit.
    pub(super) async fn run<T, Work>(&self, place: HashingPlace, work: Work) -> Result<T, HashingError>
    where
        T: Send + 'static,
        Work: FnOnce() -> T + Send + 'static,
    {
        let turn = self.turns.wait(place.line as usize, place.network).await.map_err(|_| HashingError::Busy)?;
        // The turn moves with the work: it is held until the hash is computed, even if the caller is dropped.
        let outcome = task::spawn_blocking(move || {
            let outcome = work();
            drop(turn);
            outcome
        });
        outcome.await.map_err(|_| HashingError::Failed)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use futures::future::join_all;
    use tokio::task::yield_now;

    use super::{HashingError, HashingLine, HashingPermits, HashingPlace, LineBounds};

    const PLACE: HashingPlace = HashingLine::Login.of(None);

    fn permits(count: usize) -> Arc<HashingPermits> {
        Arc::new(HashingPermits::new(NonZeroUsize::new(count).unwrap()))
    }

    #[tokio::test]
    async fn no_more_run_at_once_than_there_are_permits() {
        let permits = permits(2);
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));

        join_all((0..20).map(|_| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            permits.run(PLACE, move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(2));
                running.fetch_sub(1, Ordering::SeqCst);
            })
        }))
        .await;

        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_caller_that_is_dropped_gives_its_permit_back() {
        let permits = permits(1);
        let (finish, finished) = mpsc::channel::<()>();
        let (first, second) = (Arc::clone(&permits), Arc::clone(&permits));
        let running = tokio::spawn(async move { first.run(PLACE, move || finished.recv()).await });
        let waiting =
            tokio::spawn(async move { second.run(PLACE, || panic!("the caller was dropped before its turn")).await });
        while permits.turns.waiting() == 0 {
            yield_now().await;
        }

        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        finish.send(()).unwrap();

        assert!(running.await.unwrap().unwrap().is_ok());
        assert_eq!(permits.run(PLACE, || 5).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn work_that_panics_fails_alone() {
        let permits = permits(1);

        assert!(permits.run(PLACE, || panic!("a fault in a hash function")).await.is_err());
        assert_eq!(permits.run(PLACE, || 5).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn a_thousand_sign_ups_leave_the_line_of_logins_free() {
        const SIGN_UP: HashingPlace = HashingLine::NewPassword.of(None);
        let permits = permits(1);
        let bounded = HashingPermits::new(permits.count).with_bounds(LineBounds { total: 500, of_network: 500 });
        let permits = Arc::new(bounded);
        let (finish, finished) = mpsc::channel::<()>();
        let first = Arc::clone(&permits);
        let running = tokio::spawn(async move { first.run(SIGN_UP, move || finished.recv()).await });
        yield_now().await;
        let ended = Arc::new(AtomicUsize::new(0));
        let refused = Arc::new(AtomicUsize::new(0));
        let sign_ups: Vec<_> = (0..1_000)
            .map(|_| {
                let (permits, ended, refused) = (Arc::clone(&permits), Arc::clone(&ended), Arc::clone(&refused));
                tokio::spawn(async move {
                    let outcome = permits.run(SIGN_UP, move || ended.fetch_add(1, Ordering::SeqCst)).await;
                    refused.fetch_add(usize::from(outcome == Err(HashingError::Busy)), Ordering::SeqCst);
                })
            })
            .collect();
        while refused.load(Ordering::SeqCst) < 500 {
            yield_now().await;
        }
        assert_eq!(permits.turns.waiting(), 500);
        let login = permits.run(PLACE, {
            let ended = Arc::clone(&ended);
            move || ended.load(Ordering::SeqCst)
        });
        let (before, ()) = futures::join!(login, async { finish.send(()).unwrap() });
        assert!(before.unwrap() <= 1, "a login waits for one sign-up at most");
        assert!(running.await.unwrap().is_ok());
        join_all(sign_ups).await;
        assert_eq!((ended.load(Ordering::SeqCst), refused.load(Ordering::SeqCst)), (500, 500));
    }
}
