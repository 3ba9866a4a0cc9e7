//! [`HashingPool`]: the few threads on which hashes are computed.
//!
//! A hash keeps a core busy for tens of milliseconds. Were as many computed at once as log-ins come in, the server would
//! have no core left for anybody else.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use tokio::sync::Semaphore;
use tokio::task;

use super::HashingError;

/// So many hashes are computed at once. Who waits is served in order, and leaves its place when it is dropped.
#[derive(Debug)]
pub(super) struct HashingPool {
    places: Arc<Semaphore>,
}

impl HashingPool {
    pub(super) fn new(places: NonZeroUsize) -> Self {
        Self { places: Arc::new(Semaphore::new(places.get())) }
    }

    /// All cores but one, which is left to everybody else.
    pub(super) fn default_places() -> NonZeroUsize {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        NonZeroUsize::new(cores - 1).unwrap_or(NonZeroUsize::MIN)
    }

    /// Runs `work` on a thread of its own, when there is a place.
    pub(super) async fn run<T, Work>(&self, work: Work) -> Result<T, HashingError>
    where
        T: Send + 'static,
        Work: FnOnce() -> T + Send + 'static,
    {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| HashingError)?;
        // The place goes with the work: it is taken until the hash is computed, also if nobody waits for it any more.
        let outcome = task::spawn_blocking(move || {
            let outcome = work();
            drop(place);
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

    use super::HashingPool;

    fn pool(places: usize) -> Arc<HashingPool> {
        Arc::new(HashingPool::new(NonZeroUsize::new(places).unwrap()))
    }

    #[tokio::test]
    async fn no_more_run_at_once_than_there_are_places() {
        let pool = pool(2);
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));

        join_all((0..20).map(|_| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            pool.run(move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(2));
                running.fetch_sub(1, Ordering::SeqCst);
            })
        }))
        .await;

        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_gives_its_place_back() {
        let pool = pool(1);
        let (finish, finished) = mpsc::channel::<()>();
        let (first, second) = (Arc::clone(&pool), Arc::clone(&pool));
        let running = tokio::spawn(async move { first.run(move || finished.recv()).await });
        let waiting = tokio::spawn(async move { second.run(|| panic!("nobody waits for this")).await });
        while pool.places.available_permits() > 0 {
            yield_now().await;
        }

        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        finish.send(()).unwrap();

        assert!(running.await.unwrap().unwrap().is_ok());
        assert_eq!(pool.run(|| 5).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn work_that_panics_fails_alone() {
        let pool = pool(1);

        assert!(pool.run(|| panic!("a fault in a hash function")).await.is_err());
        assert_eq!(pool.run(|| 5).await.unwrap(), 5);
    }
}
