//! Tests the conformance cases: a proxy in front of our own server makes one mistake, which a case must notice at the
//! level that the mistake breaks, or varies what DDP leaves to the server, which no case may report.
//!
//! In reading order:
//!
//! - [`mutation`]: a mistake or a variation, and what it does to messages;
//! - [`proxy`]: the transport that applies it;
//! - [`faults`]: how the tables write them in one line;
//! - [`table`], [`legal`]: the mistakes and the variations;
//! - [`trial`]: holds one of them against the cases, with a server of its own.

mod application;
mod conversation;
mod faults;
mod legal;
mod mutation;
mod proxy;
mod table;
mod trial;
mod writing;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use bolide::conformance::{Chapter, Level, book};
use clap::Parser;
use futures::{StreamExt as _, stream};

use crate::mutation::Mutation;
use crate::trial::{Noticed, notice, reported};

/// The share of the mistakes that must be noticed, in percent.
const NOTICED_AT_LEAST: usize = 95;

/// The number of servers at a time. Most of a trial is waiting for messages that do not come.
const AT_ONCE: usize = 8;

/// Breaks a server in a hundred ways, and checks that the conformance cases notice.
#[derive(Debug, Parser)]
struct Arguments {
    /// Tries only mistakes and variations whose name contains this
    #[arg(long)]
    name: Option<String>,

    /// Prints each mistake with the case that noticed it
    #[arg(long)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A method of the application panics, which servers survive. The backtraces would hide the results.
    std::panic::set_hook(Box::new(|panic| {
        if !panic.to_string().contains("a panic that clients must not see") {
            let _closed = writeln!(io::stderr().lock(), "{panic}");
        }
    }));
    let book = match book::embedded() {
        Ok(book) => book,
        Err(error) => {
            say(&format!("the cases are malformed: {error}"));
            return ExitCode::from(2);
        }
    };
    let is_asked = |name: &str| arguments.name.as_ref().is_none_or(|part| name.contains(part.as_str()));
    let begun = Instant::now();
    let mut failures = reported_without_a_mistake(&book).await;
    failures += reported_variations(&book, is_asked).await;
    say(&format!("-- without a mistake: {} s", begun.elapsed().as_secs()));

    let mistakes: Vec<Mutation> = table::all().into_iter().filter(|mutation| is_asked(mutation.name)).collect();
    let number = mistakes.len();
    let survivors = survivors(&book, mistakes, arguments.verbose).await;
    let noticed = number - survivors;
    if noticed * 100 < number * NOTICED_AT_LEAST {
        say(&format!("at least {NOTICED_AT_LEAST} % of the mistakes must be noticed"));
        failures += 1;
    }
    say(&format!("-- {noticed} of {number} mistakes noticed: {} s", begun.elapsed().as_secs()));
    say(&format!("{noticed} passed, {failures} failed, 0 skipped"));
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the number of cases that fail behind the proxy without a mutation.
async fn reported_without_a_mistake(book: &[Chapter]) -> usize {
    let failed = reported(book, &[], Level::Bolide).await;
    for case in &failed {
        say(&format!("FAILED without a mistake  {case}"));
    }
    failed.len()
}

/// Returns the number of legal variations that are reported. They are tried all at once, and if something is reported,
/// one after another.
async fn reported_variations(book: &[Chapter], is_asked: impl Fn(&str) -> bool) -> usize {
    let mut number = 0;
    for level in legal::LEVELS {
        let variations = || legal::all().into_iter().filter(|it| it.level >= level && is_asked(it.name));
        let together: Vec<Mutation> = variations().collect();
        if together.is_empty() || reported(book, &together, level).await.is_empty() {
            continue;
        }
        for variation in variations() {
            let name = variation.name;
            let failed = reported(book, &[variation], level).await;
            number += usize::from(!failed.is_empty());
            for case in &failed {
                say(&format!("REPORTED at level {level}, though legal: {name}  {case}"));
            }
        }
    }
    number
}

/// Returns the number of mistakes that no case notices, and prints their names.
async fn survivors(book: &[Chapter], mistakes: Vec<Mutation>, verbose: bool) -> usize {
    let mut trials = stream::iter(mistakes)
        .map(async |mutation| {
            let noticed = notice(book, &mutation).await;
            (mutation, noticed)
        })
        .buffer_unordered(AT_ONCE);
    let mut survivors = 0;
    while let Some((Mutation { name, level, .. }, noticed)) = trials.next().await {
        match noticed {
            Noticed::By(case) if verbose => say(&format!("noticed  {name}  by {case}")),
            Noticed::By(_) => {}
            Noticed::Elsewhere(case) => say(&format!("noticed  {name}  elsewhere, by {case}")),
            Noticed::Not => {
                survivors += 1;
                say(&format!("SURVIVED at level {level}: {name}"));
            }
        }
    }
    survivors
}

/// Prints a line. Standard output may be closed; the exit code tells as well.
fn say(line: &str) {
    let _closed = writeln!(io::stdout().lock(), "{line}");
}
