//! The servers that are flooded, and the other roles of this program as processes.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Failure;
use crate::child::{OpenFiles, Placement, RunningServer, pinned};
use crate::network::ATTACKER;
use crate::release;

/// A program that is to be flooded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// `bolide serve`, with the limits that it has by default.
    Bolide(PathBuf),
    /// Without rate limits, since its own are stricter than what the visitor does.
    ConformanceServer(PathBuf),
}

impl Program {
    /// Tells by its name which program it is.
    pub(crate) fn at(path: PathBuf) -> Self {
        if path.file_stem().is_some_and(|name| name == "bolide") {
            Self::Bolide(path)
        } else {
            Self::ConformanceServer(path)
        }
    }

    pub(crate) fn build() -> Result<Self, Failure> {
        Ok(Self::Bolide(release::build("bolide", ["--bin", "bolide"], "bolide")?))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Bolide(path) | Self::ConformanceServer(path) => path,
        }
    }

    /// Whether it can be told to trust the `x-forwarded-for` of one address.
    pub(crate) fn trusts_proxies(&self) -> bool {
        matches!(self, Self::Bolide(_))
    }

    pub(crate) fn arguments(&self, data: &Path, proxy: Proxy) -> Vec<String> {
        let text = data.display().to_string();
        let mut arguments = match self {
            Self::Bolide(_) => words(&["serve", "--data-dir", &text]),
            Self::ConformanceServer(_) => words(&["--database", &format!("sqlite:{text}/bolide.db")]),
        };
        if proxy == Proxy::Attacker {
            arguments.extend(words(&["--trusted-proxy", &ATTACKER.to_string()]));
        }
        arguments.extend(words(&["--mail-dir", &text, "--listen", "127.0.0.1:0"]));
        arguments
    }

    pub(crate) fn start(
        &self,
        placement: Placement,
        files: OpenFiles,
        data: &DataDirectory,
        proxy: Proxy,
    ) -> Result<RunningServer, Failure> {
        let arguments = self.arguments(&data.0, proxy);
        let mut command = pinned(placement.server, files, self.path().as_os_str(), arguments);
        // Under a flood, warnings come by the thousand.
        command.env("RUST_LOG", "error");
        RunningServer::start(command)
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Whose `x-forwarded-for` the server trusts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proxy {
    None,
    Attacker,
}

/// A directory of one server. It is deleted when this is dropped.
pub(crate) struct DataDirectory(pub(crate) PathBuf);

impl DataDirectory {
    pub(crate) fn create() -> Result<Self, Failure> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("bolide-floods-{}-{number}", std::process::id()));
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    /// Bytes of all its files.
    pub(crate) fn size(&self) -> Result<u64, Failure> {
        let mut sum = 0;
        for entry in fs::read_dir(&self.0)? {
            // A file may be deleted between the listing and the look at it.
            sum += entry?.metadata().map_or(0, |metadata| metadata.len());
        }
        Ok(sum)
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        // What cannot be deleted is left to the system.
        fs::remove_dir_all(&self.0).ok();
    }
}

/// This program in another role, on the core of the load.
pub(crate) fn role(placement: Placement, politeness: Politeness, words: &[String]) -> Result<Command, Failure> {
    let this = env::current_exe()?;
    let mut command = match politeness {
        Politeness::Equal => pinned(placement.load, OpenFiles::ALL, this.as_os_str(), words),
        Politeness::Yields => {
            let this = this.to_str().ok_or("the path of this program is not UTF-8")?;
            let words = ["-n", NICENESS, this].into_iter().chain(words.iter().map(String::as_str));
            pinned(placement.load, OpenFiles::ALL, "nice".as_ref(), words)
        }
    };
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    Ok(command)
}

/// Enough to let the visitor go first, and not so much that other programs on the machine weaken the flood.
const NICENESS: &str = "5";

/// Whether a process lets others on its core go first.
#[derive(Clone, Copy)]
pub(crate) enum Politeness {
    Equal,
    Yields,
}
