//! The data of a server: its database and its keys, in one directory.

use std::path::PathBuf;

use bolide::App;
use bolide::accounts::{Accounts, AccountsHandle};
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::store::SqliteStore;

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
        let database = self.data_dir.join("bolide.db");
        let store = SqliteStore::open(&format!("sqlite:{}", database.display())).await?;
        let keys = match &self.keys {
            Some(text) => KeyRing::parse(text)?,
            None => KeyRing::open_file(&self.data_dir.join("bolide.key"), &SystemChance)?,
        };
        Ok(Accounts::open(store, keys).await?)
    }

    /// The accounts of an app that serves nobody: for commands of an operator.
    pub(crate) async fn operate(&self) -> Result<(App, AccountsHandle), Box<dyn std::error::Error>> {
        let app = App::builder().accounts(self.open().await?).build()?;
        let accounts = app.accounts().ok_or("the app has no accounts")?;
        Ok((app, accounts))
    }
}
