//! The client beside a raw socket: pipelined calls per second of one task, in one run against one server.
//!
//! `cargo bench --bench client`. The raw loop is the load generator's: it writes frames and looks at the answers, and has
//! neither sessions to resume nor calls to wake. The client must be at least half as fast.

#![expect(clippy::print_stdout, reason = "it is a command-line program")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "counts are far below 2^52, and frames are measured before they are cast"
)]

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bolide::client::Client;
use bolide::prelude::*;
use futures::future::try_join_all;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

#[path = "common/session.rs"]
#[expect(dead_code, reason = "the load generator needs more of it")]
mod session;
#[path = "common/websocket.rs"]
mod websocket;

use session::{Message, Session};
use websocket::ReadBuffer;

type Failure = Box<dyn Error + Send + Sync>;

/// How many calls are under way.
const WINDOW: usize = 64;
const DURATION: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;

fn main() -> Result<(), Failure> {
    // `cargo test --benches` runs this program as well.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let server = serve()?;
    for round in 1..=ROUNDS {
        let (raw, client) = (raw_loop(server)?, with_client(server)?);
        println!("round {round}: raw {raw:.0}/s, client {client:.0}/s, {:.2} of it", client / raw);
    }
    Ok(())
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A server on a thread of its own.
fn serve() -> Result<SocketAddr, Failure> {
    let app = App::builder().method("add", TwoFactor::none(), async |_: Context, a: f64, b: f64| Ok(a + b)).build()?;
    let runtime = runtime()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || runtime.block_on(app.serve_on(listener, std::future::pending())));
    Ok(address)
}

fn raw_loop(server: SocketAddr) -> Result<f64, Failure> {
    let mut buffer = ReadBuffer::new();
    let mut session = Session::open(server, &mut buffer)?;
    let (since, mut calls) = (Instant::now(), 0);
    while since.elapsed() < DURATION {
        for id in calls..calls + WINDOW {
            session.queue(&format!(r#"{{"msg":"method","method":"add","params":[{id},2],"id":"{id}"}}"#));
        }
        session.flush()?;
        let mut answers = 0;
        while answers < 2 * WINDOW {
            session.poll(&mut buffer, |text| {
                answers += usize::from(matches!(Message::parse(text)?.msg, "result" | "updated"));
                Ok(())
            })?;
        }
        calls += WINDOW;
    }
    let per_second = calls as f64 / since.elapsed().as_secs_f64();
    session.close(&mut buffer)?;
    Ok(per_second)
}

fn with_client(server: SocketAddr) -> Result<f64, Failure> {
    runtime()?.block_on(async {
        let client = Client::connect(&format!("ws://{server}")).await?;
        let (since, mut calls) = (Instant::now(), 0);
        while since.elapsed() < DURATION {
            let window = (calls..calls + WINDOW).map(|number| client.call::<f64>("add", &(number, 2)).into_future());
            try_join_all(window).await?;
            calls += WINDOW;
        }
        let per_second = calls as f64 / since.elapsed().as_secs_f64();
        client.close().await;
        Ok(per_second)
    })
}
