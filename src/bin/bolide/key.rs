//! `bolide key`: the keys that seal secrets, of a server that is stopped.

use std::io::Write as _;

use bolide::App;
use bolide::accounts::Accounts;
use bolide::chance::SystemChance;

use super::data::DataArguments;
use super::serve::Outcome;

/// Older keys stay, after the current one: backup codes and links that were hashed with them go on to count.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Puts a new key in front of the key file, and seals all secrets anew with it.
    Rotate {
        #[command(flatten)]
        data: DataArguments,
    },
    /// Prints the keys with a new one in front, for `BOLIDE_KEYS`; it changes nothing.
    Next {
        #[command(flatten)]
        data: DataArguments,
    },
    /// Seals all secrets anew with the first key of `BOLIDE_KEYS`, or of the key file.
    Reseal {
        #[command(flatten)]
        data: DataArguments,
    },
}

pub(crate) async fn run(command: Command) -> Outcome {
    match command {
        Command::Rotate { data } => rotate(&data).await,
        Command::Next { data } => {
            write!(std::io::stdout(), "{}", &*data.keys()?.rotate(&SystemChance).to_text())?;
            Ok(())
        }
        Command::Reseal { data } => reseal(data.open().await?).await,
    }
}

/// The store is opened first, so that no server runs that knows the old keys only. The file is written before anything is
/// sealed with the new key: wherever this stops, all that was sealed can be opened.
async fn rotate(data: &DataArguments) -> Outcome {
    let store = data.store().await?;
    let Some(file) = data.key_file() else {
        return Err(
            "the keys come from BOLIDE_KEYS: set it to what `bolide key next` prints, then run `bolide key reseal`"
                .into(),
        );
    };
    let keys = data.keys()?.rotate(&SystemChance);
    keys.write_file(&file)?;
    reseal(Accounts::open(store, keys).await?).await
}

async fn reseal(accounts: Accounts) -> Outcome {
    let app = App::builder().accounts(accounts).build()?;
    let accounts = app.accounts().ok_or("the app has no accounts")?;
    let count = accounts.reseal_secrets().await.map_err(|error| error.to_string())?;
    writeln!(std::io::stdout(), "sealed {count} secrets anew")?;
    Ok(())
}
