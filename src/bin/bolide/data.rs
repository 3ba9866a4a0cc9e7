//! The data of a server: its database and its keys, in one directory.

use std::path::PathBuf;

use bolide::App;
use bolide::accounts::{Accounts, AccountsHandle};
use bolide::chance::SystemChance;
use bolide::keys::{KeyError, KeyRing};
use bolide::store::{OpenError, SqliteStore};

/// Where a server keeps its data.
#[derive(Debug, clap::Args)]
pub(crate) struct DataArguments {
    /// The directory of the database `bolide.db` and its key file `bolide.key`
    #[arg(long, env = "BOLIDE_DATA_DIR", default_value = ".")]
    pub(crate) data_dir: PathBuf,

    /// Keys that seal secrets, instead of the key file: lines of a number, a colon and 32 bytes in base64
    #[arg(long, env = "BOLIDE_KEYS", hide_env_values = true)]
    keys: Option<String>,
}

impl DataArguments {
    /// Opens the database, or makes it.
    pub(crate) async fn open(&self) -> Result<Accounts, Box<dyn std::error::Error>> {
        Ok(Accounts::open(self.store().await?, self.keys()?).await?)
    }

    /// The database alone. No other process has it meanwhile.
    pub(crate) async fn store(&self) -> Result<SqliteStore, OpenError> {
        let database = self.data_dir.join("bolide.db");
        SqliteStore::open(&format!("sqlite:{}", database.display())).await
    }

    /// The keys, from where they are.
    pub(crate) fn keys(&self) -> Result<KeyRing, KeyError> {
        match (&self.keys, self.key_file()) {
            (None, Some(file)) => KeyRing::open_file(&file, &SystemChance),
            (text, _) => KeyRing::parse(text.as_deref().unwrap_or_default()),
        }
    }

    /// The file of the keys; nothing where they come in a variable.
    pub(crate) fn key_file(&self) -> Option<PathBuf> {
        self.keys.is_none().then(|| self.data_dir.join("bolide.key"))
    }

    /// The accounts of an app that serves nobody: for commands of an operator.
    pub(crate) async fn operate(&self) -> Result<(App, AccountsHandle), Box<dyn std::error::Error>> {
        let app = App::builder().accounts(self.open().await?).build()?;
        let accounts = app.accounts().ok_or("the app has no accounts")?;
        Ok((app, accounts))
    }
}
