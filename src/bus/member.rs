//! [`BusMember`]: a node on the bus. It numbers what it sends, and sees what is missing in what it receives.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::envelope::{self, Identity, Incoming, Opened};
use super::event::BusEvent;
use super::link::{Attempt, Hearing, Link, Standing, Turn};
use super::questions::Questions;
use super::report::{BusReport, Counts, add, read};
use super::senders::{Arrival, Senders};
use super::{Bus, BusReceiver, BusSender, ClusterName};

/// Applies an event of another node.
pub(super) type Apply = Box<dyn Fn(&BusEvent) + Send + Sync>;

/// A node on the bus. Cheap to clone.
#[derive(Clone)]
pub(crate) struct BusMember(Arc<Member>);

pub(super) struct Member {
    identity: Identity,
    bus: &'static str,
    is_lossless: bool,
    max_bytes: usize,
    apply: Apply,
    sending: Mutex<Sending>,
    senders: Mutex<Senders>,
    link: Mutex<Link>,
    pub(super) questions: Mutex<Questions>,
    counts: Counts,
    /// Wakes the task that asks the store for what was missed.
    pub(super) must_catch_up: Arc<Notify>,
    /// Wakes the task that sends beats.
    pub(super) must_beat: Arc<Notify>,
}

struct Sending {
    /// The number of the last message.
    n: u64,
    sender: Option<BusSender>,
}

impl BusMember {
    /// Joins a bus. `epoch` is a random id, another one at each start of the node. `apply` is called with the events of the other nodes.
    pub(crate) fn join(
        bus: &dyn Bus,
        cluster: ClusterName,
        (node, epoch): (&str, &str),
        apply: impl Fn(&BusEvent) + Send + Sync + 'static,
    ) -> Self {
        let member = Arc::new(Member {
            identity: Identity { cluster, node: node.into(), epoch: epoch.into() },
            bus: bus.name(),
            is_lossless: bus.is_lossless(),
            max_bytes: bus.max_message_bytes().min(envelope::MAX_BYTES),
            apply: Box::new(apply),
            sending: Mutex::new(Sending { n: 0, sender: None }),
            senders: Mutex::default(),
            link: Mutex::new(Link::joined(Instant::now())),
            questions: Mutex::default(),
            counts: Counts::default(),
            must_catch_up: Arc::default(),
            must_beat: Arc::default(),
        });
        let sender = bus.join(&member.identity.cluster, BusReceiver(Arc::downgrade(&member)));
        member.sending.lock().sender = Some(sender);
        Self(member)
    }

    /// Tells the other nodes of an event.
    pub(crate) fn publish(&self, event: &BusEvent) {
        self.0.publish(event);
    }

    /// Returns the name of the bus.
    pub(crate) fn bus(&self) -> &'static str {
        self.0.bus
    }

    /// Returns whether this node should be sent clients.
    pub(crate) fn standing(&self) -> Standing {
        if self.0.is_lossless { Standing::Good } else { self.0.link.lock().standing(Instant::now()) }
    }

    pub(crate) fn report(&self) -> BusReport {
        self.0.report()
    }

    pub(super) const fn member(&self) -> &Arc<Member> {
        &self.0
    }
}

impl Member {
    pub(super) const fn is_lossless(&self) -> bool {
        self.is_lossless
    }

    pub(super) const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    pub(super) const fn epoch(&self) -> &str {
        &self.identity.epoch
    }

    /// Returns the ids of the other nodes that were heard in the last seconds, each once.
    pub(super) fn nodes(&self) -> Vec<String> {
        self.senders.lock().nodes()
    }

    pub(super) fn publish(&self, event: &BusEvent) {
        self.publish_numbered(event, |_| {});
    }

    /// Sends the beat that holds the lease.
    pub(super) fn beat(&self) {
        // Noted before it is sent: it may come back at once.
        self.publish_numbered(&BusEvent::Alive, |n| self.link.lock().beat(n, Instant::now()));
    }

    /// Sends an event. `note` is called with its number.
    fn publish_numbered(&self, event: &BusEvent, note: impl FnOnce(u64)) {
        let encoded = envelope::encode(event);
        // Held while it is sent: the numbers give the order.
        let mut sending = self.sending.lock();
        sending.n += 1;
        let n = sending.n;
        add(&self.counts.sent, 1);
        note(n);
        let mut message = envelope::close(&self.identity, n, &encoded);
        if message.len() > self.max_bytes {
            add(&self.counts.omitted, 1);
            tracing::warn!(
                bus = self.bus,
                bytes = message.len(),
                maximum = self.max_bytes,
                "an event is too large for the bus; other nodes ask the store instead, and do not see an event of a stream"
            );
            message = envelope::close(&self.identity, n, &envelope::encode(&BusEvent::Omitted));
        }
        if let Some(sender) = &sending.sender {
            sender.send(message.into());
        }
    }

