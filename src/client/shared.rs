//! The state that the connection's task shares with the client, its calls and its subscriptions.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Semaphore, watch};

use super::options::ClientLimits;
use super::state::State;
use super::status::Status;
use super::two_factor::Prompter;

/// Shared by the task and the client.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) status: watch::Sender<Status>,
}

/// Shared by clones of the client, its calls and its subscriptions. The client is closed when the last of them is
/// dropped.
#[derive(Debug)]
pub(super) struct ClientInner {
    shared: Arc<Shared>,
    /// One permit for each call that may wait for a result.
    pub(super) call_slots: Semaphore,
    pub(super) prompter: Option<Prompter>,
}

impl Shared {
    pub(super) fn new(limits: &ClientLimits) -> Self {
        Self { state: Mutex::new(State::new(limits)), status: watch::Sender::new(Status::Connecting) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl ClientInner {
    pub(super) fn new(shared: Arc<Shared>, limits: &ClientLimits, prompter: Option<Prompter>) -> Self {
        Self { shared, call_slots: Semaphore::new(limits.calls.min(Semaphore::MAX_PERMITS)), prompter }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    pub(super) fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.subscribe()
    }
}

impl Drop for ClientInner {
    fn drop(&mut self) {
        self.state().close();
    }
}
