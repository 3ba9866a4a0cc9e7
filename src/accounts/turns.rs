//! [`Turns`]: a bounded semaphore that is fair by network. Calls wait in one or more lines; the lines take turns, and so do
//! the networks in each line. A network that sends many calls makes its own calls wait, and no others.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bolide_protocol::DdpError;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::oneshot;

use crate::call::{Connection, MethodError};
use crate::peer::Network;

/// The maximum number of calls that wait in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineBounds {
    pub(crate) total: usize,
    pub(crate) of_network: usize,
}

/// The network as which a call waits. `None` for the application itself, and for clients whose address is unknown.
pub(crate) type Waiting = Option<Network>;

/// There are too many calls in the line already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// A semaphore with `LINES` lines.
pub(crate) struct Turns<const LINES: usize> {
    shared: Arc<Mutex<State<LINES>>>,
}

/// A turn. The next call has its turn when this is dropped.
#[must_use = "the turn ends when it is dropped"]
pub(crate) struct Turn<const LINES: usize> {
    shared: Arc<Mutex<State<LINES>>>,
}

/// A call in a line. Leaves the line when it is dropped.
struct Place<const LINES: usize> {
    shared: Arc<Mutex<State<LINES>>>,
    line: usize,
    network: Waiting,
    number: u64,
}

struct State<const LINES: usize> {
    free: usize,
    bounds: LineBounds,
    lines: [Line<LINES>; LINES],
    /// The line that has the next turn.
    next: usize,
    last_number: u64,
    refused: RefusedTurns,
}

/// How many calls were refused because a line was full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RefusedTurns {
    /// By the bound of all networks together.
    pub(crate) in_total: u64,
    /// By the bound of one network.
    pub(crate) to_network: u64,
}

struct Line<const LINES: usize> {
    waiting: usize,
    by_network: HashMap<Waiting, VecDeque<Waiter<LINES>>>,
    /// The networks with calls in this line, in the order of their turns.
    order: VecDeque<Waiting>,
}

struct Waiter<const LINES: usize> {
    number: u64,
    wake: oneshot::Sender<Turn<LINES>>,
}

/// Returns the network as which a call waits.
pub(crate) fn waiting_as(connection: Option<&Connection>) -> Waiting {
    connection.and_then(|connection| connection.peer().network())
}

impl<const LINES: usize> Turns<LINES> {
    /// Returns a semaphore with `permits` turns at once.
    pub(crate) fn new(permits: usize, bounds: LineBounds) -> Self {
        let lines = std::array::from_fn(|_| Line::default());
        let state = State { free: permits, bounds, lines, next: 0, last_number: 0, refused: RefusedTurns::default() };
        Self { shared: Arc::new(Mutex::new(state)) }
    }

    /// Waits for a turn in a line.
    ///
    /// # Errors
    /// [`Busy`] if the line is full and no other network has more calls in it.
    pub(crate) async fn wait(&self, line: usize, network: Waiting) -> Result<Turn<LINES>, Busy> {
        let (turn, _place) = {
            let mut state = self.shared.lock();
            if state.free > 0 {
                state.free -= 1;
                return Ok(Turn { shared: Arc::clone(&self.shared) });
            }
            let (number, turn) = state.enter(line, network)?;
            (turn, Place { shared: Arc::clone(&self.shared), line, network, number })
        };
        // A call that made room for one of another network is woken without a turn.
        turn.await.map_err(|_| Busy)
    }

    /// Returns the number of calls that wait in each line.
    pub(crate) fn waiting_by_line(&self) -> [usize; LINES] {
        self.shared.lock().lines.each_ref().map(|line| line.waiting)
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting_by_line().iter().sum()
    }

    pub(crate) fn refused(&self) -> RefusedTurns {
        self.shared.lock().refused
    }
}

