//! Reads the built-in cases, or those of a directory.

use std::path::Path;

use bolide_protocol::conformance::CASES;

use super::case::{CaseError, Chapter};

/// Reads the built-in cases.
///
/// # Errors
/// Returns an error if a case is malformed. A test reads them all, so this does not happen in a release.
pub fn embedded() -> Result<Vec<Chapter>, CaseError> {
    CASES.iter().map(|file| Chapter::parse(file.name, file.text)).collect()
}

/// Reads the cases of all `.json` files in a directory, in the order of the file names.
///
/// # Errors
/// Returns an error that names the file if it cannot be read or is malformed.
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
