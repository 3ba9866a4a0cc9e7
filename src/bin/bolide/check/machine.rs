//! What the server needs of its machine: files with the right permissions, room on the disk, descriptors, and a clock.

use std::path::{Path, PathBuf};

use bolide::clock::Timestamp;
use bolide::store::SqlStore;

use super::report::Report;
use crate::data::DataArguments;
use crate::descriptors;

/// The room below which a server may soon be unable to write: 100 MB.
const LITTLE_ROOM: u64 = 100_000_000;

/// The difference of clocks, in milliseconds, from which blocks and codes last noticeably longer or shorter.
const NOTICEABLE: i64 = 1_000;

/// The difference of clocks, in milliseconds, from which codes of authenticator apps are refused.
const TOO_LARGE: i64 = 30_000;

/// The first moments of 2025 and of 2100, in milliseconds: a clock outside of these was not set.
const SANE: std::ops::Range<i64> = 1_735_689_600_000..4_102_444_800_000;

/// Checks who can read the files, and the room for them.
pub(super) fn check_files(report: &mut Report, data: &DataArguments) {
    let database = data.directory.database_file();
    let private = [database.clone(), data.key_file()];
    for file in private.into_iter().flatten().filter(|file| file.exists()) {
        check_privacy(report, &file);
    }
    if let Some(database) = database {
        check_room(report, &database);
    }
}

#[cfg(unix)]
fn check_privacy(report: &mut Report, file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let shown = file.display();
    match std::fs::metadata(file) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            let mode = found.permissions().mode() & 0o777;
            report.problem("permissions", format!("{shown} has the mode {mode:03o}; run `chmod 600 {shown}`"));
        }
        Ok(_) => report.ok("permissions", format!("only its owner can read {shown}")),
        Err(error) => report.problem("permissions", format!("{shown}: {error}")),
    }
}

#[cfg(not(unix))]
fn check_privacy(_report: &mut Report, _file: &Path) {}

#[cfg(unix)]
fn check_room(report: &mut Report, database: &Path) {
    let directory = match database.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let shown = directory.display();
    let room = match rustix::fs::statvfs(directory) {
        Ok(system) => system.f_bavail.saturating_mul(system.f_frsize),
        Err(error) => return report.problem("disk", format!("{shown}: {error}; --data-dir sets another directory")),
    };
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    let size = |file: &Path| std::fs::metadata(file).map_or(0, |file| file.len());
    let used = size(database) + size(&PathBuf::from(log));
    let (free, used_in_words) = (megabytes(room), megabytes(used));
    if room < LITTLE_ROOM {
        report.problem("disk", format!("{shown} has room for {free} only; make room, or the server stops writing"));
    } else if room < used {
        report.warning("disk", format!("{shown} has room for {free}, and the database has {used_in_words}: an update of the schema and the log during a backup may need as much again"));
    } else {
        report.ok("disk", format!("{shown} has room for {free}, and the database has {used_in_words}"));
    }
}

#[cfg(not(unix))]
fn check_room(_report: &mut Report, _database: &Path) {}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

/// Checks whether the open files that the system allows are enough for the connections.
pub(super) fn check_descriptors(report: &mut Report, connections: usize) {
    match descriptors::raise() {
        Some(allowed) if descriptors::room(allowed) < connections => report.warning(
            "descriptors",
            format!(
                "{allowed} open files are allowed, which is enough for {} connections and not for --max-connections \
                 {connections}; raise the hard limit (ulimit -Hn, or LimitNOFILE of systemd), or lower --max-connections",
                descriptors::room(allowed)
            ),
        ),
        Some(allowed) => report
            .ok("descriptors", format!("{allowed} open files are allowed, enough for --max-connections {connections}")),
        None => report.ok("descriptors", "the system does not limit open files"),
    }
}

/// Checks the clock, which decides when codes expire, and compares it with that of the database's server.
pub(super) async fn check_clock(report: &mut Report, now: Timestamp, store: Option<&SqlStore>) {
    if !SANE.contains(&now.milliseconds()) {
        return report.problem("clock", "it is not set; start an NTP client such as chrony or systemd-timesyncd");
    }
    let Some(store) = store else { return report.ok("clock", "it is set") };
    let here = bolide::clock::Clock::now(&bolide::clock::SystemClock);
    match store.server_time().await {
        Ok(None) => report.ok("clock", "it is set"),
        Ok(Some(there)) => judge_difference(report, there.milliseconds() - here.milliseconds()),
        Err(error) => report.problem("clock", error.to_string()),
    }
}

fn judge_difference(report: &mut Report, difference: i64) {
    let text = format!("it differs from that of the database by {} ms", difference.abs());
    let advice = "run an NTP client on both machines";
    match difference.abs() {
        ..NOTICEABLE => report.ok("clock", text),
        NOTICEABLE..TOO_LARGE => report.warning("clock", format!("{text}; {advice}")),
        _ => report.problem("clock", format!("{text}: codes of authenticator apps are refused; {advice}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_clock_that_was_not_set_and_one_that_differs_are_found() {
        let mut report = Report::default();
        check_clock(&mut report, Timestamp::from_milliseconds(0), None).await;
        judge_difference(&mut report, -TOO_LARGE);
        assert_eq!(report.problems(), 2);
        judge_difference(&mut report, TOO_LARGE - 1);
        judge_difference(&mut report, 0);
        check_clock(&mut report, Timestamp::from_milliseconds(SANE.start), None).await;
        assert_eq!(report.problems(), 2);
    }
}
