//! Compares the merge box with the simplest possible model, over random histories: the messages to a session must lead
//! its client to the state of the model, with as few messages as possible.

use std::collections::BTreeMap;
use std::sync::Arc;

use bolide_protocol::ejson::CustomTypes;
use bolide_protocol::message::Subscribe;
use bolide_protocol::{Ejson, RawJson, ServerMessage};
use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::fields::{FieldMap, Fields, SharedChange};
use super::frames::added_frame;
use super::handle::Handle;
use super::recipient::Recipient;
use super::view::Target;
use super::views::Origin;
use crate::outbox::{Link, Outbox};

const SESSIONS: usize = 2;
const SUBSCRIPTIONS: usize = 4;
const DOCUMENTS: [Key; 3] = [("c", "1"), ("c", "2"), ("d", "1")];
const FIELDS: [&str; 3] = ["a", "b", "c"];
/// Values, of which some are equal but written differently.
const VALUES: [&str; 8] =
    ["0", "1", "1.0", "\"1\"", "null", r#"{"x":1,"y":2}"#, r#"{"y":2,"x":1}"#, r#"{"$InfNaN":0}"#];

/// A collection and an id.
type Key = (&'static str, &'static str);
/// A session and the place of one of its subscriptions.
type Member = (usize, usize);
type Written = Vec<(&'static str, &'static str)>;
type Shown = BTreeMap<Key, BTreeMap<String, Ejson>>;

/// A step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// Subscriptions add a document with shared fields.
    Added {
        by: Vec<Member>,
        document: Key,
        fields: Written,
    },
    /// Subscriptions receive one change.
    Changed {
        by: Vec<Member>,
        document: Key,
        set: Written,
        unset: Vec<&'static str>,
    },
    /// A document of a live collection is replaced.
    Stored {
        by: Vec<Member>,
        document: Key,
        fields: Written,
    },
    Removed {
        by: Member,
        document: Key,
    },
    Start(Member),
    Stop(Member),
    /// The user changes: subscriptions run again, and no message is sent until the session resumes.
    Suspend(usize),
    Resume(usize),
}

impl Arbitrary for Step {
    fn arbitrary(random: &mut Gen) -> Self {
        let document = pick(random, &DOCUMENTS);
        match pick(random, b"AAAAAACCCCCCUUUURRR<<>>[]") {
            b'A' => Self::Added { by: members(random), document, fields: written(random) },
            b'C' => Self::Changed { by: members(random), document, set: written(random), unset: names(random) },
            b'U' => Self::Stored { by: members(random), document, fields: written(random) },
            b'R' => Self::Removed { by: member(random), document },
            b'<' => Self::Start(member(random)),
            b'>' => Self::Stop(member(random)),
            b'[' => Self::Suspend(below(random, SESSIONS)),
            _ => Self::Resume(below(random, SESSIONS)),
        }
    }
}

fn pick<T: Copy>(random: &mut Gen, choices: &[T]) -> T {
    *random.choose(choices).expect("a choice")
}

fn below(random: &mut Gen, bound: usize) -> usize {
    usize::arbitrary(random) % bound
}

fn member(random: &mut Gen) -> Member {
    (below(random, SESSIONS), below(random, SUBSCRIPTIONS))
}

fn members(random: &mut Gen) -> Vec<Member> {
    (0..=below(random, 5)).map(|_| member(random)).collect()
}

fn written(random: &mut Gen) -> Written {
    (0..below(random, 4)).map(|_| (pick(random, &FIELDS), pick(random, &VALUES))).collect()
}

fn names(random: &mut Gen) -> Vec<&'static str> {
    (0..below(random, 3)).map(|_| pick(random, &FIELDS)).collect()
}

#[test]
fn a_client_that_applies_what_it_is_sent_has_what_the_model_says() {
    fn play(steps: Vec<Step>) {
        let mut world = World::new();
        for step in steps {
            world.take(&step);
        }
        for session in 0..SESSIONS {
            world.take(&Step::Resume(session));
        }
    }
    QuickCheck::new().rng(Gen::new(40)).tests(2_000).quickcheck(play as fn(Vec<Step>));
}

/// The sessions under test, and the documents of a live collection.
struct World {
    sessions: Vec<Tested>,
    stored: BTreeMap<Key, Arc<Fields>>,
}

/// One session, its model and its client.
struct Tested {
    recipient: Arc<Recipient>,
    subscriptions: [Option<Handle>; SUBSCRIPTIONS],
    model: Model,
    client: Client,
    is_suspended: bool,
}

