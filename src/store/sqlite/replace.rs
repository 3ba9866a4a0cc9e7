//! [`replace`]: puts another file in the place of a database, so that at each moment there is a whole one.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::Lock;
use super::lock::beside;

/// The maximum number of older databases that are kept.
const KEPT: u32 = 1000;

/// Gives `new` the name of a database that is locked. Returns where the old database is now, or `None` if there was none.
pub(in crate::store) async fn replace(lock: &Lock, database: &Path, new: &Path) -> io::Result<Option<PathBuf>> {
    finish_log(database).await;
    let kept = keep(database)?;
    // The log of another database would be applied to the new one.
    for suffix in ["-wal", "-shm", "-journal"] {
        let of_old = beside(database, suffix);
        match &kept {
            Some(kept) => gone(fs::rename(&of_old, beside(kept, suffix)))?,
            None => gone(fs::remove_file(&of_old))?,
        }
    }
    fs::rename(new, database)?;
    lock.mark();
    Ok(kept)
}

/// Moves the log of the old database into its file, unless it is damaged: then the log is kept with it. Without its file, it
/// would be deleted.
async fn finish_log(database: &Path) {
    if fs::metadata(database).map_or(0, |file| file.len()) == 0 {
        return;
    }
    let options = SqliteConnectOptions::new().filename(database).busy_timeout(Duration::from_secs(10));
    let Ok(mut old) = options.connect().await else { return };
    let _damaged = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut old).await;
    let _damaged = old.close().await;
}

/// Gives the old database a second name, and leaves it under its own if the file system can.
fn keep(database: &Path) -> io::Result<Option<PathBuf>> {
    if !database.try_exists()? {
        return Ok(None);
    }
    for number in 1..=KEPT {
        let kept = beside(database, &format!(".replaced-{number}"));
        match fs::hard_link(database, &kept) {
            Ok(()) => return Ok(Some(kept)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(_) if kept.try_exists()? => {}
            Err(_) => return fs::rename(database, &kept).map(|()| Some(kept)),
        }
    }
    let full = format!("{KEPT} older databases are kept as {}.replaced-NUMBER; delete some", database.display());
    Err(io::Error::new(ErrorKind::AlreadyExists, full))
}

fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
