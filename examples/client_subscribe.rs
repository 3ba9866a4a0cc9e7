//! Subscribes to a publication and prints its changes, across lost connections.
//!
//! Run `cargo run --example conformance_server`, and then `cargo run --example client_subscribe`. In another terminal,
//! `bolide call ws://127.0.0.1:3000 insertItem '{"name": "tea"}'` adds a document.

#![expect(clippy::print_stdout, reason = "it is a command-line program")]

use bolide::client::{Change, Client};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:3000".to_owned());
    let client = Client::connect(&url).await?;
    let mut items = client.subscribe("items", &())?;
    items.ready().await?;
    println!("there are {} items", client.documents("items").len());

    while let Some(change) = items.next().await {
        match change {
            Change::Added { document, .. } => println!("new: {}", document.to_json()),
            Change::Changed { id, fields, cleared, .. } => println!("{id}: now {fields:?}, without {cleared:?}"),
            Change::Removed { id, .. } => println!("gone: {id}"),
            Change::Reset => println!("this program was too slow; all items follow again"),
        }
    }
    Ok(())
}
