//! Random histories of writes, subscriptions, windows and restarts: `fetch`, `count` and what each client has equal the model
//! after each step, and no client ever has more documents than the limit of its window.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bolide::collection::{Batch, CollectionError, Upserted};
use bolide::prelude::*;
use bolide::protocol::ejson::{Object, to_raw};
use bolide::testing::TestClient;
use parking_lot::Mutex;
use quickcheck::{Gen, QuickCheck};
use serde_json::{Value, json};

use super::model::{Change, Model, Refusal, Selection, Text, Write};
use super::places::{Home, Place};
use super::steps::{Indexes, Side, Step, UNIQUE};
use crate::messages::Messages as _;
use crate::waiting::until;

#[test]
fn a_collection_in_memory_is_like_the_model() {
    QuickCheck::new().rng(Gen::new(40)).tests(300).quickcheck(play_in_memory as fn(Indexes, Vec<Step>));
}

#[test]
fn a_collection_in_sqlite_is_like_the_model() {
    QuickCheck::new().rng(Gen::new(30)).tests(40).quickcheck(play_in_sqlite as fn(Indexes, Vec<Step>));
}

#[test]
fn a_collection_in_postgres_is_like_the_model() {
    QuickCheck::new().rng(Gen::new(30)).tests(12).quickcheck(play_in_postgres as fn(Indexes, Vec<Step>));
}

/// The nodes write in turns, and all clients are connected to the last one.
#[test]
fn a_collection_of_two_nodes_is_like_the_model() {
    QuickCheck::new().rng(Gen::new(30)).tests(12).quickcheck(play_on_two_nodes as fn(Indexes, Vec<Step>));
}

fn play_in_memory(indexes: Indexes, steps: Vec<Step>) {
    play(Place::Memory, 1, indexes, steps);
}

fn play_in_sqlite(indexes: Indexes, steps: Vec<Step>) {
    play(Place::Sqlite, 1, indexes, steps);
}

fn play_in_postgres(indexes: Indexes, steps: Vec<Step>) {
    play(Place::Postgres, 1, indexes, steps);
}

fn play_on_two_nodes(indexes: Indexes, steps: Vec<Step>) {
    play(Place::Postgres, 2, indexes, steps);
}

fn play(place: Place, nodes: usize, indexes: Indexes, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let mut history = History::start(place, nodes, indexes).await;
        for step in steps {
            if let Step::Restart(indexes) = step {
                history = history.restart(indexes).await;
            }
            history.take(&step).await;
            history.compare(&step).await;
        }
        history.end().await;
    });
}

/// Two collections, the models of them, and the clients.
struct History {
    place: Place,
    home: Home,
    indexes: Indexes,
    nodes: Vec<Node>,
    /// The number of steps so far, which decides whose turn it is.
    turn: usize,
    model: Model,
    model_of_notes: Model,
    /// The queries that clients have subscribed to, by the parameter of the subscription.
    selections: Arc<Mutex<Vec<Selection>>>,
    clients: Vec<Client>,
}

struct Node {
    items: Collection,
    notes: Collection,
    app: App,
}

struct Client {
    connection: TestClient,
    selection: Selection,
}

impl History {
    async fn start(place: Place, count: usize, indexes: Indexes) -> Self {
        let (home, selections) = (Home::new(place), Arc::default());
        let nodes = start_nodes(place, &home, count, indexes, &selections).await;
        let model = Model::new(indexes.is_unique().then_some(UNIQUE));
        let (model_of_notes, clients) = (Model::new(None), Vec::new());
        Self { place, home, indexes, nodes, turn: 0, model, model_of_notes, selections, clients }
    }

    /// Returns the node to which the clients are connected.
    fn last(&self) -> &Node {
        self.nodes.last().expect("a node")
    }

    /// Closes the app with its store, and starts it again with other indexes. The clients subscribe again.
    async fn restart(self, indexes: Indexes) -> Self {
        if self.place == Place::Memory {
            return self;
        }
        let Self { place, home, indexes: before, nodes, turn, model, model_of_notes, selections, clients } = self;
        let count = nodes.len();
        let mut watched = Vec::new();
        for client in clients {
            client.connection.disconnect().await;
            watched.push(client.selection);
        }
        drop(nodes);
        // What is unique stays so: documents could violate another index.
        let indexes = indexes.unique_like(before);
        let nodes = start_nodes(place, &home, count, indexes, &selections).await;
        let clients = Vec::new();
        let mut history = Self { place, home, indexes, nodes, turn, model, model_of_notes, selections, clients };
        for selection in watched {
            history.subscribe(&selection).await;
        }
        history
    }

