//! [`FileMailer`]: writes mails to a directory, for development and for programs that send them from there.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task;

use super::compose::{Reader, compose};
use super::{Delivery, Mail, MailError, Mailer, Sender};
use crate::clock::Clock;

/// Writes each mail to its own file, which appears only when it is complete. Texts are written as they are (`8bit`), so that
/// a link can be copied from the file. The file names sort by time, for example
/// `2026-11-24T20-55-12.123Z-0001-reset-password-alice@example.com.eml`.
pub struct FileMailer {
    directory: PathBuf,
    sender: Sender,
    clock: Arc<dyn Clock>,
    /// The number of written mails, which makes names of the same millisecond unique.
    written: AtomicU64,
}

impl FileMailer {
    /// Returns a mailer that writes to this directory. It is created with the first mail.
    pub fn new(directory: impl Into<PathBuf>, sender: Sender, clock: Arc<dyn Clock>) -> Self {
        Self { directory: directory.into(), sender, clock, written: AtomicU64::new(0) }
    }

    async fn write(&self, mail: &Mail) -> Result<(), MailError> {
        let content = compose(mail, &self.sender, Reader::Person)?.formatted();
        let (directory, name) = (self.directory.clone(), self.name(mail));
        let written = task::spawn_blocking(move || write_whole(&directory, &name, &content)).await;
        let written = written.unwrap_or_else(|stopped| Err(io::Error::other(stopped)));
        written.map_err(|error| {
            MailError::Temporary(format!("cannot write to the mail directory {}: {error}", self.directory.display()))
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

/// Returns an address in a form that is safe in a file name.
fn harmless(address: &str) -> String {
    let is_harmless = |character: char| character.is_ascii_alphanumeric() || "@.-_+".contains(character);
    address.chars().take(100).map(|character| if is_harmless(character) { character } else { '_' }).collect()
}

/// Writes a file under a hidden name and renames it when it is complete.
fn write_whole(directory: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let unfinished = directory.join(format!(".{name}.unfinished"));
    let mut file = private().open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, directory.join(name))
}

/// Returns the options to create a file that only its owner can read, since a mail may contain a code.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
