//! `bolide call URL METHOD [JSON…]`: calls a method and prints its result.

use crate::connection::{Connection, Identity, parameters};
use crate::output::{EXIT_CODES, Failure, for_reader, print_line};
use crate::progress::Progress;

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,

    /// The method.
    method: String,

    /// The parameters, each as JSON or EJSON: 5, '"text"', '{"$date":0}'.
    params: Vec<String>,

    #[command(flatten)]
    identity: Identity,

    /// Calls through REST (`POST /api/v1/method.call/:method`) instead of DDP.
    #[arg(long)]
    rest: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { connection, method, params, identity, rest } = arguments;
    let params = parameters(&params)?;
    let progress = Progress::of(format!("{method} at {}", connection.url));
    let result = connection
        .in_time(async {
            if rest {
                let client = connection.rest_client(Some(&identity), progress.curtain())?;
                return Ok(client.outcome(&method, &params).await?);
            }
            let client = connection.sign_in(&identity, progress.curtain()).await?;
            let result = client.call::<()>(&method, &params).outcome().await?;
            client.close().await;
            Ok(result)
        })
        .await;
    drop(progress);
    if let Some(result) = result? {
        print_line(&for_reader(result.get()));
    }
    Ok(())
}