    async fn take(&mut self, step: &Step) {
        self.turn += 1;
        let node = &self.nodes[self.turn % self.nodes.len()];
        let (items, notes) = (node.items.clone(), node.notes.clone());
        match step {
            Step::BatchOfBoth(writes) => {
                let add = |batch, (side, write): &(Side, Write)| match side {
                    Side::Items => add_to(batch, &items, write),
                    Side::Notes => add_to(batch, &notes, write),
                };
                let committed = writes.iter().fold(Batch::new(), add).commit().await;
                assert_eq!(committed.map_err(refusal), self.write_both(writes), "{step:?}");
            }
            Step::Write(write) => {
                assert_eq!(make(&items, write).await, self.model.write(write), "{step:?}");
            }
            Step::UpdateMany(condition, changes) => {
                let updated = items.update_many(condition.filter(), update(changes)).await;
                assert_eq!(updated.map_err(refusal), self.model.update_many(condition, changes), "{step:?}");
            }
            Step::RemoveMany(condition) => {
                let removed = items.remove_many(condition.filter()).await;
                assert_eq!(removed, Ok(self.model.remove_many(condition)), "{step:?}");
            }
            Step::Batch(writes) => {
                let committed = batch(&items, writes).commit().await;
                assert_eq!(committed.map_err(refusal), self.model.write_together(writes), "{step:?}");
            }
            Step::Find(selection) => {
                let query = selection.query(&items);
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
            Step::Stop(_) | Step::Restart(_) => {}
        }
    }

    /// Makes the writes in both models, or none of them.
    fn write_both(&mut self, writes: &[(Side, Write)]) -> Result<(), Refusal> {
        let before = (self.model.clone(), self.model_of_notes.clone());
        let outcome = writes.iter().try_for_each(|(side, write)| match side {
            Side::Items => self.model.write_together(std::slice::from_ref(write)),
            Side::Notes => self.model_of_notes.write_together(std::slice::from_ref(write)),
        });
        if outcome.is_err() {
            (self.model, self.model_of_notes) = before;
        }
        outcome
    }

    async fn subscribe(&mut self, selection: &Selection) {
        let number = {
            let mut selections = self.selections.lock();
            selections.push(selection.clone());
            selections.len() - 1
        };
        let mut connection = TestClient::connect(&self.last().app).await;
        connection.subscribe("query", &json!([number])).await.expect("a subscription");
        self.clients.push(Client { connection, selection: selection.clone() });
    }

    /// Lets all clients leave. No query stays live.
    async fn end(self) {
        for client in self.clients {
            client.connection.disconnect().await;
        }
        until(|| self.nodes.iter().all(|node| node.items.live_query_count() == 0)).await;
    }

    async fn compare(&mut self, step: &Step) {
        let Node { items, notes: stored_notes, .. } = self.last();
        assert_eq!(items.count().await, Ok(self.model.len()), "{step:?}");
        let notes = self.model_of_notes.find(&Selection::everything()).into_iter().map(with_id).collect();
        assert_eq!(stored_notes.find(Filter::everything()).fetch().await, Ok(notes), "{step:?}");
        // What another node has written comes a moment later.
        let patience = if self.nodes.len() == 1 { Duration::ZERO } else { Duration::from_secs(10) };
        for client in &mut self.clients {
            let found = self.model.find(&client.selection).into_iter();
            let expected: BTreeMap<String, Value> =
                found.map(|(id, document)| (id.to_owned(), json(&client.selection.show(document)))).collect();
            client.hear(step).await;
            let begin = Instant::now();
            while client.documents() != expected && begin.elapsed() < patience {
                tokio::time::sleep(Duration::from_millis(1)).await;
                client.hear(step).await;
            }
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

/// Starts an app that publishes the first collection.
async fn start_nodes(
    place: Place,
    home: &Home,
    count: usize,
    indexes: Indexes,
    selections: &Arc<Mutex<Vec<Selection>>>,
) -> Vec<Node> {
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        nodes.push(start_node(place, home, indexes, selections).await);
    }
    nodes
}

async fn start_node(place: Place, home: &Home, indexes: Indexes, selections: &Arc<Mutex<Vec<Selection>>>) -> Node {
    let (items, notes) = (place.items(indexes.declared()), place.collection("notes"));
    let (published, known) = (items.clone(), Arc::clone(selections));
    let app = App::builder().collection(&items).collection(&notes);
    let app = app.publish("query", async move |subscription: Subscription, number: usize| {
        let query = known.lock()[number].query(&published);
        subscription.publish(query).await
    });
    let app = match place {
        Place::Memory => app,
        Place::Sqlite | Place::Postgres => app.store(home.open().await),
    };
    Node { items, notes, app: app.build().expect("the app fits together") }
}

fn batch(items: &Collection, writes: &[Write]) -> Batch {
    writes.iter().fold(Batch::new(), |batch, write| add_to(batch, items, write))
}

fn add_to(batch: Batch, items: &Collection, write: &Write) -> Batch {
    match write {
        Write::Insert(id, fields) => batch.insert(items, *id, &object(fields)),
        Write::Update(id, changes) => batch.update(items, *id, update(changes)),
        Write::UpdateIf(id, condition, changes) => batch.update_if(items, *id, condition.filter(), update(changes)),
        Write::Upsert(id, changes) => batch.upsert(items, *id, update(changes)),
        Write::Remove(id) => batch.remove(items, *id),
    }
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
