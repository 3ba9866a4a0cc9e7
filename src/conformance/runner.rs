//! [`run`]: selects cases and runs several at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::Value;

use super::asking::declared;
use super::capability::Capability;
use super::case::{Case, Chapter};
use super::known_failures::KnownFailures;
use super::level::Level;
use super::mailbox::Mailbox;
use super::memory::FreshValues;
use super::player::{RunContext, play};
use super::reading::Reading;
use super::release::{Product, Release};
use super::report::{Outcome, Report, Verdict};
use super::selection::{Selection, UnknownName};
use super::transport::Transport;

/// Which cases to run, and how.
#[derive(Debug, Clone)]
pub struct Options {
    salt: String,
    level: Level,
    slow: bool,
    selection: Selection,
    patience: Duration,
    linger: Duration,
    parallel: usize,
    server: BTreeMap<String, Value>,
    missing: BTreeSet<Capability>,
    versions: BTreeMap<Product, Release>,
    mailbox: Option<Mailbox>,
    known: KnownFailures,
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
            selection: Selection::default(),
            patience: Duration::from_secs(5),
            linger: Duration::from_millis(20),
            parallel: 8,
            server: BTreeMap::from([
                ("transport".to_owned(), "websocket".into()),
                ("httpForwardedCount".to_owned(), 0.into()),
            ]),
            missing: BTreeSet::new(),
            versions: BTreeMap::new(),
            mailbox: None,
            known: KnownFailures::default(),
        }
    }

    /// Runs the cases of this level and of the levels below it. Default: [`Level::Ddp`]. From [`Level::Meteor`] on,
    /// messages must have exactly the form of Meteor's.
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
        self.selection.chapters.push(name.to_owned());
        self
    }

    /// Runs only the cases whose id fits a pattern such as `methods/12` or `methods/*`. Further calls add patterns.
    #[must_use]
    pub fn case(mut self, pattern: &str) -> Self {
        self.selection.ids.push(pattern.to_owned());
        self
    }

    /// Runs only cases whose name contains this text. Further calls add texts.
    #[must_use]
    pub fn name(mut self, part: &str) -> Self {
        self.selection.names.push(part.to_lowercase());
        self
    }

    /// Sets the timeout for an expected message, unless the step has its own. Default: 5 s.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Sets for how long a case listens to its connections after its last step: a message or an end of a connection that
    /// arrives late fails the case. Default: 20 ms.
    #[must_use]
    pub fn linger(self, linger: Duration) -> Self {
        Self { linger, ..self }
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

    /// Declares that the server does not have a capability, in addition to what its application declares. Further calls
    /// add capabilities.
    #[must_use]
    pub fn without(mut self, capability: Capability) -> Self {
        self.missing.insert(capability);
        self
    }

    /// Declares that the server corresponds to this version of a product: rules that hold since a later one are not
    /// tested. Default: the newest version.
    #[must_use]
    pub fn version_of(mut self, release: Release) -> Self {
        self.versions.insert(release.product, release);
        self
    }

    /// Expects these cases to fail.
    #[must_use]
    pub fn known_failures(self, known: KnownFailures) -> Self {
        Self { known, ..self }
    }

    /// Declares that the server sends its mail to this mailbox.
    #[must_use]
    pub fn mailbox(self, mailbox: Mailbox) -> Self {
        Self { mailbox: Some(mailbox), ..self.server("mail", true) }
    }

    /// Checks that the selected chapters and cases, and the declared options of the server, occur in `book`.
    ///
    /// # Errors
    /// Returns an error that suggests the nearest name if one does not occur.
    pub fn check(&self, book: &[Chapter]) -> Result<(), UnknownName> {
        self.selection.check(book)?;
        let cases = || book.iter().flat_map(|chapter| &chapter.cases);
        let is_needed =
            |name: &String| DECLARED.contains(&name.as_str()) || cases().any(|it| it.needs.contains_key(name));
        match self.server.keys().find(|name| !is_needed(name)) {
            None => Ok(()),
            Some(name) => {
                let mut known = cases().flat_map(|case| case.needs.keys()).map(String::as_str);
                Err(UnknownName::new("the need", name, &mut known))
            }
        }
    }

    /// Returns the selected cases with their chapters, including those that this run skips.
    pub fn selected<'book>(&self, book: &'book [Chapter]) -> impl Iterator<Item = (&'book Chapter, &'book Case)> {
        let cases = book.iter().flat_map(|chapter| chapter.cases.iter().map(move |case| (chapter, case)));
        cases.filter(|(chapter, case)| self.selection.selects(chapter, case))
    }

    fn reading(&self) -> Reading {
        if self.level < Level::Meteor { Reading::Specified } else { Reading::Literal }
    }

    /// Returns why this run skips a selected case, or `None` if it runs it, provided that the server has the
    /// capabilities.
    #[must_use]
    pub fn reason_to_skip(&self, case: &Case) -> Option<String> {
        if case.level > self.level {
            return Some(format!("its level is {}", case.level));
        }
        if case.slow && !self.slow {
            return Some("it is slow, and needs --slow".into());
        }
        if let Some(since) = case.since.as_ref().filter(|since| self.is_before(since)) {
            return Some(format!("it holds since {since}"));
        }
        let unmet = case.needs.iter().filter(|(name, value)| self.server.get(*name) != Some(value));
        let unmet: Vec<String> = unmet.map(|(name, value)| shown_need(name, value)).collect();
        (!unmet.is_empty()).then(|| format!("it needs {}", unmet.join(" ")))
    }

    fn is_before(&self, since: &Release) -> bool {
        self.versions.get(&since.product).is_some_and(|release| release.version < since.version)
    }
}

