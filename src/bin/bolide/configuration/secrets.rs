//! Whether a file shows its secrets to all users of the machine.

use std::path::Path;

use clap::{Arg, Command};

use super::file::{self, ConfigFile, Setting};

/// The bit of a file's mode with which everyone may read it.
#[cfg(unix)]
const READ_BY_ALL: u32 = 0o004;

/// Returns a sentence if the file has secrets and all users can read it.
pub(super) fn exposed(path: &Path, file: &ConfigFile, command: &Command) -> Option<String> {
    let is_secret = |setting: &&Setting| {
        let flag = file::flags(command).find(|(name, _)| *name == setting.name);
        flag.is_some_and(|(_, flag)| setting.values().iter().any(|value| is_secret(flag, value)))
    };
    let secrets: Vec<_> = file.settings.iter().filter(is_secret).map(|setting| &*setting.name).collect();
    (!secrets.is_empty() && is_read_by_all(path)).then(|| {
        let (name, secrets) = (&file.name, secrets.join(", "));
        format!("all users of this machine can read the secrets in {name} ({secrets}); `chmod 600 {name}`")
    })
}

/// Returns whether a value is one that is not shown, and is not a URL without a password.
fn is_secret(flag: &Arg, value: &str) -> bool {
    let is_url = flag.get_value_names().is_some_and(|names| names.iter().any(|name| name == "URL"));
    flag.is_hide_env_values_set() && (!is_url || value.contains('@') || value.contains("password="))
}

#[cfg(unix)]
fn is_read_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & READ_BY_ALL != 0)
}

#[cfg(not(unix))]
const fn is_read_by_all(_: &Path) -> bool {
    false
}
