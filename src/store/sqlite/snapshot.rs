//! [`write_snapshot`]: copies the state of a database at one moment into another file, while servers write.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::Reading;
use crate::store::backup::{BackupProgress, BackupStep, Rate};

/// The number of steps of SQLite's machine between two pauses: a few rows.
const STEPS: i32 = 64;

/// Writes the state of a database into an empty file.
///
/// `VACUUM INTO` reads in one transaction. The other way of SQLite, its backup interface, begins again after each write of
/// another process, so with pauses it would not end on a server in use.
pub(in crate::store) async fn write_snapshot(
    source: Reading,
    file: &Path,
    rate: Option<Rate>,
    progress: BackupProgress,
) -> Result<(), sqlx::Error> {
    let name = file.to_str().ok_or_else(|| sqlx::Error::Configuration("the file's name is not in UTF-8".into()))?;
    let stop = StopOnDrop::default();
    let work = Work { file: file.to_owned(), total: source.bytes(), rate, started: Instant::now(), progress };
    let is_stopped = Arc::clone(&stop.0);
    let mut connection = source.pool().acquire().await?;
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(STEPS, move || work.goes_on(&is_stopped));
    drop(handle);
    sqlx::query("VACUUM INTO $1").bind(name).execute(&mut *connection).await?;
    connection.close().await
}

/// What the thread of the database does between two parts of a copy.
struct Work {
    file: PathBuf,
    total: u64,
    rate: Option<Rate>,
    started: Instant,
    progress: BackupProgress,
}

impl Work {
    /// Pauses if more was written than is due. Returns whether to go on.
    fn goes_on(&self, is_stopped: &AtomicBool) -> bool {
        let written = fs::metadata(&self.file).map_or(0, |file| file.len());
        (self.progress)(BackupStep::Bytes { written, total: self.total });
        loop {
            if is_stopped.load(Ordering::Relaxed) {
                return false;
            }
            let pause = self.rate.map(|rate| rate.short_pause(written, self.started.elapsed())).unwrap_or_default();
            if pause.is_zero() {
                return true;
            }
            std::thread::sleep(pause);
        }
    }
}

/// Stops the copy when the task that waits for it is dropped.
#[derive(Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