/// The options of a server that a runner knows or assumes itself.
const DECLARED: [&str; 3] = ["transport", "httpForwardedCount", "mail"];

/// Formats a need as the flag that declares it.
fn shown_need(name: &str, value: &Value) -> String {
    match (name, value) {
        ("mail", Value::Bool(true)) => "--smtp ADDRESS".into(),
        ("transport", Value::String(transport)) => format!("--transport {transport}"),
        (_, Value::String(text)) => format!("--need {name}={text}"),
        (_, value) => format!("--need {name}={value}"),
    }
}

/// Runs the selected cases against the server that `transport` connects to.
pub async fn run<T: Transport>(transport: &T, book: &[Chapter], options: &Options) -> Report {
    run_watched(transport, book, options, |_| ()).await
}

/// Runs the selected cases as [`run`] does, and calls `watch` with each outcome as soon as it is known.
pub async fn run_watched<T: Transport>(
    transport: &T,
    book: &[Chapter],
    options: &Options,
    watch: impl Fn(&Outcome),
) -> Report {
    let cases = options.selected(book).enumerate();
    let selected: Vec<(usize, &Chapter, &Case)> =
        cases.map(|(place, (chapter, case))| (place, chapter, case)).collect();
    let fresh_values = &FreshValues::new(&options.salt);
    let context = &RunContext {
        fresh_values,
        mailbox: options.mailbox.as_ref(),
        patience: options.patience,
        reading: options.reading(),
        documents_come_first: options.level == Level::Bolide,
        linger: options.linger,
    };
    let missing = &missing(transport, selected.iter().map(|(_, _, case)| *case), options).await;
    let (alone, together): (Vec<_>, Vec<_>) = selected.into_iter().partition(|(_, _, case)| case.alone);

    let run_one = async |(place, chapter, case): (usize, &Chapter, &Case)| {
        let verdict = match reason_not_to_play(case, missing, options) {
            Some(verdict) => verdict,
            None => played(transport, case, context).await,
        };
        let outcome = Outcome::of(chapter, case, options.known.judge(&case.id, verdict));
        watch(&outcome);
        (place, outcome)
    };
    let mut outcomes: Vec<(usize, Outcome)> =
        stream::iter(together).map(run_one).buffer_unordered(options.parallel).collect().await;
    for one in alone {
        outcomes.push(run_one(one).await);
    }
    outcomes.sort_by_key(|(place, _)| *place);
    Report::new(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// Returns the capabilities that the server does not have. The application is asked if a case depends on the answer.
async fn missing<'case, T: Transport>(
    transport: &T,
    mut cases: impl Iterator<Item = &'case Case>,
    options: &Options,
) -> BTreeSet<Capability> {
    let mut missing = options.missing.clone();
    let depends = |case: &Case| options.reason_to_skip(case).is_none() && !case.capabilities.is_subset(&missing);
    if cases.any(depends)
        && let Some(declared) = declared(transport, options.patience).await
    {
        missing.extend(Capability::ALL.into_iter().filter(|capability| !declared.contains(capability)));
    }
    missing
}

fn reason_not_to_play(case: &Case, missing: &BTreeSet<Capability>, options: &Options) -> Option<Verdict> {
    if let Some(reason) = options.reason_to_skip(case) {
        return Some(Verdict::Skipped(reason));
    }
    let lacking = case.capabilities.iter().find(|capability| missing.contains(capability));
    lacking.map(|capability| Verdict::Unimplemented(format!("the server does not have `{capability}`")))
}

async fn played<T: Transport>(transport: &T, case: &Case, context: &RunContext<'_>) -> Verdict {
    match play(transport, case, context).await {
        Ok(departures) if departures.is_empty() => Verdict::Passed,
        Ok(departures) => Verdict::NonStrict(departures),
        Err(failure) => Verdict::Failed(failure),
    }
}
