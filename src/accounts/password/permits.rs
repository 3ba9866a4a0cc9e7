//! [`HashingPermits`]: a semaphore that bounds how many hashes are computed at once.
//!
//! A hash keeps a core busy for tens of milliseconds. Without a bound, many logins at once would leave no core for other
//! work.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use tokio::sync::Semaphore;
use tokio::task;

use super::HashingError;

/// The permits to compute a hash. Callers are served in order; one that is dropped gives up its turn.
#[derive(Debug)]
pub(super) struct HashingPermits {
    semaphore: Arc<Semaphore>,
}

impl HashingPermits {
    pub(super) fn new(count: NonZeroUsize) -> Self {
        Self { semaphore: Arc::new(Semaphore::new(count.get())) }
    }

    /// Returns the default number of permits: the number of cores less one, and at least one.
    pub(super) fn default_count() -> NonZeroUsize {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        NonZeroUsize::new(cores - 1).unwrap_or(NonZeroUsize::MIN)
    }

    /// Runs `work` on a thread of its own once there is a permit.
    pub(super) async fn run<T, Work>(&self, work: Work) -> Result<T, HashingError>
    where
        T: Send + 'static,
        Work: FnOnce() -> T + Send + 'static,
    {
        let permit = Arc::clone(&self.semaphore).acquire_owned().await.map_err(|_| HashingError)?;
        // The permit moves with the work: it is held until the hash is computed, even if the caller is dropped.
        let outcome = task::spawn_blocking(move || {
            let outcome = work();
            drop(permit);
            outcome
        });
        outcome.await.map_err(|_| HashingError)
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

    use super::HashingPermits;

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
            permits.run(move || {
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
        let running = tokio::spawn(async move { first.run(move || finished.recv()).await });
        let waiting =
            tokio::spawn(async move { second.run(|| panic!("the caller was dropped before its turn")).await });
        while permits.semaphore.available_permits() > 0 {
            yield_now().await;
        }

        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        finish.send(()).unwrap();

        assert!(running.await.unwrap().unwrap().is_ok());
        assert_eq!(permits.run(|| 5).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn work_that_panics_fails_alone() {
        let permits = permits(1);

        assert!(permits.run(|| panic!("a fault in a hash function")).await.is_err());
        assert_eq!(permits.run(|| 5).await.unwrap(), 5);
    }
}
