//! `bolide key`: changes the keys that encrypt secrets, while the server is stopped.

use std::io::Write as _;

use bolide::App;
use bolide::accounts::Accounts;
use bolide::chance::SystemChance;

use super::data::DataArguments;
use super::serve::Outcome;

/// Older keys are kept after the current one: backup codes and links that were hashed with them remain valid.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Adds a new key at the front of the key file and encrypts all secrets with it.
    Rotate {
        #[command(flatten)]
        data: DataArguments,
    },
    /// Prints the keys with a new one in front, as a value for `BOLIDE_KEYS`, without changing anything.
    Next {
        #[command(flatten)]
        data: DataArguments,
    },
    /// Encrypts all secrets with the first key of `BOLIDE_KEYS` or of the key file.
    Reseal {
        #[command(flatten)]
        data: DataArguments,
    },
}

pub(crate) async fn run(command: Command) -> Outcome {
    match command {
        Command::Rotate { data } => rotate(&data).await,
        Command::Next { data } => {
            write!(std::io::stdout(), "{}", data.keys()?.rotate(&SystemChance).to_text().expose())?;
            Ok(())
        }
        Command::Reseal { data } => reseal(data.open().await?).await,
    }
}

/// The store is opened first, and its other nodes are counted, so that no server with only the old keys is running. The file is written before any
/// secret is encrypted with the new key: wherever this stops, all secrets can be decrypted.
async fn rotate(data: &DataArguments) -> Outcome {
    let store = data.directory.store().await?;
    let others = store.count_others().await?;
    if others > 0 {
        return Err(format!(
            "the database is used by {others} other processes, which do not have the new key; stop them first, and give \
             the new key file to all nodes before they start"
        )
        .into());
    }
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
    writeln!(std::io::stdout(), "encrypted {count} secrets with the first key")?;
    Ok(())
}
