//! How often Bolide allocates memory, and how much: for a call, a document, a delivery, a session.
//!
//! `cargo bench --bench allocations` prints a table; with `-- --strict`, a budget that is exceeded makes the exit code
//! non-zero. The numbers do not depend on the machine or its load. Everything runs on this thread, whose allocations are
//! counted; a buffer that grows is one more. The texts that a connection in the process carries are subtracted: one for each
//! message, which a socket would not need.

#![expect(clippy::print_stdout, reason = "it is a command-line program")]
#![expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]

#[path = "common/in_process.rs"]
mod in_process;

use std::hint::black_box;
use std::process::ExitCode;

use allocation_counter::AllocationInfo;
use bolide::prelude::*;
use bolide::protocol::ejson::{self, CustomTypes};
use bolide::protocol::{ClientMessage, ServerMessage};
use bolide::{FromServer, MemoryConnection};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use in_process::{app_with_accounts, connect, connect_trusted, methods};

/// How often each thing is done.
const REPETITIONS: usize = 10_000;

/// How often it is done before, so that tables and pools have their size.
const WARM_UP: usize = 500;

/// The documents of one subscription.
const DOCUMENTS: usize = 1_000;

/// The sessions that receive a broadcast.
const SUBSCRIBERS: usize = 1_000;

const CONNECT: &str = r#"{"msg":"connect","version":"1","support":["1"]}"#;
const DISCONNECT: &str = r#"{"msg":"disconnect"}"#;
const OPEN: &str = r#"{"msg":"method","id":"17","method":"open","params":[1,2]}"#;
const GATED: &str = r#"{"msg":"method","id":"17","method":"gated","params":[1,2]}"#;

/// A row of the table. The budgets are a little above what was measured last.
struct Row {
    name: &'static str,
    cost: Cost,
    budget: Budget,
}

/// The maximum of allocations, and of bytes.
type Budget = (f64, f64);

/// Allocations, and allocated bytes.
#[derive(Clone, Copy, Default)]
struct Cost {
    count: f64,
    bytes: f64,
}

/// A client that counts the texts of its connection.
struct Client {
    connection: MemoryConnection,
    texts: Cost,
}

