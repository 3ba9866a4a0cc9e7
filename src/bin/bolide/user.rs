//! `bolide user`: lists and changes users, while the server is stopped.

use std::io::{BufRead as _, Write as _};

use bolide::store::{Totp, UserFilter};

use super::data::DataArguments;
use super::serve::Outcome;

/// The commands lock the database.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Adds a user; the password is read from standard input.
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
    /// Lists users with name, email addresses, roles and second factors.
    List {
        /// Lists only users whose name or email address contains this
        search: Option<String>,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Sets the password of a user, which is read from standard input, and signs the user out everywhere.
    SetPassword {
        /// Username or email address
        name: String,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Imports users from a `mongoexport` file of the collection `users` of Meteor or Rocket.Chat, with their
    /// passwords, tokens, authenticator apps and backup codes. Malformed lines are reported and the others imported;
    /// users that already exist are not changed.
    Import {
        /// File with a document per line, or a JSON array; `-` is standard input
        file: std::path::PathBuf,
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
            let (_app, accounts) = data.operate().await?;
            let password = read_password()?;
            accounts.add_user(&name, &email, &role, Some(&password)).await.map_err(|error| error.to_string())?;
        }
        Command::List { search, data } => list(search, &data).await?,
        Command::SetPassword { name, data } => {
            let (_app, accounts) = data.operate().await?;
            accounts.set_password(&name, &read_password()?).await.map_err(|error| error.to_string())?;
        }
        Command::Import { file, data } => {
            let (_app, accounts) = data.operate().await?;
            super::import::run(&file, &accounts).await?;
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
    loop {
        let filter = UserFilter { search: search.clone(), offset, limit: 500, ..UserFilter::default() };
        let page = accounts.store().users(filter).await?;
        for user in &page.users {
            let emails: Vec<&str> = user.emails.iter().map(|email| email.address.as_str()).collect();
            let factors = [(matches!(user.totp, Totp::On(_)), "totp"), (user.has_email_codes, "email")];
            let factors: Vec<&str> = factors.into_iter().filter(|(has, _)| *has).map(|(_, name)| name).collect();
            let name = user.username.as_deref().unwrap_or("-");
            writeln!(output, "{name}\t{}\t{}\t{}", emails.join(","), user.roles.join(","), factors.join(","))?;
        }
        if page.users.len() < 500 {
            return Ok(());
        }
        offset += 500;
    }
}

/// Reads the first line of standard input.
fn read_password() -> Result<String, Box<dyn std::error::Error>> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err("the password is missing on standard input".into());
    }
    Ok(password.to_owned())
}
