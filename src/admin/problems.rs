//! What is wrong now, in words: each [`Problem`] says what an admin can do about it.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::history::{History, Series};
use crate::accounts::AccountsCore;
use crate::call::{AppCore, MethodResult};
use crate::collection::AppCollections;
use crate::session::Host;
use crate::shares::Usage;
use crate::store::{User, UserFilter};
use crate::transport::ready::{Readiness, readiness};

/// The role of admins.
const ADMIN: &str = "admin";

/// The maximum number of admins that are looked at, and of mails.
const LOOKED_AT: u32 = 100;

/// The maximum number of names in a sentence.
const NAMED: usize = 5;

/// The duration of statements from which the database is slow, in milliseconds.
const SLOW_STATEMENTS: f64 = 500.0;

/// The number of samples in which statements are looked at: those of the last minute.
const LAST_MINUTE: usize = 12;

/// The part of a limit, in percent, from which it is nearly used up.
const NEARLY: usize = 90;

/// The room on the disk below which the database may soon be unable to write: 100 MB.
const LITTLE_ROOM: u64 = 100_000_000;

/// The part of the disk, in percent, below which it is nearly full.
const LITTLE_PERCENT: u64 = 5;

/// Something that an admin should look at.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    /// What is wrong, as a sentence.
    what: String,
    /// What to do about it, as sentences.
    advice: String,
    /// The page of the panel that shows more.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<&'static str>,
}

impl Problem {
    fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), advice: advice.into(), page: None }
    }

    fn on(self, page: &'static str) -> Self {
        Self { page: Some(page), ..self }
    }
}

/// Returns what is wrong with this node.
pub(super) async fn of_node(app: &Arc<AppCore>, history: &History, file: Option<PathBuf>) -> Vec<Problem> {
    let mut found = of_readiness(readiness(app).await);
    found.extend(of_disk(file).await);
    found.extend(of_history(history));
    found.extend(of_limits(app));
    found.extend(of_queries(app));
    found
}

/// Returns what is wrong with what the nodes share.
pub(super) async fn of_all_nodes(core: &AccountsCore) -> MethodResult<Vec<Problem>> {
    let filter = UserFilter { role: Some(ADMIN.to_owned()), limit: LOOKED_AT, ..UserFilter::default() };
    let admins = core.store.users(filter).await?.users;
    let bare: Vec<&str> =
        admins.iter().filter(|admin| admin.is_active && !core.rules.has_factor(admin)).map(name).collect();
    let mails = core.mails.queue.list(LOOKED_AT).await?;
    let failed: Vec<_> = mails.iter().filter(|mail| mail.failures > 0).collect();
    let last_error = failed.iter().find_map(|mail| mail.last_error.as_deref());
    Ok(of_mails(failed.len(), last_error).into_iter().chain(of_bare_admins(&bare)).collect())
}

fn of_readiness(readiness: Readiness) -> Vec<Problem> {
    match readiness {
        Readiness::Ready { degraded } => degraded.into_iter().map(of_degraded).collect(),
        Readiness::Unavailable { reason } => vec![Problem::new(
            format!("Load balancers are told to send no clients to this server: {reason}."),
            "Look at its log for the cause. If it is the database or the bus, check that it runs, and that this server \
             reaches it; it goes on by itself as soon as it does.",
        )],
    }
}

fn of_degraded(part: &str) -> Problem {
    Problem::new(
        format!("The connection with {part} is lost."),
        "Check that it runs, and that this server reaches it. Until then, changes by other servers arrive up to a second \
         later, and events of streams between servers are lost.",
    )
}

fn of_history(history: &History) -> Vec<Problem> {
    let sum = |series| history.values(series).iter().sum::<f64>();
    let (gaps, failures) = (sum(Series::Gaps), sum(Series::Failures));
    let slowest = history.values(Series::Statements).iter().rev().take(LAST_MINUTE).copied().fold(0.0, f64::max);
    let mut found = Vec::new();
    if failures > 0.0 {
        let what = format!("Calls that failed with an internal error in the last 15 minutes: {failures}.");
        found.push(
            Problem::new(what, "The log has an entry for each, with the method and the cause.").on("/admin/methods"),
        );
    }
    if gaps > 0.0 {
        let what = format!("Times that messages of other servers were missing in the last 15 minutes: {gaps}.");
        let advice = "Documents were read again from the database, but events of streams may be lost. Check the network \
                      between the servers and the bus, and whether one of them is overloaded.";
        found.push(Problem::new(what, advice));
    }
    if slowest >= SLOW_STATEMENTS {
        let what =
            format!("The database is slow: in the last minute, one statement in a hundred took {slowest:.0} ms.");
        let advice =
            "Look for other programs that load its disk or its machine, and for queries that read all documents.";
        found.push(Problem::new(what, advice).on("/admin/collections"));
    }
    found
}

fn of_limits(app: &AppCore) -> Vec<Problem> {
    let shares = app.slot::<Host>().into_iter().flat_map(|host| host.shares());
    shares.flat_map(|shares| shares.usage()).filter_map(|usage| of_limit(&usage)).collect()
}

