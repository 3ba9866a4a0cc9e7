//! `bolide backup`: writes all data to a file, also while servers use the database.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bolide::shutdown_signal;
use bolide::store::backup::{BackedUp, BackupOptions, BackupStep, Rate, back_up};

use super::data::DataDirectory;
use super::migrate::print_tables;
use super::serve::Outcome;
use crate::progress::Transfer;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// File to write, with mode 0600. It appears when it is complete; before, its name ends with `.partial`
    file: PathBuf,

    /// Replaces the file if it exists
    #[arg(long)]
    force: bool,

    /// Megabytes that are written in a second, so that the disk has time for the server; 0 turns the limit off
    #[arg(long, value_name = "MEGABYTES", default_value_t = 50)]
    rate: u32,

    #[command(flatten)]
    data: DataDirectory,
}

pub(crate) async fn run(Arguments { file, force, rate, data }: Arguments) -> Outcome {
    let mut options = BackupOptions::default();
    options.rate = Rate::of_bytes_per_second(u64::from(rate) * 1_000_000);
    options.replace = force;
    options.database = data.options();
    let bar = match data.database_file() {
        Some(_) => Transfer::of_bytes(Some(0)),
        None => Transfer::of_rows(),
    };
    let shown = bar.clone();
    let progress = Arc::new(move |step| show(&shown, step));
    let address = data.address();
    let done = tokio::select! {
        done = back_up(&address, &file, options, progress) => done.map_err(Into::into),
        () = shutdown_signal() => Err(interrupted(&file)),
    };
    bar.finish();
    report(&file, &done?)
}

fn report(file: &Path, done: &BackedUp) -> Outcome {
    print_tables(&done.tables)?;
    writeln!(
        io::stderr(),
        "wrote {} ({} bytes), and read it again; the keys that its secrets are encrypted with are not in it: keep a copy of \
         bolide.key (or BOLIDE_KEYS) in another place, without which the secrets are lost",
        file.display(),
        done.bytes
    )?;
    Ok(())
}

fn show(bar: &Transfer, step: BackupStep) {
    match step {
        BackupStep::Bytes { written, total } => bar.at(written.min(total), total),
        BackupStep::Rows { table, rows } => bar.describe(format!("{table}: {rows} rows")),
        _ => bar.describe("reading it again".to_owned()),
    }
}

fn interrupted(file: &Path) -> Box<dyn std::error::Error> {
    format!("interrupted; the backup {} was not written", file.display()).into()
}
