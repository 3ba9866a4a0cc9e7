//! The data of a server: its database and its keys in one directory, or a PostgreSQL database that several nodes share.

use std::path::PathBuf;
use std::time::Duration;

use bolide::App;
use bolide::accounts::{Accounts, AccountsHandle};
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::store::{DatabaseOptions, OpenError, SqlStore};

use super::site::SiteArguments;

/// The directory of a server's data.
#[derive(Debug, clap::Args)]
pub(crate) struct DataDirectory {
    /// Directory of the database `bolide.db` and its key file `bolide.key`; `bolide serve` creates it
    #[arg(long, env = "BOLIDE_DATA_DIR", default_value = ".")]
    data_dir: PathBuf,

    /// Database that several nodes may share, instead of `bolide.db`: postgres://USER:PASSWORD@HOST:PORT/NAME, with
    /// ?sslmode=verify-full for a server elsewhere
    #[arg(long, value_name = "URL", env = "BOLIDE_DATABASE", hide_env_values = true)]
    database: Option<String>,

    /// Maximum number of connections to a PostgreSQL database
    #[arg(
        long, value_name = "NUMBER", env = "BOLIDE_DATABASE_CONNECTIONS", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    database_connections: u32,

    /// Seconds after which a PostgreSQL database ends a statement
    #[arg(
        long, value_name = "SECONDS", env = "BOLIDE_STATEMENT_TIMEOUT", default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    statement_timeout: u32,
}

/// Where a server stores its data, and its keys.
#[derive(Debug, clap::Args)]
pub(crate) struct DataArguments {
    #[command(flatten)]
    pub(crate) directory: DataDirectory,

    /// Keys that encrypt secrets, instead of the key file: lines of a number, a colon and 32 bytes in base64
    #[arg(long, env = "BOLIDE_KEYS", hide_env_values = true)]
    keys: Option<String>,
}

impl DataDirectory {
    /// Creates the directory and its parents if they are missing. On Unix, only their owner can read them.
    fn create(&self) -> Result<(), String> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.data_dir).map_err(|error| {
            format!("the directory {} cannot be created ({error}); --data-dir sets another", self.data_dir.display())
        })
    }

    /// Returns the URL of the database if several nodes can share it.
    pub(crate) fn shared_database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Returns the address of the database.
    pub(crate) fn address(&self) -> String {
        self.database.clone().unwrap_or_else(|| format!("sqlite:{}", self.file().display()))
    }

    /// Returns the path of the database if it is a file.
    pub(crate) fn database_file(&self) -> Option<PathBuf> {
        match &self.database {
            None => Some(self.file()),
            Some(address) => address.strip_prefix("sqlite:").map(PathBuf::from),
        }
    }

    /// Returns how a PostgreSQL database is used.
    pub(crate) fn options(&self) -> DatabaseOptions {
        let mut options = DatabaseOptions::default();
        options.connections = self.database_connections;
        options.statement_timeout = Duration::from_secs(self.statement_timeout.into());
        options
    }

    /// Opens the database only. A file is locked, so that no other process opens it.
    pub(crate) async fn store(&self) -> Result<SqlStore, OpenError> {
        SqlStore::open_with(&self.address(), self.options()).await
    }

    /// Does the same, and fails if the file does not exist.
    pub(crate) async fn existing_store(&self) -> Result<SqlStore, Box<dyn std::error::Error>> {
        self.require_database()?;
        Ok(self.store().await?)
    }

    fn require_database(&self) -> Result<(), String> {
        if self.database.is_some() {
            return Ok(());
        }
        let database = self.file();
        if database.try_exists().unwrap_or(true) {
            return Ok(());
        }
        Err(format!("there is no database {}; --data-dir sets its directory", database.display()))
    }

    fn file(&self) -> PathBuf {
        self.data_dir.join("bolide.db")
    }
}

impl DataArguments {
    /// Creates the directory if a file of it is used.
    pub(crate) fn create_directory(&self) -> Result<(), String> {
        if self.keys.is_some() && self.directory.database.is_some() { Ok(()) } else { self.directory.create() }
    }

    /// Opens the accounts. Creates the database if it does not exist.
    pub(crate) async fn open(&self) -> Result<Accounts, Box<dyn std::error::Error>> {
        Ok(Accounts::open(self.directory.store().await?, self.keys()?).await?)
    }

    /// Reads the keys from the variable or the key file.
    pub(crate) fn keys(&self) -> Result<KeyRing, Box<dyn std::error::Error>> {
        match (&self.keys, self.key_file()) {
            (None, Some(file)) => Ok(KeyRing::open_file(&file, &SystemChance)?),
            (text, _) => KeyRing::parse(text.as_deref().unwrap_or_default())
                .map_err(|error| format!("{error}; --keys (BOLIDE_KEYS) sets them").into()),
        }
    }

    /// Reads the keys, and fails if the file does not exist: other commands create it, and a new key fits no database that
    /// exists.
    pub(crate) fn existing_keys(&self) -> Result<KeyRing, Box<dyn std::error::Error>> {
        match self.key_file() {
            Some(file) if !file.try_exists().unwrap_or(true) => {
                let file = file.display();
                Err(format!(
                    "the key file {file} does not exist; put the copy of the server's keys there, or set BOLIDE_KEYS"
                )
                .into())
            }
            _ => Ok(self.keys()?),
        }
    }

    /// Returns the path of the key file, or `None` if the keys are in the variable.
    pub(crate) fn key_file(&self) -> Option<PathBuf> {
        self.keys.is_none().then(|| self.directory.data_dir.join("bolide.key"))
    }

    /// Opens the accounts of an existing database for an operator's command, with an app that does not listen.
    pub(crate) async fn operate(&self) -> Result<(App, AccountsHandle), Box<dyn std::error::Error>> {
        self.directory.require_database()?;
        self.operate_or_create().await
    }

    /// Does the same, and creates the database if it does not exist: for commands that add users.
    pub(crate) async fn operate_or_create(&self) -> Result<(App, AccountsHandle), Box<dyn std::error::Error>> {
        Self::operate_with(self.open().await?)
    }

    /// Does the same for a command that sends mails with links to this server.
    pub(crate) async fn operate_for(
        &self,
        site: &SiteArguments,
    ) -> Result<(App, AccountsHandle), Box<dyn std::error::Error>> {
        let root_url = site.root_url.as_deref().ok_or("links need the public URL of the server; use --root-url")?;
        Self::operate_with(self.open().await?.site(&site.site_name, root_url))
    }

    fn operate_with(accounts: Accounts) -> Result<(App, AccountsHandle), Box<dyn std::error::Error>> {
        // Mails wait until the server runs again and sends them.
        let app = App::builder().accounts(accounts.without_mail_delivery()).build()?;
        let accounts = app.accounts().ok_or("the app has no accounts")?;
        Ok((app, accounts))
    }
}
