//! The command line `bolide`.

mod conformance;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A Meteor-compatible DDP server in which every method carries a two-factor policy.
#[derive(Debug, Parser)]
#[command(name = "bolide", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Holds any DDP server against the conversations in protocol/conformance.
    Conformance(conformance::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Conformance(arguments) => conformance::run(arguments).await,
    }
}
