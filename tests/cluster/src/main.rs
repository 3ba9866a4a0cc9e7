//! The rig: breaks a cluster of real nodes, and checks what its clients see. See `tests/README.md`.
//!
//! - `cluster`: three nodes (`node`), PostgreSQL, NATS, a mail server, and a `proxy` in each link;
//! - `crowd`: the clients (`client`), and what they watch (`view`);
//! - `work`: what clients do, and `ledger`: what they were told;
//! - `faults`, `chaos`: what goes wrong, and the rounds in which it does;
//! - `figures`: what several nodes cost;
//! - `forgeries`: a test of the rig itself.

#![expect(clippy::print_stdout, reason = "it is a command-line program")]

mod chaos;
mod client;
mod cluster;
mod crowd;
mod faults;
mod figures;
mod forgeries;
mod ledger;
mod node;
mod proxy;
mod view;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use chaos::Chaos;

/// Breaks a cluster of real nodes, and checks what its clients see.
#[derive(Debug, Parser)]
struct Arguments {
    /// The built conformance server
    #[arg(long, env = "BOLIDE_CONFORMANCE_SERVER", default_value = "target/debug/examples/conformance_server")]
    server: PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lets random faults happen, and checks everything at rest
    Chaos {
        /// Decides what goes wrong, and what clients do. A new one by default
        #[arg(long)]
        seed: Option<u64>,
        /// How long new rounds are begun
        #[arg(long, default_value_t = 3.0)]
        minutes: f64,
    },
    /// Measures what it costs that there are several nodes; build in release mode
    Figures,
    /// Shows that each check fails if something is wrong
    Forgeries,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { server, command } = Arguments::parse();
    match run(server, command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without a backtrace, which says nothing of the cluster.
            println!("FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(server: PathBuf, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Chaos { seed, minutes } => {
            let seed = seed.unwrap_or_else(new_seed);
            println!("seed {seed}");
            let mut chaos = Chaos::start(server, seed).await?;
            let outcome = chaos.run(Duration::from_secs_f64(minutes * 60.0)).await;
            let again = || format!("To repeat it: tests/cluster/run --seed {seed} --minutes {minutes}");
            outcome.map_err(|error| anyhow::anyhow!("{error:#}\n{}", again()))
        }
        Command::Figures => figures::run(server).await,
        Command::Forgeries => forgeries::run(server).await,
    }
}

fn new_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0) % 1_000_000
}