impl World {
    fn new() -> Self {
        let mut sessions: Vec<_> = (0..SESSIONS).map(|_| Tested::new()).collect();
        for session in &mut sessions {
            session.start(0);
            session.start(1);
        }
        Self { sessions, stored: BTreeMap::new() }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Added { by, document, fields } => self.added(by, *document, fields),
            Step::Changed { by, document, set, unset } => {
                let unset = unset.iter().map(|name| Box::from(*name));
                self.changed(by, *document, &SharedChange::new(to_map(set), unset));
            }
            Step::Stored { by, document, fields } => self.store(by, *document, fields),
            Step::Removed { by: (session, place), document } => self.sessions[*session].removed(*place, *document),
            Step::Start((session, place)) => self.sessions[*session].start(*place),
            Step::Stop((session, place)) => self.sessions[*session].stop(*place),
            Step::Suspend(session) => self.sessions[*session].suspend(),
            Step::Resume(session) => self.sessions[*session].resume(),
        }
        let may_be_many = matches!(step, Step::Stop(_) | Step::Resume(_));
        for session in &mut self.sessions {
            session.check(if may_be_many { DOCUMENTS.len() } else { 1 });
        }
    }

    fn added(&mut self, by: &[Member], document: Key, fields: &Written) {
        let fields = Arc::new(Fields::from_map(to_map(fields)));
        self.stored.insert(document, Arc::clone(&fields));
        for (session, place) in by {
            self.sessions[*session].added(*place, document, &fields);
            // One call results in at most one message.
            self.sessions[*session].check(1);
        }
    }

    fn changed(&mut self, by: &[Member], document: Key, change: &SharedChange) {
        for (number, session) in self.sessions.iter_mut().enumerate() {
            let places: Vec<usize> =
                by.iter().filter(|(session, _)| *session == number).map(|(_, place)| *place).collect();
            if !places.is_empty() {
                session.changed(&places, document, change);
            }
        }
    }

    fn store(&mut self, by: &[Member], document: Key, fields: &Written) {
        let after = Arc::new(Fields::from_map(to_map(fields)));
        let Some(before) = self.stored.insert(document, Arc::clone(&after)) else { return };
        self.changed(by, document, &SharedChange::to(&before, &after));
    }
}

impl Tested {
    fn new() -> Self {
        let outbox = Arc::new(Outbox::new(Link::Driver, &Arc::default(), &Arc::default()));
        Self {
            recipient: Recipient::new(outbox, Arc::default()),
            subscriptions: [None; SUBSCRIPTIONS],
            model: Model::default(),
            client: Client::default(),
            is_suspended: false,
        }
    }

    fn start(&mut self, place: usize) {
        if self.subscriptions[place].is_none() {
            let subscribe = Subscribe { id: place.to_string(), name: "documents".into(), params: None };
            self.subscriptions[place] = Some(self.recipient.views().start(Origin::named(subscribe)));
        }
    }

    fn stop(&mut self, place: usize) {
        let Some(handle) = self.subscriptions[place].take() else { return };
        let ended = self.recipient.views().end(handle, self.recipient.outbox());
        assert!(ended.is_some(), "it was active");
        self.model.stop(handle);
    }

    fn suspend(&mut self) {
        if self.is_suspended {
            return;
        }
        self.is_suspended = true;
        let _callbacks = self.recipient.views().end_all();
        self.recipient.views().suspend();
        self.model = Model::default();
        for place in 0..SUBSCRIPTIONS {
            if self.subscriptions[place].take().is_some() {
                self.start(place);
            }
        }
    }

    fn resume(&mut self) {
        self.is_suspended = false;
        let _ready = self.recipient.views().resume(self.recipient.outbox());
    }

    fn added(&mut self, place: usize, document: Key, fields: &Arc<Fields>) {
        let Some(by) = self.subscriptions[place] else { return };
        let (target, id) = (target(&self.recipient, document), document.1.into());
        let frame = added_frame(document.0, document.1, fields);
        self.recipient.views().added(target, by, &id, fields, Some(&frame));
        self.model.added(by, document, fields);
    }

    fn changed(&mut self, places: &[usize], document: Key, change: &SharedChange) {
        let by: Vec<Handle> = places.iter().filter_map(|place| self.subscriptions[*place]).collect();
        let held = self.recipient.views().changed(target(&self.recipient, document), &by, document.1, change);
        assert_eq!(held.is_ok(), by.is_empty() || self.model.is_held(&by, document));
        self.model.changed(&by, document, change);
    }

    fn removed(&mut self, place: usize, document: Key) {
        let Some(by) = self.subscriptions[place] else { return };
        let held = self.recipient.views().removed(target(&self.recipient, document), by, document.1);
        assert_eq!(held.is_ok(), self.model.is_held(&[by], document));
        self.model.removed(by, document);
    }

    /// Applies the messages to the client, and compares it with the model.
    fn check(&mut self, messages_at_most: usize) {
        let frames: Vec<_> = std::iter::from_fn(|| self.recipient.outbox().take()).collect();
        assert!(frames.len() <= messages_at_most, "too many messages: {frames:?}");
        assert!(frames.is_empty() || !self.is_suspended, "nothing is sent meanwhile: {frames:?}");
        for frame in frames {
            self.client.apply(&frame);
        }
        if !self.is_suspended {
            assert_eq!(self.client.documents, self.model.shown());
        }
    }
}

