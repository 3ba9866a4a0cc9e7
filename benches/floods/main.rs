//! Floods: what a server holds, and what its other clients notice, while one client attacks it.
//!
//! `cargo bench --bench floods` starts the server once for each flood and prints a table; `benches/README.md` tells how
//! to read it.
//!
//! One program in three roles, each a process of its own. This one compares: it starts the server on one core, and on
//! another the *visitor*, who measures calls, connections, logins and requests, and the *attacker*, who yields to the
//! visitor. Each has its own loopback address, so that limits for an address are those of the attacker alone.
//!
//! In reading order: [`arguments`], [`comparison`], [`measurement`], [`verdict`], [`table`]; then [`visitor`] on [`client`] and [`http`];
//! and [`attack`] with the modules of [`flood`]. What other benchmarks need as well is in `../common`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command-line program")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and times are far below 2^52, and frames are measured before they are cast"
)]

mod arguments;
mod attack;
#[path = "../common/child.rs"]
mod child;
mod client;
mod comparison;
mod flood;
mod http;
#[path = "../common/latencies.rs"]
mod latencies;
mod measurement;
mod network;
#[path = "../common/process.rs"]
mod process;
mod processor;
#[path = "../common/release.rs"]
mod release;
mod server;
mod state;
mod table;
mod verdict;
mod visitor;
#[path = "../common/websocket.rs"]
mod websocket;
#[path = "../common/words.rs"]
mod words;

use std::error::Error;
use std::process::ExitCode;

use arguments::Arguments;

/// Whatever hinders a measurement or an attempt.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("floods: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Says whether the server bore all floods.
fn run() -> Result<bool, Failure> {
    match Arguments::parse(std::env::args().skip(1))? {
        Arguments::Explain => println!("{}", arguments::usage()),
        Arguments::DoNothing => {}
        Arguments::Compare(comparison) => return comparison.run(),
        Arguments::Attack(plan) => plan.run()?,
        Arguments::Visit(plan) => plan.run()?,
    }
    Ok(true)
}
