//! `bolide token`: issues login tokens, while the server is stopped.

use std::io::Write as _;

use super::data::DataArguments;
use super::serve::Outcome;

/// A token is printed once; the server stores only its hash.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Prints a login token for a user, and on standard error the id of the user.
    Issue {
        /// Username or email address
        name: String,
        #[command(flatten)]
        data: DataArguments,
    },
}

pub(crate) async fn run(Command::Issue { name, data }: Command) -> Outcome {
    let (_app, accounts) = data.operate().await?;
    let token = accounts.issue_token(&name).await.map_err(|error| error.to_string())?;
    let user = accounts.find(&name).await.map_err(|error| error.to_string())?;
    writeln!(std::io::stderr(), "the user id, which REST takes with the token: {}", user.id)?;
    writeln!(std::io::stdout(), "{token}")?;
    Ok(())
}
