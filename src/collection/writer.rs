//! [`Writer`]: the queue of writes to a store. Writes that wait together are one transaction, so that many writers share
//! the time of a disk.
//!
//! The transaction locks the heads of the collections, reads the documents, and writes what the steps make of them. So two
//! writers of one document lose nothing, and the numbers of changes have no gaps.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::catch_up::{QUESTION, catch_up, catch_up_soon};
use super::core::CollectionCore;
use super::delivery::Delivery;
use super::draft::Draft;
use super::edit::{Outcome, Step};
use super::error::CollectionError;
use super::indexing::IndexJob;
use super::storage::{DocumentStore, StorageError};
use super::stored::{Opened, unavailable};

/// The maximum number of jobs in one transaction.
const JOBS_AT_ONCE: usize = 256;

/// The maximum number of steps in one transaction. A job with more has its own.
const STEPS_AT_ONCE: usize = 1_024;

/// The maximum number of steps that wait for the store. Further jobs are refused.
const WAITING_STEPS: usize = 20_000;

pub(super) struct Writer {
    store: Arc<dyn DocumentStore>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// The number of steps of these jobs.
    waiting_steps: usize,
    is_running: bool,
}

/// Steps that are made together or not at all.
struct Job {
    work: Work,
    answer: oneshot::Sender<Result<Done, CollectionError>>,
}

enum Work {
    Steps(Vec<(Arc<CollectionCore>, Step)>),
    Index(IndexJob),
    /// Tells the live queries of a collection of changes that they were not told of.
    CatchUp(Arc<CollectionCore>),
}

/// Why a transaction has failed.
enum Failure {
    /// Nothing is written.
    Nothing(StorageError),
    /// The store has failed in the commit, so that it may be written.
    Unknown(StorageError),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Nothing(error)
    }
}

/// What a job did.
#[derive(Default)]
pub(super) struct Done {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) delivery: Delivery,
    /// The id after which the next part of an index is built, or `None` at its end.
    pub(super) next: Option<String>,
}

impl Writer {
    pub(super) fn new(store: Arc<dyn DocumentStore>) -> Arc<Self> {
        Arc::new(Self { store, queue: Mutex::default() })
    }

    /// Makes steps as one write. Returns when they are stored, and the live queries have been updated.
    pub(super) async fn write(
        self: &Arc<Self>,
        steps: Vec<(Arc<CollectionCore>, Step)>,
    ) -> Result<Vec<Outcome>, CollectionError> {
        let Some((first, _)) = steps.first() else { return Ok(Vec::new()) };
        let first = Arc::clone(first);
        let done = self.run_job(&first, Work::Steps(steps)).await?;
        done.delivery.deliver_and_wait().await;
        Ok(done.outcomes)
    }

    /// Builds a part of an index. Returns the id after which to continue, or `None` at the end.
    pub(super) async fn build(self: &Arc<Self>, job: IndexJob) -> Result<Option<String>, CollectionError> {
        let core = Arc::clone(&job.core);
        Ok(self.run_job(&core, Work::Index(job)).await?.next)
    }

    /// Tells the live queries of a collection of all changes in the store.
    pub(super) async fn catch_up(self: &Arc<Self>, core: &Arc<CollectionCore>) -> Result<(), CollectionError> {
        self.run_job(core, Work::CatchUp(Arc::clone(core))).await.map(drop)
    }

    async fn run_job(self: &Arc<Self>, core: &CollectionCore, work: Work) -> Result<Done, CollectionError> {
        let refused = |reason: String| unavailable(core, &StorageError::Failed(reason));
        let Ok(runtime) = Handle::try_current() else {
            return Err(refused("a stored collection is written in a tokio runtime".to_owned()));
        };
        let (answer, answered) = oneshot::channel();
        let begins = {
            let mut queue = self.queue.lock();
            if queue.waiting_steps + work.size() > WAITING_STEPS && !queue.jobs.is_empty() {
                return Err(refused(format!("{WAITING_STEPS} writes wait for the store, which is the maximum")));
            }
            queue.waiting_steps += work.size();
            queue.jobs.push_back(Job { work, answer });
            !std::mem::replace(&mut queue.is_running, true)
        };
        // Outside the lock: a runtime that shuts down drops the task at once.
        if begins {
            runtime.spawn(run(Running { writer: Arc::clone(self), has_ended: false }));
        }
        let lost = || unavailable(core, &StorageError::Unknown("it was interrupted".to_owned()));
        answered.await.map_err(|_lost| lost())?
    }

