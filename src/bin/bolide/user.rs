//! `bolide user`: the users of a server that is stopped.

use std::io::{BufRead as _, Write as _};

use bolide::store::{Totp, UserFilter};

use super::data::DataArguments;
use super::serve::Outcome;

/// Changes need the database for themselves.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Adds a user; the password comes on standard input.
    Add {
        /// The username
        name: String,
        /// An address; it is taken as verified
        #[arg(long)]
        email: Vec<String>,
        /// A role, such as `admin`
        #[arg(long)]
        role: Vec<String>,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Lists users: name, addresses, roles, second factors.
    List {
        /// Only those in whose name or addresses this occurs
        search: Option<String>,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Gives a user the password that comes on standard input; its log-ins end.
    SetPassword {
        /// The username or address
        name: String,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Takes over users from a file that `mongoexport` has made of the collection `users` of Meteor or Rocket.Chat, with
    /// their passwords, tokens, authenticator apps and backup codes. Lines that cannot be read are reported, the others
    /// go in; who is there already stays.
    Import {
        /// The file: one document a line, or a JSON array; `-` is standard input
        file: std::path::PathBuf,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Takes all second factors of a user away; its log-ins and tokens end.
    #[command(name = "reset-2fa")]
    ResetTwoFactor {
        /// The username or address
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

/// The first line of standard input.
fn read_password() -> Result<String, Box<dyn std::error::Error>> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err("no password came on standard input".into());
    }
    Ok(password.to_owned())
}
