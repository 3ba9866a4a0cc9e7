//! A chat: rooms with messages that last, the newest of them live, and who is typing.
//!
//! Run it with `cargo run --example chat`, and open the page that it names in two browsers.

mod chat;
mod messages;
mod page;
mod rooms;

use std::net::SocketAddr;
use std::path::PathBuf;

use bolide::prelude::*;
use clap::Parser;

/// A chat with rooms
#[derive(Parser)]
struct Arguments {
    /// The address to listen on. Port 0 selects a free port
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: String,

    /// The SQLite file with the users, rooms and messages. Next to it is the file with the keys that seal secrets
    #[arg(long, default_value = "chat.db")]
    database: PathBuf,
}

#[tokio::main]
async fn main() -> MethodResult<()> {
    tracing_subscriber::fmt().init();
    let Arguments { listen, database } = Arguments::parse();
    let accounts = Accounts::sqlite(database).await?.site("Chat", &format!("http://{listen}/bolide"));
    let app = chat::register(App::builder())
        .accounts(accounts)
        // Serves `bolide.js`, and the page on which users set up a second factor. `/` is for the page of the chat.
        .web_pages()
        .path_prefix("/bolide")
        .build()?;
    serve(app, &listen).await
}

/// Serves the app with the page of the chat next to it.
async fn serve(app: App, listen: &str) -> MethodResult<()> {
    let routes = app.router().merge(page::router()).into_make_service_with_connect_info::<SocketAddr>();
    let listener = bolide::bind(listen).await?;
    tracing::info!("listening on http://{}", listener.local_addr()?);
    let shut_down = async move {
        bolide::shutdown_signal().await;
        app.shutdown().await;
    };
    axum::serve(listener, routes).with_graceful_shutdown(shut_down).await?;
    Ok(())
}
