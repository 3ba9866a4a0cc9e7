//! A DDP server with two open methods and one that asks for a second factor.
//!
//! Run it with `cargo run --example quickstart`; README.md has clients in JavaScript and Python that call it.

use bolide::call::{Gate, GateFuture, GatedCall};
use bolide::prelude::*;
use serde::{Deserialize, Serialize};

async fn add(_: Context, a: f64, b: f64) -> MethodResult<f64> {
    Ok(a + b)
}

/// Everybody may sign in here. Do not copy this.
async fn sign_in(context: Context, name: String) -> MethodResult<String> {
    context.set_user_id(Some(name.as_str().into())).await?;
    Ok(format!("Welcome, {name}"))
}

#[derive(Serialize, Deserialize)]
struct Transfer {
    to: String,
    amount: f64,
}

async fn transfer_funds(me: SignedIn, transfer: Transfer) -> MethodResult<String> {
    Ok(format!("{} sent {} to {}", me.user(), transfer.amount, transfer.to))
}

/// Asks for a code; 123456 is always right. Do not copy this either.
struct OneCode;

impl Gate for OneCode {
    fn check<'call>(&'call self, call: GatedCall<'call>) -> GateFuture<'call> {
        let admitted = call.code.is_some_and(|shown| shown.code() == "123456");
        Box::pin(async move {
            if admitted {
                return Ok(());
            }
            let challenge = MethodError::new("totp-required", "TOTP Required")
                .with_details(&serde_json::json!({ "method": "totp" }));
            Err(challenge.for_client().cloned().unwrap_or_else(bolide::DdpError::internal))
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), bolide::Error> {
    tracing_subscriber::fmt().init();
    App::builder()
        .method("add", TwoFactor::none(), add)
        .method("signIn", TwoFactor::none(), sign_in)
        .method("transferFunds", TwoFactor::required(), transfer_funds)
        .gate(OneCode)
        .serve("127.0.0.1:3000")
        .await
}
