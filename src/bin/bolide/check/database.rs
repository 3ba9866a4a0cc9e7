//! The database, its keys and its users.

use std::cmp::Ordering;

use bolide::accounts::Accounts;
use bolide::store::inspection::{Inspection, Schema, Thoroughness};
use bolide::store::user::Users as _;
use bolide::store::{SqlStore, Totp, User, UserFilter};

use super::report::Report;
use crate::data::DataArguments;

/// The maximum number of admins who are looked at.
const ADMINS: u32 = 500;

/// What to do about damage.
const RESTORE: &str = "stop the server, and restore a backup with `bolide restore`";

/// Checks the database. Returns it unless it cannot be read.
pub(super) async fn check(report: &mut Report, data: &DataArguments, thorough: bool) -> Option<SqlStore> {
    let opened = Inspection::open(&data.directory.address(), data.directory.options()).await;
    let inspection = match opened {
        Ok(inspection) => inspection,
        Err(error) => {
            report.problem("database", error.to_string());
            return None;
        }
    };
    report.ok("database", "it can be read");
    let is_file = data.directory.database_file().is_some();
    if is_file {
        check_pages(report, &inspection, thorough).await;
    } else {
        report.ok("integrity", "PostgreSQL checks its pages when it reads them; `pg_amcheck` reads all of them");
    }
    check_schema(report, inspection.schema());
    let store = inspection.into_store().ok()?;
    check_documents(report, &store).await;
    Some(store)
}

fn check_schema(report: &mut Report, Schema { found, known, .. }: Schema) {
    match found.cmp(&known) {
        Ordering::Equal => report.ok("schema", format!("version {found}, which is that of this program")),
        Ordering::Less => report.warning(
            "schema",
            format!(
                "version {found}; the next start of this program brings it up to {known}, after which an older one cannot \
                 use it: run `bolide backup` before. Keys, users and documents were not checked"
            ),
        ),
        Ordering::Greater => report
            .problem("schema", format!("version {found} of a newer program, this one knows {known}; update this one")),
    }
}

async fn check_pages(report: &mut Report, inspection: &Inspection, thorough: bool) {
    let (thoroughness, done) = if thorough {
        (Thoroughness::Thorough, "all pages, indexes and references are in order")
    } else {
        (Thoroughness::Quick, "all pages and references are in order; --thorough reads the indexes as well")
    };
    match inspection.faults(thoroughness).await {
        Ok(faults) if faults.is_empty() => report.ok("integrity", done),
        Ok(faults) => faults.into_iter().for_each(|fault| report.problem("integrity", format!("{fault}; {RESTORE}"))),
        Err(error) => report.problem("integrity", format!("{error}; {RESTORE}")),
    }
}

async fn check_documents(report: &mut Report, store: &SqlStore) {
    match store.document_faults().await {
        Ok(faults) if faults.is_empty() => {
            report.ok("documents", "their numbers and the entries of indexes are complete");
        }
        Ok(faults) => faults.into_iter().for_each(|fault| report.problem("documents", format!("{fault}; {RESTORE}"))),
        Err(error) => report.problem("documents", format!("{error}; does --statement-timeout end it?")),
    }
}

/// Checks whether the keys open what is in the database.
pub(super) async fn check_keys(report: &mut Report, data: &DataArguments, store: &SqlStore) {
    let keys = match data.existing_keys() {
        Ok(keys) => keys,
        Err(error) => return report.problem("keys", error.to_string()),
    };
    match Accounts::check_keys(store, &keys).await {
        Ok(()) => report.ok("keys", "they fit the database"),
        Err(error) => report.problem("keys", error.to_string()),
    }
}

/// Checks whether somebody can administer the server, and how well that is protected.
pub(super) async fn check_users(report: &mut Report, store: &SqlStore) {
    let filter = UserFilter { role: Some("admin".to_owned()), limit: ADMINS, ..UserFilter::default() };
    let admins = match store.users(filter).await {
        Ok(page) => page.users,
        Err(error) => return report.problem("admins", error.to_string()),
    };
    let active: Vec<&User> = admins.iter().filter(|user| user.is_active).collect();
    if active.is_empty() {
        return report.problem(
            "admins",
            "no active user has the role `admin`; with the server stopped, run `bolide user add NAME --role admin`. A \
             server without users adds one at its start",
        );
    }
    let unprotected: Vec<&str> = active
        .iter()
        .filter(|user| !matches!(user.totp, Totp::On(_)) && !user.has_email_codes)
        .map(|user| user.username.as_deref().unwrap_or(user.id.as_str()))
        .collect();
    if unprotected.is_empty() {
        report.ok("admins", format!("{} with a second factor", active.len()));
    } else {
        let names = unprotected.join(", ");
        report.warning("admins", format!("without a second factor: {names}; they turn it on in their account page"));
    }
}
