//! Random histories of writes, subscriptions and windows: `fetch`, `count` and what each client has equal the model after
//! each step, and no client ever has more documents than the limit of its window.

use std::collections::BTreeMap;
use std::sync::Arc;

use bolide::collection::{Batch, CollectionError, Index, Upserted};
use bolide::prelude::*;
use bolide::protocol::ejson::{Object, to_raw};
use bolide::testing::TestClient;
use parking_lot::Mutex;
use quickcheck::{Arbitrary, Gen, QuickCheck};
use serde_json::{Value, json};

use super::model::{Change, Condition, Model, Projection, Refusal, Selection, Text, Write};
use super::places::Place;
use crate::messages::Messages as _;
use crate::waiting::until;

const IDS: [Text; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const FIELDS: [Text; 4] = ["a", "b", "n", "n.x"];
/// Values: of several kinds, some equal, some that cannot be compared.
const VALUES: [Text; 16] = [
    "1",
    "2",
    "1.0",
    "-1.5",
    "9007199254740992",
    "9007199254740993",
    "\"1\"",
    "\"s\"",
    "null",
    "true",
    "[1,2]",
    "[\"s\"]",
    r#"{"x":1}"#,
    r#"[{"x":1},{"x":[2]}]"#,
    r#"{"$date":5}"#,
    r#"{"$InfNaN":0}"#,
];
/// The field of the unique index.
const UNIQUE: Text = "b";
/// The number of documents that a batch can add in addition, to push others out of windows.
const MANY: [Text; 40] = [
    "m00", "m01", "m02", "m03", "m04", "m05", "m06", "m07", "m08", "m09", "m10", "m11", "m12", "m13", "m14", "m15",
    "m16", "m17", "m18", "m19", "m20", "m21", "m22", "m23", "m24", "m25", "m26", "m27", "m28", "m29", "m30", "m31",
    "m32", "m33", "m34", "m35", "m36", "m37", "m38", "m39",
];

#[derive(Clone, Debug)]
enum Step {
    Write(Write),
    UpdateMany(Condition, Vec<Change>),
    RemoveMany(Condition),
    Batch(Vec<Write>),
    Find(Selection),
    Subscribe(Selection),
    Stop(usize),
}

/// The indexes of a collection, as bits: one per index that can be declared.
#[derive(Clone, Copy, Debug)]
struct Indexes(u8);

#[test]
fn a_collection_in_memory_is_like_the_model() {
    QuickCheck::new().rng(Gen::new(40)).tests(300).quickcheck(play_in_memory as fn(Indexes, Vec<Step>));
}

#[test]
fn a_collection_in_sqlite_is_like_the_model() {
    QuickCheck::new().rng(Gen::new(30)).tests(40).quickcheck(play_in_sqlite as fn(Indexes, Vec<Step>));
}

fn play_in_memory(indexes: Indexes, steps: Vec<Step>) {
    play(Place::Memory, indexes, steps);
}

fn play_in_sqlite(indexes: Indexes, steps: Vec<Step>) {
    play(Place::Sqlite, indexes, steps);
}

fn play(place: Place, indexes: Indexes, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let mut history = History::start(place, indexes).await;
        for step in steps {
            history.take(&step).await;
            history.compare(&step).await;
        }
        history.end().await;
    });
}

/// A collection, the model of it, and the clients.
struct History {
    items: Collection,
    model: Model,
    app: App,
    /// The queries that clients have subscribed to, by the parameter of the subscription.
    selections: Arc<Mutex<Vec<Selection>>>,
    clients: Vec<Client>,
}

struct Client {
    connection: TestClient,
    selection: Selection,
}

