//! What the gate costs: an open method of an app without accounts and of one with them, and a gated method whose client is
//! trusted. All of it through a session, there and back, on one thread.
//!
//! `cargo bench --bench gate`. Budgets: an open method costs the same with and without accounts; a trusted gated call costs
//! at most 20 µs more.

#[path = "common/in_process.rs"]
mod in_process;

use bolide::{App, FromServer, MemoryConnection};
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

use in_process::{app_with_accounts, connect, connect_trusted, methods};

const OPEN: &str = r#"{"msg":"method","id":"17","method":"open","params":[1,2]}"#;
const GATED: &str = r#"{"msg":"method","id":"17","method":"gated","params":[1,2]}"#;

fn gate(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (bare, with_accounts) = runtime.block_on(async {
        let bare = methods(App::builder()).build().expect("an app");
        (bare, app_with_accounts().await)
    });
    let mut client = runtime.block_on(connect(&bare));
    criterion.bench_function("an open method, without accounts", |bencher| {
        bencher.iter(|| call(&runtime, &mut client, OPEN));
    });
    let mut client = runtime.block_on(connect_trusted(&with_accounts));
    criterion.bench_function("an open method, with accounts", |bencher| {
        bencher.iter(|| call(&runtime, &mut client, OPEN));
    });
    criterion.bench_function("a gated method, trusted", |bencher| {
        bencher.iter(|| call(&runtime, &mut client, GATED));
    });
}

/// A call, its `updated` and its `result`.
fn call(runtime: &Runtime, client: &mut MemoryConnection, frame: &'static str) -> Option<FromServer> {
    runtime.block_on(async {
        client.send(frame).await;
        client.receive().await;
        client.receive().await
    })
}

criterion_group!(benches, gate);
criterion_main!(benches);
