//! Nodes on a bus that drops, delays, reorders and duplicates: whatever it does, each node has what is in the store when the
//! bus has come to rest. The store here is a few values, so that thousands of schedules can be tried; the tests in
//! `tests/it/faulty_bus.rs` do the same with accounts.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::event::BusEvent;
use super::{Bus, BusMember, BusReceiver, BusSender, ClusterName};

const NODES: u8 = 3;

/// What a schedule does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A node writes a setting.
    Set { node: u8, setting: u8, value: u8 },
    /// A node revokes a token.
    Revoke { node: u8, token: u8 },
    /// A node sends a beat.
    Beat { node: u8 },
    /// One of the messages that wait is handed over, in whatever order.
    Deliver { which: u8 },
    /// The same, and it stays to be handed over again.
    Duplicate { which: u8 },
    /// One of the messages that wait is lost.
    Drop { which: u8 },
    /// A node starts again: it reads the store, and counts from 1.
    Restart { node: u8 },
    /// A node asks the store if it has to.
    CatchUp { node: u8 },
}

impl Arbitrary for Step {
    fn arbitrary(source: &mut Gen) -> Self {
        let node = u8::arbitrary(source) % NODES;
        let which = u8::arbitrary(source);
        match u8::arbitrary(source) % 64 {
            63 => Self::Restart { node },
            kind => match kind % 16 {
                0..4 => Self::Set { node, setting: which % 4, value: u8::arbitrary(source) },
                4..6 => Self::Revoke { node, token: which },
                6 => Self::Beat { node },
                7..11 => Self::Deliver { which },
                11 => Self::Duplicate { which },
                12..14 => Self::Drop { which },
                _ => Self::CatchUp { node },
            },
        }
    }
}

/// What lasts. A node keeps a copy, as it keeps settings, and sessions whose tokens were not revoked.
#[derive(Clone, Debug, Default, PartialEq)]
struct Data {
    settings: [u8; 4],
    revoked: BTreeSet<String>,
}

/// A message, with the place of the node that it is for.
type Waiting = (usize, Arc<[u8]>);

/// The messages that wait.
#[derive(Clone, Default)]
struct FaultyBus {
    receivers: Arc<Mutex<Vec<BusReceiver>>>,
    waiting: Arc<Mutex<Vec<Waiting>>>,
}

impl Bus for FaultyBus {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn join(&self, _: &ClusterName, receiver: BusReceiver) -> BusSender {
        let (receivers, waiting) = (Arc::clone(&self.receivers), Arc::clone(&self.waiting));
        receivers.lock().push(receiver);
        BusSender::new(move |message| {
            let places = 0..receivers.lock().len();
            waiting.lock().extend(places.map(|place| (place, Arc::clone(&message))));
        })
    }
}

impl FaultyBus {
    fn take(&self, which: u8) -> Option<Waiting> {
        let mut waiting = self.waiting.lock();
        let place = usize::from(which) % waiting.len().max(1);
        (place < waiting.len()).then(|| waiting.remove(place))
    }

    fn hand_over(&self, (place, message): &Waiting) {
        let receiver = self.receivers.lock()[*place].clone();
        receiver.message(message);
    }

    fn deliver_all(&self) {
        loop {
            let waiting = std::mem::take(&mut *self.waiting.lock());
            if waiting.is_empty() {
                return;
            }
            for message in &waiting {
                self.hand_over(message);
            }
        }
    }
}

struct Node {
    member: BusMember,
    copy: Arc<Mutex<Data>>,
}

struct Cluster {
    bus: FaultyBus,
    store: Arc<Mutex<Data>>,
    nodes: Vec<Node>,
    starts: usize,
}

impl Cluster {
    fn start() -> Self {
        let mut cluster = Self { bus: FaultyBus::default(), store: Arc::default(), nodes: Vec::new(), starts: 0 };
        for place in 0..NODES {
            let node = cluster.start_node(place);
            cluster.nodes.push(node);
        }
        cluster
    }

