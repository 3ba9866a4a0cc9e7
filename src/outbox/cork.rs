//! The cork: what one poll of a driver sends to a socket in many messages leaves in one write when that poll ends.
//!
//! A poll never waits, so nothing is held back for longer than the code takes to run. The outbox of the driver's own
//! session is always corked: a method's data, `updated` and `result` are one write. Other outboxes are corked only while more messages of
//! the client have arrived already, since these may have more for them; otherwise they are written to at once, which
//! is cheaper than to come back to each of them. Outside of a driver's poll every message is written at once.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::Poll;

use super::{Item, Outbox};

thread_local! {
    static CORK: RefCell<Option<Cork>> = const { RefCell::new(None) };
}

/// The current poll of a driver.
struct Cork {
    own: Arc<Outbox>,
    more_to_come: bool,
    /// To whom something was sent that has not been written.
    corked: Vec<Arc<Outbox>>,
}

/// Runs one poll of the driver that `own` belongs to, under the cork.
pub(crate) fn poll<Output>(own: &Arc<Outbox>, poll: impl FnOnce() -> Poll<Output>) -> Poll<Output> {
    let cork = Cork { own: Arc::clone(own), more_to_come: false, corked: Vec::new() };
    let outer = CORK.with(|current| current.borrow_mut().replace(cork));
    // The guard also runs when `poll` panics.
    let _uncork = Uncork { outer };
    poll()
}

/// Says whether the client's next message is there already.
pub(crate) fn expect_more(more_to_come: bool) {
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
        for outbox in cork.into_iter().flat_map(|cork| cork.corked) {
            outbox.uncork();
        }
    }
}

/// Puts a message into an outbox, and has it written now or when the current poll ends.
pub(super) fn send(outbox: &Arc<Outbox>, item: Item) {
    CORK.with(|current| match current.borrow_mut().as_mut() {
        Some(cork) if cork.more_to_come || Arc::ptr_eq(&cork.own, outbox) => {
            if outbox.push_corked(item) {
                cork.corked.push(Arc::clone(outbox));
            }
        }
        _ => outbox.push(item),
    });
}