impl History {
    async fn start(place: Place, indexes: Indexes) -> Self {
        let items = place.items(indexes.declared());
        let (published, selections) = (items.clone(), Arc::new(Mutex::new(Vec::<Selection>::new())));
        let known = Arc::clone(&selections);
        let app = place.app(&items).await.publish("query", async move |subscription: Subscription, number: usize| {
            let query = known.lock()[number].query(&published);
            subscription.publish(query).await
        });
        let app = app.build().expect("the app fits together");
        let model = Model::new(indexes.is_unique().then_some(UNIQUE));
        Self { items, model, app, selections, clients: Vec::new() }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Write(write) => {
                assert_eq!(make(&self.items, write).await, self.model.write(write), "{step:?}");
            }
            Step::UpdateMany(condition, changes) => {
                let updated = self.items.update_many(condition.filter(), update(changes)).await;
                assert_eq!(updated.map_err(refusal), self.model.update_many(condition, changes), "{step:?}");
            }
            Step::RemoveMany(condition) => {
                let removed = self.items.remove_many(condition.filter()).await;
                assert_eq!(removed, Ok(self.model.remove_many(condition)), "{step:?}");
            }
            Step::Batch(writes) => {
                let committed = batch(&self.items, writes).commit().await;
                assert_eq!(committed.map_err(refusal), self.model.write_together(writes), "{step:?}");
            }
            Step::Find(selection) => {
                let query = selection.query(&self.items);
                let expected = self.model.find(selection);
                assert_eq!(query.count().await, Ok(expected.len()), "{step:?}");
                let expected: Vec<Object> = expected.into_iter().map(with_id).collect();
                assert_eq!(query.fetch().await, Ok(expected), "{step:?} with {:?}", query.explain().await);
            }
            Step::Subscribe(selection) => self.subscribe(selection).await,
            Step::Stop(place) if !self.clients.is_empty() => {
                let place = place % self.clients.len();
                self.clients.remove(place).connection.disconnect().await;
            }
            Step::Stop(_) => {}
        }
    }

    async fn subscribe(&mut self, selection: &Selection) {
        let number = {
            let mut selections = self.selections.lock();
            selections.push(selection.clone());
            selections.len() - 1
        };
        let mut connection = TestClient::connect(&self.app).await;
        connection.subscribe("query", &json!([number])).await.expect("a subscription");
        self.clients.push(Client { connection, selection: selection.clone() });
    }

    /// Lets all clients leave. No query stays live.
    async fn end(self) {
        for client in self.clients {
            client.connection.disconnect().await;
        }
        until(|| self.items.live_query_count() == 0).await;
    }

    async fn compare(&mut self, step: &Step) {
        assert_eq!(self.items.count().await, Ok(self.model.len()), "{step:?}");
        for client in &mut self.clients {
            client.hear(step).await;
            let found = self.model.find(&client.selection).into_iter();
            let expected: BTreeMap<String, Value> =
                found.map(|(id, document)| (id.to_owned(), json(&client.selection.show(document)))).collect();
            assert_eq!(client.documents(), expected, "{:?} after {step:?}", client.selection);
        }
    }
}

impl Client {
    /// Takes the messages one by one, and counts the documents.
    async fn hear(&mut self, step: &Step) {
        let messages = self.connection.heard().await;
        let count = |kind: &str| messages.iter().filter(|message| message["msg"] == kind).count();
        let mut documents = self.connection.document_ids("items").len() + count("removed") - count("added");
        for message in &messages {
            match message["msg"].as_str() {
                Some("added") => documents += 1,
                Some("removed") => documents -= 1,
                _ => {}
            }
            let limit = self.selection.limit.unwrap_or(usize::MAX);
            assert!(documents <= limit, "{documents} documents in {:?} after {step:?}", self.selection);
        }
    }

    fn documents(&self) -> BTreeMap<String, Value> {
        self.connection.documents("items").into_iter().collect()
    }
}

