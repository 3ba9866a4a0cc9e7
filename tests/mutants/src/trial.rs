//! Holds mutations against the cases.

use std::collections::BTreeSet;
use std::time::Duration;

use bolide::conformance::{Case, Chapter, Level, Options, Report, WebSocket, run};
use futures::{StreamExt as _, stream};

use crate::application::{HEARTBEAT_MILLISECONDS, Server};
use crate::mutation::Mutation;
use crate::proxy::Proxy;

/// How long a trial of a mistake waits for a message. Most mistakes are messages that do not come.
const PATIENCE: Duration = Duration::from_secs(1);

/// The number of cases of one trial at a time. More would be played in vain after the first that fails.
const CASES_AT_ONCE: usize = 3;

/// Whether a mistake was noticed.
pub(crate) enum Noticed {
    /// By this case of the chapters that should notice it.
    By(String),
    /// By this case of another chapter.
    Elsewhere(String),
    /// By no case.
    Not,
}

/// Plays cases of the level that the mistake breaks until one of them fails.
pub(crate) async fn notice(book: &[Chapter], mutation: &Mutation) -> Noticed {
    let server = Server::start(mutation.quick_heartbeats).await;
    let trial = Trial { server: &server, mutation };
    let (named, others): (Vec<&Chapter>, Vec<&Chapter>) =
        book.iter().partition(|chapter| mutation.chapters.contains(&chapter.name.as_str()));
    if let Some(case) = trial.first_failure(&named).await {
        return Noticed::By(case);
    }
    match trial.first_failure(&others).await {
        Some(case) => Noticed::Elsewhere(case),
        None => Noticed::Not,
    }
}

/// Plays all cases of the level, and returns those that fail.
pub(crate) async fn reported(book: &[Chapter], mutations: &[Mutation], level: Level) -> Vec<String> {
    let mut failures = Vec::new();
    for quick_heartbeats in [false, true] {
        let server = Server::start(quick_heartbeats).await;
        let options = options(&server, "all", level, quick_heartbeats);
        let options = if quick_heartbeats { options.chapter("heartbeat") } else { options };
        failures.extend(failed(&play(&server, mutations, book, &options).await));
    }
    failures
}

struct Trial<'run> {
    server: &'run Server,
    mutation: &'run Mutation,
}

impl Trial<'_> {
    async fn first_failure(&self, chapters: &[&Chapter]) -> Option<String> {
        let cases = chapters.iter().flat_map(|chapter| chapter.cases.iter().map(move |case| (*chapter, case)));
        let cases = cases.filter(|(_, case)| case.level <= self.mutation.level).enumerate();
        let (alone, together): (Vec<_>, Vec<_>) = cases.partition(|(_, (_, case))| case.alone);
        let play = async |(number, (chapter, case))| self.failure(number, chapter, case).await;
        for (cases, at_once) in [(together, CASES_AT_ONCE), (alone, 1)] {
            let mut failures = stream::iter(cases).map(play).buffered(at_once).filter_map(std::future::ready).boxed();
            if let Some(failure) = failures.next().await {
                return Some(failure);
            }
        }
        None
    }

    async fn failure(&self, number: usize, chapter: &Chapter, case: &Case) -> Option<String> {
        let salt = format!("{}-{number}", chapter.name);
        let options =
            options(self.server, &salt, self.mutation.level, self.mutation.quick_heartbeats).patience(PATIENCE);
        // Our server has all capabilities; a broken one need not be asked for them.
        let case = Case { capabilities: BTreeSet::new(), ..case.clone() };
        let only = Chapter { cases: vec![case], ..chapter.clone() };
        let report = play(self.server, std::slice::from_ref(self.mutation), &[only], &options).await;
        failed(&report).pop()
    }
}

fn options(server: &Server, salt: &str, level: Level, quick_heartbeats: bool) -> Options {
    let options = Options::new(salt).level(level);
    if quick_heartbeats {
        return options
            .server("heartbeatIntervalMs", HEARTBEAT_MILLISECONDS)
            .server("heartbeatTimeoutMs", HEARTBEAT_MILLISECONDS);
    }
    options.mailbox(server.mailbox.clone())
}

#[expect(clippy::expect_used, reason = "the address of a server is valid")]
async fn play(server: &Server, mutations: &[Mutation], book: &[Chapter], options: &Options) -> Report {
    let socket = WebSocket::new(&format!("ws://{}/websocket", server.address)).expect("an address");
    run(&Proxy { server: &socket, mutations }, book, options).await
}

fn failed(report: &Report) -> Vec<String> {
    let failures = report.failures();
    failures
        .map(|(outcome, failure)| {
            let reason = failure.reason.replace('\n', " · ");
            format!("{}: {} (step {}: {reason:.300})", outcome.chapter, outcome.case, failure.step)
        })
        .collect()
}
