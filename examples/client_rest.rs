//! Signs in and calls a gated method over REST instead of a WebSocket.
//!
//! Run `cargo run --example conformance_server`, and then `cargo run --example client_rest -- http://127.0.0.1:3000
//! alice 'correct horse' gated`. It prompts for a code. Alice has not set up a second factor, so the code is her
//! password.

#![expect(clippy::print_stdout, reason = "it is a command-line program")]

use std::io::{Write as _, stdin, stdout};

use bolide::client::{Challenge, RestClient};
use bolide::protocol::Ejson;

/// Prompts for a code on the terminal. An empty line cancels.
async fn ask(challenge: Challenge) -> Option<String> {
    let question = tokio::task::spawn_blocking(move || {
        print!("Your {} code: ", challenge.method());
        stdout().flush()?;
        let mut line = String::new();
        stdin().read_line(&mut line)?;
        Ok::<_, std::io::Error>(line.trim_end_matches(['\r', '\n']).to_owned())
    });
    question.await.ok()?.ok().filter(|code| !code.is_empty())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, user, password, method] = &arguments[..] else {
        anyhow::bail!("usage: client_rest URL USER PASSWORD METHOD");
    };
    let mut client = RestClient::new(url)?.two_factor(ask);
    let account = client.login(user, password).await?;
    println!("signed in as {}", account.user_id());

    let result: Ejson = client.call(method, &()).await?;
    println!("{}", result.to_plain_json());
    Ok(())
}
