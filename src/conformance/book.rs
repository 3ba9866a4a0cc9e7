//! Where the cases come from: those that Bolide brings, or the files of a directory.

use std::path::Path;

use super::case::{CaseError, Chapter};

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../protocol/conformance/", $name)))),+]
    };
}

/// The files of `protocol/conformance`, in the order in which they are best read.
const FILES: &[(&str, &str)] = files![
    "connection.json",
    "heartbeat.json",
    "malformed.json",
    "methods.json",
    "errors.json",
    "ejson.json",
    "ordering.json",
    "random-streams.json",
    "nested.json",
    "connection-info.json",
    "subscriptions.json",
    "subscription-ordering.json",
    "merge-box.json",
    "strategies.json",
    "user-change.json",
    "collections.json",
    "document-ids.json",
    "streams.json",
    "resumption.json",
    "accounts-login.json",
    "accounts-tokens.json",
    "accounts-methods.json",
    "accounts-blocks.json",
    "users-publication.json",
    "account-tokens.json",
    "settings.json",
    "admin.json",
    "two-factor-gate.json",
    "two-factor-totp.json",
    "two-factor-email.json",
    "two-factor-password.json",
    "two-factor-remember.json",
    "two-factor-login.json",
    "two-factor-attempts.json",
    "two-factor-tokens.json",
    "two-factor-nested.json",
    "two-factor-headers.json",
    "two-factor-wrapped-calls.json",
    "two-factor-meteor.json",
    "two-factor-enrolment.json",
    "rest-login.json",
    "rest-authentication.json",
    "rest-method-call.json",
    "rest-two-factor.json",
    "rest-endpoints.json",
    "rest-own-account.json",
    "rest-admin.json",
];

/// The cases that Bolide brings.
///
/// # Errors
/// Never in a release: a test reads them all.
pub fn embedded() -> Result<Vec<Chapter>, CaseError> {
    FILES.iter().map(|(file, text)| Chapter::parse(file, text)).collect()
}

/// The cases of all `.json` files in a directory, by the names of the files.
///
/// # Errors
/// Names the file that cannot be read, or holds no cases.
pub fn from_directory(directory: &Path) -> Result<Vec<Chapter>, CaseError> {
    let unreadable = |path: &Path, source| CaseError::Unreadable { file: path.display().to_string(), source };
    let mut paths = std::fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>())
        .map_err(|source| unreadable(directory, source))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).map_err(|source| unreadable(path, source))?;
            Chapter::parse(&path.display().to_string(), &text)
        })
        .collect()
}
