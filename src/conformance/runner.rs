//! [`run`]: selects cases and runs several at once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::Value;

use super::case::{Case, Chapter, Level};
use super::mailbox::Mailbox;
use super::memory::FreshValues;
use super::player::{RunContext, play};
use super::report::{Outcome, Report, Verdict};
use super::transport::Transport;

/// Which cases to run, and how.
#[derive(Debug, Clone)]
pub struct Options {
    salt: String,
    level: Level,
    slow: bool,
    chapters: Vec<String>,
    names: Vec<String>,
    patience: Duration,
    parallel: usize,
    server: BTreeMap<String, Value>,
    mailbox: Option<Mailbox>,
}

impl Options {
    /// Selects all cases of level [`Level::Ddp`] that are not slow. Fresh values begin with `salt`, which must be
    /// different in every run against the same server.
    #[must_use]
    pub fn new(salt: &str) -> Self {
        Self {
            salt: salt.to_owned(),
            level: Level::Ddp,
            slow: false,
            chapters: Vec::new(),
            names: Vec::new(),
            patience: Duration::from_secs(5),
            parallel: 8,
            server: BTreeMap::from([
                ("transport".to_owned(), "websocket".into()),
                ("httpForwardedCount".to_owned(), 0.into()),
            ]),
            mailbox: None,
        }
    }

    /// Runs the cases of this level and of the levels below it. Default: [`Level::Ddp`].
    #[must_use]
    pub fn level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// Sets whether slow cases are run. Default: no.
    #[must_use]
    pub fn slow(self, slow: bool) -> Self {
        Self { slow, ..self }
    }

    /// Runs only this chapter. Further calls add chapters.
    #[must_use]
    pub fn chapter(mut self, name: &str) -> Self {
        self.chapters.push(name.to_owned());
        self
    }

    /// Runs only cases whose name contains this text. Further calls add texts.
    #[must_use]
    pub fn name(mut self, part: &str) -> Self {
        self.names.push(part.to_lowercase());
        self
    }

    /// Sets the timeout for an expected message, unless the step has its own. Default: 5 s.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Sets the maximum number of cases that run at the same time.
    #[must_use]
    pub fn parallel(self, parallel: usize) -> Self {
        Self { parallel: parallel.max(1), ..self }
    }

    /// Declares an option with which the server was started, for cases that need it: `("heartbeatIntervalMs", 400)`.
    #[must_use]
    pub fn server(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.server.insert(name.to_owned(), value.into());
        self
    }

    /// Declares that the server sends its mail to this mailbox.
    #[must_use]
    pub fn mailbox(self, mailbox: Mailbox) -> Self {
        Self { mailbox: Some(mailbox), ..self.server("mail", true) }
    }

    fn selects(&self, chapter: &Chapter, case: &Case) -> bool {
        let name = case.name.to_lowercase();
        let in_chapter = self.chapters.is_empty() || self.chapters.contains(&chapter.name);
        in_chapter && (self.names.is_empty() || self.names.iter().any(|part| name.contains(part)))
    }

    fn reason_to_skip(&self, case: &Case) -> Option<String> {
        if case.level > self.level {
            return Some(format!("its level is {}", case.level));
        }
        if case.slow && !self.slow {
            return Some("it is slow".into());
        }
        let unmet = case.needs.iter().find(|(name, value)| self.server.get(*name) != Some(value));
        unmet.map(|(name, value)| format!("it needs a server with {name} = {value}"))
    }
}

/// Runs the selected cases against the server that `transport` connects to.
pub async fn run<T: Transport>(transport: &T, book: &[Chapter], options: &Options) -> Report {
    let fresh_values = &FreshValues::new(&options.salt);
    let context = &RunContext { fresh_values, mailbox: options.mailbox.as_ref(), patience: options.patience };
    let selected: Vec<(usize, &Chapter, &Case)> = book
        .iter()
        .flat_map(|chapter| chapter.cases.iter().map(move |case| (chapter, case)))
        .filter(|(chapter, case)| options.selects(chapter, case))
        .enumerate()
        .map(|(place, (chapter, case))| (place, chapter, case))
        .collect();
    let (alone, together): (Vec<_>, Vec<_>) = selected.into_iter().partition(|(_, _, case)| case.alone);

    let run_one = async |(place, chapter, case): (usize, &Chapter, &Case)| {
        (place, run_case(transport, chapter, case, context, options).await)
    };
    let mut outcomes: Vec<(usize, Outcome)> =
        stream::iter(together).map(run_one).buffer_unordered(options.parallel).collect().await;
    for one in alone {
        outcomes.push(run_one(one).await);
    }
    outcomes.sort_by_key(|(place, _)| *place);
    Report::new(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

async fn run_case<T: Transport>(
    transport: &T,
    chapter: &Chapter,
    case: &Case,
    context: &RunContext<'_>,
    options: &Options,
) -> Outcome {
    let verdict = match options.reason_to_skip(case) {
        Some(reason) => Verdict::Skipped(reason),
        None => match play(transport, case, context).await {
            Ok(()) => Verdict::Passed,
            Err(failure) => Verdict::Failed(failure),
        },
    };
    Outcome { chapter: chapter.name.clone(), case: case.name.clone(), verdict }
}