    pub(super) fn receive(&self, message: &[u8]) {
        match envelope::open(message, &self.identity.cluster) {
            Opened::Foreign => add(&self.counts.foreign, 1),
            Opened::Newer | Opened::Malformed => {
                add(&self.counts.unreadable, 1);
                self.missed();
            }
            Opened::Message(incoming) if self.is_own(&incoming) => self.hear_itself(incoming.n),
            Opened::Message(incoming) => self.hear(incoming),
        }
    }

    fn hear_itself(&self, n: u64) {
        if n > read(&self.counts.sent) {
            // Such as a copy of a virtual machine that was running. They do not hear each other.
            tracing::error!(node = &*self.identity.node, "another process sends as this node; start one of them again");
            return self.missed();
        }
        if self.link.lock().came_back(n, Instant::now()) {
            self.must_catch_up.notify_one();
        }
    }

    fn is_own(&self, incoming: &Incoming<'_>) -> bool {
        incoming.node == *self.identity.node && incoming.epoch == *self.identity.epoch
    }

    /// Hears another node.
    fn hear(&self, incoming: Incoming<'_>) {
        let Incoming { node, epoch, n, event } = incoming;
        add(&self.counts.received, 1);
        let arrival = self.senders.lock().note(&node, &epoch, n, Instant::now());
        match arrival {
            Arrival::New => {
                self.tell_of_namesake(&node);
                // What it has told before is in the store. Events of streams of that time are not expected.
                self.ask_store();
            }
            Arrival::Next => {}
            Arrival::After { missing } => {
                add(&self.counts.missing, missing);
                self.missed();
            }
            Arrival::Late => return self.missed(),
        }
        match event {
            Some(BusEvent::Alive) => {}
            Some(BusEvent::Left) => self.senders.lock().forget(&node, &epoch),
            Some(BusEvent::Answered(answer)) => self.hear_answer(&node, answer),
            Some(BusEvent::Omitted) => self.missed(),
            Some(event) => (self.apply)(&event),
            None => {
                add(&self.counts.unreadable, 1);
                self.missed();
            }
        }
    }

    /// Notes that something was missed, and has the store asked for it.
    pub(super) fn missed(&self) {
        add(&self.counts.gaps, 1);
        self.ask_store();
    }

    fn ask_store(&self) {
        self.link.lock().missed();
        self.must_catch_up.notify_one();
    }

    pub(super) fn connected(&self) {
        self.must_beat.notify_one();
    }

    pub(super) fn disconnected(&self) {
        let turn = self.link.lock().disconnected();
        self.tell(turn);
        self.must_catch_up.notify_one();
    }

    /// Ends the lease if no beat has come back in time, and notices nodes that have fallen silent.
    pub(super) fn check(&self) {
        let now = Instant::now();
        let turn = self.link.lock().check(now);
        if turn.is_some() {
            self.tell(turn);
            self.must_catch_up.notify_one();
        }
        if self.senders.lock().forget_silent(now) > 0 {
            self.missed();
        }
    }

    /// Returns an attempt to catch up if the store must be asked.
    pub(super) fn begin_to_catch_up(&self) -> Option<(Attempt, Hearing)> {
        let link = self.link.lock();
        link.must_catch_up().then(|| (link.begin(Instant::now()), link.hearing()))
    }

    pub(super) fn caught_up(&self, attempt: Attempt) {
        let turn = self.link.lock().caught_up(attempt);
        self.tell(turn);
    }

    fn tell(&self, turn: Option<Turn>) {
        let bus = self.bus;
        match turn {
            None => {}
            Some(Turn::Lost) => {
                tracing::warn!(bus, "the bus is lost; this node asks the store every second until it is back");
            }
            Some(Turn::Returned) => tracing::info!(bus, "the bus is back, and this node has caught up"),
            Some(Turn::Joined) => tracing::info!(bus, cluster = %self.identity.cluster, "this node has joined the bus"),
        }
    }

    fn tell_of_namesake(&self, node: &str) {
        if *node == *self.identity.node {
            tracing::error!(
                node,
                "another node of this cluster has the id of this one, by chance or because it was copied; restart one of them"
            );
        }
    }

    fn report(&self) -> BusReport {
        let (standing, behind) = {
            let (link, now) = (self.link.lock(), Instant::now());
            (link.standing(now), link.behind(now))
        };
        BusReport {
            behind: behind.filter(|_| !self.is_lossless),
            bus: self.bus,
            is_connected: self.is_lossless || standing == Standing::Good,
            nodes: self.senders.lock().nodes(),
            sent: read(&self.counts.sent),
            received: read(&self.counts.received),
            gaps: read(&self.counts.gaps),
            missing: read(&self.counts.missing),
            omitted: read(&self.counts.omitted),
            unreadable: read(&self.counts.unreadable),
            foreign: read(&self.counts.foreign),
        }
    }
}

impl fmt::Debug for BusMember {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BusMember").field("identity", &self.0.identity).finish_non_exhaustive()
    }
}
