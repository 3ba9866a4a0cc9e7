//! The cork: what one poll of a task sends to many sockets, or to one socket in many messages, leaves in one write per
//! socket when that poll ends.
//!
//! A poll never waits, so nothing is held back for longer than the code takes to run. Where no cork is set (a task of
//! the application), a message is written at once.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::Poll;

use super::{Item, Session};

thread_local! {
    /// The sessions to which the current poll has sent something; nothing outside of a corked poll.
    static CORKED: RefCell<Option<Vec<Arc<Session>>>> = const { RefCell::new(None) };
}

/// Runs one poll of a task under the cork.
pub(crate) fn poll<Output>(poll: impl FnOnce() -> Poll<Output>) -> Poll<Output> {
    let outer = CORKED.with(|corked| corked.borrow_mut().replace(Vec::new()));
    // The guard also runs when `poll` panics.
    let _uncork = Uncork { outer };
    poll()
}

struct Uncork {
    /// The list of an outer poll, if polls are nested.
    outer: Option<Vec<Arc<Session>>>,
}

impl Drop for Uncork {
    fn drop(&mut self) {
        let outer = self.outer.take();
        let sessions = CORKED.with(|corked| std::mem::replace(&mut *corked.borrow_mut(), outer));
        for session in sessions.into_iter().flatten() {
            session.outbox().uncork();
        }
    }
}

/// Puts a message into a session's outbox, and has it written now or when the current poll ends.
pub(super) fn send(session: &Arc<Session>, item: Item) {
    CORKED.with(|corked| match corked.borrow_mut().as_mut() {
        Some(sessions) => {
            if session.outbox().push_corked(item) {
                sessions.push(Arc::clone(session));
            }
        }
        None => session.outbox().push(item),
    });
}