async fn make(items: &Collection, write: &Write) -> Result<bool, Refusal> {
    let outcome = match write {
        Write::Insert(id, fields) => items.insert(*id, &object(fields)).await.map(|()| true),
        Write::Update(id, changes) => items.update(*id, update(changes)).await,
        Write::UpdateIf(id, condition, changes) => items.update_if(*id, condition.filter(), update(changes)).await,
        Write::Upsert(id, changes) => {
            let is_known = items.get(*id).await.expect("it is readable").is_some();
            let expected = if is_known { Upserted::Updated } else { Upserted::Inserted };
            items.upsert(*id, update(changes)).await.map(|upserted| upserted == expected)
        }
        Write::Remove(id) => items.remove(*id).await,
    };
    outcome.map_err(refusal)
}

fn batch(items: &Collection, writes: &[Write]) -> Batch {
    writes.iter().fold(Batch::new(), |batch, write| match write {
        Write::Insert(id, fields) => batch.insert(items, *id, &object(fields)),
        Write::Update(id, changes) => batch.update(items, *id, update(changes)),
        Write::UpdateIf(id, condition, changes) => batch.update_if(items, *id, condition.filter(), update(changes)),
        Write::Upsert(id, changes) => batch.upsert(items, *id, update(changes)),
        Write::Remove(id) => batch.remove(items, *id),
    })
}

fn update(changes: &[Change]) -> Update {
    changes.iter().fold(Update::new(), |update, change| change.add_to(update))
}

fn refusal(error: CollectionError) -> Refusal {
    match error {
        CollectionError::Duplicate { .. } => Refusal::Duplicate,
        CollectionError::NotUnique { .. } => Refusal::NotUnique,
        CollectionError::Mismatch { .. } => Refusal::Mismatch,
        CollectionError::Unmatched { .. } => Refusal::Unmatched,
        other => panic!("an unexpected error: {other}"),
    }
}

fn object(fields: &[(Text, Text)]) -> Object {
    fields.iter().map(|(name, value)| ((*name).to_owned(), super::model::read(value))).collect()
}

fn with_id((id, mut document): (Text, Object)) -> Object {
    document.insert("_id".to_owned(), Ejson::from(id));
    document
}

fn json(document: &Object) -> Value {
    serde_json::from_str(to_raw(document).expect("EJSON").get()).expect("JSON")
}

impl Indexes {
    fn declared(self) -> impl Iterator<Item = Index> {
        let all = [
            Index::on("a"),
            Index::from(["b", "a"]),
            Index::on("a").and_descending("b"),
            Index::on("n.x"),
            Index::from(["n.x", "a", "b"]),
            Index::on(UNIQUE).unique(),
        ];
        all.into_iter().enumerate().filter(move |(bit, _)| self.0 >> bit & 1 == 1).map(|(_, index)| index)
    }

    fn is_unique(self) -> bool {
        self.0 >> 5 & 1 == 1
    }
}

impl Arbitrary for Indexes {
    fn arbitrary(random: &mut Gen) -> Self {
        Self(u8::arbitrary(random) % 64)
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let Self(bits) = *self;
        Box::new((0..6).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| Self(bits & !(1 << bit))))
    }
}

