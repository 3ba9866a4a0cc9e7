//! The login tokens that `bolide login` stores, in a file of the user's configuration directory that only the user can
//! read.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bolide::client::Address;
use serde::{Deserialize, Serialize};

/// A stored login.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) user_id: String,
    pub(crate) token: String,
}

/// Stored logins by server address.
type Tokens = BTreeMap<String, Kept>;

pub(crate) fn find(address: &Address) -> io::Result<Option<Kept>> {
    Ok(read(&file()?)?.remove(&address.to_string()))
}

pub(crate) fn keep(address: &Address, kept: Kept) -> io::Result<PathBuf> {
    let file = file()?;
    let mut tokens = read(&file)?;
    tokens.insert(address.to_string(), kept);
    write(&file, &tokens)?;
    Ok(file)
}

pub(crate) fn forget(address: &Address) -> io::Result<()> {
    let file = file()?;
    let mut tokens = read(&file)?;
    if tokens.remove(&address.to_string()).is_some() {
        write(&file, &tokens)?;
    }
    Ok(())
}

fn file() -> io::Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = set("XDG_CONFIG_HOME")
        .or_else(|| set("APPDATA"))
        .or_else(|| set("HOME").map(|home| home.join(".config")))
        .ok_or_else(|| io::Error::other("there is no configuration directory; set XDG_CONFIG_HOME"))?;
    Ok(directory.join("bolide").join("tokens.json"))
}

fn read(file: &Path) -> io::Result<Tokens> {
    match fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|_| io::Error::other(format!("{} is damaged; delete it and sign in again", file.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Tokens::new()),
        Err(error) => Err(error),
    }
}

/// Writes a new file and renames it over the old one, so that the file is always complete.
fn write(file: &Path, tokens: &Tokens) -> io::Result<()> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    let unfinished = file.with_extension(format!("{}.new", std::process::id()));
    let written = private_file(&unfinished).and_then(|mut new| {
        new.write_all(&serde_json::to_vec_pretty(tokens)?)?;
        new.sync_all()
    });
    if written.and_then(|()| fs::rename(&unfinished, file)).is_err() {
        fs::remove_file(&unfinished)?;
        return Err(io::Error::other(format!("{} cannot be written", file.display())));
    }
    Ok(())
}

fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
