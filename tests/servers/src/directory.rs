//! [`ServerDirectory`]: a directory for servers, which a process beside the tests removes, with its servers, as soon as the
//! tests that hold it have ended, even if they are killed.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process;

/// What the process beside the tests runs. It gets the directory, and for how many seconds another test may still come.
///
/// Servers are found by their files: `*/data/postmaster.pid` of PostgreSQL, and `*/pid`. A server that a test has paused
/// goes on, so that it can end.
const END: &str = r#"
(
    exec 9<"$1/lock" || exit 0
    while :; do
        flock -x 9 && flock -u 9
        sleep "$2"
        flock -n -x 9 && break
    done
    for file in "$1"/*/data/postmaster.pid; do
        read -r pid <"$file" || continue
        children=$(cat "/proc/$pid/task/$pid/children")
        kill -QUIT "$pid"
        kill -CONT "$pid" $children
        for _ in $(seq 100); do [ -e "$file" ] || break; sleep 0.05; done
        [ ! -e "$file" ] || kill -KILL "$pid" $children
    done 2>/dev/null
    for file in "$1"/*/pid; do
        read -r pid <"$file" && kill -KILL "$pid"
    done 2>/dev/null
    # At once, so that no other test finds a part of it.
    mv "$1" "$1-ended" 2>/dev/null && rm -rf "$1-ended"
) &
"#;

/// A directory of servers.
#[derive(Debug)]
pub(crate) struct ServerDirectory {
    path: PathBuf,
    /// Locked as shared for as long as this process needs the servers.
    _held: File,
}

impl ServerDirectory {
    /// Makes a directory for this process alone.
    pub(crate) fn private(kind: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self::hold(&format!("{kind}-{}-{count}", std::process::id()), 0)
    }

    /// Returns the directory that all processes of this test run share. With nextest, each test is a process.
    pub(crate) fn shared(kind: &str) -> Self {
        match std::env::var("NEXTEST_RUN_ID") {
            // Between two tests there may be a moment in which none runs.
            Ok(run) => Self::hold(&format!("{kind}-{run}"), 5),
            Err(_) => Self::hold(&format!("{kind}-{}", std::process::id()), 0),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs something that only one process may do at a time.
    pub(crate) fn exclusively<T>(&self, name: &str, run: impl FnOnce() -> T) -> T {
        let lock = open_lock(&self.path.join(name)).expect("a lock file can be made in the directory of the servers");
        lock.lock().expect("a file of the directory of the servers can be locked");
        run()
    }

    fn hold(name: &str, wait: u32) -> Self {
        let path = std::env::temp_dir().join(format!("bolide-{name}"));
        // A directory that is just being removed may vanish between two of the steps.
        let held = (0..1_000).find_map(|_| held(&path)).unwrap_or_else(|| panic!("cannot lock {}", path.display()));
        let directory = Self { path, _held: held };
        directory.exclusively("watch", || directory.watch(wait));
        directory
    }

    /// Starts the process that ends the servers, unless another process of the run has started it.
    fn watch(&self, wait: u32) {
        let watched = self.path.join("watched");
        if watched.exists() {
            return;
        }
        let mut end = Command::new("sh");
        end.args(["-c", END, "bolide-end-servers"]).arg(&self.path).arg(wait.to_string()).current_dir("/");
        // It must neither hold the output of the tests open nor end with their process group.
        end.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        // The shell returns at once, and what it has started goes on.
        process::run(&mut end);
        std::fs::write(watched, "").expect("a file can be made in the directory of the servers");
    }
}

/// Programs that a test starts by itself, each with a directory for its files. They are killed, and the directories removed,
/// when the process of the test has ended, even if it was killed.
#[derive(Debug)]
pub struct Programs(ServerDirectory);

impl Programs {
    /// Makes a directory for the programs of a kind.
    #[must_use]
    pub fn of(kind: &str) -> Self {
        Self(ServerDirectory::private(kind))
    }

    /// Returns the directory of a program, which is made if it is missing.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn directory(&self, program: &str) -> PathBuf {
        let path = self.0.path().join(program);
        std::fs::create_dir_all(&path).expect("a directory can be made for a program");
        path
    }

    /// Notes the process of a program, in place of the one that was noted before.
    ///
    /// # Panics
    ///
    /// If its file cannot be written.
    pub fn note(&self, program: &str, process: Option<u32>) {
        let file = self.directory(program).join("pid");
        std::fs::write(file, process.map_or(String::new(), |process| format!("{process}\n")))
            .expect("a file can be written for a program");
    }
}

/// Locks a directory as shared, and makes it if it is missing. Returns `None` if it was removed meanwhile.
fn held(path: &Path) -> Option<File> {
    std::fs::create_dir_all(path).ok()?;
    let lock = open_lock(&path.join("lock")).ok()?;
    lock.lock_shared().ok()?;
    let is_still_there = std::fs::metadata(path.join("lock")).ok()?.ino() == lock.metadata().ok()?.ino();
    is_still_there.then_some(lock)
}

fn open_lock(path: &Path) -> std::io::Result<File> {
    File::options().create(true).truncate(false).read(true).write(true).open(path)
}
