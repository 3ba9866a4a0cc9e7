//! [`Follower`]: brings the changes of other nodes to the live queries of this one.
//!
//! A store that several nodes share gives hints, which may be lost; so the heads of all collections are read every second
//! as well. The writer reads and tells what is missing. When the heads were last known tells whether the node is behind.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::catch_up::QUESTION;
use super::core::CollectionCore;
use super::error::CollectionError;
use super::storage::{CollectionNumber, Hint, Hints, StorageError};
use super::stored::StoreLink;

/// The time between two looks at the heads.
const LOOK: Duration = Duration::from_secs(1);

/// How long ago a node may last have had all changes, and still be sent clients. It is the timeout for catching up as well.
const MAX_BEHIND: Duration = Duration::from_secs(5);

/// The number of looks in a row, each of which found a change without a hint, after which hints are asked for
/// again: their connection may be dead without having ended.
const DEAF_LOOKS: u32 = 3;

/// The collections of a store that are followed.
#[derive(Default)]
pub(super) struct Follower(Mutex<Followed>);

#[derive(Default)]
struct Followed {
    collections: HashMap<CollectionNumber, Weak<CollectionCore>>,
    is_running: bool,
    /// Whether other nodes can write to the store.
    is_shared: bool,
    /// When this node last had all changes. `None` if no collection is followed.
    current_at: Option<Instant>,
}

impl Follower {
    /// Follows a collection that was opened. Called within a runtime.
    pub(super) fn add(&self, number: CollectionNumber, core: &Arc<CollectionCore>, link: &Arc<StoreLink>) {
        let mut followed = self.0.lock();
        followed.collections.insert(number, Arc::downgrade(core));
        if !std::mem::replace(&mut followed.is_running, true) {
            // A collection is read when it is opened.
            followed.current_at = Some(Instant::now());
            tokio::spawn(follow(Arc::downgrade(link)));
        }
    }

    /// Returns whether other nodes can write to the store.
    pub(super) fn is_shared(&self) -> bool {
        self.0.lock().is_shared
    }

    /// Returns whether other nodes may have made changes more than five seconds ago that live queries were not told of.
    pub(super) fn is_behind(&self) -> bool {
        self.0.lock().current_at.is_some_and(|at| at.elapsed() > MAX_BEHIND)
    }

    /// Notes that live queries were told of all changes until a moment. `None`: no other node can make changes.
    fn note_current(&self, at: Option<Instant>) {
        self.0.lock().current_at = at;
    }

    fn get(&self, number: CollectionNumber) -> Option<Arc<CollectionCore>> {
        self.0.lock().collections.get(&number)?.upgrade()
    }
}

/// What the follower is told.
enum Told {
    Hint(Hint),
    /// The connection was lost, and hints with it.
    Gap,
    /// It is time to look at the heads.
    Time,
}

/// Follows until the store is no longer used, or cannot be written by others.
async fn follow(link: Weak<StoreLink>) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut state = State { hints: None, unannounced: 0, has_failed: false };
    loop {
        let told = tokio::select! {
            hint = next_of(&mut state.hints) => hint.map_or(Told::Gap, Told::Hint),
            _ = looks.tick() => Told::Time,
        };
        let Some(link) = link.upgrade() else { return };
        match state.take(&link, told).await {
            Ok(Goes::On) => state.note_success(),
            Ok(Goes::Home) => return link.follower.note_current(None),
            Err(error) => state.note_failure(&error),
        }
    }
}

/// Waits for a hint, and for ever if there are none now.
async fn next_of(hints: &mut Option<Box<dyn Hints>>) -> Option<Hint> {
    match hints {
        Some(hints) => hints.next().await,
        None => std::future::pending().await,
    }
}

enum Goes {
    On,
    /// No other node writes to the store.
    Home,
}

struct State {
    hints: Option<Box<dyn Hints>>,
    /// The number of looks in a row that have found a change without a hint.
    unannounced: u32,
    has_failed: bool,
}

impl State {
    async fn take(&mut self, link: &StoreLink, told: Told) -> Result<Goes, FollowError> {
        if self.hints.is_none() {
            match asked(link.store.listen()).await {
                Ok(Some(hints)) => {
                    link.follower.0.lock().is_shared = true;
                    self.hints = Some(hints);
                }
                Ok(None) => return Ok(Goes::Home),
                Err(error) => {
                    // The heads tell as well, only later.
                    look(link).await?;
                    return Err(error);
                }
            }
        }
        match told {
            Told::Hint(hint) => {
                self.unannounced = 0;
                if let Some(core) = link.follower.get(hint.collection) {
                    catch_up(link, &core, hint.version).await?;
                }
            }
            // The heads are looked at when it is listened again, so that nothing is missed in between.
            Told::Gap => self.hints = None,
            Told::Time => {
                let found = look(link).await;
                if found.is_err() {
                    // The connection that hints come by may be dead as well.
                    self.hints = None;
                }
                let has_found = found?;
                self.unannounced = if has_found { self.unannounced + 1 } else { 0 };
                if self.unannounced >= DEAF_LOOKS {
                    self.unannounced = 0;
                    self.hints = None;
                }
            }
        }
        Ok(Goes::On)
    }

    fn note_success(&mut self) {
        if std::mem::take(&mut self.has_failed) {
            tracing::info!("the changes of other nodes are followed again");
        }
    }

    fn note_failure(&mut self, error: &FollowError) {
        if !std::mem::replace(&mut self.has_failed, true) {
            tracing::warn!(%error, "the changes of other nodes cannot be read; live queries show older documents meanwhile");
        }
    }
}

/// Reads the heads, and catches up with them. Returns whether a collection was behind.
async fn look(link: &StoreLink) -> Result<bool, FollowError> {
    let begun = Instant::now();
    let mut was_behind = false;
    let mut failure = None;
    for summary in asked(link.store.collections()).await? {
        let Some(core) = link.follower.get(summary.number) else { continue };
        match catch_up(link, &core, summary.head.version).await {
            Ok(missed) => was_behind |= missed,
            Err(error) => failure = Some(error),
        }
    }
    if let Some(error) = failure {
        return Err(error);
    }
    link.follower.note_current(Some(begun));
    Ok(was_behind)
}

/// Waits for the answer of the store.
async fn asked<T>(question: impl Future<Output = Result<T, StorageError>>) -> Result<T, FollowError> {
    Ok(timeout(QUESTION, question).await.map_err(|_elapsed| FollowError::Silent)??)
}

/// Lets the writer tell the live queries of all changes, unless they were told of those up to this one. Returns whether
/// changes were missed.
async fn catch_up(link: &StoreLink, core: &Arc<CollectionCore>, to: u64) -> Result<bool, FollowError> {
    let Some(stored) = core.store() else { return Ok(false) };
    if stored.applied() >= to || stored.skip_if_unwatched(core, to) {
        return Ok(false);
    }
    // It waits for writes that have begun, and for longer than this if one of them has lost its connection.
    timeout(MAX_BEHIND, link.writer.catch_up(core)).await.map_err(|_elapsed| FollowError::Silent)??;
    Ok(true)
}

/// Why the changes of other nodes cannot be followed.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Store(#[from] StorageError),
    #[error(transparent)]
    Collection(#[from] CollectionError),
    #[error("the store does not answer")]
    Silent,
}