    fn start_node(&mut self, place: u8) -> Node {
        self.starts += 1;
        let epoch = self.starts.to_string();
        let copy = Arc::new(Mutex::new(self.store.lock().clone()));
        let (store, own) = (Arc::clone(&self.store), Arc::clone(&copy));
        let apply = move |event: &BusEvent| match event {
            // As nodes do: a changed setting is read from the store, and a token is ended as told.
            BusEvent::SettingChanged { .. } => own.lock().settings = store.lock().settings,
            BusEvent::TokensEnded { hashed } => own.lock().revoked.extend(hashed.iter().cloned()),
            _ => {}
        };
        let member = BusMember::join(&self.bus, ClusterName::default(), (&place.to_string(), &epoch), apply);
        Node { member, copy }
    }

    fn make(&mut self, step: Step) {
        match step {
            Step::Set { node, setting, value } => {
                let node = &self.nodes[usize::from(node)];
                for data in [&self.store, &node.copy] {
                    data.lock().settings[usize::from(setting)] = value;
                }
                node.member.publish(&BusEvent::SettingChanged { id: setting.to_string() });
            }
            Step::Revoke { node, token } => {
                let node = &self.nodes[usize::from(node)];
                for data in [&self.store, &node.copy] {
                    data.lock().revoked.insert(token.to_string());
                }
                node.member.publish(&BusEvent::TokensEnded { hashed: vec![token.to_string()] });
            }
            Step::Beat { node } => self.nodes[usize::from(node)].member.member().beat(),
            Step::Deliver { which } => drop(self.bus.take(which).map(|message| self.bus.hand_over(&message))),
            Step::Duplicate { which } => {
                let Some(message) = self.bus.take(which) else { return };
                self.bus.hand_over(&message);
                self.bus.waiting.lock().push(message);
            }
            Step::Drop { which } => drop(self.bus.take(which)),
            Step::Restart { node } => {
                let started = self.start_node(node);
                self.nodes[usize::from(node)] = started;
            }
            Step::CatchUp { node } => self.catch_up(usize::from(node)),
        }
    }

    fn catch_up(&self, place: usize) {
        let node = &self.nodes[place];
        if let Some((attempt, _)) = node.member.member().begin_to_catch_up() {
            node.copy.lock().clone_from(&self.store.lock());
            node.member.member().caught_up(attempt);
        }
    }

    /// The bus works again: what waits arrives or does not, a beat of each node arrives, and each node asks what it missed.
    fn rest(&self, is_delivered: bool) {
        if !is_delivered {
            self.bus.waiting.lock().clear();
        }
        self.bus.deliver_all();
        self.nodes.iter().for_each(|node| node.member.member().beat());
        self.bus.deliver_all();
        (0..self.nodes.len()).for_each(|place| self.catch_up(place));
    }
}

#[test]
fn whatever_a_bus_does_all_nodes_agree_with_the_store_at_rest() {
    fn agree(steps: Vec<Step>, is_delivered: bool) -> bool {
        let mut cluster = Cluster::start();
        // All know each other, so that only what is lost from now on makes a node ask.
        cluster.rest(true);
        for step in steps {
            cluster.make(step);
        }
        cluster.rest(is_delivered);
        let store = cluster.store.lock().clone();
        cluster.nodes.iter().all(|node| *node.copy.lock() == store)
    }
    QuickCheck::new().tests(2_000).quickcheck(agree as fn(Vec<Step>, bool) -> bool);
}

#[test]
fn messages_that_all_arrive_make_no_node_ask_the_store() {
    let mut cluster = Cluster::start();
    // The first beats, after which a node has joined.
    cluster.rest(true);
    for round in 0..50 {
        cluster.make(Step::Set { node: round % NODES, setting: round % 4, value: round });
        cluster.make(Step::Revoke { node: round % NODES, token: round });
        cluster.make(Step::Beat { node: round % NODES });
        cluster.bus.deliver_all();
    }
    for node in &cluster.nodes {
        assert_eq!(*node.copy.lock(), *cluster.store.lock());
        assert!(node.member.member().begin_to_catch_up().is_none());
        assert_eq!(node.member.report().gaps, 0, "{:?}", node.member.report());
    }
}
