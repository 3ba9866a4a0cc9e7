//! `bolide call URL METHOD [JSON…]`: calls a method and prints its result.

use crate::output::{EXIT_CODES, Failure, for_reader, print_line};
use crate::progress::Progress;
use crate::server_arguments::{ServerArguments, TokenArguments, parameters};

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: ServerArguments,

    /// Name of the method.
    method: String,

    /// Parameters, each as JSON or EJSON: 5, '"text"', '{"$date":0}'.
    #[arg(allow_negative_numbers = true)]
    params: Vec<String>,

    #[command(flatten)]
    token: TokenArguments,

    /// Calls through REST (`POST /api/v1/method.call/:method`) instead of DDP.
    #[arg(long)]
    rest: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { server, method, params, token, rest } = arguments;
    let params = parameters(&params)?;
    let progress = Progress::of(format!("{method} at {}", server.url));
    let result = server
        .in_time(async {
            if rest {
                let client = server.rest_client(Some(&token), progress.curtain())?;
                return Ok(client.outcome(&method, &params).await?);
            }
            let client = server.sign_in(&token, progress.curtain()).await?;
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
