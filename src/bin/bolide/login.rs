//! `bolide login URL --user NAME` and `bolide logout URL`.

use std::io::BufRead as _;

use bolide::client::Login;

use crate::output::{EXIT_CODES, Failure, harmless, print_line, warn};
use crate::progress::Progress;
use crate::server_arguments::{ServerArguments, TokenArguments};
use crate::terminal::{Typing, ask};
use crate::tokens::{self, Kept};

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: ServerArguments,

    /// Username or email address.
    #[arg(long)]
    user: String,

    /// Reads the password from the first line of standard input instead of prompting for it.
    #[arg(long)]
    password_stdin: bool,

    /// Signs in through REST (`POST /api/v1/login`) instead of DDP. Over http to another machine, the password is sent as
    /// it is, and a warning says so.
    #[arg(long)]
    rest: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct LogoutArguments {
    #[command(flatten)]
    server: ServerArguments,

    #[command(flatten)]
    token: TokenArguments,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { server, user, password_stdin, rest } = arguments;
    if rest && !server.url.is_encrypted() && !server.url.is_local() {
        warn(&format!(
            "over http, the password is sent to {} as it is, and others on the way can read it; use https, or leave out --rest",
            server.url
        ));
    }
    let password = if password_stdin { read_password()? } else { ask_for_password(&user).await? };
    let progress = Progress::of(format!("signing in at {}", server.url));
    let kept = server
        .in_time(async {
            if rest {
                let mut client = server.rest_client(None, progress.curtain())?;
                let account = client.login(&user, &password).await?;
                return Ok(Kept { user_id: account.user_id().to_owned(), token: account.token().to_owned() });
            }
            let client = server.open(progress.curtain()).await?;
            let account = client.login(Login::password(&user, &password)).await?;
            client.close().await;
            Ok(Kept { user_id: account.user_id().to_owned(), token: account.token().to_owned() })
        })
        .await;
    drop(progress);
    let kept = kept?;
    let user_id = kept.user_id.clone();
    let file = tokens::keep(&server.url, kept).map_err(|error| Failure::Usage(error.to_string()))?;
    print_line(&format!("signed in as {user} ({}); the token is in {}", harmless(&user_id), file.display()));
    Ok(())
}

pub(crate) async fn run_logout(arguments: LogoutArguments) -> Result<(), Failure> {
    let LogoutArguments { server, token } = arguments;
    let progress = Progress::of(format!("signing out at {}", server.url));
    let outcome = server
        .in_time(async {
            let client = server.sign_in(&token, progress.curtain()).await?;
            client.logout().await?;
            client.close().await;
            Ok(())
        })
        .await;
    // A token that the server does not accept any more is useless here as well.
    if !matches!(&outcome, Err(failure) if !failure.is_answer()) {
        tokens::forget(&server.url).map_err(|error| Failure::Usage(error.to_string()))?;
    }
    outcome
}

fn read_password() -> Result<String, Failure> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    match (read, line.trim_end_matches(['\r', '\n'])) {
        (Ok(_), password) if !password.is_empty() => Ok(password.to_owned()),
        _ => Err(Failure::Usage("the password is missing on standard input".to_owned())),
    }
}

async fn ask_for_password(user: &str) -> Result<String, Failure> {
    match ask(format!("Password of {user}: "), Typing::Hidden).await {
        Ok(Some(password)) => Ok(password),
        Ok(None) => Err(Failure::Interrupted),
        Err(_) => {
            Err(Failure::Usage("there is no terminal to prompt for the password; use --password-stdin".to_owned()))
        }
    }
}
