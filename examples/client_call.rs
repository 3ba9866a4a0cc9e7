//! Calls methods of a DDP server, one by one and several at once.
//!
//! Run `cargo run --example quickstart`, and then `cargo run --example client_call`. The URL of another server can be
//! given as an argument.

#![expect(clippy::print_stdout, reason = "it is a command-line program")]

use bolide::client::Client;
use futures::future::try_join_all;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:3000".to_owned());
    let client = Client::connect(&url).await?;

    let sum: f64 = client.call("add", &(2, 3)).await?;
    println!("2 + 3 = {sum}");

    // Calls that are awaited together are sent together.
    let calls = (0..10).map(|number| client.call::<f64>("add", &(number, number)).into_future());
    println!("doubled: {:?}", try_join_all(calls).await?);

    let failure = client.call::<f64>("fly", &()).await;
    if let Some(error) = failure.as_ref().err().and_then(|error| error.server()) {
        println!("the server says {}: {}", error.error, error.message());
    }
    client.close().await;
    Ok(())
}
