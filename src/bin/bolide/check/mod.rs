//! `bolide check`: looks for what is wrong with a server's data and surroundings, also while it runs, and says what to do.
//!
//! - `report`: the findings, and how they are printed;
//! - `database`: the database, its keys and its users;
//! - `machine`: files, disk, descriptors and clock;
//! - `mail`: the mail server, and the URL in mails.

mod database;
mod machine;
mod mail;
mod report;

use bolide::clock::{Clock as _, SystemClock};

use crate::serve::{self, Outcome};
use report::Report;

/// The text of `--help` about exit codes.
const EXIT_CODES: &str = "\
Exit codes:
  0    nothing is wrong, or there are warnings only
  1    a problem was found
  2    the command line is wrong";

#[derive(Debug, clap::Args)]
// `bolide serve` has a group of this name.
#[group(skip)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// Also compares the indexes of an SQLite database with its tables, which takes longer
    #[arg(long)]
    thorough: bool,

    /// Prints a JSON array of objects with the fields `check`, `level` (`ok`, `warning` or `problem`) and `text`
    #[arg(long)]
    json: bool,

    /// Sends a test mail to this address. Without it, no mail is sent
    #[arg(long, value_name = "ADDRESS")]
    send_test_to: Option<String>,

    #[command(flatten)]
    server: serve::Arguments,
}

pub(crate) async fn run(Arguments { thorough, json, send_test_to, server }: Arguments) -> Outcome {
    let mut report = Report::default();
    let now = SystemClock.now();
    let store = database::check(&mut report, &server.data, thorough).await;
    if let Some(store) = &store {
        database::check_keys(&mut report, &server.data, store).await;
        database::check_users(&mut report, store).await;
    }
    machine::check_files(&mut report, &server.data);
    machine::check_descriptors(&mut report, server.limits.limits().connections);
    machine::check_clock(&mut report, now, store.as_ref()).await;
    mail::check_site(&mut report, server.site.root_url.as_deref());
    mail::check_server(&mut report, &server, send_test_to.as_deref()).await;
    report.print(json)?;
    match report.problems() {
        0 => Ok(()),
        1 => Err("a problem was found".into()),
        many => Err(format!("{many} problems were found").into()),
    }
}
