//! `bolide user`: lists and changes users, while the server is stopped.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use bolide::MethodError;
use bolide::settings::ENVIRONMENT_PREFIX;
use bolide::store::{Totp, UserFilter};

use super::data::DataArguments;
use super::import::Mode;
use super::serve::Outcome;
use super::site::SiteArguments;
use crate::terminal::{Typing, ask};

/// The commands lock the database.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Adds a user. The password is prompted for, or read from standard input if that is not a terminal.
    Add {
        /// Username
        name: String,
        /// Email address, which counts as verified; may be repeated
        #[arg(long)]
        email: Vec<String>,
        /// Role, such as `admin`; may be repeated
        #[arg(long)]
        role: Vec<String>,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Adds a user who chooses the password by a link, which also verifies the email address. The mail with the link is
    /// sent when `bolide serve` runs next.
    Invite {
        /// Username
        name: String,
        /// Email address
        #[arg(long)]
        email: String,
        /// Role, such as `admin`; may be repeated
        #[arg(long)]
        role: Vec<String>,
        #[command(flatten)]
        site: SiteArguments,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Lists users: name, email addresses, roles, second factors and id, separated by tabs.
    List {
        /// Lists only users whose name or email address contains this
        search: Option<String>,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Sets the password of a user, which is prompted for or read from standard input, deletes the login tokens and
    /// personal tokens, and lifts blocks.
    SetPassword {
        /// Username or email address
        name: String,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Imports users from a `mongoexport` file of the collection `users` of Meteor or Rocket.Chat, with their
    /// passwords, tokens, authenticator apps and backup codes. Unusual values are converted or dropped with a warning.
    /// Malformed documents are reported and the others imported; users that already exist are not changed.
    Import {
        /// File as `mongoexport` writes it, also with `--pretty` or `--jsonArray`; `-` is standard input
        file: std::path::PathBuf,
        /// Only reports what would be imported, and stores nothing
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Signs a user out everywhere: deletes login tokens, personal tokens, links that set a password, and challenges.
    LogOut {
        /// Username or email address
        name: String,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Lifts the blocks of a user after too many wrong passwords or codes.
    Unblock {
        /// Username or email address
        name: String,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Removes all second factors of a user, and deletes the login tokens and personal tokens.
    #[command(name = "reset-2fa")]
    ResetTwoFactor {
        /// Username or email address
        name: String,
        #[command(flatten)]
        data: DataArguments,
    },
}

pub(crate) async fn run(command: Command) -> Outcome {
    match command {
        Command::Add { name, email, role, data } => {
            let (_app, accounts) = data.operate_or_create().await?;
            let password = read_password().await?;
            accounts.add_user(&name, &borrowed(&email), &borrowed(&role), Some(&password)).await.map_err(explained)?;
        }
        Command::Invite { name, email, role, site, data } => {
            let (_app, accounts) = data.operate_for(&site).await?;
            accounts.invite_user(&name, &email, &borrowed(&role)).await.map_err(|error| error.to_string())?;
        }
        Command::List { search, data } => list(search, &data).await?,
        Command::SetPassword { name, data } => {
            let (_app, accounts) = data.operate().await?;
            accounts.set_password(&name, &read_password().await?).await.map_err(explained)?;
        }
        Command::Import { file, check, data } => {
            let (_app, accounts) = data.operate_or_create().await?;
            let mode = if check { Mode::Check } else { Mode::Store };
            super::import::run(&file, &accounts, mode).await?;
        }
        Command::LogOut { name, data } => {
            let (_app, accounts) = data.operate().await?;
            let count = accounts.log_out(&name).await.map_err(|error| error.to_string())?;
            writeln!(std::io::stdout(), "removed {count} tokens")?;
        }
        Command::Unblock { name, data } => {
            let (_app, accounts) = data.operate().await?;
            accounts.unblock(&name).await.map_err(|error| error.to_string())?;
        }
        Command::ResetTwoFactor { name, data } => {
            let (_app, accounts) = data.operate().await?;
            accounts.reset_second_factors(&name).await.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

async fn list(search: Option<String>, data: &DataArguments) -> Outcome {
    let (_app, accounts) = data.operate().await?;
    let mut offset = 0;
    let mut output = std::io::stdout().lock();
    if output.is_terminal() {
        writeln!(output, "NAME\tEMAIL\tROLES\tFACTORS\tID")?;
    }
    loop {
        let filter = UserFilter { search: search.clone(), offset, limit: 500, ..UserFilter::default() };
        let page = accounts.store().users(filter).await?;
        for user in &page.users {
            let emails: Vec<&str> = user.emails.iter().map(|email| email.address.as_str()).collect();
            let factors = [
                (matches!(user.totp, Totp::On(_)), "totp"),
                (user.has_email_codes, "email"),
                (user.passkeys > 0, "passkey"),
            ];
            let factors: Vec<&str> = factors.into_iter().filter(|(has, _)| *has).map(|(_, name)| name).collect();
            let name = user.username.as_deref().unwrap_or("-");
            let [emails, roles, factors] = [emails.join(","), user.roles.join(","), factors.join(",")];
            writeln!(output, "{name}\t{emails}\t{roles}\t{factors}\t{}", user.id)?;
        }
        if page.users.len() < 500 {
            return Ok(());
        }
        offset += 500;
    }
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// Returns the error as a sentence; for a password that the policy does not allow, with what is wrong with it.
#[expect(clippy::needless_pass_by_value, reason = "it maps an error")]
fn explained(error: MethodError) -> String {
    let details = error.for_client().filter(|error| error.error == "error-password-policy-not-met".into());
    let details = details.and_then(|error| serde_json::from_str::<Vec<Reason>>(error.details.as_ref()?.get()).ok());
    let Some(reasons) = details else { return error.to_string() };
    let reasons: Vec<String> = reasons.into_iter().map(|reason| reason.message).collect();
    format!(
        "{} The environment variable {ENVIRONMENT_PREFIX}Accounts_Password_Policy_Enabled=false turns the policy off.",
        reasons.join(" ")
    )
}

/// What is wrong with a password.
#[derive(serde::Deserialize)]
struct Reason {
    message: String,
}

/// Prompts for the password on a terminal; otherwise reads the first line of standard input.
async fn read_password() -> Result<String, Box<dyn std::error::Error>> {
    if std::io::stdin().is_terminal() {
        let typed = ask("New password: ".to_owned(), Typing::Hidden).await?;
        return typed.ok_or_else(|| "no password was typed".into());
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err("the password is missing on standard input".into());
    }
    Ok(password.to_owned())
}
