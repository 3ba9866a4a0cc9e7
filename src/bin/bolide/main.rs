//! The command line `bolide`.

mod account_limits;
mod backup;
mod bench;
mod call;
mod check;
mod cluster;
mod configuration;
mod conformance;
mod data;
mod descriptors;
mod document_import;
mod documents;
mod environment;
mod export;
mod import;
mod key;
mod limits;
mod listen;
mod logging;
mod login;
mod methods;
mod metrics;
mod migrate;
#[cfg(feature = "otlp")]
mod otlp;
mod output;
mod progress;
mod prompt;
mod reload;
mod restore;
mod serve;
mod server_arguments;
mod site;
mod subscribe;
mod systemd;
mod terminal;
mod token;
mod tokens;
mod user;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use configuration::{Configuration, Refused};

/// A server allocates and frees many small objects, and hashes passwords in large blocks, which the system's allocator keeps.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A Meteor-compatible DDP server in which every method carries a two-factor policy.
#[derive(Debug, Parser)]
#[command(name = "bolide", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves accounts, settings and REST on an embedded database, or on one that several nodes share.
    Serve(Box<serve::Arguments>),
    /// Prints the settings that `bolide serve` would have with these flags, and where each comes from.
    ///
    /// A flag overrides a variable of the environment, which overrides the file of --config, which overrides the default.
    /// Of secrets only whether they are set is printed.
    Config(Box<serve::Arguments>),
    /// Lists and changes users, while the server is stopped.
    #[command(subcommand)]
    User(user::Command),
    /// Issues login tokens, while the server is stopped.
    #[command(subcommand)]
    Token(token::Command),
    /// Changes the keys that encrypt secrets, while the server is stopped.
    #[command(subcommand)]
    Key(key::Command),
    /// Lists, imports and exports the documents of stored collections, while the server is stopped.
    #[command(subcommand)]
    Documents(documents::Command),
    /// Copies all data into another, empty database, such as from SQLite into PostgreSQL, and compares both.
    ///
    /// Prints each table with the number and the SHA-256 hash of its rows, separated by tabs. Secrets stay encrypted: the
    /// server needs the same keys as before.
    Migrate(migrate::Arguments),
    /// Writes a backup of all data to a file, also while servers use the database.
    ///
    /// Prints each table with the number and the SHA-256 hash of its rows, separated by tabs. Secrets stay encrypted, and
    /// the keys are not in the file: keep a copy of them elsewhere.
    Backup(backup::Arguments),
    /// Puts a backup back, while the server is stopped.
    ///
    /// Prints each table with the number and the SHA-256 hash of its rows, which are those of the backup. The keys must be
    /// those of the server whose backup it is.
    Restore(restore::Arguments),
    /// Checks database, keys, mail server, clock, files and limits of a server, also while it runs, and says what to do.
    ///
    /// Takes the flags and variables of `bolide serve`, and changes nothing.
    Check(Box<check::Arguments>),
    /// Lists the methods and endpoints of `bolide serve` with their two-factor policies.
    Methods(methods::Arguments),
    /// Calls a method of any DDP server and prints its result.
    Call(call::Arguments),
    /// Subscribes to a publication of any DDP server; prints a table on a terminal, otherwise a JSON object per line.
    Subscribe(subscribe::Arguments),
    /// Signs in and stores the token, which later commands with the same URL use.
    Login(login::Arguments),
    /// Signs out and deletes the token, here and on the server.
    Logout(login::LogoutArguments),
    /// Puts load on any DDP server and reports its calls per second and latencies.
    Bench(bench::Arguments),
    /// Runs the conformance cases against any DDP server.
    Conformance(conformance::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let (command, configuration) =
        read(&std::env::args_os().collect::<Vec<_>>()).unwrap_or_else(|refused| refused.exit());
    match command {
        Command::Serve(arguments) => serve::report(Box::pin(checked(serve::run(*arguments, configuration))).await),
        Command::Config(_) => serve::report(checked(async { configuration::show::run(&configuration) }).await),
        Command::User(command) => serve::report(checked(user::run(command)).await),
        Command::Token(command) => serve::report(checked(token::run(command)).await),
        Command::Key(command) => serve::report(Box::pin(checked(key::run(command))).await),
        Command::Documents(command) => serve::report(checked(documents::run(command)).await),
        Command::Migrate(arguments) => serve::report(Box::pin(checked(migrate::run(arguments))).await),
        Command::Backup(arguments) => serve::report(Box::pin(checked(backup::run(arguments))).await),
        Command::Restore(arguments) => serve::report(Box::pin(checked(restore::run(arguments))).await),
        Command::Check(arguments) => serve::report(Box::pin(checked(check::run(*arguments))).await),
        Command::Methods(arguments) => serve::report(checked(methods::run(arguments)).await),
        Command::Call(arguments) => output::finish(call::run(arguments)).await,
        Command::Subscribe(arguments) => output::finish(subscribe::run(arguments)).await,
        Command::Login(arguments) => output::finish(login::run(arguments)).await,
        Command::Logout(arguments) => output::finish(login::run_logout(arguments)).await,
        Command::Bench(arguments) => output::finish(bench::run(arguments)).await,
        Command::Conformance(arguments) => conformance::run(arguments).await,
    }
}

/// Reads the arguments, with the environment and the file of `--config`.
fn read(arguments: &[OsString]) -> Result<(Command, Configuration), Refused> {
    let configuration = Configuration::read(&Arguments::command(), arguments)?;
    let arguments = Arguments::from_arg_matches(configuration.matches()).map_err(Refused::Arguments)?;
    Ok((arguments.command, configuration))
}

/// Runs an operator's command, unless the environment has an unknown variable.
async fn checked(command: impl Future<Output = serve::Outcome>) -> serve::Outcome {
    environment::check(&Arguments::command())?;
    command.await
}