fn of_limit(usage: &Usage) -> Option<Problem> {
    let held = usage.held.filter(|held| held.saturating_mul(100) >= usage.maximum.count.saturating_mul(NEARLY))?;
    let (name, most) = (usage.maximum.name, usage.maximum.count);
    let flag = name.replace('_', "-");
    let what = format!("A limit is nearly used up: {held} of {most} {}.", name.replace('_', " "));
    let advice = format!(
        "If these are your users, raise --max-{flag}, or add a server. If they are not, look at the live sessions for a \
         network that holds many."
    );
    Some(Problem::new(what, advice).on("/admin/sessions"))
}

fn of_queries(app: &AppCore) -> Vec<Problem> {
    let collections = app.slot::<AppCollections>();
    let scans = |name: &str, (index, read): (String, usize)| {
        let what = format!("A query reads all documents of “{name}”: {read} of them.");
        let advice = if index.starts_with('[') {
            format!("Declare an index for it: `.index({index})`.")
        } else {
            "No index can help it: narrow its filter.".to_owned()
        };
        Problem::new(what, advice).on("/admin/collections")
    };
    let of_collection = |collection: &Arc<crate::collection::CollectionCore>| {
        let name = collection.name().to_owned();
        collection.scanning_queries().into_iter().map(move |scan| scans(&name, scan)).collect::<Vec<_>>()
    };
    collections.iter().flat_map(|collections| &collections.0).flat_map(of_collection).collect()
}

/// Looks at the disk of the database on another thread, since a network's disk may not answer.
async fn of_disk(file: Option<PathBuf>) -> Option<Problem> {
    let (free, size) = tokio::task::spawn_blocking(move || room(&file?)).await.ok().flatten()?;
    (free < LITTLE_ROOM || free < size / 100 * LITTLE_PERCENT).then(|| {
        Problem::new(
            format!("The disk of the database is nearly full: it has room for {} MB.", free / 1_000_000),
            "Make room, or move the database to a larger disk: when the disk is full, nothing can be written, and no user \
             can log in.",
        )
    })
}

/// Returns the room for a file, and the size of its disk.
#[cfg(unix)]
fn room(file: &std::path::Path) -> Option<(u64, u64)> {
    let system = rustix::fs::statvfs(file).ok()?;
    Some((system.f_bavail.saturating_mul(system.f_frsize), system.f_blocks.saturating_mul(system.f_frsize)))
}

#[cfg(not(unix))]
fn room(_: &std::path::Path) -> Option<(u64, u64)> {
    None
}

fn of_mails(failed: usize, last_error: Option<&str>) -> Option<Problem> {
    let reason = last_error.map_or_else(String::new, |error| format!(" The last attempt: {error}"));
    (failed > 0).then(|| {
        Problem::new(
            format!("Mails that could not be sent: {failed}.{reason}"),
            "Check the mail server and --mail-url. Mails are sent again by themselves for about a day; the mail queue can \
             send them now.",
        )
        .on("/admin/mail")
    })
}

fn of_bare_admins(bare: &[&str]) -> Option<Problem> {
    let more = bare.len().saturating_sub(NAMED);
    let mut names = bare.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if more > 0 {
        names = format!("{names} and {more} more");
    }
    (!bare.is_empty()).then(|| {
        Problem::new(
            format!("Admins without a second factor: {names}."),
            "A stolen password is enough to control this server. Set one up under “Second factors”, or require one for the \
             role “admin” under “Roles”.",
        )
        .on("/admin/roles")
    })
}

fn name(user: &User) -> &str {
    user.username.as_deref().unwrap_or_else(|| user.id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shares::Maximum;

    fn texts(found: impl IntoIterator<Item = Problem>) -> Vec<String> {
        found.into_iter().map(|problem| problem.what).collect()
    }

    #[test]
    fn a_server_that_is_well_has_no_problems() {
        assert!(texts(of_readiness(Readiness::Ready { degraded: Vec::new() })).is_empty());
        assert!(texts(of_history(&History::default())).is_empty());
        assert!(texts(of_mails(0, None)).is_empty());
        assert!(texts(of_bare_admins(&[])).is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_cause() {
        let reason = "the store cannot be reached";
        assert!(texts(of_readiness(Readiness::Unavailable { reason }))[0].contains(reason));
        assert!(texts(of_readiness(Readiness::Ready { degraded: vec!["nats"] }))[0].contains("nats"));
        assert!(texts(of_mails(2, Some("550 no such user")))[0].ends_with("2. The last attempt: 550 no such user"));
        let names: Vec<String> = (0..7).map(|number| format!("admin-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let told = texts(of_bare_admins(&names));
        assert!(told[0].ends_with("admin-3, admin-4 and 2 more."), "{told:?}");
    }

    #[test]
    fn a_limit_is_told_when_nine_tenths_are_used() {
        let usage =
            |held| Usage { maximum: Maximum { name: "connections", count: 1000 }, held: Some(held), refused: 0 };
        assert!(of_limit(&usage(899)).is_none());
        assert!(of_limit(&usage(900)).unwrap().advice.contains("--max-connections,"));
    }

    #[cfg(unix)]
    #[test]
    fn the_room_on_the_disk_is_known() {
        let (free, size) = room(std::path::Path::new("/")).unwrap();
        assert!(free <= size && size > 0);
    }
}
