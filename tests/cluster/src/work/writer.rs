//! [`Writer`]: a client that inserts, updates, increments and removes documents, and notes what it is told.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::client::{Client, Outcome};
use crate::ledger::{Key, Ledger};

/// How many documents all writers share.
pub(crate) const SHARED: i64 = 8;

/// How many groups there are.
const GROUPS: i64 = 3;

/// The number of own documents beyond which a writer removes one.
const OWN: usize = 12;

/// A client that writes. It is the only one that writes its own documents, and its own field of each shared document.
#[derive(Debug)]
pub(crate) struct Writer {
    number: i64,
    client: Arc<Client>,
    ledger: Arc<Mutex<Ledger>>,
    random: StdRng,
    /// Counts what it has written, so that no two values are equal.
    count: i64,
    /// The ids of own documents whose state is known.
    own: Vec<String>,
    /// Its field of each shared document is named after this: a field whose value is not known is not written again.
    generations: Vec<i64>,
}

/// Inserts the documents that all writers share.
pub(crate) async fn insert_shared(client: &Client, ledger: &Mutex<Ledger>) -> anyhow::Result<()> {
    for number in 0..SHARED {
        let id = format!("shared-{number}");
        let document = json!({ "_id": id, "group": number % GROUPS, "rank": -number });
        let outcome = client.call("insertItem", json!([document])).await;
        anyhow::ensure!(outcome.is_done(), "{outcome:?}");
        ledger.lock().wrote(Key::new(&id, "rank"), Some(-number), &outcome);
    }
    Ok(())
}

impl Writer {
    pub(crate) fn new(number: i64, client: Arc<Client>, ledger: Arc<Mutex<Ledger>>, random: StdRng) -> Self {
        let generations = (0..SHARED).map(|_| 0).collect();
        Self { number, client, ledger, random, count: 0, own: Vec::new(), generations }
    }

    /// Writes until it is told to stop, and returns itself.
    pub(crate) async fn run(mut self, stop: watch::Receiver<bool>) -> Self {
        while !*stop.borrow() {
            let outcome = match self.random.random_range(0..10) {
                0..=2 => self.set_shared().await,
                3 | 4 => self.increment_shared().await,
                5 | 6 => self.insert().await,
                7 | 8 => self.update().await,
                _ => self.remove().await,
            };
            let pause = if outcome.is_done() { self.random.random_range(5..40) } else { 100 };
            sleep(Duration::from_millis(pause)).await;
        }
        self
    }

    async fn set_shared(&mut self) -> Outcome {
        let shared = self.random.random_range(0..self.generations.len());
        let (id, field) = (format!("shared-{shared}"), format!("by{}g{}", self.number, self.generations[shared]));
        let value = self.next_value();
        let outcome = self.client.call("updateItem", json!([id, { "set": { &field: value } }])).await;
        if !self.ledger.lock().wrote(Key::new(&id, &field), Some(value), &outcome) {
            self.generations[shared] += 1;
        }
        outcome
    }

    async fn increment_shared(&mut self) -> Outcome {
        let id = format!("shared-{}", self.random.random_range(0..SHARED));
        let by = self.random.random_range(1..5);
        let outcome = self.client.call("incrementItem", json!([id, "count", by])).await;
        self.ledger.lock().incremented(Key::new(&id, "count"), by, &outcome);
        outcome
    }

    async fn insert(&mut self) -> Outcome {
        if self.own.len() >= OWN {
            return self.remove().await;
        }
        let rank = self.next_value();
        let id = format!("own-{rank}");
        let document = json!({ "_id": id, "group": self.random.random_range(0..GROUPS), "rank": rank });
        let outcome = self.client.call("insertItem", json!([document])).await;
        let is_known = self.ledger.lock().wrote(Key::new(&id, "rank"), Some(rank), &outcome);
        if is_known && outcome.is_done() {
            self.own.push(id);
        }
        outcome
    }

    async fn update(&mut self) -> Outcome {
        let Some(id) = self.take_own() else { return self.insert().await };
        let rank = self.next_value();
        let change = json!({ "set": { "rank": rank, "group": self.random.random_range(0..GROUPS) } });
        let outcome = self.client.call("updateItem", json!([id, change])).await;
        if self.ledger.lock().wrote(Key::new(&id, "rank"), Some(rank), &outcome) {
            self.own.push(id);
        }
        outcome
    }

    async fn remove(&mut self) -> Outcome {
        let Some(id) = self.take_own() else { return self.insert_first().await };
        let outcome = self.client.call("removeItem", json!([id])).await;
        let is_known = self.ledger.lock().wrote(Key::new(&id, "rank"), None, &outcome);
        if is_known && !outcome.is_done() {
            self.own.push(id);
        }
        outcome
    }

    async fn insert_first(&mut self) -> Outcome {
        Box::pin(self.insert()).await
    }

    fn take_own(&mut self) -> Option<String> {
        if self.own.is_empty() {
            return None;
        }
        let taken = self.random.random_range(0..self.own.len());
        Some(self.own.swap_remove(taken))
    }

    /// Returns a value that no other write has: also the rank by which windows are ordered.
    fn next_value(&mut self) -> i64 {
        self.count += 1;
        self.count * 100 + self.number
    }
}
