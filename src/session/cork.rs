//! The cork: what one poll of a driver sends to a socket in many messages leaves in one write when that poll ends.
//!
//! A poll never waits, so nothing is held back for longer than the code takes to run. The driver's own session is always
//! corked: a method's data, `updated` and `result` are one write. Other sessions are corked only while more messages of
//! the client have arrived already, since these may have more for them; otherwise they are written to at once, which
//! is cheaper than to come back to each of them. Outside of a driver's poll every message is written at once.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::Poll;

use super::{Item, Session};

thread_local! {
    static CORK: RefCell<Option<Cork>> = const { RefCell::new(None) };
}

/// The current poll of a driver.
struct Cork {
    own: Arc<Session>,
    more_to_come: bool,
    /// To whom something was sent that has not been written.
    corked: Vec<Arc<Session>>,
}

/// Runs one poll of the driver of `own` under the cork.
pub(crate) fn poll<Output>(own: &Arc<Session>, poll: impl FnOnce() -> Poll<Output>) -> Poll<Output> {
    let cork = Cork { own: Arc::clone(own), more_to_come: false, corked: Vec::new() };
    let outer = CORK.with(|current| current.borrow_mut().replace(cork));
    // The guard also runs when `poll` panics.
    let _uncork = Uncork { outer };
    poll()
}

/// Says whether the client's next message is there already.
pub(super) fn expect_more(more_to_come: bool) {
    CORK.with(|current| {
        if let Some(cork) = current.borrow_mut().as_mut() {
            cork.more_to_come = more_to_come;
        }
    });
}

struct Uncork {
    /// The cork of an outer poll, if polls are nested.
    outer: Option<Cork>,
}

impl Drop for Uncork {
    fn drop(&mut self) {
        let outer = self.outer.take();
        let cork = CORK.with(|current| std::mem::replace(&mut *current.borrow_mut(), outer));
        for session in cork.into_iter().flat_map(|cork| cork.corked) {
            session.outbox().uncork();
        }
    }
}

/// Puts a message into a session's outbox, and has it written now or when the current poll ends.
pub(super) fn send(session: &Arc<Session>, item: Item) {
    CORK.with(|current| match current.borrow_mut().as_mut() {
        Some(cork) if cork.more_to_come || Arc::ptr_eq(&cork.own, session) => {
            if session.outbox().push_corked(item) {
                cork.corked.push(Arc::clone(session));
            }
        }
        _ => session.outbox().push(item),
    });
}
