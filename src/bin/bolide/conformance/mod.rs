//! `bolide conformance URL`: runs the conformance cases against a server, prints a table by chapter, and writes reports.

mod arguments;
mod authority;
mod list;
mod reports;

use std::cell::Cell;
use std::io::{self, Write as _};
use std::process::ExitCode;

use bolide::conformance::{
    Chapter, Options, Report, SockJs, Transport, Verdict, WebSocket, book, preflight, run_watched,
};

pub(crate) use self::arguments::Arguments;
use self::arguments::Command;
use crate::output;
use crate::progress::Transfer;

/// Why a command ended without a verdict about the server.
type Error = Box<dyn std::error::Error>;

pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let done = match &arguments.command {
        Some(Command::Report(report)) => reports::compare(report).map(|()| ExitCode::SUCCESS),
        None => test(&arguments).await,
    };
    done.unwrap_or_else(|error| {
        // Standard error may be closed; the exit code tells as well.
        let _closed = writeln!(io::stderr(), "bolide: {}", output::harmless(&error.to_string()));
        ExitCode::from(2)
    })
}

async fn test(arguments: &Arguments) -> Result<ExitCode, Error> {
    let book = match &arguments.cases {
        Some(directory) => book::from_directory(directory)?,
        None => book::embedded()?,
    };
    let options = arguments.options();
    options.check(&book)?;
    let options = options.known_failures(arguments.known_failures(&book)?);
    if arguments.list {
        list::print(&book, &options)?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = arguments.mailbox(options).await?;
    let report = connect_and_play(arguments, &book, &options).await?;
    report.write(&mut io::stdout().lock())?;
    reports::write(arguments, &report)?;
    if report.counts().run() == 0 {
        return Err("no case was run; see above why".into());
    }
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn connect_and_play(arguments: &Arguments, book: &[Chapter], options: &Options) -> Result<Report, Error> {
    let url = arguments.url()?;
    let trusted = arguments.ca.as_deref().map(authority::trusting).transpose()?;
    if let Some(over) = arguments.transport().sockjs() {
        let sockjs = SockJs::new(url, &arguments::salt())?.over(over);
        let sockjs = trusted.into_iter().fold(sockjs, SockJs::tls);
        return play(&sockjs, arguments, book, options).await;
    }
    let socket = trusted.into_iter().fold(WebSocket::new(url)?, WebSocket::tls);
    play(&socket, arguments, book, options).await
}

async fn play(
    transport: &impl Transport,
    arguments: &Arguments,
    book: &[Chapter],
    options: &Options,
) -> Result<Report, Error> {
    preflight(transport, arguments.patience()).await?;
    let progress = Transfer::of_cases(options.selected(book).count());
    let failed = Cell::new(0_usize);
    let report = run_watched(transport, book, options, |outcome| {
        if matches!(outcome.verdict, Verdict::Failed(_)) {
            failed.set(failed.get() + 1);
            progress.describe(format!(", {} failed", failed.get()));
        }
        progress.advance(1);
    });
    let report = report.await;
    progress.finish();
    Ok(report)
}
