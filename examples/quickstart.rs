//! A DDP server with an open method, and one that asks for a second factor.
//!
//! Run it with `cargo run --example quickstart`; README.md has clients in JavaScript and Python that call it.

use bolide::prelude::*;
use serde::Deserialize;

async fn add(_: Context, a: f64, b: f64) -> MethodResult<f64> {
    Ok(a + b)
}

#[derive(Deserialize)]
struct Transfer {
    to: String,
    amount: f64,
}

/// The gate has asked for a code before this runs.
async fn transfer_funds(_: SignedIn, transfer: Transfer) -> MethodResult<String> {
    Ok(format!("{} sent to {}", transfer.amount, transfer.to))
}

#[tokio::main]
async fn main() -> MethodResult<()> {
    tracing_subscriber::fmt().init();
    let app = App::builder()
        // Users, in memory until the server stops. A path such as "quickstart.db" keeps them.
        .accounts(Accounts::sqlite(":memory:").await?)
        .method("add", TwoFactor::none(), add)
        .method("transferFunds", TwoFactor::required(), transfer_funds)
        .build()?;
    if let Some(accounts) = app.accounts() {
        for name in ["ada", "grace"] {
            if accounts.find(name).await.is_err() {
                accounts.add_user(name, &[], &[], Some("correct horse")).await?;
            }
        }
    }
    app.serve("127.0.0.1:3000").await?;
    Ok(())
}
