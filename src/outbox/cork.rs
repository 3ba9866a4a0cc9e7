//! The cork: collects the messages that one poll of a driver sends to a socket, and writes them at once when the poll
//! ends.
//!
//! A poll never waits, so messages are delayed only while code runs. The outbox of the driver's own session is always
//! corked: a method's data, `updated` and `result` are one write. Other outboxes are corked only if the client's next
//! message has already arrived, because it may send them more. Otherwise they are written immediately, which is cheaper
//! than returning to each of them. Outside a driver's poll, every message is written immediately.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::task::Poll;

use bolide_protocol::{DdpError, RawJson};

use super::answers::Answers;
use super::{Item, Outbox};

/// The number of sessions to which one broadcast is written immediately.
const WRITTEN_AT_ONCE: usize = 1_000;

thread_local! {
    static CORK: RefCell<Option<Cork>> = const { RefCell::new(None) };
    /// The outboxes with messages that are held until a lock is released.
    static HELD: RefCell<Option<Vec<Arc<Outbox>>>> = const { RefCell::new(None) };
    /// Whether messages are left to the drivers of their sessions.
    static LEFT_TO_DRIVERS: Cell<bool> = const { Cell::new(false) };
}

/// The current poll of a driver.
struct Cork {
    own: Arc<Outbox>,
    more_to_come: bool,
    /// The outboxes with messages that have not been written.
    corked: Vec<Arc<Outbox>>,
}

/// Runs one poll of a driver under the cork. `own` is the outbox of its session.
pub(crate) fn poll<Output>(own: &Arc<Outbox>, poll: impl FnOnce() -> Poll<Output>) -> Poll<Output> {
    let cork = Cork { own: Arc::clone(own), more_to_come: false, corked: Vec::new() };
    let outer = CORK.with(|current| current.borrow_mut().replace(cork));
    // The guard also runs when `poll` panics.
    let _uncork = Uncork { outer };
    poll()
}

/// Sets whether the client's next message has already arrived.
pub(crate) fn expect_more(more_to_come: bool) {
    CORK.with(|current| {
        if let Some(cork) = current.borrow_mut().as_mut() {
            cork.more_to_come = more_to_come;
        }
    });
}

/// Sends a broadcast to the session at a place among its receivers. It is written immediately to the first ones. The others
/// are written by their drivers, so that a broadcast to very many does not keep other tasks waiting.
pub(crate) fn in_turn<Output>(place: usize, send: impl FnOnce() -> Output) -> Output {
    if place < WRITTEN_AT_ONCE {
        return send();
    }
    let _back = Back(LEFT_TO_DRIVERS.replace(true));
    send()
}

/// Runs `act`, which sends messages under a lock. They are written when the returned [`Held`] is dropped, which the caller
/// does after it has released the lock. So a slow socket does not keep others waiting for the lock.
pub(crate) fn hold<Output>(act: impl FnOnce() -> Output) -> (Output, Held) {
    let collecting = Collecting { outer: HELD.replace(Some(Vec::new())) };
    let output = act();
    let held = Held(HELD.take().unwrap_or_default());
    drop(collecting);
    (output, held)
}

/// Restores the collection that this one interrupts, also when sending panics.
struct Collecting {
    outer: Option<Vec<Arc<Outbox>>>,
}

impl Drop for Collecting {
    fn drop(&mut self) {
        // After a panic, messages are left of this collection.
        drop(HELD.replace(self.outer.take()).map(Held));
    }
}

/// The outboxes with messages that were sent under a lock. They are written when this is dropped.
#[must_use = "it is dropped after the lock"]
#[derive(Default)]
pub(crate) struct Held(Vec<Arc<Outbox>>);

impl Held {
    /// Adds the outboxes of another one.
    pub(crate) fn join(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|outbox| outbox.uncork());
    }
}

/// Restores the flag, also when sending panics.
struct Back(bool);

impl Drop for Back {
    fn drop(&mut self) {
        LEFT_TO_DRIVERS.set(self.0);
    }
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

/// Puts an item into an outbox. It is written now, or when the current poll ends.
pub(super) fn send(outbox: &Arc<Outbox>, item: Item) {
    if !is_corked(outbox) {
        return send_uncorked(outbox, item);
    }
    if outbox.push_corked(|state| state.put(item)) {
        uncork_later(outbox);
    }
}

/// Sends the answer to a method call in the same way.
pub(super) fn send_answer(outbox: &Arc<Outbox>, id: &str, outcome: Result<Option<&RawJson>, &DdpError>) {
    if !is_corked(outbox) {
        return send_uncorked(outbox, Item::answer(Answers::EMPTY, id, outcome));
    }
    if outbox.push_corked(|state| state.put_answer(id, outcome)) {
        uncork_later(outbox);
    }
}

/// Returns whether messages to an outbox are collected until the poll ends.
fn is_corked(outbox: &Arc<Outbox>) -> bool {
    CORK.with_borrow(|current| current.as_ref().is_some_and(|cork| cork.more_to_come || Arc::ptr_eq(&cork.own, outbox)))
}

/// Has an outbox written when the poll ends.
fn uncork_later(outbox: &Arc<Outbox>) {
    CORK.with_borrow_mut(|current| {
        if let Some(cork) = current {
            cork.corked.push(Arc::clone(outbox));
        }
    });
}

fn send_uncorked(outbox: &Arc<Outbox>, item: Item) {
    if LEFT_TO_DRIVERS.get() {
        return outbox.push_for_driver(item);
    }
    HELD.with_borrow_mut(|held| match held {
        None => outbox.push(item),
        Some(held) => {
            if outbox.push_held(item) {
                held.push(Arc::clone(outbox));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::outbox::Link;

    #[tokio::test]
    async fn a_broadcast_to_very_many_is_written_at_once_only_to_the_first() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        socket.writable().await.unwrap();
        let (_reading, writing) = socket.into_split();
        let outbox = Arc::new(Outbox::new(Link::Direct(writing), &Arc::default(), &Arc::default()));
        in_turn(WRITTEN_AT_ONCE - 1, || outbox.send("{}".into()));
        assert!(outbox.is_empty());
        in_turn(WRITTEN_AT_ONCE, || outbox.send("{}".into()));
        assert!(!outbox.is_empty(), "the driver writes it");
        outbox.send("{}".into());
        assert!(outbox.is_empty(), "the order is kept");
    }
}
