//! [`FileMailer`]: writes mail into a directory, for development and for programs that pick it up.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task;

use super::compose::compose;
use super::{Delivery, Mail, MailError, Mailer, Sender};
use crate::clock::Clock;

/// Writes each mail into a file of its own, that is there whole or not at all. The names sort by time:
/// `2026-11-24T20-55-12.123Z-0001-reset-password-alice@example.com.eml`.
pub struct FileMailer {
    directory: PathBuf,
    sender: Sender,
    clock: Arc<dyn Clock>,
    /// Tells mails of the same millisecond apart.
    written: AtomicU64,
}

impl FileMailer {
    /// Writes into this directory, which is created with the first mail.
    pub fn new(directory: impl Into<PathBuf>, sender: Sender, clock: Arc<dyn Clock>) -> Self {
        Self { directory: directory.into(), sender, clock, written: AtomicU64::new(0) }
    }

    async fn write(&self, mail: &Mail) -> Result<(), MailError> {
        let content = compose(mail, &self.sender)?.formatted();
        let (directory, name) = (self.directory.clone(), self.name(mail));
        let written = task::spawn_blocking(move || write_whole(&directory, &name, &content)).await;
        let written = written.unwrap_or_else(|stopped| Err(io::Error::other(stopped)));
        written.map_err(|error| {
            MailError::Temporary(format!("cannot write into the mail directory {}: {error}", self.directory.display()))
        })
    }

    fn name(&self, mail: &Mail) -> String {
        let time = self.clock.now().to_date().to_iso_string().unwrap_or_default();
        let number = self.written.fetch_add(1, Ordering::Relaxed) + 1;
        let address = mail.to.first().map(String::as_str).unwrap_or_default();
        format!("{}-{number:04}-{}-{}.eml", time.replace(':', "-"), mail.kind, harmless(address))
    }
}

impl Mailer for FileMailer {
    fn deliver<'mail>(&'mail self, mail: &'mail Mail) -> Delivery<'mail> {
        Box::pin(self.write(mail))
    }
}

impl std::fmt::Debug for FileMailer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FileMailer").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// An address as part of a file's name.
fn harmless(address: &str) -> String {
    let is_harmless = |character: char| character.is_ascii_alphanumeric() || "@.-_+".contains(character);
    address.chars().take(100).map(|character| if is_harmless(character) { character } else { '_' }).collect()
}

/// Who lists the directory sees no file that is still being written.
fn write_whole(directory: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let unfinished = directory.join(format!(".{name}.unfinished"));
    let mut file = private().open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, directory.join(name))
}

/// A new file that others on the machine cannot read: it may hold a code.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
