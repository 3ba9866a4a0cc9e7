//! Where the cases come from: those that Bolide brings, or the files of a directory.

use std::path::Path;

use bolide_protocol::conformance::CASES;

use super::case::{CaseError, Chapter};

/// The cases that Bolide brings.
///
/// # Errors
/// Never in a release: a test reads them all.
pub fn embedded() -> Result<Vec<Chapter>, CaseError> {
    CASES.iter().map(|file| Chapter::parse(file.name, file.text)).collect()
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