/// The model: for each field the list of subscriptions that set it, the first of which is shown.
#[derive(Default)]
struct Model {
    documents: BTreeMap<Key, ModelDocument>,
}

#[derive(Default)]
struct ModelDocument {
    holders: Vec<Handle>,
    fields: BTreeMap<String, Vec<(Handle, Ejson)>>,
}

impl Model {
    fn is_held(&self, by: &[Handle], document: Key) -> bool {
        self.documents.get(&document).is_some_and(|document| by.iter().any(|handle| document.holders.contains(handle)))
    }

    fn added(&mut self, by: Handle, document: Key, fields: &Fields) {
        let document = self.documents.entry(document).or_default();
        if !document.holders.contains(&by) {
            document.holders.push(by);
        }
        for (name, value) in fields.by_name() {
            let list = document.fields.entry(name.to_string()).or_default();
            if !list.iter().any(|(holder, _)| *holder == by) {
                list.push((by, read(value)));
            }
        }
    }

    /// Changes the document for several holders, in the order in which they began to hold it.
    fn changed(&mut self, by: &[Handle], document: Key, change: &SharedChange) {
        let Some(document) = self.documents.get_mut(&document) else { return };
        for holder in document.holders.clone().iter().filter(|holder| by.contains(holder)) {
            for (name, value) in &change.set {
                let list = document.fields.entry(name.to_string()).or_default();
                match list.iter_mut().find(|(other, _)| other == holder) {
                    Some(entry) => entry.1 = read(value),
                    None => list.push((*holder, read(value))),
                }
            }
            for name in &change.unset {
                document.clear(*holder, name);
            }
        }
    }

    fn removed(&mut self, by: Handle, key: Key) {
        let Some(document) = self.documents.get_mut(&key) else { return };
        document.holders.retain(|holder| *holder != by);
        for name in FIELDS {
            document.clear(by, name);
        }
        if document.holders.is_empty() {
            self.documents.remove(&key);
        }
    }

    fn stop(&mut self, by: Handle) {
        for document in DOCUMENTS {
            self.removed(by, document);
        }
    }

    fn shown(&self) -> Shown {
        let show = |document: &ModelDocument| {
            let first = |(name, list): (&String, &Vec<(Handle, Ejson)>)| (name.clone(), list[0].1.clone());
            document.fields.iter().map(first).collect()
        };
        self.documents.iter().map(|(key, document)| (*key, show(document))).collect()
    }
}

impl ModelDocument {
    fn clear(&mut self, by: Handle, name: &str) {
        if let Some(list) = self.fields.get_mut(name) {
            list.retain(|(holder, _)| *holder != by);
        }
        self.fields.retain(|_, list| !list.is_empty());
    }
}

/// A strict client.
#[derive(Default)]
struct Client {
    documents: Shown,
}

impl Client {
    fn apply(&mut self, frame: &str) {
        match ServerMessage::parse(frame).expect("a message of the server") {
            ServerMessage::Added { collection, id, fields } => {
                let fields = read_fields(fields.as_ref());
                let old = self.documents.insert(key(&collection, &id), fields);
                assert_eq!(old, None, "the client has it already: {frame}");
            }
            ServerMessage::Changed { collection, id, fields, cleared } => {
                let fields = read_fields(fields.as_ref());
                assert!(!fields.is_empty() || !cleared.is_empty(), "nothing has changed: {frame}");
                let document = self.documents.get_mut(&key(&collection, &id)).expect("a document that the client has");
                for name in cleared {
                    assert!(document.remove(&name).is_some(), "there was no such field: {frame}");
                }
                for (name, value) in fields {
                    let old = document.insert(name, value.clone());
                    assert_ne!(old, Some(value), "the client has this value: {frame}");
                }
            }
            ServerMessage::Removed { collection, id } => {
                let old = self.documents.remove(&key(&collection, &id));
                assert!(old.is_some(), "the client has no such document: {frame}");
            }
            other => panic!("nobody asked for this: {other:?}"),
        }
    }
}

fn target(recipient: &Recipient, (collection, _): Key) -> Target<'_> {
    Target { outbox: recipient.outbox(), collection }
}

fn key(collection: &str, id: &str) -> Key {
    *DOCUMENTS.iter().find(|key| **key == (collection, id)).expect("a document of the test")
}

/// Reads fields. If a field is written twice, the last value counts.
fn to_map(written: &Written) -> FieldMap {
    written.iter().map(|(name, value)| (Box::from(*name), RawJson::parse(value).expect("JSON"))).collect()
}

fn read_fields(fields: Option<&RawJson>) -> BTreeMap<String, Ejson> {
    let Some(fields) = fields else { return BTreeMap::new() };
    let fields: BTreeMap<String, RawJson> = serde_json::from_str(fields.get()).expect("an object");
    fields.iter().map(|(name, value)| (name.clone(), read(value))).collect()
}

fn read(value: &RawJson) -> Ejson {
    Ejson::parse(value.get(), &CustomTypes::default()).expect("EJSON")
}