impl<const LINES: usize> State<LINES> {
    fn enter(&mut self, line: usize, network: Waiting) -> Result<(u64, oneshot::Receiver<Turn<LINES>>), Busy> {
        let LineBounds { total, of_network } = self.bounds;
        let line = &mut self.lines[line];
        let own = line.count(network);
        if own >= of_network {
            self.refused.to_network += 1;
            return Err(Busy);
        }
        if line.waiting >= total {
            // Either this call is refused, or one that waits.
            self.refused.in_total += 1;
            if !line.make_room(own + 1) {
                return Err(Busy);
            }
        }
        self.last_number = self.last_number.wrapping_add(1);
        let (wake, turn) = oneshot::channel();
        line.push(network, Waiter { number: self.last_number, wake });
        Ok((self.last_number, turn))
    }

    /// Takes the call that has the next turn out of its line.
    fn pop(&mut self) -> Option<Waiter<LINES>> {
        for offset in 0..LINES {
            let line = (self.next + offset) % LINES;
            if let Some(waiter) = self.lines[line].pop() {
                self.next = (line + 1) % LINES;
                return Some(waiter);
            }
        }
        None
    }
}

impl<const LINES: usize> Line<LINES> {
    fn count(&self, network: Waiting) -> usize {
        self.by_network.get(&network).map_or(0, VecDeque::len)
    }

    fn push(&mut self, network: Waiting, waiter: Waiter<LINES>) {
        let own = self.by_network.entry(network).or_default();
        if own.is_empty() {
            self.order.push_back(network);
        }
        own.push_back(waiter);
        self.waiting += 1;
    }

    fn pop(&mut self) -> Option<Waiter<LINES>> {
        let network = self.order.pop_front()?;
        let own = self.by_network.get_mut(&network)?;
        let waiter = own.pop_front();
        if own.is_empty() {
            self.by_network.remove(&network);
        } else {
            self.order.push_back(network);
        }
        self.waiting -= 1;
        waiter
    }

    /// Refuses the last call of the network that has the most, if it has more than `own`. Returns whether it has.
    fn make_room(&mut self, own: usize) -> bool {
        let longest = self.by_network.iter().max_by_key(|(_, waiters)| waiters.len());
        let Some((network, last)) = longest.and_then(|(network, waiters)| Some((*network, waiters.back()?.number)))
        else {
            return false;
        };
        if self.count(network) <= own {
            return false;
        }
        self.leave(network, last);
        true
    }

    fn leave(&mut self, network: Waiting, number: u64) {
        let Some(own) = self.by_network.get_mut(&network) else { return };
        let Some(index) = own.iter().position(|waiter| waiter.number == number) else { return };
        own.remove(index);
        self.waiting -= 1;
        if own.is_empty() {
            self.by_network.remove(&network);
            self.order.retain(|other| *other != network);
        }
    }
}

impl<const LINES: usize> Default for Line<LINES> {
    fn default() -> Self {
        Self { waiting: 0, by_network: HashMap::new(), order: VecDeque::new() }
    }
}

impl<const LINES: usize> Drop for Turn<LINES> {
    fn drop(&mut self) {
        let next = {
            let mut state = self.shared.lock();
            let next = state.pop();
            state.free += usize::from(next.is_none());
            next
        };
        // The turn of a call that was dropped in this moment comes back, and ends outside of the lock as this one does.
        if let Some(waiter) = next {
            drop(waiter.wake.send(Self { shared: Arc::clone(&self.shared) }));
        }
    }
}

impl<const LINES: usize> Drop for Place<LINES> {
    fn drop(&mut self) {
        self.shared.lock().lines[self.line].leave(self.network, self.number);
    }
}

impl<const LINES: usize> std::fmt::Debug for Turn<LINES> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Turn").finish_non_exhaustive()
    }
}

impl<const LINES: usize> std::fmt::Debug for Turns<LINES> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Turns").finish_non_exhaustive()
    }
}

impl From<Busy> for DdpError {
    fn from(_: Busy) -> Self {
        let error = Self::new("too-many-requests", "The server is busy. Please try again in a few seconds.");
        error.with_details(json!({ "timeToReset": 5_000 }))
    }
}

