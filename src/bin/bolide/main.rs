//! The command line `bolide`.

mod bench;
mod call;
mod conformance;
mod data;
mod environment;
mod export;
mod import;
mod key;
mod login;
mod methods;
mod output;
mod progress;
mod prompt;
mod serve;
mod server_arguments;
mod subscribe;
mod terminal;
mod token;
mod tokens;
mod user;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// A Meteor-compatible DDP server in which every method carries a two-factor policy.
#[derive(Debug, Parser)]
#[command(name = "bolide", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves accounts, settings and REST on an embedded database.
    Serve(serve::Arguments),
    /// Lists and changes the users of a server that is stopped.
    #[command(subcommand)]
    User(user::Command),
    /// Makes login tokens for a server that is stopped.
    #[command(subcommand)]
    Token(token::Command),
    /// Changes the keys that seal secrets, of a server that is stopped.
    #[command(subcommand)]
    Key(key::Command),
    /// Lists the methods and endpoints of `bolide serve`, each with its two-factor policy.
    Methods(methods::Arguments),
    /// Calls a method of any DDP server and prints its result.
    Call(call::Arguments),
    /// Follows a publication of any DDP server: a table on a terminal, else one JSON object per line.
    Subscribe(subscribe::Arguments),
    /// Signs in and keeps the token, which later commands to the same address use.
    Login(login::Arguments),
    /// Signs out, on the server as well, and forgets the token.
    Logout(login::LogoutArguments),
    /// Puts load on any DDP server and says how many calls it bears, and how long they take.
    Bench(bench::Arguments),
    /// Holds any DDP server against the conversations in protocol/conformance.
    Conformance(conformance::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve(arguments) => serve::report(checked(serve::run(arguments)).await),
        Command::User(command) => serve::report(checked(user::run(command)).await),
        Command::Token(command) => serve::report(checked(token::run(command)).await),
        Command::Key(command) => serve::report(checked(key::run(command)).await),
        Command::Methods(arguments) => serve::report(checked(methods::run(arguments)).await),
        Command::Call(arguments) => output::finish(call::run(arguments)).await,
        Command::Subscribe(arguments) => output::finish(subscribe::run(arguments)).await,
        Command::Login(arguments) => output::finish(login::run(arguments)).await,
        Command::Logout(arguments) => output::finish(login::run_logout(arguments)).await,
        Command::Bench(arguments) => output::finish(bench::run(arguments)).await,
        Command::Conformance(arguments) => conformance::run(arguments).await,
    }
}

/// Runs a command of an operator, unless the environment says what nobody reads.
async fn checked(command: impl Future<Output = serve::Outcome>) -> serve::Outcome {
    environment::check(&Arguments::command())?;
    command.await
}
