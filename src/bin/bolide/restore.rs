//! `bolide restore`: puts a backup back, while the server is stopped.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bolide::accounts::Accounts;
use bolide::store::backup::{Restored, StagedBackup};

use super::data::DataArguments;
use super::migrate::print_tables;
use super::serve::Outcome;
use crate::progress::Transfer;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Backup that `bolide backup` has written
    file: PathBuf,

    /// Deletes the data of a PostgreSQL database that is not empty. A file that is replaced is kept in any case
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    data: DataArguments,
}

pub(crate) async fn run(Arguments { file, force, data }: Arguments) -> Outcome {
    let restored = match data.directory.database_file() {
        Some(database) => into_file(&file, &database, &data).await?,
        None => into_postgres(&file, force, &data).await?,
    };
    print_tables(&restored.tables)?;
    let mut errors = io::stderr();
    let note = if restored.was_older {
        "its schema was brought up to date"
    } else {
        "every table was read again and is equal"
    };
    writeln!(errors, "restored {}; {note}", file.display())?;
    if let Some(kept) = restored.kept {
        writeln!(errors, "the database that was there is now {}; delete it when it is not needed", kept.display())?;
    }
    writeln!(
        errors,
        "what has happened since the backup is undone: tokens that were revoked since are valid again, and mails that were \
         sent since may be sent again"
    )?;
    Ok(())
}

async fn into_file(file: &Path, database: &Path, data: &DataArguments) -> Result<Restored, Box<dyn std::error::Error>> {
    data.create_directory()?;
    let staged = StagedBackup::for_file(file, database).await?;
    check_keys(&staged, data).await?;
    Ok(staged.replace_file().await?)
}

async fn into_postgres(file: &Path, force: bool, data: &DataArguments) -> Result<Restored, Box<dyn std::error::Error>> {
    let target = data.directory.store().await?;
    let others = target.count_others().await?;
    if others > 0 {
        let stop = format!("the database is used by {others} other processes; stop all nodes, and restore again");
        return Err(stop.into());
    }
    let staged = StagedBackup::for_copy(file).await?;
    check_keys(&staged, data).await?;
    let shown = Transfer::of_rows();
    let told = |table, rows| shown.describe(format!("{table}: {rows} rows"));
    let restored = staged.copy_into(&target, force, told).await;
    shown.finish();
    Ok(restored?)
}

/// A server with other keys would not start on what is restored.
async fn check_keys(staged: &StagedBackup, data: &DataArguments) -> Outcome {
    let keys = data.existing_keys()?;
    Accounts::check_keys(staged.store(), &keys)
        .await
        .map_err(|error| format!("{error}; the database was not changed"))?;
    Ok(())
}
