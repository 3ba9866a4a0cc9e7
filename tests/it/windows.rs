//! Queries with order and limit, over random histories: a client always has the result of `fetch`.

use std::collections::BTreeMap;

use bolide::AppBuilder;
use bolide::collection::Query;
use bolide::prelude::*;
use bolide::protocol::RawJson;
use bolide::protocol::ejson::{CustomTypes, Object, to_raw};
use bolide::testing::TestClient;
use quickcheck::{Arbitrary, Gen, QuickCheck};
use serde_json::{Value, json};

use crate::messages::Messages as _;

const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// Values, some of which cannot be compared with each other.
const RANKS: [&str; 7] = ["1", "2", "3", "null", "\"2\"", r#"{"$InfNaN":0}"#, r#"{"$InfNaN":-1}"#];

#[derive(Clone, Debug)]
enum Step {
    Insert(&'static str, &'static str, bool),
    Rank(&'static str, &'static str),
    Unrank(&'static str),
    Open(&'static str, bool),
    Remove(&'static str),
}

#[derive(Clone, Debug)]
struct Window {
    only_open: bool,
    direction: Option<Direction>,
    skip: usize,
    limit: Option<usize>,
    hides_rank: bool,
}

impl Arbitrary for Step {
    fn arbitrary(random: &mut Gen) -> Self {
        let (id, rank) = (pick(random, &IDS), pick(random, &RANKS));
        match pick(random, b"IIIIRRRUOODD") {
            b'I' => Self::Insert(id, rank, bool::arbitrary(random)),
            b'R' => Self::Rank(id, rank),
            b'U' => Self::Unrank(id),
            b'O' => Self::Open(id, bool::arbitrary(random)),
            _ => Self::Remove(id),
        }
    }
}

impl Arbitrary for Window {
    fn arbitrary(random: &mut Gen) -> Self {
        Self {
            only_open: bool::arbitrary(random),
            direction: pick(random, &[None, Some(Direction::Ascending), Some(Direction::Descending)]),
            skip: pick(random, &[0, 1, 2]),
            limit: pick(random, &[None, Some(0), Some(1), Some(2), Some(3)]),
            hides_rank: bool::arbitrary(random),
        }
    }
}

fn pick<T: Copy>(random: &mut Gen, choices: &[T]) -> T {
    *random.choose(choices).expect("a choice")
}

#[test]
fn a_client_always_has_the_result_of_fetch() {
    fn play(mut windows: Vec<Window>, steps: Vec<Step>) {
        windows.truncate(3);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(follow(&windows, steps));
    }
    QuickCheck::new().rng(Gen::new(30)).tests(200).quickcheck(play as fn(Vec<Window>, Vec<Step>));
}

async fn follow(windows: &[Window], steps: Vec<Step>) {
    let items: Collection = Collection::new("items");
    let app = publish(&items, windows);
    let mut subscribers = Vec::new();
    for (number, step) in steps.into_iter().enumerate() {
        if number % 8 == 0 {
            // Some subscribe late.
            subscribers.extend(subscribe(&app, windows).await);
        }
        step.take(&items).await;
        for (window, subscriber) in &mut subscribers {
            subscriber.heard().await;
            assert_eq!(shown(subscriber), window.fetch(&items).await, "{window:?} after {step:?}");
        }
    }
}

/// Returns the documents as they were sent.
fn shown(subscriber: &TestClient) -> BTreeMap<String, Value> {
    let read = |fields: RawJson| serde_json::from_str(fields.get()).expect("JSON");
    subscriber.documents("items").into_iter().map(|(id, fields)| (id, read(fields))).collect()
}

fn publish(items: &Collection, windows: &[Window]) -> App {
    let publish = |app: AppBuilder, (number, window): (usize, &Window)| {
        let (items, window) = (items.clone(), window.clone());
        app.publish(&number.to_string(), async move |subscription: Subscription| {
            subscription.publish(window.query(&items)).await
        })
    };
    windows.iter().enumerate().fold(App::builder(), publish).build().expect("the app fits together")
}

/// One client per window.
async fn subscribe(app: &App, windows: &[Window]) -> Vec<(Window, TestClient)> {
    let mut subscribers = Vec::new();
    for (number, window) in windows.iter().enumerate() {
        let mut subscriber = TestClient::connect(app).await;
        subscriber.subscribe(&number.to_string(), &json!([])).await.expect("a subscription");
        subscribers.push((window.clone(), subscriber));
    }
    subscribers
}

impl Window {
    fn query(&self, items: &Collection) -> Query {
        let filter = if self.only_open { Filter::eq("open", true) } else { Filter::everything() };
        let mut query = items.find(filter).skip(self.skip);
        if let Some(direction) = self.direction {
            query = query.sort("rank", direction);
        }
        if let Some(limit) = self.limit {
            query = query.limit(limit);
        }
        if self.hides_rank { query.without(["rank"]) } else { query }
    }

    /// Returns the result of the query as a client has it. (`fetch` returns complete documents.)
    async fn fetch(&self, items: &Collection) -> BTreeMap<String, Value> {
        let show = |mut document: Object| {
            document.shift_remove("_id");
            if self.hides_rank {
                document.shift_remove("rank");
            }
            let text = to_raw(&document).expect("EJSON");
            let fields: Value = serde_json::from_str(text.get()).expect("JSON");
            (fields["id"].as_str().expect("an id").to_owned(), fields)
        };
        self.query(items).fetch().await.expect("it is in memory").into_iter().map(show).collect()
    }
}

impl Step {
    async fn take(&self, items: &Collection) {
        match self {
            Self::Insert(id, rank, open) => {
                let document = [("id", Ejson::from(*id)), ("rank", read(rank)), ("open", Ejson::from(*open))];
                let document: Object = document.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                let _is_there_already = items.insert(*id, &document).await;
            }
            Self::Rank(id, rank) => update(items, id, Update::new().set("rank", read(rank))).await,
            Self::Unrank(id) => update(items, id, Update::new().unset("rank")).await,
            Self::Open(id, open) => update(items, id, Update::new().set("open", *open)).await,
            Self::Remove(id) => drop(items.remove(*id).await.expect("it is in memory")),
        }
    }
}

async fn update(items: &Collection, id: &str, update: Update) {
    let _is_there = items.update(id, update).await.expect("it is in memory");
}

fn read(value: &str) -> Ejson {
    Ejson::parse(value, &CustomTypes::default()).expect("EJSON")
}