    fn next_jobs(&self) -> Vec<Job> {
        let mut queue = self.queue.lock();
        let mut jobs: Vec<Job> = Vec::new();
        let mut steps = 0;
        while let Some(job) = queue.jobs.front() {
            steps += job.work.size();
            // The part of an index is read from the store, so other steps must not wait in the same transaction.
            let is_apart = !job.work.is_steps() || jobs.last().is_some_and(|last| !last.work.is_steps());
            if jobs.len() == JOBS_AT_ONCE || (!jobs.is_empty() && (is_apart || steps > STEPS_AT_ONCE)) {
                break;
            }
            jobs.extend(queue.jobs.pop_front());
        }
        queue.waiting_steps -= jobs.iter().map(|job| job.work.size()).sum::<usize>();
        queue.is_running = !jobs.is_empty();
        jobs
    }

    async fn commit(self: &Arc<Self>, jobs: Vec<Job>) {
        let (opened, jobs) = open_all(jobs).await;
        if jobs.is_empty() {
            return;
        }
        if jobs.iter().all(|job| matches!(job.work, Work::CatchUp(_))) {
            return self.answer_caught_up(&opened, jobs).await;
        }
        match self.try_commit(&opened, &jobs).await {
            Ok((draft, results)) => {
                let deliveries = draft.publish(jobs.len());
                for ((job, result), delivery) in jobs.into_iter().zip(results).zip(deliveries) {
                    let result = result.map(|Made { outcomes, next }| Done { outcomes, delivery, next });
                    // A caller that has gone away does not want the answer. The delivery is made when it is dropped.
                    drop(job.answer.send(result));
                }
            }
            Err(Failure::Nothing(error)) => refuse(jobs, &error),
            Err(Failure::Unknown(error)) => {
                for (core, _) in &opened {
                    catch_up_soon(self, core);
                }
                refuse(jobs, &error);
            }
        }
    }

    async fn try_commit(
        &self,
        opened: &[(Arc<CollectionCore>, Arc<Opened>)],
        jobs: &[Job],
    ) -> Result<(Draft, Vec<Result<Made, CollectionError>>), Failure> {
        let mut numbers: Vec<_> = opened.iter().map(|(_, opened)| opened.number).collect();
        numbers.sort_unstable();
        let mut writing = self.store.write(numbers).await?;
        let mut draft = Draft::begin(opened, &mut *writing).await?;
        let steps = jobs.iter().flat_map(|job| job.work.steps());
        draft.read(steps, &mut *writing).await?;
        let mut results = Vec::with_capacity(jobs.len());
        for (place, job) in jobs.iter().enumerate() {
            results.push(match &job.work {
                Work::Steps(steps) => {
                    let outcomes = draft.make(place, steps, &mut *writing).await?;
                    outcomes.map(|outcomes| Made { outcomes, next: None })
                }
                Work::Index(index) => {
                    let next = draft.index(index, &mut *writing).await?;
                    next.map(|next| Made { outcomes: Vec::new(), next })
                }
                // The changes were read when the transaction began.
                Work::CatchUp(_) => Ok(Made { outcomes: Vec::new(), next: None }),
            });
        }
        let batch = draft.batch();
        writing.put(batch).await?;
        writing.commit().await.map_err(Failure::Unknown)?;
        Ok((draft, results))
    }

