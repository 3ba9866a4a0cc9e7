//! The load generator: what Bolide costs over real sockets, beside a floor in the same run.
//!
//! `cargo bench --bench load` runs all scenarios and prints a table; `benches/README.md` tells how
//! to read it.
//!
//! One program in three roles, each a process of its own. This one compares: it starts the servers
//! on one core and a load generator on another, and judges what that reports. The load generator
//! busy-polls its sockets, because one that sleeps adds the cost of waking it to the server's bill;
//! it checks every answer. The floor is a bare tokio-tungstenite server, and for REST a bare axum handler.
//!
//! In reading order: [`arguments`], [`comparison`], [`table`]; then [`generator`] and [`scenario`]
//! with its modules, on [`session`], [`websocket`], [`http`], [`measurement`], [`server`] and [`child`]; and [`floor`]
//! with [`http_floor`]. What other benchmarks need as well is in `../common`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command-line program")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and times are far below 2^52, and frames are measured before they are cast"
)]

mod arguments;
#[path = "../common/child.rs"]
mod child;
mod comparison;
mod floor;
mod generator;
mod hand_made;
mod http;
mod http_floor;
#[path = "../common/latencies.rs"]
mod latencies;
mod measurement;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/release.rs"]
mod release;
mod scenario;
mod server;
#[path = "../common/session.rs"]
mod session;
mod table;
mod tick;
#[path = "../common/websocket.rs"]
mod websocket;
#[path = "../common/words.rs"]
mod words;

use std::error::Error;
use std::process::ExitCode;

use arguments::Arguments;

/// Whatever hinders a measurement, told to the person who runs it.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("load: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Says whether all went well.
fn run() -> Result<bool, Failure> {
    match Arguments::parse(std::env::args().skip(1))? {
        Arguments::Explain => println!("{}", arguments::USAGE),
        Arguments::DoNothing => {}
        Arguments::Compare(comparison) => return comparison.run(),
        Arguments::ServeFloor(variant) => floor::serve(variant)?,
        Arguments::Generate(plan) => plan.run()?,
    }
    Ok(true)
}