impl From<Busy> for MethodError {
    fn from(busy: Busy) -> Self {
        DdpError::from(busy).into()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use super::*;

    const BOUNDS: LineBounds = LineBounds { total: 4, of_network: 3 };

    fn network(last: u8) -> Network {
        Network::of([192, 0, 2, last].into())
    }

    type Pending<'turns> = BoxFuture<'turns, Result<Turn<2>, Busy>>;

    /// Enters a line, and returns the call that waits.
    fn enter(turns: &Turns<2>, line: usize, last: u8) -> Pending<'_> {
        let mut pending = turns.wait(line, Some(network(last))).boxed();
        assert!((&mut pending).now_or_never().is_none(), "it has to wait");
        pending
    }

    /// Returns the index of the call that has its turn, with the turn.
    fn served(pending: &mut [Pending<'_>]) -> Vec<(usize, Turn<2>)> {
        let ready = |(index, call): (usize, &mut Pending<'_>)| Some((index, call.now_or_never()?.ok()?));
        pending.iter_mut().enumerate().filter_map(ready).collect()
    }

    #[tokio::test]
    async fn lines_take_turns_and_so_do_the_networks_in_each() {
        let turns = Turns::<2>::new(1, BOUNDS);
        let mut turn = turns.wait(0, Some(network(1))).await.unwrap();
        // Three sign-ups of one network come before one of another and a login.
        let mut calls = vec![
            enter(&turns, 0, 1),
            enter(&turns, 0, 1),
            enter(&turns, 0, 1),
            enter(&turns, 0, 2),
            enter(&turns, 1, 3),
        ];
        let mut order = Vec::new();
        let names = ["a1", "a2", "a3", "b", "login"];
        let mut left: Vec<&str> = names.to_vec();
        while !calls.is_empty() {
            drop(turn);
            let mut ready = served(&mut calls);
            assert_eq!(ready.len(), 1);
            let (index, next) = ready.remove(0);
            drop(calls.remove(index));
            order.push(left.remove(index));
            turn = next;
        }
        assert_eq!(order, ["a1", "login", "b", "a2", "a3"]);
    }

    #[tokio::test]
    async fn a_network_has_a_share_of_the_line_and_a_full_line_takes_from_the_longest() {
        let turns = Turns::<2>::new(1, BOUNDS);
        let turn = turns.wait(0, Some(network(1))).await.unwrap();
        let mut calls = vec![enter(&turns, 0, 1), enter(&turns, 0, 1), enter(&turns, 0, 1)];
        assert_eq!(turns.wait(0, Some(network(1))).now_or_never().unwrap().unwrap_err(), Busy);
        calls.push(enter(&turns, 0, 2));
        assert_eq!(turns.waiting(), 4);

        // The line is full: the last call of the longest network makes room.
        calls.push(enter(&turns, 0, 3));
        assert_eq!((&mut calls[2]).now_or_never().unwrap().unwrap_err(), Busy);
        assert_eq!(turns.waiting(), 4);
        // Now no network has more than one more.
        assert_eq!(turns.wait(0, Some(network(4))).now_or_never().map(|turn| turn.is_err()), None);
        // The other line has room of its own.
        calls.push(enter(&turns, 1, 1));
        drop((calls, turn));
        assert_eq!(turns.waiting(), 0);
        assert!(turns.wait(0, Some(network(1))).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_call_that_is_dropped_leaves_the_line_or_gives_its_turn_back() {
        let turns = Turns::<2>::new(1, BOUNDS);
        let turn = turns.wait(0, Some(network(1))).await.unwrap();
        let (left, served, last) = (enter(&turns, 0, 1), enter(&turns, 0, 2), enter(&turns, 0, 3));
        drop(left);
        assert_eq!(turns.waiting(), 2);
        drop(turn);
        // It has its turn, and is dropped before it notices.
        drop(served);
        assert!(last.now_or_never().unwrap().is_ok());
        assert!(turns.wait(0, Some(network(1))).now_or_never().unwrap().is_ok());
    }
}
