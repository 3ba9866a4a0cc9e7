//! What a call costs without a socket: decode, dispatch, encode, and all of it through a session.
//!
//! `cargo bench --bench calls`. The load generator (`benches/load`) measures the same over real sockets.

use std::hint::black_box;

use bolide::prelude::*;
use bolide::protocol::ejson::CustomTypes;
use bolide::protocol::{ClientMessage, RawJson, ServerMessage};
use bolide::{FromServer, MemoryConnection};
use criterion::{Criterion, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

const CALL: &str = r#"{"msg":"method","id":"17","method":"add","params":[1,2]}"#;

fn decode(criterion: &mut Criterion) {
    let types = CustomTypes::default();
    let call = CALL.into();
    criterion.bench_function("decode a call", |bencher| {
        bencher.iter(|| ClientMessage::parse(black_box(&call), &types));
    });
    let with_date = r#"{"msg":"method","id":"17","method":"at","params":[{"$date":1700000000000}]}"#.into();
    criterion.bench_function("decode a call with a date", |bencher| {
        bencher.iter(|| ClientMessage::parse(black_box(&with_date), &types));
    });
}

fn encode(criterion: &mut Criterion) {
    #[derive(Serialize, Deserialize)]
    struct Order {
        to: String,
        amount: f64,
        tags: [u32; 3],
    }
    let order = Order { to: "Ada".into(), amount: 12.5, tags: [1, 2, 3] };
    criterion.bench_function("encode a result", |bencher| {
        bencher.iter(|| {
            let result: RawJson = bolide::protocol::ejson::to_raw(black_box(&order)).expect("it is a struct");
            ServerMessage::Result { id: "17".into(), outcome: Ok(Some(result)) }.to_frame()
        });
    });
    criterion.bench_function("encode a document", |bencher| {
        bencher.iter(|| ServerMessage::encode_added("orders", "17", black_box(&order)));
    });
}

fn dispatch(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let app = app();
    criterion.bench_function("dispatch a call", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let sum: f64 = app.call(&Caller::anonymous(), "add", &(1.0, 2.0)).await.expect("a sum");
            sum
        });
    });
    let mut client = runtime.block_on(connect(&app));
    criterion.bench_function("a call through a session, there and back", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                client.send(CALL).await;
                (client.receive().await, client.receive().await)
            })
        });
    });
}

fn app() -> App {
    App::builder()
        .method("add", TwoFactor::none(), async |_: Context, a: f64, b: f64| Ok(a + b))
        .build()
        .expect("the app fits together")
}

async fn connect(app: &App) -> MemoryConnection {
    let mut client = app.connect();
    client.send(r#"{"msg":"connect","version":"1","support":["1"]}"#).await;
    assert!(matches!(client.receive().await, Some(FromServer::Frame(_))));
    client
}

criterion_group!(benches, decode, encode, dispatch);
criterion_main!(benches);
