//! The tasks of a node on the bus: one sends the beats that hold the lease, and one asks the store for what was missed.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::BusMember;
use super::event::BusEvent;
use super::link::Hearing;
use super::member::Member;

/// The time between two beats.
const BEAT: Duration = Duration::from_secs(1);

/// The minimum time from the beginning of one attempt to catch up to the next one, however much is missed.
const PAUSE: Duration = Duration::from_secs(1);

/// The timeout for an attempt to catch up.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The outcome of asking the store; an error is told to operators.
pub(crate) type CatchUpOutcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Has something that other nodes change, and asks the store for what this node was not told of.
pub(crate) trait CatchUp: Send + Sync + 'static {
    /// Asks the store: once for what was missed, or again and again while the node does not hear the others.
    fn catch_up(&self, hearing: Hearing) -> Pin<Box<dyn Future<Output = CatchUpOutcome> + Send + '_>>;
}

impl BusMember {
    /// Starts the tasks. They run until the app stops, or is dropped.
    pub(crate) fn watch(&self, parts: Vec<Box<dyn CatchUp>>, stopped: &CancellationToken) {
        let member = self.member();
        if member.is_lossless() {
            return;
        }
        let runtime = Handle::current();
        runtime.spawn(beat_regularly(Arc::downgrade(member), Arc::clone(&member.must_beat), stopped.clone()));
        runtime.spawn(catch_up_regularly(
            Arc::downgrade(member),
            Arc::clone(&member.must_catch_up),
            parts,
            stopped.clone(),
        ));
    }
}

async fn beat_regularly(member: Weak<Member>, must_beat: Arc<Notify>, stopped: CancellationToken) {
    while !stopped.is_cancelled() {
        // Not held while it waits: the app may be dropped without a shutdown.
        let Some(present) = member.upgrade() else { return };
        present.beat();
        present.check();
        drop(present);
        let _told_or_time = stopped.run_until_cancelled(timeout(BEAT, must_beat.notified())).await;
    }
    if let Some(member) = member.upgrade() {
        member.publish(&BusEvent::Left);
    }
}

async fn catch_up_regularly(
    member: Weak<Member>,
    must_catch_up: Arc<Notify>,
    parts: Vec<Box<dyn CatchUp>>,
    stopped: CancellationToken,
) {
    let mut has_failed = false;
    while !stopped.is_cancelled() {
        let Some(present) = member.upgrade() else { return };
        let Some((attempt, hearing)) = present.begin_to_catch_up() else {
            drop(present);
            let _told_or_time = stopped.run_until_cancelled(timeout(BEAT, must_catch_up.notified())).await;
            continue;
        };
        drop(present);
        let begun = Instant::now();
        let Some(outcome) = stopped.run_until_cancelled(catch_up(&parts, hearing)).await else { return };
        if let (Ok(()), Some(present)) = (&outcome, member.upgrade()) {
            present.caught_up(attempt);
        }
        has_failed = told(outcome, has_failed);
        // However much is missed, the store is asked once in a while.
        let _time = stopped.run_until_cancelled(sleep_until(begun + PAUSE)).await;
    }
}

/// Has all parts ask the store. One that fails does not keep the others from it.
async fn catch_up(parts: &[Box<dyn CatchUp>], hearing: Hearing) -> CatchUpOutcome {
    let all = async {
        let mut outcome = Ok(());
        for part in parts {
            outcome = part.catch_up(hearing).await.and(outcome);
        }
        outcome
    };
    timeout(TIMEOUT, all).await.unwrap_or_else(|_| Err("the store does not answer in time".into()))
}

/// Tells operators of the first of several failures. Returns whether this was one.
fn told(outcome: CatchUpOutcome, has_failed: bool) -> bool {
    match outcome {
        Ok(()) => false,
        Err(error) => {
            if !has_failed {
                tracing::error!(%error, "the store cannot be asked for what the bus has not brought; trying again every second");
            }
            true
        }
    }
}
