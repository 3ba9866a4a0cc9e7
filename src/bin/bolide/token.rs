//! `bolide token`: login tokens for a server that is stopped.

use std::io::Write as _;

use super::data::DataArguments;
use super::serve::Outcome;

/// Tokens are printed once.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Prints a login token for a user.
    Issue {
        /// The username or address
        name: String,
        #[command(flatten)]
        data: DataArguments,
    },
}

pub(crate) async fn run(Command::Issue { name, data }: Command) -> Outcome {
    let (_app, accounts) = data.operate().await?;
    let token = accounts.issue_token(&name).await.map_err(|error| error.to_string())?;
    writeln!(std::io::stdout(), "{token}")?;
    Ok(())
}