/// A document.
#[derive(Clone, Serialize, Deserialize)]
struct Item {
    name: String,
    price: f64,
    done: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_given = |name: &str| arguments.iter().any(|argument| argument == name);
    // `cargo test --benches` gives no argument, nextest asks for a list: neither wants a measurement.
    if arguments.is_empty() || is_given("--list") {
        return ExitCode::SUCCESS;
    }
    let rows = measure();
    println!("| for each | allocations | bytes | budget |\n|---|---|---|---|");
    rows.iter().for_each(Row::print);
    let is_kept = rows.iter().all(Row::is_kept);
    if is_given("--strict") && !is_kept { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn measure() -> Vec<Row> {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bare = runtime.block_on(async { methods(App::builder()).build().expect("an app") });
    let with_accounts = runtime.block_on(app_with_accounts());
    let row = |name, cost, budget| Row { name, cost, budget };
    vec![
        row("call that is decoded", decoded_call(&runtime), (3.0, 32.0)),
        row("answer that is encoded: `updated` and `result`", encoded_answer(&runtime), (3.0, 150.0)),
        row("call within the process, without a session", dispatched_call(&runtime, &bare), (6.0, 400.0)),
        row("call through a session", session_call(&runtime, &bare), (9.0, 600.0)),
        row("call of a gated method by a trusted client", trusted_call(&runtime, &with_accounts), (26.0, 3_000.0)),
        row("session in the process that is opened and ended", session(&runtime, &bare), (26.0, 5_500.0)),
        row("initial document of a live query that others see", initial_document(&runtime, "live"), (0.1, 420.0)),
        row("initial document that a handler sends", initial_document(&runtime, "sent"), (5.5, 650.0)),
        row("delivery of a broadcast to 1,000 sessions", delivery(&runtime), (1.1, 300.0)),
    ]
}

fn decoded_call(runtime: &Runtime) -> Cost {
    let types = CustomTypes::default();
    let call = OPEN.into();
    cost(runtime, async |times| {
        for _ in 0..times {
            drop(black_box(ClientMessage::parse(black_box(&call), &types)));
        }
    })
}

fn encoded_answer(runtime: &Runtime) -> Cost {
    cost(runtime, async |times| {
        for _ in 0..times {
            let result = ejson::to_raw(black_box(&3.5)).expect("a number");
            let mut text = String::new();
            ServerMessage::write_answer(&mut text, "17", Ok(Some(&result)));
            drop(black_box(text));
        }
    })
}

fn dispatched_call(runtime: &Runtime, app: &App) -> Cost {
    let caller = Caller::anonymous();
    cost(runtime, async |times| {
        for _ in 0..times {
            let sum: f64 = app.call(&caller, "open", &(1.0, 2.0)).await.expect("a sum");
            black_box(sum);
        }
    })
}

fn session_call(runtime: &Runtime, app: &App) -> Cost {
    let client = runtime.block_on(connect(app));
    calls(runtime, client, OPEN)
}

fn trusted_call(runtime: &Runtime, app: &App) -> Cost {
    let client = runtime.block_on(connect_trusted(app));
    calls(runtime, client, GATED)
}

/// Makes calls, each of which is answered by `updated` and `result`.
fn calls(runtime: &Runtime, connection: MemoryConnection, call: &'static str) -> Cost {
    let mut client = Client::new(connection);
    cost_beside(runtime, async |times| {
        for _ in 0..times {
            client.send(call).await;
            client.receive().await;
            client.receive().await;
        }
        client.take_texts()
    })
}

fn session(runtime: &Runtime, app: &App) -> Cost {
    let others = app.session_count();
    cost_beside(runtime, async |times| {
        let mut texts = Cost::default();
        for _ in 0..times {
            let mut client = Client::new(app.connect());
            client.send(CONNECT).await;
            client.receive().await;
            client.send(DISCONNECT).await;
            texts = texts.and(client.take_texts());
            drop(client);
            while app.session_count() > others {
                yield_now().await;
            }
        }
        texts
    })
}

/// Subscribes in sessions of their own, and subtracts the same without documents.
fn initial_document(runtime: &Runtime, publication: &'static str) -> Cost {
    let app = runtime.block_on(items());
    let first = runtime.block_on(subscribe(&app, publication, DOCUMENTS));
    let subscribed = |documents: usize| {
        total(runtime, async || {
            let mut texts = Cost::default();
            let mut clients = Vec::with_capacity(REPETITIONS / DOCUMENTS);
            for _ in 0..REPETITIONS / DOCUMENTS {
                let mut client = subscribe(&app, publication, documents).await;
                texts = texts.and(client.take_texts());
                clients.push(client);
            }
            texts
        })
    };
    let (without, with) = (subscribed(0), subscribed(DOCUMENTS));
    drop(first);
    with.without(without).each(REPETITIONS)
}

/// Sends broadcasts to sessions that all show the same document.
fn delivery(runtime: &Runtime) -> Cost {
    let audience = Audience::default();
    let joined = audience.clone();
    let app = App::builder().publish("feed", async move |subscription: Subscription, _: usize| {
        subscription.added("feed", "x", &json!({ "p": null })).await?;
        joined.join(&subscription);
        Ok(())
    });
    let app = app.build().expect("an app");
    let mut clients = Vec::with_capacity(SUBSCRIBERS);
    for _ in 0..SUBSCRIBERS {
        clients.push(runtime.block_on(subscribe(&app, "feed", 0)));
    }
    let mut payload = 0;
    let mut broadcast = async |times: usize| {
        let mut texts = Cost::default();
        for _ in 0..times / SUBSCRIBERS {
            payload += 1;
            let reached = audience.changed("feed", "x", &json!({ "p": payload }), &[]).expect("fields");
            assert_eq!(reached, SUBSCRIBERS);
            for client in &mut clients {
                client.receive().await;
                texts = texts.and(client.take_texts());
            }
        }
        texts
    };
    runtime.block_on(broadcast(SUBSCRIBERS));
    total(runtime, async || broadcast(REPETITIONS).await).each(REPETITIONS)
}

/// An app with a publication of a live query, and one whose handler sends the documents, of as many as are asked for.
async fn items() -> App {
    let items: Collection<Item> = Collection::new("items");
    for number in 0..DOCUMENTS {
        items.insert(format!("item{number}"), &Item::new(number)).await.expect("a document");
    }
    let app = App::builder()
        .publish("live", async move |subscription: Subscription, count: usize| {
            let shown = if count == 0 { Filter::eq("name", "none") } else { Filter::everything() };
            subscription.publish(items.find(shown)).await
        })
        .publish("sent", async |subscription: Subscription, count: usize| {
            let item = Item::new(0);
            for number in 0..count {
                subscription.added("items", format!("item{number}"), &item).await?;
            }
            Ok(())
        });
    app.build().expect("an app")
}

async fn subscribe(app: &App, publication: &str, documents: usize) -> Client {
    let mut client = Client::new(app.connect());
    client.send(CONNECT).await;
    client.receive().await;
    client.send(&format!(r#"{{"msg":"sub","id":"s","name":"{publication}","params":[{documents}]}}"#)).await;
    while !client.receive().await.contains(r#""ready""#) {}
    client
}

/// Returns what each repetition costs.
fn cost(runtime: &Runtime, mut act: impl AsyncFnMut(usize)) -> Cost {
    cost_beside(runtime, async |times| {
        act(times).await;
        Cost::default()
    })
}

/// Returns what each repetition costs, beside what `act` returns.
fn cost_beside(runtime: &Runtime, mut act: impl AsyncFnMut(usize) -> Cost) -> Cost {
    runtime.block_on(act(WARM_UP));
    total(runtime, async || act(REPETITIONS).await).each(REPETITIONS)
}

/// Returns what `act` costs, beside what it returns.
fn total(runtime: &Runtime, act: impl AsyncFnOnce() -> Cost) -> Cost {
    let nothing = allocation_counter::measure(|| runtime.block_on(async {}));
    let mut beside = Cost::default();
    let counted = allocation_counter::measure(|| beside = runtime.block_on(act()));
    Cost::of(counted).without(Cost::of(nothing)).without(beside)
}

impl Row {
    fn is_kept(&self) -> bool {
        let (count, bytes) = self.budget;
        self.cost.count <= count && self.cost.bytes <= bytes
    }

    fn print(&self) {
        let Self { name, cost: Cost { count, bytes }, budget: (most, most_bytes) } = self;
        let mark = if self.is_kept() { "" } else { " OVER" };
        println!("| {name} | {count:.2} | {bytes:.0} | {most}, {most_bytes}{mark} |");
    }
}

impl Cost {
    fn of(info: AllocationInfo) -> Self {
        Self { count: info.count_total as f64, bytes: info.bytes_total as f64 }
    }

    fn text(text: &str) -> Self {
        Self { count: 1.0, bytes: text.len() as f64 }
    }

    fn and(self, more: Self) -> Self {
        Self { count: self.count + more.count, bytes: self.bytes + more.bytes }
    }

    fn without(self, less: Self) -> Self {
        Self { count: self.count - less.count, bytes: self.bytes - less.bytes }
    }

    fn each(self, times: usize) -> Self {
        Self { count: self.count / times as f64, bytes: self.bytes / times as f64 }
    }
}

impl Client {
    fn new(connection: MemoryConnection) -> Self {
        Self { connection, texts: Cost::default() }
    }

    async fn send(&mut self, frame: &str) {
        self.texts = self.texts.and(Cost::text(frame));
        self.connection.send(frame).await;
    }

    async fn receive(&mut self) -> String {
        let Some(FromServer::Frame(frame)) = self.connection.receive().await else { panic!("the connection ended") };
        self.texts = self.texts.and(Cost::text(&frame));
        frame
    }

    fn take_texts(&mut self) -> Cost {
        std::mem::take(&mut self.texts)
    }
}

impl Item {
    fn new(number: usize) -> Self {
        Self { name: format!("item number {number}"), price: 0.5, done: false }
    }
}
