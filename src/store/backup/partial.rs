//! [`PartialFile`]: a file that appears under its name only when it is complete.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::store::sqlite::{beside, open_private};

/// A file under the name with `.partial`, locked by this process. Dropping it deletes it.
pub(super) struct PartialFile {
    name: PathBuf,
    partial: PathBuf,
    replacing: Replacing,
    file: File,
}

/// What is done about a file that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replacing {
    Allowed,
    Refused,
}

impl PartialFile {
    /// Creates an empty file with mode 0600, or empties one that a killed process has left.
    pub(super) fn create(name: &Path, replacing: Replacing) -> Result<Self, BackupError> {
        let failed = |reason| BackupError::File { file: name.to_owned(), reason };
        let name = std::path::absolute(name).map_err(failed)?;
        if replacing == Replacing::Refused && name.try_exists().map_err(failed)? {
            return Err(BackupError::Exists(name));
        }
        let partial = beside(&name, ".partial");
        let file = private(&partial).map_err(failed)?;
        match file.try_lock() {
            Ok(()) if is_at(&file, &partial).map_err(failed)? => {}
            // Another process has given it its name since it was opened.
            Ok(()) | Err(TryLockError::WouldBlock) => return Err(BackupError::Busy(name)),
            Err(TryLockError::Error(reason)) => return Err(failed(reason)),
        }
        file.set_len(0).map_err(failed)?;
        // Of a process that was killed; it would be applied to the new file.
        let _gone = fs::remove_file(journal_of(&partial));
        Ok(Self { name, partial, replacing, file })
    }

    /// Returns where the file is written.
    pub(super) fn path(&self) -> &Path {
        &self.partial
    }

    /// Waits until what was written is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Gives the file its name once it is on the disk. Returns its size in bytes.
    pub(super) fn publish(self) -> Result<u64, BackupError> {
        let failed = |reason| BackupError::File { file: self.name.clone(), reason };
        self.sync().map_err(failed)?;
        let bytes = self.file.metadata().map_err(failed)?.len();
        self.name_it().map_err(|reason| match reason.kind() {
            ErrorKind::AlreadyExists => BackupError::Exists(self.name.clone()),
            _ => failed(reason),
        })?;
        sync_directory_of(&self.name).map_err(failed)?;
        Ok(bytes)
    }

    fn name_it(&self) -> io::Result<()> {
        if self.replacing == Replacing::Refused {
            // A link, unlike a new name, does not replace a file that has appeared meanwhile.
            match fs::hard_link(&self.partial, &self.name) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {}
                // The other name goes when this is dropped.
                linked => return linked,
            }
        }
        fs::rename(&self.partial, &self.name)
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        // It is not there if it has got its name, and then another process may write there.
        if is_at(&self.file, &self.partial).unwrap_or(true) {
            let _gone = fs::remove_file(&self.partial);
            let _gone = fs::remove_file(journal_of(&self.partial));
        }
    }
}

/// Returns where SQLite keeps its journal while it writes a file.
fn journal_of(partial: &Path) -> PathBuf {
    beside(partial, "-journal")
}

/// Makes sure that the names in the directory of a file are on the disk.
pub(super) fn sync_directory_of(path: &Path) -> io::Result<()> {
    // Elsewhere, a directory cannot be opened as a file.
    if cfg!(unix) { File::open(path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all() } else { Ok(()) }
}

/// Opens or creates a file that only its owner can read. In a directory where others can write, it may be there already: it
/// must not lead elsewhere, and not belong to another user.
fn private(path: &Path) -> io::Result<File> {
    let file = open_private(path)?;
    #[cfg(unix)]
    if !is_own(&file, path)? {
        return Err(io::Error::new(ErrorKind::AlreadyExists, format!("{} is not a file of this user", path.display())));
    }
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// Returns whether the path is this file and no link to it, and whether it belongs to this user.
#[cfg(unix)]
fn is_own(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let (there, opened) = (fs::symlink_metadata(path)?, file.metadata()?);
    let is_same = (there.dev(), there.ino()) == (opened.dev(), opened.ino());
    Ok(is_same && opened.is_file() && opened.nlink() == 1 && opened.uid() == rustix::process::geteuid().as_raw())
}

/// Returns whether the path still leads to this file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let own = file.metadata()?;
    Ok(fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino())))
}

/// Elsewhere, a file that is open cannot get another name.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}