    /// Catches up without a transaction that writes: a full disk can still be read.
    async fn answer_caught_up(&self, opened: &[(Arc<CollectionCore>, Arc<Opened>)], jobs: Vec<Job>) {
        match self.read_missed(opened).await {
            Ok(()) => {
                for job in jobs {
                    drop(job.answer.send(Ok(Done::default())));
                }
            }
            Err(error) => refuse(jobs, &error),
        }
    }

    async fn read_missed(&self, opened: &[(Arc<CollectionCore>, Arc<Opened>)]) -> Result<(), StorageError> {
        let mut reader = self.store.read().await?;
        for (core, opened) in opened {
            let head = timeout(QUESTION, reader.head(opened.number)).await;
            let head = head.map_err(|_elapsed| StorageError::Failed("it does not answer".to_owned()))??;
            catch_up(core, opened, &mut *reader, head).await?;
        }
        Ok(())
    }
}

fn refuse(jobs: Vec<Job>, error: &StorageError) {
    for job in jobs {
        let error = unavailable(job.work.core(), error);
        drop(job.answer.send(Err(error)));
    }
}

/// What a job has made in the transaction.
struct Made {
    outcomes: Vec<Outcome>,
    next: Option<String>,
}

/// The task that works through the queue. If it panics, the next write starts another one.
struct Running {
    writer: Arc<Writer>,
    /// Whether the queue was empty at last, so that another task may run by now.
    has_ended: bool,
}

async fn run(mut running: Running) {
    loop {
        let jobs = running.writer.next_jobs();
        if jobs.is_empty() {
            running.has_ended = true;
            return;
        }
        running.writer.commit(jobs).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let mut queue = self.writer.queue.lock();
        queue.is_running = false;
        // Their callers are told that the writes were interrupted.
        queue.jobs.clear();
        queue.waiting_steps = 0;
    }
}

impl Work {
    fn steps(&self) -> &[(Arc<CollectionCore>, Step)] {
        match self {
            Self::Steps(steps) => steps,
            Self::Index(_) | Self::CatchUp(_) => &[],
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Steps(steps) => steps.len(),
            Self::Index(_) | Self::CatchUp(_) => 1,
        }
    }

    const fn is_steps(&self) -> bool {
        matches!(self, Self::Steps(_))
    }

    /// Returns the first collection.
    fn core(&self) -> &CollectionCore {
        match self {
            Self::Steps(steps) => &steps[0].0,
            Self::Index(job) => &job.core,
            Self::CatchUp(core) => core,
        }
    }

    fn cores(&self) -> Vec<&Arc<CollectionCore>> {
        match self {
            Self::Steps(steps) => steps.iter().map(|(core, _)| core).collect(),
            Self::Index(job) => vec![&job.core],
            Self::CatchUp(core) => vec![core],
        }
    }
}

/// Opens the collections of all jobs. Answers those jobs whose collections cannot be opened, and returns the others.
async fn open_all(jobs: Vec<Job>) -> (Vec<(Arc<CollectionCore>, Arc<Opened>)>, Vec<Job>) {
    let mut opened: Vec<(Arc<CollectionCore>, Arc<Opened>)> = Vec::new();
    let mut failed: HashMap<usize, CollectionError> = HashMap::new();
    let address = |core: &Arc<CollectionCore>| Arc::as_ptr(core).addr();
    for core in jobs.iter().flat_map(|job| job.work.cores()) {
        let is_known = failed.contains_key(&address(core)) || opened.iter().any(|(known, _)| Arc::ptr_eq(known, core));
        let Some(stored) = core.store().filter(|_| !is_known) else { continue };
        match stored.open(core).await {
            Ok(of_core) => opened.push((Arc::clone(core), Arc::clone(of_core))),
            Err(error) => drop(failed.insert(address(core), error)),
        }
    }
    if failed.is_empty() {
        return (opened, jobs);
    }
    let mut others = Vec::new();
    for job in jobs {
        let error = job.work.cores().into_iter().find_map(|core| failed.get(&address(core)).cloned());
        match error {
            Some(error) => drop(job.answer.send(Err(error))),
            None => others.push(job),
        }
    }
    (opened, others)
}