impl Arbitrary for Step {
    fn arbitrary(random: &mut Gen) -> Self {
        match pick(random, b"WWWWWWWWWWUUDBBBMFFFFSSSSX") {
            b'W' => Self::Write(write(random)),
            b'U' => Self::UpdateMany(condition(random, 2), changes(random)),
            b'D' => Self::RemoveMany(condition(random, 2)),
            b'B' => Self::Batch(some(random, 4, write)),
            b'M' => Self::Batch(many(random)),
            b'F' => Self::Find(selection(random)),
            b'S' => Self::Subscribe(selection(random)),
            _ => Self::Stop(usize::arbitrary(random)),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let Self::Batch(writes) = self else { return Box::new(std::iter::empty()) };
        let (shorter, all) = (0..writes.len(), writes.clone());
        Box::new(shorter.map(move |gone| {
            Self::Batch(
                all.iter().enumerate().filter(|(place, _)| *place != gone).map(|(_, write)| write.clone()).collect(),
            )
        }))
    }
}

/// A batch that makes room in a window, and fills it with more than it keeps.
fn many(random: &mut Gen) -> Vec<Write> {
    let insert = |random: &mut Gen| Write::Upsert(pick(random, &MANY), vec![Change::Set("a", pick(random, &VALUES))]);
    let mut writes = vec![Write::Remove(pick(random, &IDS)), Write::Remove(pick(random, &MANY))];
    writes.extend((0..40).map(|_| insert(random)));
    writes
}

fn write(random: &mut Gen) -> Write {
    let id = pick(random, &IDS);
    match pick(random, b"IIIIUUUCPPR") {
        b'I' => Write::Insert(id, some(random, 3, |random| (pick(random, &["a", "b", "n"]), pick(random, &VALUES)))),
        b'U' => Write::Update(id, changes(random)),
        b'C' => Write::UpdateIf(id, condition(random, 1), changes(random)),
        b'P' => Write::Upsert(id, changes(random)),
        _ => Write::Remove(id),
    }
}

fn changes(random: &mut Gen) -> Vec<Change> {
    some(random, 3, |random| {
        let (field, value) = (pick(random, &FIELDS), pick(random, &VALUES));
        match pick(random, b"SSSSSOUUIAQP") {
            b'S' => Change::Set(field, value),
            b'O' => Change::SetOnInsert(field, value),
            b'U' => Change::Unset(field),
            b'I' => Change::Increment(field, pick(random, &["1", "-2", "0.5", "0"])),
            b'A' => Change::Push(field, value),
            b'Q' => Change::PushUnique(field, value),
            _ => Change::Pull(field, value),
        }
    })
}

fn selection(random: &mut Gen) -> Selection {
    Selection {
        condition: condition(random, 2),
        sort: some(random, 2, |random| {
            let directions = [Direction::Ascending, Direction::Descending];
            (pick(random, &["a", "b", "n.x", "_id"]), pick(random, &directions))
        }),
        skip: pick(random, &[0, 0, 1, 3]),
        limit: pick(random, &[None, None, Some(0), Some(1), Some(2), Some(5)]),
        projection: match pick(random, b"EEOW") {
            b'E' => Projection::Everything,
            b'O' => Projection::Only(pick(random, &["a", "n"])),
            _ => Projection::Without(pick(random, &["a", "b"])),
        },
    }
}

fn condition(random: &mut Gen, depth: usize) -> Condition {
    let (field, value) = (pick(random, &FIELDS), pick(random, &VALUES));
    let kinds: &[u8] = if depth == 0 { b"IEEEEN<lg>X" } else { b"IEEEEN<lg>X!AAAOO*****" };
    match pick(random, kinds) {
        b'I' => Condition::Ids(some(random, 3, |random| pick(random, &IDS))),
        b'E' => Condition::Equals(field, value),
        b'N' => Condition::In(field, some(random, 3, |random| pick(random, &VALUES))),
        b'<' => Condition::Below(field, value),
        b'l' => Condition::AtMost(field, value),
        b'g' => Condition::AtLeast(field, value),
        b'>' => Condition::Above(field, value),
        b'X' => Condition::Exists(field),
        b'!' => Condition::Not(Box::new(condition(random, depth - 1))),
        b'A' => Condition::All(some(random, 3, |random| condition(random, depth - 1))),
        b'O' => Condition::Any(some(random, 2, |random| condition(random, depth - 1))),
        _ => Condition::All(Vec::new()),
    }
}

/// Returns up to `maximum` values.
fn some<T>(random: &mut Gen, maximum: usize, mut make: impl FnMut(&mut Gen) -> T) -> Vec<T> {
    let count = usize::arbitrary(random) % (maximum + 1);
    (0..count).map(|_| make(random)).collect()
}

fn pick<T: Copy>(random: &mut Gen, choices: &[T]) -> T {
    *random.choose(choices).expect("a choice")
}
